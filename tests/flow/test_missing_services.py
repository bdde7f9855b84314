"""What an LMS's people forgot to switch on is said on the teacher's page, in that LMS's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from lti_bridge.cli import main
from lti_bridge.web.advice import FAMILIES
from tests.flow.browser import Browser
from tests.flow.world import ROOT, World, make_world

# what is not switched on, what the page says, and a setting's name that the guide has too
MOODLE = {
    "grades": ("no place for a grade", "Accept grades from the tool: Always"),
    "names": ("sends no names and no e-mail addresses", "share name and e-mail “Always”"),
    "members": ("does not tell who is in the course", "Names and Role Provisioning"),
}


@pytest.fixture(scope="module", params=["moodle", "canvas", "brightspace"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A bridge behind an LMS with one family's habits."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", family=request.param)
    made.bridge.serve()
    yield made
    made.stop()


def teachers_page(world: World, *lacks: str, link: str = "best13") -> str:
    """What a teacher reads who opens the link of an LMS that lacks these."""
    world.control(world.lms, "lacks", lacks=list(lacks))
    browser = Browser()
    browser.get(f"{world.lms.url}/as/teacher")
    page = browser.through(browser.get(f"{world.lms.url}/launch/{link}"), world.bridge.url)
    assert "What students get from this link" in page.text, page.text
    return page.text


def test_nothing_is_said_where_all_is_there(world: World) -> None:
    assert "For its administrator" not in teachers_page(world)


@pytest.mark.parametrize("lacks", MOODLE)
def test_what_is_missing_is_said_in_the_words_of_the_lms(world: World, lacks: str) -> None:
    text = teachers_page(world, lacks)
    assert MOODLE[lacks][0] in text
    assert text.count("For its administrator") == 1
    name = {"moodle": "Moodle", "canvas": "Canvas", "brightspace": "Brightspace"}
    family = next(one for code, one in name.items() if code in world.bridge.folder.name)
    assert family in text
    assert f"docs/lms/{family.lower()}.md" in text
    if family == "Moodle":
        assert MOODLE[lacks][1] in text


def test_by_lti_11_no_list_of_members_is_missed(world: World) -> None:
    text = teachers_page(world, "grades", "names", "members", link="best11")
    assert MOODLE["grades"][0] in text
    assert MOODLE["names"][0] in text
    assert MOODLE["members"][0] not in text


@pytest.mark.browser
def test_a_teacher_reads_it_in_a_browser(world: World, chromium: Chromium) -> None:
    world.control(world.lms, "lacks", lacks=["grades"])
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{world.lms.url}/as/teacher")
        page.goto(f"{world.lms.url}/launch/best13")
        expect(page.locator(".warning").first).to_contain_text(MOODLE["grades"][0])
        world.control(world.lms, "lacks", lacks=[])
        page.goto(f"{world.lms.url}/launch/best13")
        expect(page.get_by_role("button", name="Open the test as a preview")).to_be_visible()
        expect(page.locator(".warning")).to_have_count(0)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_guide_of_each_family_has_the_words(family: str) -> None:
    where = FAMILIES[family]
    guide = re.sub(r"\s+", " ", (ROOT / where.page).read_text(encoding="utf-8"))
    for said in (where.grades, where.names, where.members):
        for setting in re.findall("“([^”]+)”", said):
            assert setting in guide, f"{where.page} does not name {setting!r}"


@pytest.mark.parametrize("world", ["moodle"], indirect=True)
def test_a_moodle_that_may_not_fetch_our_keys_opens_links_and_gives_no_token(world: World) -> None:
    assert "What students get" in teachers_page(world, "keys")
    command = ["doctor", "--json", "--config", str(world.bridge.config)]
    said = json.loads(CliRunner().invoke(main, command).stdout)
    found = {one["what"]: one for one in said}
    assert "HTTP 404" in found["tokens of campus13"]["said"]
    assert "HTTP security" in found["tokens of campus13"]["remedy"]
    assert found["lms campus13"]["remedy"] == ""
