"""Taking test IDs over real HTTP: what is sent, what is shown, and every way to fail."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_bridge.core.launch.handoff import InfoPage
from lti_bridge.errors import AnswerLost, BridgeError, NetworkRefused, ProviderBusy, ProviderDown
from lti_bridge.providers.itep import KIND, errors, oids
from lti_bridge.providers.itep.kind import Itep
from tests.providers.itep.account import ANN, ATTEMPT, Account, session

MARK = "Zöë-Ünique"


def body(account: Account, number: int = -1) -> Any:
    return json.loads(account.sent[number][1])


def shown(note: Any) -> dict[str, str]:
    assert isinstance(note, InfoPage)
    return dict(note.details)


# What is sent and shown


def test_gtx_shows_the_id_and_the_password(account: Account, provider: Itep) -> None:
    started = provider.start(session(provider))
    (test,) = account.state()["tests"]
    assert started.reference == test["test_id"]
    assert shown(started.handoff) == {"Test ID": test["test_id"], "Password": test["password"]}
    assert started.handoff.link == f"{account.running.url}/?test-id={test['test_id']}"  # type: ignore[union-attr]
    assert started.expects_result
    again = provider.resume(session(provider, started=started))
    assert again == started.handoff
    assert account.taken() == 1


def test_the_order_is_iteps_example(account: Account, provider: Itep) -> None:
    provider.start(session(provider, registration={"City": "Oslo", "Gender": "female"}))
    oid = oids.issue(provider.tools.sign, ATTEMPT)
    assert body(account) == {
        "product-code": "GTX-Academic-Plus",
        "track": "RC",
        "sequence": 1,
        "assigned-to": {
            "student-name": "Änn O’Neil",
            "email": ANN.email,
            "customer-candidate-id": oid,
            "sequence": 1,
        },
        "registration": {
            "Last_Name": "O’Neil",
            "First_Name": "Änn",
            "Email": ANN.email,
            "City": "Oslo",
            "Gender": "Female",
            "trExternal_ID": oid,
        },
    }
    assert len(oid) == 35
    assert account.state()["tests"][0]["registration"]["trExternal_ID"] == oid


def test_stx_lets_itep_write(account: Account, provider: Itep) -> None:
    asked = session(
        provider,
        "STX-Academic-Plus",
        bcc="$Person.email.primary",
        resolved={"Person.email.primary": "desk@example.org"},
    )
    started = provider.start(asked)
    (mail,) = account.state()["outbox"]
    assert (mail["to"], mail["bcc"]) == (ANN.email, "desk@example.org")
    assert shown(started.handoff) == {}
    assert "mailbox" in started.handoff.title  # type: ignore[union-attr]
    assert started.reference == mail["test-id"]
    assert mail["password"] not in json.dumps(dict(started.data))  # not needed, not kept
    assert provider.resume(session(provider, started=started)) == started.handoff


def test_the_operator_words_the_pages(account: Account) -> None:
    words = {
        "handoff_title": "Ihr Test",
        "handoff_text": "Eins.\nZwei.",
        "test_id_label": "Kennung",
        "password_label": "Passwort",
        "link_label": "Los",
        "launch_template": "",
        "mail_title": "Post",
        "mail_text": "Da.",
    }
    provider = account.provider(**words)
    note = provider.start(session(provider)).handoff
    assert isinstance(note, InfoPage)
    assert (note.title, note.paragraphs, note.link) == ("Ihr Test", ("Eins.", "Zwei."), "")
    assert list(shown(note)) == ["Kennung", "Passwort"]
    mailed = provider.start(session(provider, "STX-Academic-Plus", "other")).handoff
    assert mailed == InfoPage("Post", ("Da.",))


@pytest.mark.parametrize("encoding", ["hex", "HEX", "base64"])
@pytest.mark.parametrize("mode", ["none", "counter", "timestamp"])
def test_all_that_itep_leaves_open_is_configuration(
    make_account: Callable[..., Account], encoding: str, mode: str
) -> None:
    wire = {"sig_encoding": encoding, "sig_prefix": "sha256="}
    paths = {"response_test_id_path": "data.id", "response_password_path": "data.pass.word"}
    names = {"header_name_gtx": "X-One", "header_name_stx": "X-Two"}
    account = make_account(endpoint_path="/v9/x", sequence_mode="none", **wire, **paths, **names)
    provider = account.provider(
        endpoint=f"{account.running.url}/v9/x", sequence_mode=mode, **wire, **paths, **names
    )
    started = provider.start(session(provider))
    assert started.reference == account.state()["tests"][0]["test_id"]
    headers, _ = account.sent[-1]
    assert headers["X-One"].startswith("sha256=")
    assert "X-Two" not in headers
    sequence = {"none": None, "counter": 1, "timestamp": 1767614400}[mode]
    assert body(account).get("sequence") == sequence
    assert body(account)["assigned-to"].get("sequence") == sequence


def test_an_expiry_is_a_date(account: Account) -> None:
    provider = account.provider(expire_days=30)
    provider.start(session(provider))
    assert body(account)["assigned-to"]["expire"] == "2026-02-04"


def test_without_a_track_nobody_waits_for_a_result(provider: Itep) -> None:
    assert not provider.start(session(provider, track="")).expects_result


def test_variables_fill_the_form(account: Account, provider: Itep) -> None:
    fields = {"Birthday": "$Born", "OIN": "$Person.sourcedId", "City": "$Town", "Email": "$Mail"}
    resolved = {"Born": "1955-07-08", "Person.sourcedId": "X1", "Mail": ""}
    provider.start(session(provider, registration=fields, resolved=resolved))
    sent = body(account)["registration"]
    assert (sent["Birthday"], sent["OIN"]) == ("7/8/1955", "X1")
    assert "City" not in sent  # nobody knew the variable
    assert sent["Email"] == ANN.email  # an empty one takes nothing away


# Refusals before the call


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("DOB_Month", "0", "Out of range Birth Month"),
        ("DOB_Day", MARK, "Out of range Birth Day"),
        ("DOB_Year", "55", "Out of range Birth Year"),
        ("Birthday", MARK, "Unable to parse Birth Date"),
        ("Birthday", "7/8/55", "Out of range Birth Year"),
        ("Gender", MARK, "Invalid Gender"),
        ("Education", MARK, "Invalid Education"),
        ("Field_Of_Study", MARK, "Invalid Study Field"),
    ],
)
def test_a_learners_wrong_value_costs_nothing(
    account: Account, provider: Itep, field: str, value: str, said: str
) -> None:
    asked = session(provider, registration={field: "$V"}, resolved={"V": value})
    with pytest.raises(errors.REFUSALS[said]) as caught:
        provider.start(asked)
    assert caught.value.detail == f"{field}: {said} [value]."
    assert MARK not in str(caught.value)
    assert account.sent == []


# Refusals by iTEP


@pytest.mark.parametrize("said", errors.REFUSALS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_every_documented_sentence_is_a_named_error(
    account: Account, provider: Itep, said: str, status: int
) -> None:
    account.fault(status=status, body=json.dumps({"oops": [f"{said} [{MARK}]."]}))
    with pytest.raises(errors.REFUSALS[said]) as caught:
        provider.start(session(provider))
    assert not isinstance(caught.value, AnswerLost)
    assert MARK not in caught.value.detail


def test_no_ids_left(make_account: Callable[..., Account]) -> None:
    account = make_account(stock=1)
    provider = account.provider()
    provider.start(session(provider))
    with pytest.raises(errors.NoTestIds):
        provider.start(session(provider, attempt_id="second"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, errors.SignatureNotAccepted),
        ({"status": 403}, errors.SignatureNotAccepted),
        ({"status": 404}, errors.Refused),
        ({"status": 302}, errors.Refused),
        ({"status": 429}, ProviderBusy),
        ({"status": 400, "body": '{"error": "Unknown track [RC] of Änn."}'}, errors.Refused),
    ],
)
def test_other_refusals_took_no_id(
    account: Account, provider: Itep, fault: dict[str, Any], error: type[BridgeError]
) -> None:
    account.fault(**fault)
    with pytest.raises(error) as caught:
        provider.start(session(provider))
    assert not isinstance(caught.value, AnswerLost)
    for private in ("Änn", "RC]", ANN.email):
        assert private not in caught.value.detail
    if "body" in fault:
        assert "Unknown track [value] of …." in caught.value.detail
    assert provider.start(session(provider)).reference


def test_a_wrong_key_is_named(account: Account) -> None:
    provider = account.provider(secret="other")
    with pytest.raises(errors.SignatureNotAccepted):
        provider.start(session(provider))


# Nobody knows


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"delay_s": 3},
        {"status": 500},
        {"status": 500, "body": '{"test-id": "1", "password": "x"}'},
        {"status": 503, "body": "<html>busy</html>"},
        {"status": 408},
        {"status": 200, "body": ""},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": "[1]"},
        {"status": 200, "body": '{"test-id": ""}'},
        {"status": 200, "body": '{"test-id": "\\ud800", "password": "x"}'},
        {"status": 200, "body": '{"test-id": true, "password": "x"}'},
        {"status": 200, "body": '{"test-id": "1"}'},
        {"status": 200, "body": "[" * 100_000},
    ],
)
def test_an_unreadable_answer_leaves_it_open(account: Account, fault: dict[str, Any]) -> None:
    provider = account.provider(timeout_s=1 if "delay_s" in fault else 30)
    account.fault(**fault)
    with pytest.raises(AnswerLost):
        provider.start(session(provider))
    assert len(account.sent) == 1  # never sent twice
    assert account.counters.last("taken:Academic-Plus") == 1
    assert KIND.repeatable(session(provider).settings) is False


def test_a_password_is_not_needed_where_itep_writes(account: Account, provider: Itep) -> None:
    account.fault(status=200, body='{"test-id": 17}')
    assert provider.start(session(provider, "STX-Academic-Plus")).reference == "17"


def test_what_was_certainly_not_sent_is_said(account: Account) -> None:
    account.running.stop()
    provider = account.provider()
    with pytest.raises(ProviderDown):
        provider.start(session(provider))
    inside = account.provider(endpoint="https://10.0.0.1/")
    with pytest.raises(NetworkRefused):
        inside.start(session(inside))


# The sequence


def test_numbers_arrive_in_order_from_many_threads(make_account: Callable[..., Account]) -> None:
    account = make_account(stock=30)
    provider = account.provider()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda n: provider.start(session(provider, attempt_id=f"a{n}")), range(24)))
    assert account.taken() == 24
    assert len(account.sent) == 24


def test_an_overtaken_number_is_replaced(account: Account, provider: Itep) -> None:
    provider.start(session(provider))
    account.counters.numbers["sequence"] = 0  # as if another process had come first
    assert provider.start(session(provider, attempt_id="second")).reference
    assert [body(account, n)["sequence"] for n in range(3)] == [1, 1, 2]
    assert account.taken() == 2
    account.counters.numbers["sequence"] = -50
    with pytest.raises(errors.SequenceRefused):
        provider.start(session(provider, attempt_id="third"))
    assert account.taken() == 2


# The stock, and what else is said


def test_the_stock_is_watched_and_shown(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    provider = account.provider(stock={"Academic-Plus": 3, "Business-Plus": 9}, stock_warning=1)
    provider.start(session(provider, attempt_id="a1"))
    assert not caplog.records
    provider.start(session(provider, attempt_id="a2"))
    provider.start(session(provider, attempt_id="a3"))
    assert [(one.levelno, one.count) for one in caplog.records] == [  # type: ignore[attr-defined]
        (logging.WARNING, 1),
        (logging.ERROR, 0),
    ]
    assert "Academic-Plus 0, Business-Plus 9" in provider.check()
    assert len(account.sent) == 3  # asking costs nothing
    assert "no stock is set" in account.provider().check()


def test_extra_time_is_for_a_person(provider: Itep, caplog: pytest.LogCaptureFixture) -> None:
    provider.start(session(provider, extra_time=50))
    assert [one.message for one in caplog.records] == ["itep.extra-time-by-hand"]


def test_nothing_private_is_logged(
    account: Account, provider: Itep, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    started = provider.start(session(provider))
    account.fault(status=200, body='{"test-id": "1"}')
    with pytest.raises(AnswerLost) as caught:
        provider.start(session(provider))
    said = caught.value.detail + "".join(str(vars(record)) for record in caplog.records)
    for private in (started.data["password"], "account-key", ANN.email, "O’Neil"):
        assert private not in said


def test_its_capabilities(provider: Itep) -> None:
    assert KIND.capabilities(provider.settings) == {
        "remote",
        "costs",
        "verdict",
        "callback",
        "judge",
        "stock",
        "check",
        "import",
        "adopt",
    }
