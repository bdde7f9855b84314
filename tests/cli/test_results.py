"""`results enter` and `results import`: marks that people bring."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from lti_bridge.bench.fill import LMS11, fill
from lti_bridge.core.attempt.provider import Callback
from lti_bridge.core.grade.gradebook import Outcome
from lti_bridge.providers.itep import oids
from lti_bridge.store import grades
from lti_bridge.store.engine import Database
from tests import claims
from tests.cli.office import Office

ITEP = "OID,Overall_Level,Status\n"
PROV = "candidate_id,exam_code,overall_score\n"


def grade_of(office: Office, attempt_id: str) -> str:
    """What the gradebook is to show, and whether it is on its way."""
    grade = office.json("attempts", "show", attempt_id)["grade"]
    return f"{grade['grade']} {grade['delivery']}" if grade else ""


def import_of(office: Office, connection: str, text: str, status: int) -> dict[str, object]:
    """Import a file; counts, and what was said of each line."""
    file = office.folder / "results.csv"
    file.write_text(text, encoding="utf-8")
    result = office.run("results", "import", connection, str(file), "--json")
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)
    lines = found.pop("lines")
    return {**found, "said": [(one["line"], one["outcome"], one["said"]) for one in lines]}


def oid_of(office: Office, attempt_id: str) -> str:
    """The name by which iTEP knows an attempt."""
    tests = office.parties["itep"].state()["tests"]
    told = [test["registration"]["trExternal_ID"] for test in tests]
    (oid,) = (one for one in told if one.startswith(attempt_id))
    return str(oid)


# By hand


def test_marks_by_hand_become_a_grade(office: Office) -> None:
    attempt = office.begin("ann", "files")
    assert grade_of(office, attempt) == ""
    refused = office.run("results", "enter", attempt, "7.5", "10", answer="n\n")
    assert refused.exit_code == 1
    assert "files, attempt 1 of campus user ann: 7.5/10 instead of started?" in refused.stderr
    assert grade_of(office, attempt) == ""
    office.ok("results", "enter", attempt, "7.5", "10", "--yes")
    assert office.state(attempt) == ("graded", "7.5/10")
    assert grade_of(office, attempt) == "7.5/10 pending"
    said = office.refused("results", "enter", attempt, "7.50", "10", "--yes")
    assert "has these marks already" in said
    office.ok("results", "enter", attempt, "8", "10", "--yes")
    office.ok("results", "enter", attempt, "7.5", "10", "--yes")  # 8 was wrong after all
    assert grade_of(office, attempt) == "7.5/10 pending"


def test_only_grades_that_exist_are_sent_again(office: Office) -> None:
    for which in ("nobody", "--stuck"):
        said = office.run("results", "resend", which)
        assert (said.exit_code, said.output) == (1, "0 grades are on their way again.\n")


def sent(office: Office) -> list[str]:
    """Let all grades be delivered; the learners of those that were due."""
    store, now = office.bridge.store, office.bridge.clock()
    found = claims.deliveries(store, now, 15, 999)
    for one in found:
        store.settle(one, now, Outcome("delivered"))
    return sorted(one.user_id for one in found)


def graded(office: Office, user: str, activity: str) -> None:
    office.click(user, activity)
    (attempt,) = [one["id"] for one in office.json("attempts", "list") if one["user"] == user]
    office.ok("results", "enter", attempt, "5", "10", "--yes")


def test_grades_of_an_lms_an_activity_or_a_time_are_sent_again(office: Office) -> None:
    sent(office)
    graded(office, "resent-1", "demo")
    graded(office, "resent-2", "files")
    assert sent(office) == ["resent-1", "resent-2"]
    office.ok("results", "resend", "--activity", "files", "--yes")
    assert ("resent-2" in (again := sent(office)), "resent-1" in again) == (True, False)
    today = office.bridge.clock().replace(microsecond=0)
    since = (today - timedelta(seconds=50)).isoformat()
    office.ok("results", "resend", "--lms", "campus", "--since", since, "--yes")
    again = sent(office)
    assert {"resent-1", "resent-2"} <= set(again)
    tomorrow = (today + timedelta(days=1)).date().isoformat()
    nothing = office.run("results", "resend", "--since", tomorrow)
    assert (nothing.exit_code, nothing.output) == (1, "0 grades are on their way again.\n")
    assert office.run("results", "resend", "--lms", "campus", "--stuck").exit_code == 1
    assert sent(office) == []


def test_many_grades_are_sent_again_only_after_a_question(office: Office) -> None:
    graded(office, "asked-1", "demo")
    sent(office)
    said = office.run("results", "resend", "--activity", "demo", answer="n\n")
    assert said.exit_code == 1
    assert "again?" in said.stderr
    forced = office.run("results", "resend", "--activity", "demo", "--force", answer="n\n")
    assert "and replace what teachers have entered?" in forced.stderr
    assert sent(office) == []


@pytest.mark.parametrize(
    ("wrong", "said", "status"),
    [
        ((), "name grades by their ids, or give", 2),
        (("an-id", "--stuck"), "name grades by their ids, or give", 2),
        (("--lms", "campsu"), "There is no LMS 'campsu'", 1),
        (("--activity", "excle"), "There is no activity 'excle'", 1),
        (("--since", "yesterday"), "is no time as 2026-11-29", 2),
    ],
)
def test_what_is_mistyped_sends_nothing_again(
    office: Office, wrong: tuple[str, ...], said: str, status: int
) -> None:
    assert said in office.refused("results", "resend", *wrong, status=status)


def test_hundreds_are_sent_again_in_parts_that_are_told(database_url: str) -> None:
    database = Database(database_url)
    fill(database, 0, 2 * grades.AT_ONCE + 10, "http://127.0.0.1:9", lambda text: None)
    with database.writing() as connection:
        connection.execute(text("UPDATE grades SET version = 1, delivery = 'delivered'"))
    chosen, now = grades.Chosen(lms=LMS11), datetime.now(UTC)
    there = grades.count_chosen(database, chosen)
    assert list(grades.resend_chosen(database, chosen, now=now)) == [grades.AT_ONCE, 5]
    assert there == grades.AT_ONCE + 5
    database.close()


def test_marks_settle_an_unclear_attempt_and_extra_credit_is_named(office: Office) -> None:
    attempt = office.lose("bonus", "demo")
    asked = office.run("results", "enter", attempt, "11", "10", answer="y\n")
    assert asked.exit_code == 0
    assert "11/10 (above the maximum) instead of unclear?" in asked.stderr
    assert office.state(attempt) == ("graded", "11/10")


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (("x", "10"), "'x' is no number"),
        (("7,5", "10"), "'7,5' is no number"),
        (("-1", "10"), "is no number from 0 up"),
        (("NaN", "10"), "is no number from 0 up"),
        (("Infinity", "10"), "is no number from 0 up"),
        (("1", "0"), "must be above zero"),
        (("1e999999", "10"), "sensible size"),
    ],
)
def test_wrong_marks(office: Office, marks: tuple[str, str], said: str) -> None:
    attempt = office.begin("wrong", "files")
    assert said in office.refused("results", "enter", attempt, *marks, "--yes", status=2)
    assert office.state(attempt) == ("started", "")


def test_marks_for_nobody(office: Office) -> None:
    assert "no attempt 'x'" in office.refused("results", "enter", "x", "1", "2", "--yes")


# Files


def test_a_file_of_itep_is_read_line_by_line_and_may_be_read_again(fresh_office: Office) -> None:
    office = fresh_office
    first, second = office.begin("ann", "itep"), office.begin("bob", "itep")
    third = office.begin("cyd", "itep")
    text = ITEP + (
        f"{oid_of(office, first)},4.5,Complete\n"
        f"{oid_of(office, second)},7,Complete\n"
        "forged.aaaaaaaaaaaa,6,Complete\n"
        f"{oid_of(office, third)},3,Completed\n"
    )
    found = import_of(office, "itep", text, status=1)
    assert found == {
        "recorded": 2,
        "known": 0,
        "refused": 2,
        "said": [
            (2, "recorded", "4.5/6"),
            (3, "refused", "Overall_Level: must be a number from 0 to 6"),
            (4, "refused", "OID: is none that this connection has given out"),
            (5, "recorded", "3/6"),
        ],
    }
    assert office.state(second) == ("started", "")
    assert grade_of(office, first) == "4.5/6 pending"

    corrected = text.replace(",7,", ",5,").replace("forged.aaaaaaaaaaaa,6,Complete\n", "")
    found = import_of(office, "itep", corrected, status=0)
    assert [outcome for _, outcome, _ in found["said"]] == ["known", "recorded", "known"]  # type: ignore[attr-defined]
    assert office.state(second) == ("graded", "5/6")


def test_what_is_said_on_a_terminal(office: Office, tmp_path: Path) -> None:
    attempt = office.begin("terminal", "itep")
    file = tmp_path / "results.csv"
    file.write_text(f"{ITEP}{oid_of(office, attempt)},4,Complete\nx,1,Complete\n", "utf-8-sig")
    result = office.run("results", "import", "itep", str(file))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"line 2: recorded  4/6  attempt {attempt}",
        "line 3: refused  OID: is none that this connection has given out",
        "1 recorded, 0 known already, 1 refused.",
    ]


def test_a_file_of_prov_names_candidates(office: Office) -> None:
    attempt = office.begin("prov-file", "files")
    rows = csv.DictReader(office.ok("connections", "export", "files").splitlines())
    (row,) = (one for one in rows if one["attempt_id"] == attempt)
    line = f"{row['candidate_id']},NB1,"
    found = import_of(office, "files", f"{PROV}{line}73.5\nnobody,NB1,5\n", status=1)
    assert [outcome for _, outcome, _ in found["said"]] == ["recorded", "refused"]  # type: ignore[attr-defined]
    assert office.state(attempt) == ("graded", "73.5/100")
    assert import_of(office, "files", f"{PROV}{line}73.50\n", status=0)["known"] == 1


def test_an_invalidated_attempt_keeps_no_grade_because_of_an_old_file(office: Office) -> None:
    attempt = office.begin("invalid", "itep")
    text = f"{ITEP}{oid_of(office, attempt)},4,Complete\n"
    told = {"OID": oid_of(office, attempt), "Status": "Invalidated"}
    hook = office.bridge.catalogue.connection("itep").hook_token
    before = office.state(attempt)
    for test_id in ("1AP", office.json("attempts", "show", attempt)["reference"]):
        assert office.state(attempt) == before  # another's test invalidates nothing
        form = {"data": json.dumps({**told, "TestID": test_id})}
        office.bridge.callbacks.receive("itep", hook, Callback("POST", {}, {}, form, b""))
    assert office.state(attempt) == ("invalidated", "")
    found = import_of(office, "itep", text, status=1)
    assert "invalidated" in str(found["said"])
    assert office.state(attempt) == ("invalidated", "")


def test_results_of_another_connection_or_of_no_attempt_change_nothing(office: Office) -> None:
    tools = office.bridge.catalogue.connection("itep").provider.tools  # type: ignore[attr-defined]
    demo = office.begin("elsewhere", "demo")
    text = ITEP + "".join(
        f"{oids.issue(tools.sign, name)},6,Complete\n" for name in (demo, "no-such-attempt")
    )
    found = import_of(office, "itep", text, status=1)
    assert [said for _, _, said in found["said"]] == ["there is no such attempt here"] * 2  # type: ignore[attr-defined]
    assert office.state(demo) == ("started", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is no column OID"),
        (b"\xff\xfe\x00O", "save it as CSV UTF-8"),
        (b"OID;Status\n", "there is no column Overall_Level"),
    ],
)
def test_files_that_are_none(office: Office, tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    result = office.run("results", "import", "itep", str(file))
    assert result.exit_code == 1
    assert said in result.output


def test_where_no_file_is_read(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("x")
    assert "'demo' has no import" in office.refused("results", "import", "demo", str(file))
    assert "no connection named 'x'" in office.refused("results", "import", "x", str(file))
    office.refused("results", "import", "itep", str(tmp_path / "none.csv"), status=2)
