"""An instructor chooses at the tool itself, and what they chose reaches the LMS and the student."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lti_bridge.sandbox import lms, serving
from lti_bridge.sandbox.tools import tool11, tool13
from tests.flow.browser import Browser, Page
from tests.flow.tools13 import USERS
from tests.flow.world import HTTP, World, eventually, make_world

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
CONFIG = """
[[connection]]
name = "tool-1.3"
kind = "lti"
version = "1.3"
login_url = "{tool13}/login"
launch_url = "{tool13}/launch"
deep_link_url = "{tool13}/launch?choose=1"
jwks_url = "{tool13}/jwks"
client_id = "tool-client"
deployment_id = "tool-deployment"
privacy = ["given_name"]

[[connection]]
name = "tool-1.1"
kind = "lti"
launch_url = "{tool11}/launch"
deep_link_url = "{tool11}/launch?choose=1"
consumer_key = "tool-key"
shared_secret = "tool-secret"
"""
BOTH = pytest.mark.parametrize("lti", ["1.1", "1.3"])
EACH_TOOL = pytest.mark.parametrize("tool", ["1.1", "1.3"])


@dataclass
class Room:
    """The LMS, the bridge, and a tool of each version."""

    world: World
    tools: dict[str, serving.Running]

    def state(self, tool: str) -> Any:
        """What a tool has seen."""
        return HTTP.request("GET", f"{self.tools[tool].url}/control/state").json()

    def form(self, lti: str, tool: str, query: str = "", link: str = "") -> tuple[Browser, Page]:
        """The bridge's form for a new test of this tool, for an instructor of the LMS."""
        browser, world = Browser(), self.world
        browser.get(f"{world.lms.url}/as/teacher")
        address = f"launch/{link}" if link else f"add/{lti}?{query}"
        page = browser.through(browser.get(f"{world.lms.url}/{address}"), world.bridge.url)
        return browser, browser.submit(page, do="form", way=f"0 tool-{tool}")

    def choose(self, browser: Browser, form: Page, tool: str, *chapters: str) -> Page:
        """Choose at the tool itself; what the bridge shows then."""
        return browser.submit(self.answer(browser, form, tool, *chapters))

    def answer(
        self, browser: Browser, form: Page, tool: str, *chapters: str, forget: bool = False
    ) -> Page:
        """The tool's answer on its way; it may `forget` the data that it is to send back."""
        page = browser.submit(form, do="tool")
        page = browser.through(page, f"{self.tools[tool].url}/choose")
        chosen = [("chapter", one) for one in chapters]
        return browser.post(page.url, [*chosen, ("forget", "1")] if forget else chosen)

    def open(self, link: str, tool: str) -> None:
        """A student opens a link, as far as the tool."""
        browser = Browser()
        browser.get(f"{self.world.lms.url}/as/student1")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        page = browser.through(page, self.tools[tool].url)
        if tool == "1.3":
            browser.submit(page, score="1.5")

    def link(self, title: str) -> str:
        """The newest link of this title."""
        columns = self.world.gradebook()["columns"]
        return [column["link"] for column in columns if column["title"] == title][-1]

    def line_item(self, url: str) -> tuple[str, ...]:
        """What the bridge keeps of a tool's line item: label, maximum, resource id, tag."""
        config = tomllib.loads(self.world.bridge.config.read_text(encoding="utf-8"))
        engine = create_engine(config["bridge"]["database_url"])
        wanted = "SELECT label, maximum, resource_id, tag FROM tool_line_items WHERE id = :id"
        with engine.connect() as connection:
            (row,) = connection.execute(text(wanted), {"id": url.rpartition("/")[2]}).all()
        engine.dispose()
        return tuple(row)

    def column(self, link: str) -> Any:
        """The gradebook column of a link."""
        columns = self.world.gradebook()["columns"]
        return next(column for column in columns if column["link"] == link)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("choosing")
    links = tuple(
        lms.LinkSpec(f"empty-{lti}-{tool}", "No test yet", lti, {})
        for lti in ("1.1", "1.3")
        for tool in ("1.1", "1.3")
    )
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", links=links)
    known = tool13.Tool13Settings(world.bridge.url, "tool-client", "tool-deployment")
    tools = {
        "1.3": serving.start(tool13.make_app(known)),
        "1.1": serving.start(tool11.make_app(tool11.Tool11Settings("tool-key", "tool-secret"))),
    }
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(CONFIG.format(tool13=tools["1.3"].url, tool11=tools["1.1"].url))
    world.bridge.serve()
    yield Room(world, tools)
    world.stop()
    for tool in tools.values():
        tool.stop()


@pytest.mark.spec("P13DL-12", "P13DL-13", "P13DL-17", "P13DL-10", "P11C-04", "CERTP-05", "BR-18")
@BOTH
@EACH_TOOL
def test_what_was_chosen_is_put_into_the_course_and_opens(room: Room, lti: str, tool: str) -> None:
    browser, form = room.form(lti, tool)
    page = room.choose(browser, form, tool, "green", "mate")
    assert page.status == 200, page.text
    assert page.url.startswith(room.world.bridge.url)
    assert "Tests to add" in page.text
    done = browser.submit(browser.submit(page, do="finish"))
    assert done.url.startswith(room.world.lms.url)
    assert "Mate" in done.text
    link = room.link("Green tea")
    assert room.column(link)["maximum"] == 40
    room.open(link, tool)
    if tool == "1.1":
        told = room.state(tool)["launches"][-1]
        assert told["chapter"] == told["custom_chapter"] == "green"
        assert told["custom_course"] == "Digital Skills"
        return
    told = room.state(tool)["launches"][-1]
    assert told["claims"][f"{LTI}target_link_uri"].endswith("/launch?chapter=green")
    assert told["claims"][f"{LTI}custom"] == {"chapter": "green", "course": "Digital Skills"}
    eventually(lambda: room.column(link)["cells"].get(USERS["student1"], {}).get("score"), 20)


@pytest.mark.spec("P13DL-13", "BR-18")
@BOTH
def test_a_line_item_is_as_it_was_asked_for(room: Room, lti: str) -> None:
    browser, form = room.form(lti, "1.3")
    browser.submit(browser.submit(room.choose(browser, form, "1.3", "black"), do="finish"))
    link = room.link("Points for black tea")
    assert room.column(link)["maximum"] == 40
    room.open(link, "1.3")
    told = room.state("1.3")["launches"][-1]["claims"][ENDPOINT]
    line = room.line_item(told["lineitem"])
    assert line == ("Points for black tea", "40", "r-black", "tea")


@BOTH
@EACH_TOOL
def test_a_link_without_a_grade_stays_without_one(room: Room, lti: str, tool: str) -> None:
    """By LTI 1.3 no line item is asked for; by LTI 1.1 grades come back without one."""
    browser, form = room.form(lti, tool)
    before = room.world.gradebook()["columns"]
    done = browser.submit(browser.submit(room.choose(browser, form, tool, "leaflet"), do="finish"))
    assert "A leaflet" in done.text
    made = [one for one in room.world.gradebook()["columns"] if one not in before]
    if tool == "1.1" or lti == "1.1":  # which make columns without being asked
        assert [one["title"] for one in made] == ["A leaflet"]
    else:
        assert made == []
    browser.get(f"{room.world.lms.url}/as/student1")
    course = browser.get(room.world.lms.url).text
    room.open(re.findall(r"/launch/(placed-[0-9]+)", course)[-1], tool)
    if tool == "1.3":
        told = room.state(tool)["launches"][-1]
        assert "lineitem" not in told["claims"][ENDPOINT]
        assert OUTCOME not in told["claims"]
        assert told["message"] == "Your course did not ask for a grade, so none was sent."
    assert len(room.world.gradebook()["columns"]) == len(before) + len(made)


def test_whom_the_lms_sends_to_choose_needs_no_role(room: Room) -> None:
    """Deep Linking asks for no roles claim; a launch of a link does (T13RL-03)."""
    world, browser = room.world, Browser()
    browser.get(f"{world.lms.url}/as/teacher")
    world.control(world.lms, "tamper", id_token={"remove": [f"{LTI}roles"]})
    page = browser.get(f"{world.lms.url}/add/1.3")
    page = browser.through(page, world.bridge.url)
    assert "Set up a new test" in page.text
    world.control(world.lms, "tamper", id_token={"remove": [f"{LTI}roles"]})
    page = browser.get(f"{world.lms.url}/launch/empty-1.3-1.3")
    page = browser.through(page, world.bridge.url)
    assert page.status == 400
    assert "Missing Roles Claim" in page.text
    world.control(world.lms, "tamper", id_token={"claims": {f"{LTI}roles": ["Learner"]}})
    page = browser.get(f"{world.lms.url}/add/1.3")
    assert browser.through(page, world.bridge.url).status == 403


@EACH_TOOL
def test_an_answer_without_data_is_known_by_its_address(room: Room, tool: str) -> None:
    browser, form = room.form("1.3", tool)
    answer = room.answer(browser, form, tool, "green", forget=True)
    to, fields = answer.form().action, answer.form().fields
    # neither in another browser nor at another address
    assert Browser().post(to, fields).status == 400
    bare = to.rpartition("/")[0]
    assert bare.endswith("/platform/deep-link")
    if tool == "1.3":  # by LTI 1.1 the address is signed
        page = browser.post(bare, fields)
        assert page.status == 400
        assert "data is missing" in page.text
    assert browser.post(f"{to[:-1]}x", fields).status == 400
    page = browser.post(to, fields)
    assert page.status == 200, page.text
    assert "Tests to add" in page.text
    assert browser.post(to, fields).status == 400  # once


def test_data_and_address_have_to_be_of_one_request(room: Room) -> None:
    browser, form = room.form("1.3", "1.3")
    other = room.answer(browser, form, "1.3", "green").form().action
    answer = room.answer(browser, form, "1.3", "black").form()
    page = browser.post(other, answer.fields)
    assert page.status == 400
    assert "not that of the address" in page.text
    assert browser.post(answer.action, answer.fields).status == 200


@BOTH
@EACH_TOOL
def test_what_was_chosen_is_saved_for_the_opened_link(room: Room, lti: str, tool: str) -> None:
    link = f"empty-{lti}-{tool}"
    browser, form = room.form(lti, tool, link=link)
    page = room.choose(browser, form, tool, "black")
    assert "Black tea" in page.text, page.text
    room.open(link, tool)


@pytest.mark.spec("P13DL-01", "P13DL-13", "AMB-05")
def test_a_tool_is_asked_for_links_and_nothing_else(room: Room) -> None:
    browser, form = room.form("1.3", "1.3", query="single=1")
    page = room.choose(browser, form, "1.3", "green")
    assert browser.submit(page).url.startswith(room.world.lms.url)
    asked = room.state("1.3")["asked"][-1]
    settings = asked[f"{DL}deep_linking_settings"]
    assert asked[f"{LTI}message_type"] == "LtiDeepLinkingRequest"
    assert asked[f"{LTI}version"] == "1.3.0"
    assert asked[f"{LTI}target_link_uri"] == f"{room.tools['1.3'].url}/launch?choose=1"
    assert asked[f"{LTI}deployment_id"] == "tool-deployment"
    assert f"{LTI}resource_link" not in asked
    assert asked[f"{LTI}context"]["title"] == "Digital Skills"
    assert "email" not in asked
    where = f"{room.world.bridge.url}/platform/deep-link/{settings['data']}"
    assert settings["deep_link_return_url"] == where
    assert settings["accept_types"] == ["ltiResourceLink"]
    assert settings["accept_presentation_document_targets"] == ["iframe", "window"]
    assert settings["accept_multiple"] is False
    assert settings["accept_lineitem"] is True


@pytest.mark.spec("P13DL-08", "P13DL-15", "P11C-05", "SECP-08")
@EACH_TOOL
def test_nothing_chosen_is_no_error_and_the_tools_words_are_text(room: Room, tool: str) -> None:
    browser, form = room.form("1.3", tool)
    page = room.choose(browser, form, tool)
    assert page.status == 200
    assert "You &lt;b&gt;left&lt;/b&gt; without a quiz." in page.text
    assert "Set up a new test" in browser.submit(page, do="start").text


def test_a_connection_without_a_place_to_choose_offers_none(room: Room) -> None:
    _, form = room.form("1.3", "1.3")
    assert 'value="tool"' in form.text
    browser = Browser()
    browser.get(f"{room.world.lms.url}/as/teacher")
    page = browser.through(browser.get(f"{room.world.lms.url}/add/1.3"), room.world.bridge.url)
    page = browser.submit(page, do="form", way="0 tosa")
    assert 'value="tool"' not in page.text
    assert browser.submit(page, do="tool").status == 400
