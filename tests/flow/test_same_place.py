"""A course whose id changes or is missing: the same learner goes on, and nothing is doubled."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from lti_bridge.store.engine import Database
from lti_bridge.store.rosters import DEPARTED, Rosters
from tests.flow.browser import Browser, Page
from tests.flow.rig import AGS, Rig
from tests.flow.scene import refusal

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
SCORE = {"scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]}
both = pytest.mark.parametrize("lms", ["old", "new"])


def click(rig: Rig, lms: str, who: str, course: str | None, link: str, **more: str) -> Page:
    """A launch from a course, None for one that names none."""
    activity = more.get("activity", "best")
    if lms in ("old", "other"):
        fields: dict[str, str] = {"context_id": course or "", "resource_link_id": link}
        return rig.launch(Browser(), lms, activity, who, **fields)
    claims: Mapping[str, object] = {
        f"{LTI}context": {"id": course} if course else None,
        f"{LTI}resource_link": {"id": link},
        AGS + "claim/endpoint": {**SCORE, "lineitem": f"https://lms.example.edu/{link}"},
    }
    deployment = more.get("deployment", "1")
    return rig.click(Browser(), lms, activity, who, deployment=deployment, **claims)


def sourced(page: Page) -> str:
    """Which attempt the tool is sent to."""
    assert page.status == 200, page.text
    return dict(page.form().fields)["lis_result_sourcedid"]


def fresh() -> tuple[str, str]:
    """A learner and a link that nobody knows."""
    return f"learner-{secrets.token_hex(4)}", f"link-{secrets.token_hex(4)}"


def count(rig: Rig, who: str) -> int:
    """The attempts of a learner."""
    sql = "SELECT 1 FROM attempts a JOIN learners l ON l.id = a.learner_id WHERE l.user_id = :who"
    return len(rig.rows(sql, who=who))


@both
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("old.example.edu:c1", ["new.example.edu:c1"]),
        ("old.example.edu:c1", [None]),
        (None, ["new.example.edu:c1"]),
        ("old.example.edu:c1", ["new.example.edu:c1", None, "new.example.edu:c1"]),
    ],
)
@pytest.mark.parametrize("others", ["nobody", "a classmate", "a teacher"])
def test_the_same_learner_at_the_same_link_goes_on(
    rig: Rig, lms: str, first: str | None, then: list[str | None], others: str
) -> None:
    who, link = fresh()
    mark = secrets.token_hex(4)
    names = {course: course and f"{course}-{mark}" for course in [first, *then]}
    began = sourced(click(rig, lms, who, names[first], link))
    for course in then:
        if others == "a classmate":  # the place has a link of its own by now
            click(rig, lms, f"classmate-{mark}", names[course], link)
        assert sourced(click(rig, lms, who, names[course], link)) == began
    assert count(rig, who) == 1
    (grade,) = rig.rows("SELECT line_item, sourced_id FROM grades WHERE user_id = :who", who=who)
    assert grade["line_item"] or grade["sourced_id"]


@both
def test_a_grade_is_remembered_at_the_same_place(rig: Rig, lms: str) -> None:
    who, link = fresh()
    page = click(rig, lms, who, f"{link}-a", link)
    fields = dict(page.form().fields)
    rig.write("UPDATE attempts SET state = 'graded', is_open = 0, given = '0.5', maximum = '1',"
              " scored_at = 1 WHERE learner_id IN (SELECT id FROM learners WHERE user_id = :who)",
              who=who)  # fmt: skip
    assert fields["lis_result_sourcedid"]
    asked = click(rig, lms, who, f"{link}-b", link)
    assert asked.asks
    assert "You have 50 of 100. Start attempt 2?" in asked.text
    assert count(rig, who) == 1


@both
def test_an_id_that_two_living_courses_use_is_two_places(rig: Rig, lms: str) -> None:
    who, link = fresh()
    one, two = f"{link}-one", f"{link}-two"
    mate = f"mate-{link}"
    began = sourced(click(rig, lms, who, one, link))
    click(rig, lms, mate, two, link)
    click(rig, lms, mate, one, f"{link}-else")  # the first course is alive after the second began
    other = sourced(click(rig, lms, who, two, link))
    assert other != began
    assert sourced(click(rig, lms, who, one, link)) == began
    assert sourced(click(rig, lms, who, two, link)) == other
    unknown = click(rig, lms, who, None, link)  # and now nobody can know
    assert (unknown.status, refusal(unknown)[0]) == (409, "place-unclear")
    assert count(rig, who) == 2


@pytest.mark.parametrize(
    "what", ["another LMS", "another deployment", "another link", "another activity", "another one"]
)
def test_what_differs_otherwise_is_another_place(rig: Rig, what: str) -> None:
    who, link = fresh()
    lms = "new" if what == "another deployment" else "old"
    began = sourced(click(rig, lms, who, f"{link}-a", link))
    changes = {
        "another LMS": ("other", who, f"{link}-b", link, {}),
        "another deployment": ("new", who, f"{link}-b", link, {"deployment": "2"}),
        "another link": ("old", who, f"{link}-b", f"{link}-b", {}),
        "another activity": ("old", who, f"{link}-b", link, {"activity": "last"}),
        "another one": ("old", f"{who}-2", f"{link}-b", link, {}),
    }
    *args, more = changes[what]
    assert sourced(click(rig, *args, **more)) != began  # type: ignore[arg-type]
    assert sourced(click(rig, lms, who, f"{link}-a", link)) == began  # nothing ended it


GRADED = (
    "UPDATE attempts SET state = 'graded', is_open = 0, given = '0.5', maximum = '1', scored_at = 1"
    " WHERE learner_id IN (SELECT id FROM learners WHERE user_id = :who)"
)
REVIEW = "LtiSubmissionReviewRequest"


def review(rig: Rig, who: str, course: str, link: str) -> Page:
    """A teacher opens a learner's cell of the gradebook."""
    claims: Mapping[str, object] = {
        f"{LTI}message_type": REVIEW,
        f"{LTI}roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"],
        f"{LTI}context": {"id": course},
        f"{LTI}resource_link": {"id": link},
        f"{LTI}for_user": {"user_id": who},
        AGS + "claim/endpoint": {**SCORE, "lineitem": f"https://lms.example.edu/{link}"},
    }
    return rig.click(Browser(), "new", "best", f"teacher-{who}", **claims)


@pytest.mark.parametrize("back", [False, True])
def test_a_review_at_the_new_place_shows_the_attempt_of_before(rig: Rig, back: bool) -> None:
    who, link = fresh()
    sourced(click(rig, "new", who, f"{link}-a", link))
    if back:
        sourced(click(rig, "new", who, f"{link}-b", link))
    rig.write(GRADED, who=who)
    shown = review(rig, who, f"{link}-b", link)
    assert (shown.status, "50 of 100" in shown.text or "0.5 of 1" in shown.text) == (200, True)
    for other in (f"other-{who}", f"{who}-2"):
        assert "No attempt yet" in review(rig, other, f"{link}-b", link).text
    assert "No attempt yet" in review(rig, who, f"{link}-b", f"{link}-else").text


@both
def test_who_is_listed_as_gone_at_the_new_place_has_left(rig: Rig, lms: str) -> None:
    who, link = fresh()
    for course in ("a", "b"):
        sourced(click(rig, lms, who, f"{link}-{course}", link))
    deployment = "1" if lms == "new" else ""
    database = Database(str(rig.engine.url))
    for seconds, course, active, departed in (
        (1, "else", False, False),
        (2, "b", False, True),
        (3, "b", True, False),
    ):
        members = {who: active, "nobody": active}
        read_at = datetime.now(UTC) + timedelta(seconds=seconds)
        Rosters(database).note_members(lms, deployment, f"{link}-{course}", members, read_at)
        sql = f"SELECT {DEPARTED} AS gone FROM grades WHERE user_id = :who"  # noqa: S608 - ours
        assert [bool(row["gone"]) for row in rig.rows(sql, who=who)] == [departed], course
    database.close()


def moved(rig: Rig, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Give the command; `answer` is typed when it asks."""
    given = ["courses", "moved", *arguments, "--config", str(rig.bridge.config)]
    ran = CliRunner().invoke(main, given, input=answer)
    return ran.exit_code, ran.output


@both
@pytest.mark.parametrize("part", [True, False])
def test_an_admin_joins_what_cannot_be_known(rig: Rig, lms: str, part: bool) -> None:
    who, mark = fresh()
    old, new = f"old-{mark}.example.edu", f"new-{mark}.example.edu"
    link = f"{old}/7" if part else mark
    there = link.replace(old, new)
    began = sourced(click(rig, lms, who, f"{old}/c", link))
    early = f"early-{who}"
    if part:  # they came before the admin knew
        meanwhile = sourced(click(rig, lms, early, f"{new}/c", there))
    names = ["--part", lms, old, new] if part else [lms, f"{old}/c", f"{new}/c"]
    status, said = moved(rig, *names, answer="n\n")
    assert status == 1
    assert "1 courses" in said
    assert "with 1 links and 1 attempts" in said
    assert moved(rig, *names, "--yes")[0] == 0
    for _ in range(2):
        assert sourced(click(rig, lms, who, f"{new}/c", there)) == began
        assert sourced(click(rig, lms, who, f"{old}/c", link)) == began
    if part:
        assert sourced(click(rig, lms, early, f"{new}/c", there)) == meanwhile
    mate = f"mate-{who}"  # everybody, not only who has begun
    assert sourced(click(rig, lms, mate, f"{new}/c", there))
    assert sourced(click(rig, lms, mate, f"{old}/c", link))
    assert (count(rig, who), count(rig, mate)) == (1, 1)
    assert moved(rig, *names, "--undo", "--yes") == (
        0,
        f"{old}/c -> {new}/c\n1 links are parted.\n",
    )
    assert sourced(click(rig, lms, who, f"{old}/c", link)) == began


@pytest.mark.parametrize(
    "arguments",
    [
        ["old", "no-such-course", "x"],
        ["nobody", "course-1", "x"],
        ["old", "", "x"],
        ["old", "a", "a"],
        ["old", "course-1", "x" * 256],
    ],
)
def test_what_joins_nothing_is_refused(rig: Rig, arguments: list[str]) -> None:
    before = rig.rows("SELECT * FROM link_aliases")
    assert moved(rig, *arguments, "--yes")[0] in (1, 2)
    assert rig.rows("SELECT * FROM link_aliases") == before
