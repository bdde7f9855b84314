"""The guides of docs/lms/ walked on the pretend LMS with that family's habits, a step at a time.

A row of a guide says what goes wrong without a step and what the bridge then says: here each step
is left out, and the bridge has to say it. With every step done, a grade arrives and the doctor has
nothing to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from lti_bridge.sandbox import lms
from lti_bridge.web.advice import FAMILIES
from tests.flow.browser import Browser, Page
from tests.flow.scene import refusal
from tests.flow.test_launch_to_gradebook import grade, open_test
from tests.flow.world import ROOT, World, eventually, make_world

DEPLOYMENT = "https://purl.imsglobal.org/spec/lti/claim/deployment_id"
NO_PLACE = "Your LMS offers no place for a grade of this link"
NO_NAMES = "Your LMS sends no names and no e-mail addresses"
NO_LIST = "Your LMS does not tell who is in the course"


@dataclass(frozen=True)
class Guide:
    """One page: the family that the pretend LMS then is, and its steps."""

    page: str
    family: str
    steps: tuple[tuple[str, str], ...]  # what is missing without it, and the step's own words


GUIDES = (
    Guide(
        "moodle",
        "moodle",
        (
            ("grades", "Accept grades from the tool: Always"),
            ("names", "share name and e-mail “Always”"),
            ("members", "Use this service to retrieve members' information"),
            ("keys", "Moodle fetches"),
            ("activity", "Supports Deep Linking (Content-Item Message)"),
        ),
    ),
    Guide(
        "canvas",
        "canvas",
        (
            ("grades", "the scopes for line items, scores and results"),
            ("names", "privacy level “Public”"),
            ("members", "Can retrieve user data associated with the context"),
            ("activity", "placements `assignment_selection` and `link_selection`"),
        ),
    ),
    Guide(
        "brightspace",
        "brightspace",
        (
            ("grades", "Assignment and Grade Services"),
            ("names", "Security Settings of the deployment"),
            ("members", "Names and Role Provisioning Services"),
        ),
    ),
    Guide(
        "sakai",
        "sakai",
        (
            ("grades", "Allow External Tool to return grades"),
            ("names", "Send User Names to External Tool"),
            ("members", "Provide Roster to External Tool"),
            ("keys", "Sakai reaches"),
        ),
    ),
    Guide(
        "open-edx",
        "openedx",
        (
            ("grades", "Scored: True"),
            ("names", "request the user's name and e-mail"),
            ("members", "Names and Role Provisioning Services"),
            ("activity", "custom parameters"),
        ),
    ),
    Guide(
        "blackboard",
        "blackboard",
        (
            ("grades", "Allow grade service access: Yes"),
            ("names", "User Fields to Send"),
            ("members", "Allow Membership Service Access: Yes"),
            ("deployment", "the deployment id in `deployment_ids`"),
            ("line item", "choose tests through the deep-linking placement"),
        ),
    ),
    Guide(
        "schoology",
        "schoology",
        (
            ("grades", "Assignment and Grade Services"),
            ("names", "Privacy: name and e-mail"),
            ("members", "Names and Roles Services"),
            ("deployment", "the deployment id of the organization in `deployment_ids`"),
            ("activity", "Course Material Selection"),
        ),
    ),
)
SAYS = {"grades": NO_PLACE, "names": NO_NAMES, "members": NO_LIST}
SCOPES = {"grades": "score", "members": "contextmembership.readonly"}
LINKS = (
    lms.LinkSpec("best13", "A test", "1.3", {"activity": "best"}, grades="ags"),
    lms.LinkSpec("last13", "Another", "1.3", {"activity": "last"}, grades="ags"),
    lms.LinkSpec("bare13", "No test yet", "1.3", {}, grades="ags"),
    lms.LinkSpec("plain13", "No line item", "1.3", {"activity": "best"}, grades="none"),
    lms.LinkSpec("best11", "By 1.1", "1.1", {"activity": "best"}),
)
STEPS = [(guide, step) for guide in GUIDES for step in guide.steps]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """A bridge behind each LMS, started when it is asked for."""
    made: dict[str, World] = {}

    class Started(dict[str, World]):
        def __missing__(self, family: str) -> World:
            folder = tmp_path_factory.mktemp(family)
            world = make_world(
                folder, f"sqlite:///{folder}/bridge.sqlite3", links=LINKS, family=family
            )
            world.bridge.serve()
            made[family] = self[family] = world
            return world

    yield Started()
    for world in made.values():
        world.stop()


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: dict[str, World]) -> World:
    found = worlds[request.param.family]
    found.control(found.lms, "lacks", lacks=[])
    found.control(found.lms, "clear", tokens=True)
    return found


def click(world: World, user: str, link: str) -> Page:
    """What somebody sees of the bridge who clicks a link."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/{user}")
    return browser.through(browser.get(f"{world.lms.url}/launch/{link}"), world.bridge.url)


def doctor(world: World) -> dict[str, dict[str, str]]:
    command = ["doctor", "--json", "--config", str(world.bridge.config)]
    return {one["what"]: one for one in json.loads(CliRunner().invoke(main, command).stdout)}


def text_of(guide: Guide) -> str:
    page = ROOT / "docs" / "lms" / f"{guide.page}.md"
    return re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("world", "guide"), [(one, one) for one in GUIDES], indirect=["world"], ids=lambda one: one.page
)
def test_with_every_step_done_a_grade_arrives(world: World, guide: Guide) -> None:
    teacher = click(world, "teacher", "best13").text
    assert "What students get from this link" in teacher
    assert "For its administrator" not in teacher
    for link in ("best13", "best11"):
        browser = Browser()
        browser.submit(open_test(world, browser, "student1", link), score="0.85")
        eventually(lambda: grade(world, "student1", link), 0.85)  # noqa: B023
    found = doctor(world)
    for what in ("lms campus13", "tokens of campus13", "our key sets"):
        assert found[what]["remedy"] == "", found[what]
    assert "`good`" in text_of(guide)


@pytest.mark.parametrize(
    ("world", "guide", "step"),
    [(guide, guide, step) for guide, step in STEPS],
    indirect=["world"],
    ids=[f"{guide.page}-{step[0]}" for guide, step in STEPS],
)
def test_a_step_that_is_left_out_is_named(
    world: World, guide: Guide, step: tuple[str, str]
) -> None:
    lacks, words = step
    text = text_of(guide)
    assert words in text, f"{guide.page}: {words}"
    where = FAMILIES[guide.family]
    if lacks in SAYS:
        world.control(world.lms, "lacks", lacks=[lacks])
        said = click(world, "teacher", "last13").text
        assert SAYS[lacks] in said
        assert f"docs/lms/{guide.page}.md" in said
        assert SAYS[lacks] in text or "the teacher's page names what is missing" in text
        assert getattr(where, lacks).split(":")[0].split(",")[0] in said.replace("&#39;", "'")
    if lacks == "names":  # Isograd needs them
        assert refusal(click(world, "student2", "last13"))[0] == "no-personal-data"
        assert "`no-personal-data`" in text
    if lacks in SCOPES:
        said = doctor(world)["tokens of campus13"]["said"]
        assert said.startswith("given, but not for")
        assert SCOPES[lacks] in said
        assert "doctor: `given, but not for" in text
    if lacks == "keys":
        world.control(world.lms, "lacks", lacks=["keys"])
        assert doctor(world)["tokens of campus13"]["said"].startswith("none")
        assert "doctor: `tokens of campus: none`" in text
        world.control(world.lms, "lacks", lacks=[])
    if lacks == "deployment":
        said_id = {"claims": {DEPLOYMENT: "another"}}
        world.control(world.lms, "tamper", id_token=said_id)
        world_fields = world.control(
            world.lms,
            "launch",
            link="last13",
            user="student1",
            extra={"lti_deployment_id": "another"},
        )
        page = through_login(world, world_fields)
        assert refusal(page)[0] == "unknown-deployment"
        assert "deployment 'another' is not registered" in world.bridge.log()
        assert "`unknown-deployment`; the id is in the log" in text
    if lacks == "activity":
        assert refusal(click(world, "student1", "bare13"))[0] == "not-configured"
        assert "Choose" in click(world, "teacher", "bare13").text
        assert "`not-configured`" in text or "who opens the bare link gets it" in text
    if lacks == "line item":
        assert NO_PLACE in click(world, "teacher", "plain13").text
        assert "the same sentence about the grade" in text


def only(family: str) -> pytest.MarkDecorator:
    guide = next(one for one in GUIDES if one.family == family)
    return pytest.mark.parametrize("world", [guide], indirect=True, ids=[guide.page])


def report(world: World, user: str, score: str) -> None:
    browser = Browser()
    browser.submit(open_test(world, browser, user, "last13"), score=score)
    eventually(lambda: grade(world, user, "last13"), float(score))


@only("sakai")
def test_a_sakai_that_was_restarted_gets_its_grades(world: World) -> None:
    """It forgets its tokens then, and says 403 of them and not 401."""
    report(world, "student3", "0.5")
    world.control(world.lms, "clear", tokens=True)
    report(world, "student1", "0.6")
    log = world.bridge.log()
    assert "grade.refused" not in log


@only("openedx")
def test_an_open_edx_that_has_a_score_already_has_it(world: World) -> None:
    """The answer to the first try is lost; to the same score again it says 400, in words."""
    world.control(world.lms, "fault", path="/lti/ags", drop=True)
    before = world.bridge.log().count("grade.delivered")
    report(world, "student3", "0.7")
    eventually(lambda: world.bridge.log().count("grade.delivered") > before, True)
    assert "grade.refused" not in world.bridge.log()


def through_login(world: World, started: dict[str, object]) -> Page:
    """Go on with a launch that the test has begun."""
    browser = Browser()
    browser.get(f"{world.lms.url}/as/student1")
    page = browser.post(str(started["login_url"]), started["fields"])  # type: ignore[arg-type]
    return browser.through(page, world.bridge.url)
