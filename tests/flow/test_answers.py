"""What an LMS answers, and what becomes of the grade, of its reason, and of others' grades."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.browser import Browser
from tests.flow.rig import Rig, Sitting
from tests.flow.school import AGS, LTI, SCORE, Err
from tests.flow.signing import reply_document
from tests.flow.test_grades import settled
from tests.flow.world import eventually

LINE_ITEM = AGS + "scope/lineitem"
ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
LOGIN = b"<!DOCTYPE html><html><head><title>Log in to the site</title></head></html>"
XHTML = b'<?xml version="1.0"?>\n<!-- x -->\n<html xmlns="x"><body>Down</body></html>'
PHP = b"<br />\n<b>Deprecated</b>: strlen() in <b>/srv/lib.php</b> on line <b>7</b><br />\n"
RATE = b"403 Forbidden (Rate Limit Exceeded)\n"
PROBLEM = "application/problem+json"


def said(value: Any, status: int = 200, kind: str = "application/json", **more: Any) -> Err:
    """An answer in JSON."""
    return Err(status, json.dumps(value).encode(), kind, **more)


def pox(major: str, status: int = 200, **more: Any) -> Err:
    """An envelope as the answer."""
    retry_after = more.pop("retry_after", "")
    return Err(status, reply_document(major, "", **more), retry_after=retry_after)


@dataclass(frozen=True)
class Row:
    """One answer to the first try: refused for a reason, or sent again (`again`), or taken.

    `busy`: it says that there were too many requests, which spends no try.
    """

    err: Err | None
    reason: str = ""
    again: bool = False
    token_status: int = 200
    busy: bool = False

    @property
    def state(self) -> str:
        return "refused" if self.reason else "delivered"


def again(err: Err) -> Row:
    """Temporary: the next try brings it."""
    return Row(err, again=True)


def busy(err: Err) -> Row:
    """Temporary, and no fault of this grade: the next try brings it, and is its first."""
    return Row(err, again=True, busy=True)


OAUTH = {"error": "unauthorized_client", "error_description": "The tool is switched off."}
SCORES = {
    "Canvas' rate limit": busy(Err(403, RATE, "text/plain")),
    "429 in JSON": busy(said({"errors": [{"message": "slow down"}]}, 429)),
    "403 that names a time": busy(Err(403, retry_after="1")),
    "400 that names a time": busy(Err(400, retry_after="1")),
    "409 that names a time": busy(Err(409, retry_after="1")),
    "login page": again(Err(200, LOGIN)),
    "page in XHTML": again(Err(200, XHTML, "application/xhtml+xml")),
    "page said to be JSON": again(Err(201, LOGIN, "application/json")),
    "redirect to a login": again(Err(302)),
    "redirect 303": again(Err(303)),
    "redirect 307": again(Err(307)),
    "moved for good": Row(Err(308), "HTTP 308"),
    "203": Row(Err(203)),
    "a notice of PHP": Row(Err(200, PHP)),
    "JSON that quotes HTML": Row(said({"resultUrl": "x", "note": "<html>"})),
    "no errors": Row(said({"errors": [], "error": None})),
    "200 with an error": Row(
        said({"error": {"message": "grading is closed"}}), "grading is closed"
    ),
    "200 without success": Row(said({"success": False, "message": "nope"}), "HTTP 200: nope"),
    "Canvas 422": Row(
        said({"errors": {"type": "unprocessable_entity", "message": "No more attempts"}}, 422),
        "HTTP 422: No more attempts",
    ),
    "Canvas list": Row(
        said({"errors": [{"message": "Tool is not permitted."}]}, 403),
        "HTTP 403: Tool is not permitted.",
    ),
    "problem": Row(
        said({"type": "about:blank", "title": "Bad", "detail": "Role is ungradable"}, 422, PROBLEM),
        "HTTP 422: Role is ungradable",
    ),
    "problem without detail": Row(said({"title": "Quota used"}, 400, PROBLEM), "400: Quota used"),
    "fields": Row(
        said({"title": "Invalid", "errors": {"scoreGiven": ["is above 100"]}}, 400),
        "HTTP 400: is above 100",
    ),
    "plain text": Row(Err(412, b"Line item\n is closed", "text/plain"), "412: Line item is closed"),
    "a page that refuses": Row(Err(403, LOGIN), "a web page, “Log in to the site”"),
    "404": Row(Err(404, b"Unknown user", "text/plain"), "HTTP 404: Unknown user"),
    "410": Row(said("Gone away", 410), 'HTTP 410: "Gone away"'),
    "long": Row(Err(422, b"no " * 5000, "text/plain"), "no no no"),
}
OUTCOMES = {
    "Canvas failure 422": Row(pox("failure", 422, description="No points [EID_1]"), "No points"),
    "Moodle failure 200": Row(pox("failure", description="Result locked"), "Result locked"),
    "failure 412": Row(pox("failure", 412, description="Too late"), "Too late"),
    "failure 429": busy(pox("failure", 429, description="slow down")),
    "failure that names a time": busy(pox("failure", 403, retry_after="1")),
    "busy": again(pox("failure", minor="targetisbusy")),
    "busy 422": again(pox("failure", 422, minor="targetisbusy")),
    "rate limit": busy(Err(403, RATE, "text/plain")),
    "login page": again(Err(200, LOGIN)),
    "redirect": again(Err(302)),
    "JSON": Row(said({"errors": {"message": "Tool was removed"}}, 400), "400: Tool was removed"),
}
TOKENS = {
    "201": Row(None, token_status=201),
    "202": Row(None, token_status=202),
    "rate limit": busy(Err(403, RATE, "text/plain")),
    "429 with an error": busy(said({"error": "invalid_scope"}, 429)),
    "an error that names a time": busy(said(OAUTH, 400, retry_after="1")),
    "login page": again(Err(200, LOGIN)),
    "redirect": again(Err(302)),
    "refused": Row(said(OAUTH, 400), "unauthorized_client: The tool is switched off."),
    "refused with 200": Row(said(OAUTH, 200), "The tool is switched off."),
}
ROWS = {
    (where, name): row
    for where, rows in (("scores", SCORES), ("outcomes", OUTCOMES), ("tokens", TOKENS))
    for name, row in rows.items()
}


@pytest.fixture(scope="module")
def answered(rig: Rig) -> dict[tuple[str, str], Sitting]:
    """Every row set off at the same time."""
    found = {}
    for number, ((where, name), row) in enumerate(ROWS.items()):
        deployment = f"answers-{number}" if where == "tokens" else "answers"
        sitting = rig.sit() if where == "outcomes" else rig.sit("new", deployment=deployment)
        rig.school.token_status[deployment] = row.token_status
        if row.err:
            of = f"token:{deployment}" if where == "tokens" else sitting.learner
            rig.school.errs[of] = [row.err]
        found[where, name] = sitting
    for sitting in found.values():
        assert rig.report(sitting, "0.5").said == (200, "success")
    return found


@pytest.mark.spec("T11O-05", "T11O-06", "T13AG-12", "BR-16")
@pytest.mark.parametrize(("where", "name"), ROWS)
def test_what_an_answer_means_for_the_grade(
    rig: Rig, answered: dict[tuple[str, str], Sitting], where: str, name: str
) -> None:
    row, sitting = ROWS[where, name], answered[where, name]
    eventually(lambda: rig.grade(sitting)["delivery"], row.state)
    grade, calls = rig.grade(sitting), rig.school.of(sitting.learner)
    assert row.reason in grade["last_error"]
    assert len(grade["last_error"]) < 400
    assert grade["due_at"] is None  # done, or a person has to look
    assert grade["tries"] == 1 + (row.again and not row.busy)
    shown = rig.school.cells.get(sitting.learner)
    if row.state == "refused":
        assert shown is None
    elif row.again:
        assert shown == "0.5"
    assert len(calls) == (1 if where != "tokens" else row.state == "delivered") + (
        row.again and where != "tokens"
    )


@dataclass(frozen=True)
class Column:
    """A course with one column: what one learner's score gets, and the column when asked for.

    `listed`: which columns the course's list holds, or another answer. `moved`: everybody's grades
    go into another column; `made`: one that the bridge makes.
    """

    score: Err = field(default_factory=lambda: MISSING)
    item: tuple[Err, ...] = ()
    listed: str | Err = "own"
    reason: str = ""
    moved: bool = False
    made: bool = False
    asked: bool = True
    tries: int = 1


MISSING = said({"detail": "User in requested score does not exist"}, 404, PROBLEM)
THERE = Err(200, b'{"id":"http://x.invalid/item","label":"x"}', ITEM_TYPE)
NO_ITEM = Err(404, b"no such line item", "text/plain")
WHO = "User in requested score does not exist"
COLUMNS = {
    "the account was deleted": Column(item=(THERE,), reason=WHO),
    "410": Column(Err(410, b"Account closed"), (THERE,), reason="410: Account closed"),
    "the column cannot be asked for, and is listed": Column(item=(NO_ITEM,), reason=WHO),
    "the column may not be asked for": Column(item=(Err(403),), reason=WHO),
    "the column cannot be read": Column(item=(Err(405),), reason=WHO),
    "the course is over": Column(item=(NO_ITEM,), listed=NO_ITEM, reason="line items: HTTP 404"),
    "the list is closed": Column(item=(NO_ITEM,), listed=Err(403), reason="line items: HTTP 403"),
    "busy when asked": Column(item=(Err(429), THERE), reason=WHO, tries=2),
    "rate limit when asked": Column(item=(Err(403, RATE), THERE), reason=WHO, tries=2),
    "down when asked": Column(item=(Err(503), THERE), reason=WHO, tries=2),
    "login when asked": Column(item=(Err(200, LOGIN), THERE), reason=WHO, tries=2),
    "nothing when asked": Column(item=(Err(200), THERE), reason=WHO, tries=2),
    "400": Column(Err(400, b"no"), reason="HTTP 400: no", asked=False),
    "403": Column(Err(403, b"no"), reason="HTTP 403: no", asked=False),
    "412": Column(Err(412, b"no"), reason="HTTP 412: no", asked=False),
    "422": Column(Err(422, b"no"), reason="HTTP 422: no", asked=False),
    "deleted": Column(item=(NO_ITEM,), listed="none", moved=True, made=True),
    "deleted, 410": Column(item=(Err(410),), listed="none", moved=True, made=True),
    "made again by the LMS": Column(item=(NO_ITEM,), listed="other", moved=True),
}


class Course:
    """The course of a row: three learners, of whom the last has something happen."""

    def __init__(self, rig: Rig, number: int, row: Column) -> None:
        self.rig, self.row, base = rig, row, f"/columns/{number}"
        self.item, self.list = f"{base}/1/lineitem", base
        self.other, self.deployment = f"{base}/2/lineitem", f"column-{number}"
        url = rig.school.url
        ags = {"scope": [SCORE, LINE_ITEM], "lineitem": url + self.item, "lineitems": url + base}
        self.sittings = [
            rig.sit("new", deployment=self.deployment, **{AGS + "claim/endpoint": ags})
            for _ in range(3)
        ]
        link = {"resourceLinkId": "link-best"}
        listed = {
            "own": said([{"id": url + self.item, **link}]),
            "none": said([]),
            "other": said([{"id": url + self.other, **link}]),
        }
        scripts = rig.school.scripts
        scripts["GET", self.item] = list(row.item) or [Err(500)]
        scripts["GET", base] = [listed[row.listed] if isinstance(row.listed, str) else row.listed]
        scripts["POST", base] = [said({"id": url + self.other}, 201)]

    def report(self, part: slice, score: str) -> None:
        for sitting in self.sittings[part]:
            assert self.rig.report(sitting, score).major == "success"

    def happen(self) -> None:
        """What the last learner's score gets."""
        if self.row.moved:
            self.rig.school.gone.add(self.item)
        else:
            self.rig.school.errs[self.sittings[2].learner] = [self.row.score] * self.row.tries
        self.report(slice(2, 3), "0.7")

    def asked(self, method: str, path: str) -> int:
        return self.rig.school.asked.count((method, path))

    def paths(self, sitting: Sitting) -> list[str]:
        return [call.path.removesuffix("/scores") for call in self.rig.school.of(sitting.learner)]


@pytest.fixture(scope="module")
def courses(rig: Rig) -> dict[str, Course]:
    """Every course, in which two have their grades, and then the third is graded."""
    found = {name: Course(rig, number, row) for number, (name, row) in enumerate(COLUMNS.items())}
    for course in found.values():
        course.report(slice(2), "0.5")
    for course in found.values():
        for sitting in course.sittings[:2]:
            eventually(settled(rig, sitting), True)
    for course in found.values():
        course.happen()
    return found


@pytest.mark.spec("T13AG-12", "T13AG-17")
@pytest.mark.parametrize("name", COLUMNS)
def test_one_learners_404_is_not_the_columns(
    rig: Rig, courses: dict[str, Course], name: str
) -> None:
    course, row = courses[name], COLUMNS[name]
    *others, one = course.sittings
    eventually(lambda: rig.grade(one)["delivery"], "delivered" if row.moved else "refused")
    assert row.reason in rig.grade(one)["last_error"]
    assert course.asked("POST", course.list) == row.made
    assert (course.asked("GET", course.item) > 0) == row.asked
    if row.moved:
        for other in others:
            eventually(lambda of=other: course.paths(of)[-1], course.other)
            eventually(settled(rig, other), True)
        assert course.paths(one)[-1] == course.other
        assert course.asked("POST", course.list) == row.made  # no second one
    else:
        assert [course.paths(other) for other in others] == [[course.item]] * 2
        assert course.paths(one) == [course.item] * row.tries
        assert {rig.grade(other)["version"] for other in others} == {1}


WORDS = "Assignment has no points possible."


def test_the_reason_is_shown_wherever_the_grade_is(rig: Rig) -> None:
    sitting = rig.sit()
    rig.school.errs[sitting.learner] = [pox("failure", 422, description=WORDS)]
    assert rig.report(sitting, "0.5").major == "success"
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    [attempt] = rig.rows(
        "SELECT a.id FROM attempts a JOIN learners l ON l.id = a.learner_id"
        " WHERE l.user_id = :user",
        user=sitting.learner,
    )
    commands = (["results", "list", "--stuck"], ["attempts", "show", attempt["id"]], ["doctor"])
    for command in commands:
        said = CliRunner().invoke(main, [*command, "--config", str(rig.bridge.config)])
        assert f"outcomes: failure: {WORDS}" in said.output, (command, said.output)
    browser = Browser()
    page = rig.launch(browser, "old", "best", "teacher", roles="Instructor")
    number = [form.action.endswith("/course/people") for form in page.forms()].index(True)
    shown = browser.submit(page, number).text
    assert f"The reason: outcomes: failure: {WORDS}" in shown


def test_what_a_reason_repeats_of_a_learner_is_not_kept(rig: Rig) -> None:
    sitting = rig.sit("new", deployment="private")
    text = f"User {sitting.learner} (ann@example.invalid) is no learner; token=s3cr3t"
    rig.school.errs[sitting.learner] = [said({"detail": text}, 422)]
    assert rig.report(sitting, "0.5").major == "success"
    eventually(lambda: rig.grade(sitting)["delivery"], "refused")
    kept = rig.grade(sitting)["last_error"]
    assert kept == (
        "scores: HTTP 422: User [redacted] ([redacted]) is no learner; token=[redacted]"
    )
    assert sitting.learner not in rig.bridge.log()
    assert LTI not in kept
