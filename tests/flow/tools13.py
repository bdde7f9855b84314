"""A world with LTI 1.3 tools behind the bridge: Isograd, and a quiz of nobody in particular."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lti_bridge.sandbox import lms, serving
from lti_bridge.sandbox.tools import tool13
from tests.flow.browser import Browser, Page
from tests.flow.world import HTTP, World, make_world

USERS = {"student1": "4", "student2": "5", "student3": "6"}
CUSTOM = """
[activity.settings.custom]
chapter = "1.2.56"
course = "$Context.title"
given = "$Person.name.given"
family = "$Person.name.family"
unknown = "$Foo.bar"
slow = "$org.lti-bridge.Learner.extraTimePercent"
"""
CONFIG = """
[[connection]]
name = "tosa13"
kind = "isograd"
route = "lti-1.3"
launch_url = "{isograd}/public/lti.php"
client_id = "isograd-client"
deployment_id = "isograd-deployment"
addresses = "plus"

[[connection]]
name = "quiz"
kind = "lti"
version = "1.3"
login_url = "{tool}/login?tenant=a%20b"
launch_url = "{tool}/launch"
deep_link_url = "{tool}/launch?choose=1"
jwks_url = "{tool}/jwks"
client_id = "quiz-client"
deployment_id = "quiz-deployment"
privacy = ["given_name", "full_name"]

[[connection]]
name = "framed"
kind = "lti"
version = "1.3"
login_url = "{framed}/login"
launch_url = "{framed}/launch"
jwks_url = "{framed}/jwks"
client_id = "framed-client"
frame = true

[[activity]]
id = "tosa13"
title = "Excel by LTI 1.3"
connection = "tosa13"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}

[[activity]]
id = "quiz"
title = "A quiz by LTI 1.3"
connection = "quiz"
{custom}
[[activity]]
id = "chapter"
title = "One resource of the quiz"
connection = "quiz"
settings = {{ url = "{tool}/launch?chapter=7" }}

[[activity]]
id = "framed"
title = "A quiz in a frame"
connection = "framed"
"""
ACTIVITIES = ("tosa13", "quiz", "chapter", "framed")
LINKS = (
    *(
        lms.LinkSpec(f"{activity}-{lti}", activity, lti, {"activity": activity})
        for activity in (*ACTIVITIES, "best")
        for lti in ("1.1", "1.3")
    ),
    lms.LinkSpec("no-grade", "Nobody wants its grade", "1.3", {"activity": "quiz"}, grades="none"),
)


@dataclass
class Tools13:
    """The running world and its two quizzes."""

    world: World
    tool: serving.Running
    framed: serving.Running

    def click(self, link: str, user: str = "student1", browser: Browser | None = None) -> Page:
        """Click a course link, up to the page that starts the launch at the tool."""
        browser = browser or Browser()
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        return browser.through(page, self.world.bridge.url)

    def open(self, link: str, user: str = "student1", browser: Browser | None = None) -> Page:
        """Click a course link and go on until the tool shows its test."""
        browser = browser or Browser()
        page = self.click(link, user, browser)
        urls = (self.tool.url, self.framed.url, self.world.isograd.url)
        for _ in range(5):
            if page.url.startswith(urls):
                return page
            page = browser.submit(page)
        raise AssertionError(f"stuck at {page.url}: {page.text}")

    def launches(self) -> list[dict[str, Any]]:
        """The claims of what the quiz has believed, oldest first."""
        state = HTTP.request("GET", f"{self.tool.url}/control/state").json()
        return [launch["claims"] for launch in state["launches"]]

    def at_isograd(self) -> list[dict[str, Any]]:
        """What Isograd got, oldest first."""
        state = HTTP.request("GET", f"{self.world.isograd.url}/control/state").json()
        return list(state["launches"])

    def grade(self, link: str, user: str = "student1") -> float | None:
        """What the gradebook shows, from 0 to 1."""
        for column in self.world.gradebook()["columns"]:
            cell = column["cells"].get(USERS[user])
            if column["link"] == link and cell and cell["score"] is not None:
                return round(cell["score"] / column["maximum"], 9)
        return None


@contextmanager
def running_tools13(
    folder: Path, database: str, extra: str = "", *, former: str = ""
) -> Iterator[Tools13]:
    """Everything started. The tools know the bridge by the name `former` of this machine."""
    world = make_world(folder, database, links=LINKS)
    issuer = world.bridge.url
    if former:
        issuer = issuer.replace("127.0.0.1", former)
        text = world.bridge.config.read_text(encoding="utf-8")
        moved = text.replace("[bridge]", f'[bridge]\nformer_urls = ["{issuer}"]', 1)
        world.bridge.config.write_text(moved, encoding="utf-8")
    tool = serving.start(
        tool13.make_app(tool13.Tool13Settings(issuer, "quiz-client", "quiz-deployment"))
    )
    framed = serving.start(tool13.make_app(tool13.Tool13Settings(issuer, "framed-client", "1")))
    text = CONFIG.format(isograd=world.isograd.url, tool=tool.url, framed=framed.url, custom=CUSTOM)
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(text + extra)
    try:
        world.bridge.serve()
        yield Tools13(world, tool, framed)
    finally:
        world.stop()
        tool.stop()
        framed.stop()
