"""Results, and everything else that is not a launch, of a connection with route api."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Callback, Choice, Started
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import Redirect
from lti_bridge.core.launch.message import Person
from lti_bridge.errors import BadRequest, ProviderError
from lti_bridge.providers.isograd import KIND
from lti_bridge.providers.isograd import errors as named
from lti_bridge.providers.isograd.api import IsogradApi
from tests.providers.isograd.account import Account, excel, session, sitting


def start(provider: IsogradApi, account: Account, **result: Any) -> Started:
    """Start the ordinary test and finish it."""
    started = provider.start(excel())
    account.finish(started, **result)
    return started


def test_a_callback_only_hints(provider: IsogradApi) -> None:
    forged = {"num_val": "1000", "sta_id": "3", "pla_tst_id": "1"}
    for method in ("GET", "POST"):
        (report,) = provider.read_callback(Callback(method, {}, forged, forged, b"{", "attempt-1"))
        assert (report.attempt_id, report.hint, report.state, report.score) == (
            "attempt-1",
            True,
            None,
            None,
        )
    with pytest.raises(BadRequest):
        provider.read_callback(Callback("GET", {}, forged, {}, b""))


def test_a_finished_test_is_graded_by_its_own_id(provider: IsogradApi, account: Account) -> None:
    first = start(provider, account, num_val=850)
    second = start(provider, account, num_val=100)
    report = provider.fetch(sitting(first))
    assert (report.state, report.score) == ("graded", Score(Decimal(850), Decimal(1000)))
    assert (report.attempt_id, report.reference) == ("attempt-1", first.reference)
    assert provider.fetch(sitting(second)).score == Score(Decimal(100), Decimal(1000))
    assert "ann" not in json.dumps(dict(report.raw))


def test_events_are_stable_and_differ(provider: IsogradApi, account: Account) -> None:
    started = provider.start(excel())
    events = [provider.fetch(sitting(started)).event for _ in range(2)]
    account.finish(started, num_val=700)
    events += [provider.fetch(sitting(started)).event for _ in range(2)]
    account.finish(started, num_val=800)
    events += [provider.fetch(sitting(started)).event for _ in range(2)]
    assert events[0::2] == events[1::2]
    assert len(set(events)) == 3


@pytest.mark.parametrize(
    ("sta_id", "state"),
    [
        (1, None),
        (2, "started"),
        (4, "awaiting-marks"),
        (5, None),
        (0, None),
        ("2", "started"),
        (None, None),
        (3.5, None),
        ("x", None),
    ],
)
def test_only_status_3_is_final(
    provider: IsogradApi, account: Account, sta_id: object, state: str | None
) -> None:
    started = provider.start(excel())
    account.fault(act_id=10, body=json.dumps({"success": True, "sta_id": sta_id}))
    assert provider.fetch(sitting(started)).state == state
    assert "4" not in account.state()["calls"]


def test_marking_by_a_person_is_waited_for(provider: IsogradApi, account: Account) -> None:
    started = provider.start(session(tst_frm_id="368", gen_id=3))
    account.finish(started)
    assert provider.fetch(sitting(started)).state == "awaiting-marks"
    account.finish(started, num_val=640)
    report = provider.fetch(sitting(started, "awaiting-marks"))
    assert report.score == Score(Decimal(640), Decimal(1000))


def test_the_scale_decides(account: Account) -> None:
    started = account.provider().start(session(tst_frm_id="364", gen_id=3))
    account.finish(started, num_val=4)
    for scale, maximum in (("fraction", 5), ("isograd", 10)):
        report = account.provider(grade_scale=scale).fetch(sitting(started))
        assert report.score == Score(Decimal(4), Decimal(maximum))


@pytest.mark.parametrize("values", [{"num_val": "good"}, {"num_val": 1, "max_val": 0}])
def test_a_grade_that_is_no_number_is_held_and_said(
    provider: IsogradApi,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    values: dict[str, Any],
) -> None:
    started = start(provider, account, **values)
    report = provider.fetch(sitting(started))
    assert (report.state, report.score) == ("finished", None)
    assert [(r.message, r.levelname) for r in caplog.records] == [
        ("isograd.grade-unusable", "ERROR")
    ]
    account.finish(started, num_val=900)
    assert provider.fetch(sitting(started)).state == "graded"


@pytest.mark.parametrize("act_id", [4, 10])
@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 503}, {"body": "?"}])
def test_a_question_without_an_answer_is_asked_again_later(
    provider: IsogradApi, account: Account, act_id: int, fault: dict[str, Any]
) -> None:
    started = start(provider, account, num_val=900)
    account.fault(act_id=act_id, **fault)
    with pytest.raises(ProviderError):
        provider.fetch(sitting(started))
    assert provider.fetch(sitting(started)).state == "graded"


def test_an_attempt_without_a_test_has_nothing_to_ask(
    provider: IsogradApi, account: Account
) -> None:
    page = provider.start(session(act_id=1, gen_id=3))
    assert provider.fetch(sitting(page)).state is None
    assert account.state()["calls"] == {"1": 1}


# The rest


def test_choices_are_the_tests_of_the_account(provider: IsogradApi) -> None:
    offered = provider.choices()
    assert Choice("363", "Test 363", "tst_frm_id") in offered
    assert len(offered) == 8


def test_the_check_says_what_is_left(
    account: Account, provider: IsogradApi, caplog: pytest.LogCaptureFixture
) -> None:
    sentence = "Isograd answers. Credits left: Assessment 5, Remote proctoring 1."
    assert provider.check() == sentence
    assert not caplog.records
    with pytest.raises(named.AccountRefused):
        account.provider(client_secret="wrong").check()


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    found = [r for r in caplog.records if r.message == "isograd.few-credits"]
    assert all(r.levelno == logging.WARNING and r.connection == "tosa" for r in found)
    return [(r.kind, r.count) for r in found]


def test_few_credits_are_said_once_an_hour_at_most(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    provider = account.provider(low_credits=4)
    started = provider.start(excel())
    for _ in range(3):
        provider.fetch(sitting(started))
    assert warnings(caplog) == [("Remote proctoring", 1)]  # of the others just enough are left
    assert account.state()["calls"]["15"] == 1
    account.clock.pass_(3601)
    provider.fetch(sitting(started))  # the same numbers are not said again
    assert account.state()["calls"]["15"] == 2
    assert len(warnings(caplog)) == 1
    provider.start(session(act_id=9, tst_frm_id="363"))
    account.clock.pass_(3601)
    provider.fetch(sitting(started))
    assert warnings(caplog)[1:] == [("Assessment", 3)]


def test_unknown_credits_stop_nothing(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    provider = account.provider(low_credits=5)
    started = start(provider, account, num_val=900)
    account.fault(act_id=15, status=500)
    assert provider.fetch(sitting(started)).state == "graded"
    assert [record.message for record in caplog.records] == ["isograd.credits-unknown"]


@pytest.mark.parametrize("forget", ["anonymise", "delete"])
def test_forgetting(account: Account, forget: str) -> None:
    provider = account.provider(forget=forget)
    started = start(provider, account)
    provider.forget(sitting(started))
    left = account.state()["candidates"]
    if forget == "delete":
        assert left == []
    else:
        assert left[0]["ema"] == left[0]["fst_nam"] == str(left[0]["can_id"])
    provider.forget(sitting(started))  # the same learner's next attempt


def test_forgetting_that_failed_is_said(provider: IsogradApi, account: Account) -> None:
    started = provider.start(excel())
    account.fault(act_id=12, status=500)
    with pytest.raises(ProviderError):
        provider.forget(sitting(started))


def test_nobody_to_forget(provider: IsogradApi, account: Account) -> None:
    provider.forget(sitting(Started(Redirect("https://x.example/"))))
    assert account.state()["calls"] == {}


def test_an_administrator_of_the_account_or_of_a_sub_account(
    provider: IsogradApi, account: Account
) -> None:
    url = provider.administrator_url("boss@example.org", "")
    assert url == f"{account.running.url}/administration?account=master"
    url = provider.administrator_url("boss@example.org", "77")
    assert url == f"{account.running.url}/administration?account=77"


def test_what_a_connection_can_do_depends_on_its_route() -> None:
    api = KIND.connection({"route": "api", "client_id": "c", "client_secret": "s"})
    lti = KIND.connection({"route": "lti-1.1", "consumer_key": "k", "shared_secret": "s"})
    assert KIND.capabilities(lti) == {"costs"}
    assert KIND.capabilities(api) == {
        capabilities.REMOTE,
        capabilities.CALLBACK,
        capabilities.FETCH,
        capabilities.CHOICES,
        capabilities.CHECK,
        capabilities.FORGET,
        capabilities.ADOPT,
        capabilities.ADMINISTER,
        capabilities.COSTS,
        capabilities.BY_ADDRESS,
        capabilities.BUILDS_ON,
    }


def test_a_pseudonym_is_enough(provider: IsogradApi, account: Account) -> None:
    nobody = Person(given_name="A", family_name="B", email="q7@learners.example.org")
    started = provider.start(excel(person=nobody))
    assert account.state()["candidates"][0]["ema"] == started.data["ema"] == nobody.email


def test_the_docs_hold_every_code_and_sentence() -> None:
    docs = Path(__file__).parents[3] / "docs"
    listed = (docs / "errors.md").read_text(encoding="utf-8")
    staff = (docs / "providers" / "isograd.md").read_text(encoding="utf-8")
    for number, error in {**named.ERRORS, "-": named.AccountRefused}.items():
        assert f"| `{error.code}` | {error.sentence} {error.remedy} |" in listed
        assert f"| {number} | `{error.code}` |" in staff
    assert f"`{named.UnknownRefusal.code}`" in listed
    assert f"`{named.UnknownRefusal.code}`" in staff
