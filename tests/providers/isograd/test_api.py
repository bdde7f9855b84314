"""Launches by a connection with route api: what is created, bought, refused and lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lti_bridge.core.attempt.provider import Started
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.errors import (
    AnswerLost,
    BridgeError,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
)
from lti_bridge.providers.isograd import KIND
from lti_bridge.providers.isograd import errors as named
from lti_bridge.providers.isograd.api import IsogradApi
from tests.flow.world import free_port
from tests.providers.isograd.account import ANN, HOOK, RETURN, Account, excel, session, sitting


def start(provider: IsogradApi, account: Account, **result: Any) -> Started:
    """Start the ordinary test and finish it."""
    started = provider.start(excel())
    account.finish(started, **result)
    return started


def path_of(handoff: Handoff) -> str:
    assert isinstance(handoff, Redirect)
    return urlsplit(handoff.url).path


def resume(provider: IsogradApi, started: Started, **settings: Any) -> Handoff:
    return provider.resume(session(started=started, **settings))


# Launching


def test_a_launch_creates_the_candidate_and_gives_the_test(
    provider: IsogradApi, account: Account
) -> None:
    started = provider.start(excel(lan_id=3, nee_ful_scr=1, redirect=1, xtr_tim_fac=50))
    state = account.state()
    (candidate,), (test,) = state["candidates"], state["tests"]
    assert (candidate["ema"], candidate["fst_nam"], candidate["lst_nam"]) == (
        ANN.email,
        ANN.given_name,
        ANN.family_name,
    )
    assert (candidate["gen_id"], candidate["lan_id"], candidate["ext_id"]) == (
        "3",
        "3",
        "learner-1",
    )
    assert (test["rtn_pag"], test["cal_bac_pag"]) == (RETURN, HOOK)
    assert started.reference == str(test["pla_tst_id"])
    assert path_of(started.handoff) == f"/test/{test['token']}"
    assert state["calls"] == {"1": 1, "2": 1}
    assert dict(started.data) == {
        "ema": ANN.email,
        "can_id": str(candidate["can_id"]),
        "tst_frm_id": "363",
        "tst_url": started.handoff.url,  # type: ignore[union-attr]
    }


def test_a_known_candidate_is_no_obstacle(provider: IsogradApi, account: Account) -> None:
    first = provider.start(excel())
    account.finish(first)
    second = provider.start(excel())
    assert first.reference != second.reference
    assert first.data["can_id"] == second.data["can_id"]
    assert len(account.state()["candidates"]) == 1


def test_coming_back_costs_nothing_even_when_the_test_is_finished(
    provider: IsogradApi, account: Account
) -> None:
    started = start(provider, account)
    calls = account.state()["calls"]
    assert resume(provider, started, tst_frm_id="363", gen_id=3) == started.handoff
    assert resume(provider, started, act_id=9, tst_frm_id="363") == started.handoff
    assert account.state()["calls"] == calls


@pytest.mark.parametrize(("act_id", "bought"), [(2, 1), (8, 1), (9, 2)])
def test_starting_again_finds_the_unfinished_test_except_with_9(
    provider: IsogradApi, account: Account, act_id: int, bought: int
) -> None:
    provider.start(session(act_id=1, gen_id=3))
    settings = {"act_id": act_id, "tst_frm_id": "363", **({"gen_id": 3} if act_id == 8 else {})}
    first, second = provider.start(session(**settings)), provider.start(session(**settings))
    assert (first.reference == second.reference) is (bought == 1)
    assert account.state()["credits"] == 5 - bought
    assert KIND.repeatable(session(**settings).settings) is (bought == 1)


@pytest.mark.parametrize("act_id", [2, 9])
def test_without_creating_the_candidate_must_be_known(provider: IsogradApi, act_id: int) -> None:
    with pytest.raises(named.CandidateUnknown):
        provider.start(session(act_id=act_id, tst_frm_id="363"))


def test_the_pages_of_a_candidate(provider: IsogradApi, account: Account) -> None:
    created = provider.start(session(act_id=1, gen_id=3))
    assert path_of(created.handoff).startswith("/continuelogin/")
    assert account.state()["calls"] == {"1": 1}
    again = resume(provider, created, act_id=1, gen_id=3)
    assert path_of(again).startswith("/continuelogin/")
    area = provider.start(session(act_id=38))
    assert path_of(area.handoff).startswith("/continuelogin/")
    start(provider, account)
    report = provider.start(session(act_id=6, tst_frm_id="363"))
    assert path_of(report.handoff).startswith("/report/")
    assert path_of(resume(provider, report, act_id=6, tst_frm_id="363")) == path_of(report.handoff)
    for page in (created, area, report):
        assert not page.expects_result
        assert dict(page.data) == {"ema": ANN.email}
    assert account.state()["credits"] == 4


def test_a_confirmation_test(provider: IsogradApi, account: Account) -> None:
    first = start(provider, account)
    settings = {"act_id": 58, "of_activity": "excel"}
    confirmation = provider.start(replace(session(**settings), earlier=first.reference))
    assert account.state()["tests"][1]["confirms"] == int(first.reference)
    assert not confirmation.expects_result
    assert resume(provider, confirmation, **settings) == confirmation.handoff
    assert account.state()["calls"]["58"] == 1
    assert not KIND.repeatable(session(**settings).settings)


def test_a_changed_activity_buys_nothing_for_an_attempt_that_was_a_page(
    provider: IsogradApi, account: Account
) -> None:
    created = provider.start(session(act_id=1, gen_id=3))
    page = resume(provider, created, tst_frm_id="363", gen_id=3)
    assert path_of(page).startswith("/continuelogin/")
    assert account.state()["credits"] == 5


@pytest.mark.parametrize(
    ("extra", "setting", "sent"), [(0, 0, []), (33, 0, ["33"]), (33, 50, ["50"]), (0, 20, ["20"])]
)
def test_extra_time_is_the_larger_of_both(
    provider: IsogradApi, account: Account, extra: int, setting: int, sent: list[str]
) -> None:
    provider.start(excel(extra_time=extra, xtr_tim_fac=setting))
    bodies = {parse_qs(body)["act_id"][0]: parse_qs(body) for _, body in account.sent[1:]}
    assert bodies["1"].get("xtr_tim_fac", []) == sent
    assert "xtr_tim_fac" not in bodies["2"]


def test_extra_time_that_cannot_be_set_is_said(
    provider: IsogradApi, caplog: pytest.LogCaptureFixture
) -> None:
    provider.start(excel(extra_time=50))
    assert not caplog.records
    provider.start(excel(extra_time=50))
    provider.start(session(extra_time=50, act_id=2, tst_frm_id="363"))
    assert [record.message for record in caplog.records] == ["isograd.extra-time-unsure"] * 2


def test_a_sub_account_is_named_in_every_action(provider: IsogradApi, account: Account) -> None:
    started = provider.start(excel(sub_com_id="77"))
    assert account.state()["candidates"][0]["sub_com_id"] == "77"
    account.finish(started, correct=3)
    assert provider.fetch(sitting(started)).state == "graded"
    provider.forget(sitting(started))
    assert account.state()["candidates"][0]["ema"].isdigit()


# Refusals and lost answers


@pytest.mark.parametrize("code", named.ERRORS)
@pytest.mark.parametrize("as_text", [False, True])
def test_every_documented_code_is_a_named_error(
    provider: IsogradApi, account: Account, code: str, as_text: bool
) -> None:
    account.refuse(2, code if as_text else int(code))
    with pytest.raises(named.ERRORS[code]) as caught:
        provider.start(excel())
    assert not isinstance(caught.value, AnswerLost)
    assert code in caught.value.detail
    assert "Änn" not in caught.value.detail
    assert ("gen_id" in caught.value.detail) is (code == "105")


def test_codes_and_sentences_are_each_their_own() -> None:
    assert len({error.code for error in named.ERRORS.values()}) == len(named.ERRORS) == 14
    for error in named.ERRORS.values():
        assert error.code.startswith("isograd-")
        assert error.status != 500


@pytest.mark.parametrize("code", [999, None, "x", 2.5, [1], True])
def test_an_undocumented_code_is_a_refusal_too(
    provider: IsogradApi, account: Account, code: object
) -> None:
    account.refuse(2, code)
    with pytest.raises(named.UnknownRefusal):
        provider.start(excel())


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"status": 500, "body": "Oops"},
        {"status": 502},
        {"status": 408, "body": "{}"},
        {"body": "<html>maintenance</html>"},
        {"body": "{}"},
        {"body": '{"success": "yes", "tst_url": "https://x.example", "pla_tst_id": 4}'},
        {"body": '{"success": true}'},
        {"body": '{"success": true, "tst_url": "javascript:alert(1)", "pla_tst_id": 4}'},
        {"body": '{"success": true, "tst_url": "https://x.example/", "pla_tst_id": "4 5"}'},
        {"body": '{"success": true, "tst_url": "http://x.example/", "pla_tst_id": 4}'},
        {"body": "[" * 100_000},
        {"status": 302, "body": ""},
    ],
)
@pytest.mark.parametrize("act_id", [2, 9])
def test_what_cannot_be_read_may_have_bought_a_test(
    provider: IsogradApi, account: Account, act_id: int, fault: dict[str, Any]
) -> None:
    provider.start(session(act_id=1, gen_id=3))
    account.fault(act_id=act_id, **fault)
    with pytest.raises(AnswerLost):
        provider.start(session(act_id=act_id, tst_frm_id="363"))


@pytest.mark.parametrize(
    "body", ['{"success": true}', '{"success": true, "tst_url": "ftp://x.example/"}', "?"]
)
def test_a_confirmation_test_may_have_been_bought_too(
    provider: IsogradApi, account: Account, body: str
) -> None:
    first = start(provider, account)
    account.fault(act_id=58, body=body)
    asked = replace(session(act_id=58, of_activity="excel"), earlier=first.reference)
    with pytest.raises(AnswerLost):
        provider.start(asked)


def test_a_late_answer_is_a_lost_one(account: Account) -> None:
    account.fault(act_id=2, delay_s=3)
    with pytest.raises(AnswerLost):
        account.provider(timeout_s=1).start(excel())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, ProviderRefused),
        (403, named.AccountRefused),
        (404, ProviderRefused),
        (429, ProviderBusy),
    ],
)
def test_a_status_that_says_no_bought_nothing(
    provider: IsogradApi, account: Account, status: int, expected: type[BridgeError]
) -> None:
    account.fault(act_id=2, status=status, body="no")
    with pytest.raises(expected):
        provider.start(excel())


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 500}, {"body": "?"}])
def test_losing_the_answer_about_the_candidate_buys_nothing(
    provider: IsogradApi, account: Account, fault: dict[str, Any]
) -> None:
    account.fault(act_id=1, **fault)
    with pytest.raises(ProviderError):
        provider.start(excel())
    assert account.state()["credits"] == 5
    assert provider.start(excel()).reference


def test_nothing_is_bought_when_isograd_is_too_slow_for_it(
    provider: IsogradApi, account: Account
) -> None:
    provider.client.tests()
    account.clock.steps = [0, 0, 21]  # the start, the token for action 1, the token for action 2
    with pytest.raises(ProviderDown):
        provider.start(excel())
    assert account.state()["calls"] == {"14": 1, "1": 1}
    assert provider.start(excel()).reference


def test_a_closed_port_is_certainly_nothing_bought(account: Account) -> None:
    provider = account.provider(base_url=f"http://127.0.0.1:{free_port()}/api/usage")
    with pytest.raises(ProviderDown):
        provider.start(excel())
