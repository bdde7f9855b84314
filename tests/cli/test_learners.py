"""`learners forget` and `learners adjust`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from lti_bridge.core.launch.handoff import ConfirmPage, Redirect
from lti_bridge.core.records import Incoming
from lti_bridge.core.staff.resolution import Forgotten
from lti_bridge.errors import NoAttemptsLeft, OutcomeRefused
from lti_bridge.store.rosters import Rosters
from tests.cli.office import Office


def kept(office: Office, *texts: str) -> list[str]:
    """Tables in which one of these texts still stands."""
    tables = inspect(office.bridge.store.database.engine).get_table_names()
    return [
        table
        for table in tables
        for row in office.rows(f"SELECT * FROM {table}")  # noqa: S608 - names from the database
        if any(one in str(tuple(row)) for one in texts)
    ]


def test_a_learner_is_forgotten_everywhere_and_what_is_left_is_named(fresh_office: Office) -> None:
    office = fresh_office
    names = ("demo", "isograd", "mettl", "itep", "files", "tool")
    attempts = {name: office.begin("ann", name) for name in names}
    others = {name: office.begin("bob", name) for name in names}
    office.parties["mettl"].hand_in(office.parties["mettl"].bought()[0])
    office.ok("results", "enter", attempts["demo"], "7", "10", "--yes")
    office.ok("learners", "adjust", "campus", "ann", "demo", "--extra-time", "25")
    office.bridge.store.acknowledge("demo", learner(office, "ann"), office.bridge.store.clock())
    under_way(office, "ann")
    test_id = office.json("attempts", "show", attempts["itep"])["reference"]
    assert kept(office, "ann")

    result = office.run("learners", "forget", "campus", "ann", "--yes")
    assert result.exit_code == 0, result.output
    for name in ("demo", "isograd", "mettl"):
        assert f"attempt {attempts[name]} at {name}: forgotten there." in result.stdout
    for name in ("itep", "files", "tool"):
        assert f"attempt {attempts[name]} at {name}: NOT forgotten there." in result.stdout
    assert f"There the test is {test_id}" in result.stdout
    assert result.stdout.endswith("Forgotten here; left at providers: 4.\n")

    assert kept(office, "ann", test_id) == []
    assert kept(office, "bob")
    told = json.dumps([office.parties[name].state()[rows] for name, rows in PEOPLE])
    assert "ann@" not in told
    assert "bob@" in told
    assert office.state(attempts["demo"]) == ("graded", "7/10")
    assert office.state(attempts["itep"])[0] == "expired"
    assert {office.state(attempt)[0] for attempt in others.values()} <= {"started", "created"}
    assert "No user 'ann'" in office.refused("learners", "forget", "campus", "ann", "--yes")


def under_way(office: Office, user: str) -> None:
    """A click that waits for another one, a second name, and a launch to an LTI 1.3 tool."""
    office.lose(user, "prov", minutes_ago=0)
    assert isinstance(office.click(user, "prov", minutes_ago=0), ConfirmPage)
    known, at = learner(office, user), office.bridge.store.clock()
    with office.bridge.store.transaction() as tx:
        tx.learner("other", f"{user}-13", "hidden-by-the-alias", at)
        tx.alias_learner("other", f"{user}-13", known)
    gone = {user: False}
    course = office.rows("SELECT registration, deployment_id, context_id FROM links LIMIT 1")[0]
    Rosters(office.bridge.store.database).note_members(*course, gone, at + timedelta(hours=1))
    claims = json.dumps({"sub": "p" * 32, "name": f"Given-{user}"})
    with office.bridge.store.database.writing() as connection:
        values = {"learner": known, "pairwise": "p" * 32, "claims": claims}
        connection.execute(
            text("INSERT INTO tool_users VALUES ('tool', :pairwise, :learner)"), values
        )
        connection.execute(
            text(
                "INSERT INTO tool_launches (hint, connection, login_hint, browser, claims, until)"
                " VALUES ('h', 'tool', 'x', 'b', :claims, 9999999999999)"
            ),
            values,
        )
    tables = {"tool_launches", "learner_aliases", "held_launches", "departures"}
    assert tables <= set(kept(office, user))


PEOPLE = (("isograd", "candidates"), ("mettl", "candidates"))


def learner(office: Office, user: str) -> str:
    """The bridge's own id of a learner."""
    found = office.bridge.store.learner_id("campus", user)
    assert found
    return found


def test_after_forgetting_no_result_is_taken_and_nothing_is_delivered(office: Office) -> None:
    attempt = office.begin("late", "itep")
    office.ok("results", "enter", attempt, "4", "6", "--yes")
    before = office.bridge.store.delivery_counts()["pending"]
    office.ok("learners", "forget", "campus", "late", "--yes")
    assert office.bridge.store.delivery_counts().get("pending", 0) == before - 1
    said = office.refused("results", "enter", attempt, "5", "6", "--yes")
    assert "its learner was forgotten" in said
    incoming = Incoming("provider", "late", "invalidated", None)
    with pytest.raises(OutcomeRefused):
        office.bridge.results.record(None, attempt, "itep", incoming, office.bridge.store.clock())
    again = office.begin("late", "itep")
    assert again != attempt


def test_where_a_provider_fails_nothing_is_deleted_unless_it_is_said(office: Office) -> None:
    attempt = office.begin("down", "demo")
    party = office.parties["demo"]
    party.go_down()
    try:
        result = office.run("learners", "forget", "campus", "down", "--yes")
        assert result.exit_code == 1
        assert "NOT forgotten there" in result.stdout
        assert "Nothing was deleted here" in result.stdout
        assert office.json("attempts", "show", attempt)["user"] == "down"
        found = office.json("learners", "forget", "campus", "down", "--yes", "--anyway")
    finally:
        party.come_back()
    (one,) = [Forgotten(**row) for row in found["providers"]]
    assert (one.connection, one.attempt_id, one.forgotten, one.failed) == (
        "demo",
        attempt,
        False,
        True,
    )
    assert one.reference == party.bought()[-1]
    assert found["here"]["grades"] == 1
    assert kept(office, "user down", one.reference) == []


def test_what_was_never_started_is_nowhere_and_unclear_may_be(office: Office) -> None:
    unclear = office.lose("never", "demo")
    office.lose("never", "prov")
    released = office.attempt_of("never", "prov")
    office.ok("attempts", "resolve", released, "--not-started", "--yes")
    found = office.json("learners", "forget", "campus", "never", "--yes")
    assert [(row["attempt_id"], row["forgotten"]) for row in found["providers"]] == [
        (unclear, False)
    ]
    assert "nobody knows whether it exists" in found["providers"][0]["reason"]


def test_a_connection_that_is_gone_is_named(office: Office, tmp_path: Path) -> None:
    office.begin("moved", "files")
    written = office.config.read_text(encoding="utf-8")
    head, tail = written.split('\n[[connection]]\nname = "files"')
    office.config, before = tmp_path / "config.toml", office.config
    rest = tail.split("\n[[connection]]", 1)[1]
    office.config.write_text(f"{head}\n[[connection]]{rest}", encoding="utf-8")
    try:
        said = office.ok("learners", "forget", "campus", "moved", "--yes")
    finally:
        office.config = before
    assert "the connection is no longer configured" in said


def test_forgetting_is_asked_about(office: Office) -> None:
    office.begin("asked", "demo")
    result = office.run("learners", "forget", "campus", "asked", answer="n\n")
    assert result.exit_code == 1
    assert "User asked of campus, 1 attempts: delete them" in result.stderr
    assert kept(office, "asked")
    for who in (("campus", "nobody"), ("elsewhere", "asked")):
        assert "is known here" in office.refused("learners", "forget", *who, "--yes")


# More for one learner


def demo_asked(office: Office) -> Any:
    """What the demo provider was asked for last."""
    return office.parties["demo"].state()["sessions"][-1]["asked"]


def test_more_time_counts_from_the_first_start_on(office: Office) -> None:
    said = office.ok("learners", "adjust", "campus", "slow", "demo", "--extra-time", "25")
    assert "No such user has been here yet" in said
    office.begin("slow", "demo")
    assert demo_asked(office)["extra_time_percent"] == 25
    said = office.ok("learners", "adjust", "campus", "slow", "demo", "--extra-attempts", "2")
    assert "2 more attempts and 25 % more time" in said
    assert "no limit of attempts anyway" in said
    found = office.json("learners", "adjust", "campus", "slow", "demo", "--extra-time", "0")
    (note,) = found.pop("notes")  # the attempt of above has begun
    assert "has begun already" in note
    assert found == {"extra_attempts": 2, "extra_time_percent": 0, "was_here": True}
    office.begin("quick", "demo")
    assert demo_asked(office)["extra_time_percent"] == 0


def test_extra_time_tells_what_has_begun_and_what_an_lti_tool_does(office: Office) -> None:
    first = office.begin("late", "demo")
    said = office.ok("learners", "adjust", "campus", "late", "demo", "--extra-time", "25")
    assert f"Attempt {first} has begun already (started)" in said
    assert "from the next attempt on" in said
    found = office.json("learners", "adjust", "campus", "late", "tool", "--extra-time", "25")
    assert found["extra_time_percent"] == 25
    assert "custom_extended_time" in found["notes"][0]
    assert office.json("learners", "adjust", "campus", "late", "tool", "--extra-time", "0")


REFUSED = {
    "itep": "No field of an iTEP order",
    "files": "No document tells Prov",
    "mettl": "set duration_min",
    "isograd-action-2": "act_id 2 makes none",
}


@pytest.mark.parametrize("activity", REFUSED)
def test_time_that_reaches_nobody_is_refused(office: Office, activity: str) -> None:
    given = ("learners", "adjust", "campus", "ann", activity)
    ran = office.run(*given, "--extra-time", "25", "--extra-attempts", "3")
    assert ran.exit_code == 1
    assert "reaches nobody" in ran.output
    assert REFUSED[activity] in ran.output
    kept = office.json(*given, "--extra-attempts", "1")
    assert (kept["extra_attempts"], kept["extra_time_percent"]) == (1, 0)
    assert office.json(*given, "--extra-time", "0")["extra_time_percent"] == 0


def test_more_attempts_than_the_activity_has(fresh_office: Office) -> None:
    office = fresh_office
    written = office.config.read_text(encoding="utf-8")
    limited = written.replace('connection = "demo"\n', 'connection = "demo"\nattempts = 1\n')
    office.config.write_text(limited, encoding="utf-8")
    office.reload()
    first = office.begin("ann", "demo")
    office.ok("results", "enter", first, "1", "10", "--yes")
    with pytest.raises(NoAttemptsLeft):
        office.click("ann", "demo")
    office.ok("learners", "adjust", "campus", "ann", "demo", "--extra-attempts", "1")
    asked = office.click("ann", "demo")
    assert isinstance(asked, ConfirmPage)
    assert asked.title == "You have 1 of 10. Start attempt 2 of 2?"
    assert office.attempt_of("ann", "demo") == first
    assert isinstance(office.press(asked), Redirect)
    assert office.attempt_of("ann", "demo") != first


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("campus", "u", "demo"), 2, "say --extra-attempts or --extra-time"),
        (("nowhere", "u", "demo", "--extra-time", "5"), 1, "no LMS named 'nowhere'"),
        (("campus", "u", "none", "--extra-time", "5"), 1, "no activity 'none'"),
        (("campus", "u", "demo", "--extra-time", "-5"), 2, "extra-time"),
        (("campus", "u", "demo", "--extra-time", "x"), 2, "extra-time"),
        (("campus", "u", "demo", "--extra-attempts", "1001"), 2, "extra-attempts"),
    ],
)
def test_wrong_adjustments(
    office: Office, arguments: tuple[str, ...], status: int, said: str
) -> None:
    assert said in office.refused("learners", "adjust", *arguments, status=status)
    assert office.bridge.store.learner_id("campus", "u") is None
