"""Launches, further attempts, web-hooks and results of a connection, against a pretend Mettl."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import urllib3

from lti_bridge.core.attempt.provider import Choice, Report, Started
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.launch.handoff import MARKING, Redirect
from lti_bridge.core.launch.message import Person
from lti_bridge.errors import AccessRefused, BadRequest, BridgeError
from lti_bridge.providers.mettl import KIND, results
from lti_bridge.providers.mettl import errors as named
from lti_bridge.providers.mettl.kind import MettlProvider
from tests.providers.mettl.account import (
    ANN,
    ATTEMPT,
    HOOK,
    RESULT,
    Account,
    hook,
    session,
    sign,
    sitting,
)

FIRST = session().attempt_id
DELETE = {"second_attempt": "delete"}


def score(report: Report) -> tuple[Decimal, Decimal] | None:
    return (report.score.given, report.score.maximum) if report.score else None


# Launching


def test_a_launch_registers_one_candidate(provider: MettlProvider, account: Account) -> None:
    started = provider.start(session(registration={"Last Name": "O’Neil"}))
    (candidate,) = account.state()["candidates"]
    assert started.handoff == Redirect(f"{account.running.url}/take/{candidate['token']}")
    assert candidate["registration"] == {
        "First Name": "Änn",
        "Email Address": ANN.email,
        "Last Name": "O’Neil",
    }
    context = candidate["optional"]["context_data"]
    assert candidate["optional"] == {"email": ANN.email, "context_data": context}
    assert provider.read_callback(hook({"context_data": context})) == [
        Report(attempt_id=FIRST, hint=True)
    ]
    assert started.data["access_key"] == "open1001"
    assert started.data["email"] == ANN.email
    assert "ann" not in started.reference.lower()
    assert started.expects_result


def test_starting_again_is_harmless(provider: MettlProvider, account: Account) -> None:
    first, second = provider.start(session()), provider.start(session())
    assert (first.handoff, first.reference) == (second.handoff, second.reference)
    assert account.state()["credits"] == 4
    assert KIND.repeatable(session().settings)


def test_a_second_click_leads_to_the_same_test(provider: MettlProvider, account: Account) -> None:
    started = provider.start(session())
    changed = Person(given_name="Anna", email="new@example.org")  # since the first click
    calls = account.state()["calls"]
    handoff = provider.resume(session(started=started, person=changed))
    assert handoff == started.handoff
    assert account.state()["calls"] == calls  # a double click
    account.clock.ahead = timedelta(seconds=6)
    assert provider.resume(session(started=started, person=changed)) == started.handoff
    urllib3.request("POST", f"{started.handoff.url}/start")  # type: ignore[union-attr]
    assert provider.resume(session(started=started)) == started.handoff
    assert account.state()["credits"] == 4
    account.finish()
    assert provider.resume(session(started=started)) is MARKING


def test_a_completed_registration_is_marking_at_once(
    provider: MettlProvider, account: Account
) -> None:
    provider.start(session())
    account.finish(total_marks=7, max_marks=10)
    started = provider.start(session())
    assert started.handoff is MARKING
    assert score(provider.fetch(sitting(started))) == (7, 10)


def test_optional_parameters_reach_the_candidate(account: Account) -> None:
    provider = account.provider()
    started = provider.start(session(timeLimitInSec=1, showCustomInstructions=True))
    (candidate,) = account.state()["candidates"]
    assert candidate["instructions"] is True
    assert candidate["expires"] is not None
    account.clock.ahead = timedelta(seconds=6)
    assert provider.resume(session(started=started, timeLimitInSec=3600)) == started.handoff
    (renewed,) = account.state()["candidates"]
    assert renewed["expires"] > candidate["expires"] + 3000


def test_missing_mandatory_fields(provider: MettlProvider, account: Account) -> None:
    empty = {"registration": {"Last Name": ""}}  # the LMS sent none, or the privacy rule holds it
    with pytest.raises(named.NotRegistered, match="Last Name"):
        provider.start(session(access_key="open1003", **empty))
    allowed = {"allowMissingMandatoryRegistrationFields": True}
    started = provider.start(session(access_key="open1003", **empty, **allowed))
    assert isinstance(started.handoff, Redirect)


@pytest.mark.parametrize(
    ("percent", "duration", "minutes"), [(50, 45, 23), (25, 60, 15), (1, 10, 1), (0, 45, None)]
)
def test_extra_time_in_minutes(
    provider: MettlProvider, account: Account, percent: int, duration: int, minutes: int | None
) -> None:
    provider.start(session(extra_time=percent, duration_min=duration))
    (candidate,) = account.state()["candidates"]
    assert candidate["optional"].get("compensatory_time") == minutes


def test_extra_time_needs_the_duration(provider: MettlProvider, account: Account) -> None:
    with pytest.raises(named.DurationMissing):
        provider.start(session(extra_time=50, assessment_id=1001))
    assert account.state()["calls"] == {}


# Further attempts


def test_a_second_attempt_by_a_new_schedule(provider: MettlProvider, account: Account) -> None:
    first = provider.start(session())
    account.finish(total_marks=7, max_marks=10)
    second = provider.start(session(2))
    assert isinstance(second.handoff, Redirect)
    made = account.state()["schedules"][-1]
    assert made["assessment_id"] == 1001
    assert made["access_key"] == second.data["access_key"] != "open1001"
    assert made["sc"] == {
        "name": "Open attempt 2",
        "sourceApp": "lti-bridge",
        "access": {"type": "OpenForAll", "sendEmail": False},
        "scheduleType": "AlwaysOn",
        "testStartNotificationUrl": HOOK,
        "testFinishNotificationUrl": HOOK,
        "testGradedNotificationUrl": HOOK,
        "testResumeEnabledForExpiredTestURL": HOOK,
    }
    schedules = len(account.state()["schedules"])
    bob = provider.start(session(2, person=Person(given_name="Bob", email="bob@example.org")))
    assert bob.data["access_key"] == second.data["access_key"]
    third = provider.start(session(3))
    assert third.data["access_key"] not in ("open1001", second.data["access_key"])
    assert len(account.state()["schedules"]) == schedules + 1
    assert score(provider.fetch(sitting(first, "graded"))) == (7, 10)  # kept beside the others
    assert provider.fetch(sitting(second)).state is None


def test_a_new_schedule_is_watched_like_the_first(account: Account) -> None:
    provider = account.provider()
    window = {"fixedAccessOption": "ExactTime", "startsOnDate": "Thu, 09 Jul 2026"}
    watched = {
        "scheduleType": "Fixed",
        "scheduleWindow": window,
        "webProctoring": {"enabled": True, "count": 3},
        "secureBrowser": {"enabled": True},
        "candidates": ["not copied"],
    }
    wire, sc = provider.client.wire, json.dumps(watched)
    wire.call("POST", "edit", ("schedules", "open1001", "edit"), {"sc": sc})
    provider.start(session(2))
    made = account.state()["schedules"][-1]["sc"]
    assert {name: made.get(name) for name in watched} == {**watched, "candidates": None}


def test_a_schedule_that_names_its_assessment_inside(
    provider: MettlProvider, account: Account
) -> None:
    within = {"accessKey": "open1001", "name": "Open", "assessmentDetails": {"id": 1001}}
    told = json.dumps({"status": "SUCCESS", "schedule": within})
    account.fault("/v2/schedules/open1001", body=told)
    provider.start(session(2))
    assert account.state()["schedules"][-1]["assessment_id"] == 1001


def test_a_closed_schedule_has_no_open_copy(provider: MettlProvider, account: Account) -> None:
    invited = Person(given_name="Ida", email="invited@example.org")
    with pytest.raises(named.NoFurtherAttempt):
        provider.start(session(2, access_key="invited", person=invited))
    assert len(account.state()["schedules"]) == 4
    with pytest.raises(named.NotRegistered, match="not invited"):
        provider.start(session(access_key="invited"))


def test_a_class_makes_one_schedule(provider: MettlProvider, account: Account) -> None:
    people = [Person(given_name="P", email=f"p{number}@example.org") for number in range(5)]
    keys: list[str] = []

    def click(person: Person) -> None:
        keys.append(provider.start(session(2, person=person)).data["access_key"])

    threads = [threading.Thread(target=click, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 5
    assert len(set(keys)) == 1


def test_another_click_was_faster_to_make_the_schedule(
    provider: MettlProvider, account: Account
) -> None:
    """The list was read before the other's schedule was there; the name is taken then."""
    made = provider.start(session(2)).data["access_key"]
    nothing = '{"status":"SUCCESS","schedules":[]}'
    account.fault("/v2/assessments/1001/schedules", method="GET", body=nothing)
    assert provider.start(session(2)).data["access_key"] == made


def test_a_schedule_that_cannot_be_made(provider: MettlProvider, account: Account) -> None:
    account.refuse("/v2/assessments/1001/schedules", "E403", method="POST")
    with pytest.raises(named.KeyNotAllowed):
        provider.start(session(2))


def test_many_schedules_are_read_to_the_end(provider: MettlProvider, account: Account) -> None:
    last = provider.start(session(2)).data["access_key"]
    row = {"accessKey": "k", "name": "n", "assessmentId": 1001}
    full = json.dumps({"status": "SUCCESS", "schedules": [row] * 100})
    account.fault("/v2/assessments/1001/schedules", body=full)
    # the second page of 100 is asked for; the pretend Mettl has nothing there
    body = json.dumps(
        {
            "status": "SUCCESS",
            "schedules": [{"accessKey": last, "name": "Open attempt 2", "assessmentId": 1001}],
        }
    )
    account.fault("/v2/assessments/1001/schedules", body=body)
    assert provider.start(session(2)).data["access_key"] == last
    assert account.state()["calls"]["create"] == 1


def test_a_second_attempt_by_deleting(provider: MettlProvider, account: Account) -> None:
    first = provider.start(session(**DELETE))
    account.finish(total_marks=7, max_marks=10)
    second = provider.start(session(2, **DELETE))
    assert isinstance(second.handoff, Redirect)
    assert second.data["access_key"] == "open1001"
    (candidate,) = account.state()["candidates"]
    assert candidate["status"] == "ToBeTaken"
    account.finish(total_marks=3, max_marks=10)
    assert provider.fetch(sitting(first, "graded")).state is None  # not the second one's marks
    assert score(provider.fetch(sitting(second))) == (3, 10)
    again = provider.start(session(2, **DELETE))  # as when its start was never confirmed
    assert again.handoff is MARKING
    assert score(provider.fetch(sitting(again))) == (3, 10)
    assert account.state()["calls"]["delete"] == 1


def test_a_first_attempt_deletes_nothing(provider: MettlProvider, account: Account) -> None:
    """The same address was used at another link: its result counts, and is not destroyed."""
    provider.start(session())
    account.finish(total_marks=7, max_marks=10)
    started = provider.start(session(attempt_id="another-link", **DELETE))
    assert started.handoff is MARKING
    assert score(provider.fetch(sitting(started))) == (7, 10)
    assert "delete" not in account.state()["calls"]


def test_a_result_that_cannot_be_deleted(provider: MettlProvider, account: Account) -> None:
    provider.start(session(**DELETE))
    account.finish()
    account.refuse(RESULT, "E000", method="DELETE")
    with pytest.raises(named.NoFurtherAttempt):
        provider.start(session(2, **DELETE))
    account.fault(RESULT, method="DELETE", drop=True)
    with pytest.raises(BridgeError) as caught:
        provider.start(session(2, **DELETE))
    assert caught.value.code == "answer-lost"
    assert isinstance(provider.start(session(2, **DELETE)).handoff, Redirect)


def test_an_unfinished_first_attempt_is_taken_over(
    provider: MettlProvider, account: Account
) -> None:
    """The bridge gave the first one up; Mettl still has it, under the first one's context."""
    provider.start(session(**DELETE))
    second = provider.start(session(2, **DELETE))
    account.finish(total_marks=5, max_marks=10)
    assert score(provider.fetch(sitting(second))) == (5, 10)


def test_a_schedule_per_link(provider: MettlProvider, account: Account) -> None:
    first = provider.start(session(assessment_id=1003, registration={"Last Name": "O"}))
    made = account.state()["schedules"][-1]
    assert made["access_key"] == first.data["access_key"]
    assert made["sc"]["name"] == "lti-bridge link-1"
    assert made["sc"]["testGradedNotificationUrl"] == HOOK
    provider.start(session(2, assessment_id=1003, registration={"Last Name": "O"}))
    assert account.state()["schedules"][-1]["sc"]["name"] == "lti-bridge link-1 attempt 2"
    count = len(account.state()["schedules"])
    provider.start(session(assessment_id=1003, registration={"Last Name": "O"}))
    assert len(account.state()["schedules"]) == count


# Results


def test_a_result_from_start_to_marks(provider: MettlProvider, account: Account) -> None:
    started = provider.start(session(access_key="open1002"))
    assert provider.fetch(sitting(started)).state is None
    urllib3.request("POST", f"{started.handoff.url}/start")  # type: ignore[union-attr]
    assert provider.fetch(sitting(started)).state == "started"
    account.finish()
    waiting = provider.fetch(sitting(started))
    assert waiting.state == "awaiting-marks"
    account.finish(total_marks=6.5, max_marks=10)
    marked = provider.fetch(sitting(started, "awaiting-marks"))
    assert (marked.state, score(marked)) == ("graded", (Decimal("6.5"), 10))
    assert marked.attempt_id == ATTEMPT
    assert marked.event == provider.fetch(sitting(started)).event
    assert marked.event != waiting.event
    written = json.dumps(dict(marked.raw))
    for private in (ANN.email, "Änn", "\\u00c4nn", "report", "key="):
        assert private not in written
    assert marked.raw["percentile"] == "90.9"


def completed(result: Any, status: str = "Completed") -> dict[str, Any]:
    return {"testStatus": {"status": status, "result": result}}


def read(candidate: dict[str, Any], state: Any = "started") -> Report:
    started = Started(MARKING, "ref", {"access_key": "k", "email": "e"})
    return results.read(sitting(started, state), candidate)


@pytest.mark.parametrize(
    ("given", "maximum", "fraction"),
    [(7.0, 10.0, "0.7"), (-3, 10, "0"), (12, 10, "1"), (0, 1, "0"), ("2.5", "5", "0.5")],
)
def test_marks_over_maximum(given: Any, maximum: Any, fraction: str) -> None:
    report = read(completed({"totalMarks": given, "maxMarks": maximum, "percentile": 90.9}))
    assert report.state == "graded"
    assert report.score is not None
    assert report.score.ratio() == Decimal(fraction)


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        "7",
        {"totalMarks": 7, "percentile": 90.9},
        {"totalMarks": 7, "maxMarks": 0},
        {"totalMarks": 7, "maxMarks": -10},
        {"totalMarks": 7, "maxMarks": None},
        {"totalMarks": None, "maxMarks": 10},
        {"totalMarks": True, "maxMarks": 10},
        {"totalMarks": float("nan"), "maxMarks": 10},
        {"totalMarks": 7, "maxMarks": float("inf")},
        {"totalMarks": "seven", "maxMarks": 10},
        {"totalMarks": [7], "maxMarks": 10},
    ],
)
def test_no_marks_out_of_a_maximum_is_no_score(result: Any) -> None:
    report = read(completed(result))
    assert (report.state, report.score) == ("awaiting-marks", None)


@pytest.mark.parametrize(
    "status", ["ToBeTaken", "Archive", "AccessRevoked", "Something New", None, 7]
)
def test_no_other_status_is_final(status: Any) -> None:
    marks = {"totalMarks": 7, "maxMarks": 10}
    assert read(completed(marks, status)) == read(completed(marks, status))
    assert read(completed(marks, status)).state is None
    assert read(completed(marks, status)).score is None


@pytest.mark.parametrize("candidate", [{}, {"testStatus": None}, {"testStatus": []}])
def test_a_candidate_without_status(candidate: dict[str, Any]) -> None:
    assert read(candidate).state is None


@pytest.mark.parametrize("state", ["graded", "invalidated", "expired"])
def test_only_marks_change_what_is_over(state: str) -> None:
    """A test that is resumed after its grade keeps the grade until there is another."""
    assert read(completed(None, "InProgress"), state).state is None
    assert read(completed(None), state).state is None
    again = read(completed({"totalMarks": 9, "maxMarks": 10}), state)
    assert (again.state, again.score) == ("graded", Score(Decimal(9), Decimal(10)))


def test_a_resumed_test_is_running_again() -> None:
    assert read(completed(None, "InProgress"), "awaiting-marks").state == "started"


def test_an_unconfirmed_start_is_not_asked_about(provider: MettlProvider, account: Account) -> None:
    assert provider.fetch(sitting(Started(MARKING))) == Report()
    assert account.state()["calls"] == {}


# Web-hooks


def caught(account: Account, provider: MettlProvider, **settings: Any) -> list[dict[str, Any]]:
    """The bodies of all web-hooks of one test; nobody was there to take them."""
    provider.start(session(assessment_id=1001, **settings))
    account.control("finish", email=ANN.email, total_marks=7, max_marks=10)
    return [json.loads(row["body"]) for row in account.state()["hooks"]]


def test_web_hooks_are_hints(provider: MettlProvider, account: Account) -> None:
    start, finish, graded = caught(account, provider)
    assert provider.read_callback(hook(start)) == []
    for told in (finish, graded, graded):
        (report,) = provider.read_callback(hook(told))
        assert (report.attempt_id, report.hint, report.state) == (FIRST, True, None)
        assert set(report.named) == {"reference"}
    # a resume: its name and its body are documented nowhere
    resume = {"EVENT_TYPE": "resumeEnabled", "invitation_key": "k", "email": "a@example.org"}
    assert [r.hint for r in provider.read_callback(hook(resume))] == [True]


@pytest.mark.parametrize("context", [None, "null", "", "somebody else's", 7])
def test_a_web_hook_without_our_context_is_found_by_its_candidate(
    provider: MettlProvider, account: Account, context: Any
) -> None:
    started = provider.start(session())
    told = {"EVENT_TYPE": "gradedAssessment", "invitation_key": "open1001", "email": ANN.email}
    for email in (ANN.email, ANN.email.upper()):
        (report,) = provider.read_callback(hook({**told, "email": email, "context_data": context}))
        assert report == Report(reference=started.reference, hint=True)
    assert provider.read_callback(hook({"EVENT_TYPE": "gradedAssessment"})) == []


@pytest.mark.parametrize(
    "context",
    [
        f"lti-bridge.{FIRST}.{'A' * 32}",
        f"lti-bridge.{FIRST}.",
        f"lti-bridge.{FIRST}",
        "lti-bridge.",
        f"lti-bridge.other.{sign(f'mettl attempt {FIRST}')}",
        f"lti-bridge.{FIRST}.{sign(f'mettl attempt {FIRST}')}é",
        f"lti-bridge.{FIRST}.{sign(FIRST)}",
    ],
)
def test_forged_context_is_refused(provider: MettlProvider, context: str) -> None:
    for event in ("startAssessment", "gradedAssessment"):
        with pytest.raises(AccessRefused):
            provider.read_callback(hook({"EVENT_TYPE": event, "context_data": context}))


def test_a_web_hook_at_the_address_of_another_attempt_is_refused(provider: MettlProvider) -> None:
    context = f"lti-bridge.{FIRST}.{sign(f'mettl attempt {FIRST}')}"
    told = hook({"EVENT_TYPE": "gradedAssessment", "context_data": context})
    assert provider.read_callback(replace(told, attempt_id=FIRST))
    with pytest.raises(AccessRefused):
        provider.read_callback(replace(told, attempt_id="another"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'"x"'])
def test_a_web_hook_that_is_no_object(provider: MettlProvider, body: bytes) -> None:
    with pytest.raises(BadRequest):
        provider.read_callback(hook(body))


def test_half_characters_break_nothing(provider: MettlProvider) -> None:
    body = b'{"EVENT_TYPE":"\\ud800","context_data":"lti-bridge.\\ud800.x","email":"\\ud800"}'
    assert provider.read_callback(hook(body)) == []


# The rest


def test_choices(provider: MettlProvider, account: Account) -> None:
    provider.start(session(2))  # makes a schedule, which is not offered
    found = provider.choices()
    assert found[:2] == [
        Choice("open1001", "Logical reasoning: Open", "access_key"),
        Choice("open1002", "Logical reasoning, marked by a person: Open", "access_key"),
    ]
    assert [choice.value for choice in found if choice.setting == "assessment_id"] == [
        "1001",
        "1002",
        "1003",
    ]
    assert len(found) == 7
    for choice in found:
        KIND.activity({choice.setting: choice.value}, None)


def test_forget_deletes_the_result(provider: MettlProvider, account: Account) -> None:
    started = provider.start(session())
    with pytest.raises(named.Unspecified):  # Mettl leaves a running test alone
        provider.forget(sitting(started))
    account.finish()
    provider.forget(sitting(started))
    assert account.state()["candidates"] == []
    provider.forget(sitting(Started(MARKING)))


def test_a_pseudonym_is_as_good_as_an_address(provider: MettlProvider, account: Account) -> None:
    email = "kq3mzb2yexampleexampleexample234@pseudonym.example.org"
    started = provider.start(session(person=Person(given_name="Ann", email=email)))
    account.finish(email, total_marks=7, max_marks=10)
    assert score(provider.fetch(sitting(started))) == (7, 10)
