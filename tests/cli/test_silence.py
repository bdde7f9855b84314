"""Attempts by LTI without a grade, and results that are held: found, shown, and settled."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import event

from lti_bridge.assembly.basics import now
from tests.cli.office import Office

DAY = 24 * 60
PROCTORED = {"overallStatus": "Test Stopped", "detailedStatus": "Proctor Stopped"}


def doctor(office: Office) -> dict[str, Any]:
    """What the doctor says, by what was looked at."""
    return {one["what"]: one for one in json.loads(office.run("doctor", "--json").stdout)}


# Silence


def test_an_attempt_by_lti_without_a_grade_is_found_after_two_days(fresh_office: Office) -> None:
    office = fresh_office
    silent = office.begin("ann", "tool", minutes_ago=2 * DAY + 5)
    office.begin("bob", "tool", minutes_ago=2 * DAY - 5)
    office.begin("cyd", "tool", minutes_ago=5 * DAY, graded=False)
    office.begin("old", "tool", minutes_ago=90 * DAY)
    office.begin("dan", "demo", minutes_ago=5 * DAY)  # who can be asked is asked
    office.begin("eve", "files", minutes_ago=5 * DAY)  # and marks in files come when they come

    (row,) = office.json("attempts", "list", "--stuck")
    assert (row["id"], row["stuck"]) == (silent, "no-grade")
    text = office.ok("attempts", "list", "--stuck")
    assert "NO GRADE" in text
    assert "ask the learner" in office.ok("attempts", "show", silent)
    found = doctor(office)
    assert found["attempts"]["said"] == "1 no-grade"
    assert found["grades by lti"]["remedy"] == ""  # one is no pattern

    office.ok("results", "enter", silent, "1", "2", "--yes")
    assert office.json("attempts", "list", "--stuck") == []


def test_an_activity_that_never_had_a_grade_is_named(fresh_office: Office) -> None:
    office = fresh_office
    users = ("ann", "bob", "cyd", "dan")
    attempts = [office.begin(user, "tool", minutes_ago=9 * DAY) for user in users]
    found = doctor(office)["grades by lti"]
    assert "no grade has ever come of tool from tool, 4 attempts since" in found["said"]
    assert "Basic Outcome" in found["remedy"]
    office.ok("results", "enter", attempts[0], "1", "2", "--yes")
    assert doctor(office)["grades by lti"]["remedy"] == ""
    assert doctor(office)["attempts"]["said"] == "3 no-grade"


def test_looking_for_what_is_stuck_reads_no_whole_table(office: Office) -> None:
    database, said = office.bridge.store.database, []

    def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT") and "attempts_for_people" not in statement:
            plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", values)
            said.append([step[3] for step in plan])

    event.listen(database.engine, "before_cursor_execute", explain)
    store, at, names = office.bridge.store, now(), ["tool"]
    store.stuck_attempts(at, names)
    store.never_graded(at, names)
    everybody = {"state": "", "connection": "", "limit": 5, "pushing": names}
    store.list_attempts(at, stuck=True, **everybody)
    event.remove(database.engine, "before_cursor_execute", explain)
    found = [steps for steps in said if any("attempts_without_word" in one for one in steps)]
    assert len(found) >= 3
    for steps in found:
        assert any("attempts_for_people" in one for one in steps), steps
        assert not [
            one
            for one in steps
            # two indexes hold only what is to be looked at
            if re.match(r"SCAN (attempts|a|g|o|l|grades)\b(?!.*attempts_(for_people|to_poll))", one)
        ], steps


# What is held


def held(office: Office, user: str, marks: float = 7) -> str:
    """A sitting that a proctor stopped; the attempt's id."""
    attempt = office.begin(user, "mettl")
    party = office.parties["mettl"]
    number = int(party.bought()[-1])
    party.control("finish", candidate_instance_id=number)
    party.control(
        "finish",
        candidate_instance_id=number,
        total_marks=marks,
        max_marks=10,
        verdict={**PROCTORED, "credibility": "Low"},
    )
    ask(office, attempt)
    return attempt


def ask(office: Office, attempt_id: str) -> None:
    """Ask the provider about an attempt, as a worker does."""
    polling = office.bridge.polling
    attempt = office.bridge.store.attempt(attempt_id)
    assert attempt is not None
    report = polling.ask(attempt, polling.clock())
    polling.record(attempt.connection, attempt, report, fetched=True)


def test_a_stopped_test_is_held_and_said_everywhere(fresh_office: Office) -> None:
    office = fresh_office
    attempt = held(office, "ann")
    reason = "Mettl says Test Stopped, Proctor Stopped; credibility Low"
    office.reload()  # nothing of it is in memory
    shown = office.json("attempts", "show", attempt)
    assert (shown["state"], shown["score"], shown["held_score"]) == ("held", "", "7/10")
    assert shown["held"] == reason
    assert reason in office.ok("attempts", "show", attempt)
    (row,) = office.json("attempts", "list", "--stuck")
    assert (row["id"], row["stuck"], row["held"]) == (attempt, "held", reason)
    assert f"HELD: {reason}" in office.ok("attempts", "list", "--stuck")
    (grade,) = office.json("results", "list")
    assert (grade["held"], grade["grade"], grade["delivery"]) == (reason, "", "none")
    assert f"held: {reason}" in office.ok("results", "list", "--stuck")
    assert doctor(office)["attempts"]["said"] == "1 held"
    assert "A person looks at its result" in str(office.click("ann", "mettl"))
    assert office.run("results", "resend", "--stuck").exit_code == 1  # there is nothing to send
    assert office.json("results", "list")[0]["delivery"] == "none"


@pytest.mark.parametrize("restart", [False, True])
def test_released_it_counts_and_stays(office: Office, restart: bool) -> None:
    attempt = held(office, f"rel-{restart}")
    if restart:
        office.reload()
    assert "7/10" in office.run("results", "release", attempt, answer="n\n").output
    assert office.state(attempt) == ("held", "")
    office.ok("results", "release", attempt, "--yes")
    assert office.state(attempt) == ("graded", "7/10")
    ask(office, attempt)  # the provider still says the same
    assert office.state(attempt) == ("graded", "7/10")
    assert "is graded, not held" in office.refused("results", "release", attempt, "--yes")
    assert "is graded, not held" in office.refused("results", "refuse", attempt, "--yes")


def test_refused_it_counts_for_nothing(office: Office) -> None:
    attempt = held(office, "ref")
    office.ok("results", "refuse", attempt, "--yes")
    assert office.state(attempt) == ("invalidated", "")
    ask(office, attempt)
    assert office.state(attempt) == ("invalidated", "")


def test_a_grade_that_was_there_stays_until_somebody_decides(office: Office) -> None:
    attempt = held(office, "before")
    office.ok("results", "enter", attempt, "9", "10", "--yes")
    party = office.parties["mettl"]
    finish = {"candidate_instance_id": int(party.bought()[-1]), "max_marks": 10}
    party.control("finish", **finish, total_marks=3, verdict={**PROCTORED, "credibility": "Low"})
    ask(office, attempt)
    shown = office.json("attempts", "show", attempt)
    assert (shown["state"], shown["score"], shown["held_score"]) == ("held", "9/10", "3/10")
    (cell,) = [one for one in office.json("results", "list") if one["user"] == "before"]
    assert cell["grade"] == "9/10"
    party.control("finish", **finish, total_marks=5)  # the provider takes its verdict back
    ask(office, attempt)
    assert office.state(attempt) == ("graded", "5/10")


VERDICTS = {
    "Completed|Test-taker Completed": False,
    "Completed|Time Over": False,
    "completed|test-taker completed": False,
    "|": False,
    "Test Stopped|Proctor Stopped": True,
    "Completed|Proctor Stopped": True,
    "Test Stopped|Mic Mute Limit exceeded": True,
    "Completed|Suspicious Software Detected": True,
    "Test Stopped|": True,
    "Completed|a word of next year": True,
}


@pytest.mark.parametrize("said", VERDICTS)
def test_what_mettl_says_of_the_end_decides(office: Office, said: str) -> None:
    overall, _, detailed = said.partition("|")
    attempt = office.begin(f"said-{list(VERDICTS).index(said)}", "mettl")
    party = office.parties["mettl"]
    finish = {"candidate_instance_id": int(party.bought()[-1])}
    party.control("finish", **finish)
    verdict = {"overallStatus": overall, "detailedStatus": detailed}
    party.control("finish", **finish, total_marks=4, max_marks=10, verdict=verdict)
    ask(office, attempt)
    assert office.state(attempt)[0] == ("held" if VERDICTS[said] else "graded")


@pytest.mark.parametrize("command", ["release", "refuse"])
def test_only_what_is_held_is_decided(office: Office, command: str) -> None:
    assert "There is no attempt" in office.refused("results", command, "nobody", "--yes")
    attempt = office.begin(f"not-held-{command}", "demo")
    assert "is started, not held" in office.refused("results", command, attempt, "--yes")
    assert office.state(attempt) == ("started", "")
