"""For tests in frames: a bridge and an LMS of two sites, and browsers that refuse cookies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Frame, Locator, Page, TimeoutError

from lti_bridge.sandbox import lms, serving
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.flow.world import HTTP, World, make_world

CONFIG = """
[[lms]]
name = "local13"
lti = "1.3"
issuer = "{lms}"
client_id = "bridge-client"
deployment_ids = ["1"]
authorization_url = "{lms}/lti/auth"
token_url = "{lms}/lti/token"
jwks_url = "{lms}/lti/jwks"
"""
IN_FRAMES = "http://127.0.0.1:*,http://localhost:*"
"""Chromium's pattern for what 127.0.0.1 keeps within pages of localhost, however partitioned."""
BLOCK = 2  # of Chromium's settings of a site
EVERYWHERE = "http://127.0.0.1:*,*"
QUESTION = "Which formula adds them up?"


@dataclass
class School:
    """The bridge at 127.0.0.1, and an LMS of another site (localhost) that launches it."""

    world: World
    lms: serving.Running
    url: str

    @property
    def bridge(self) -> str:
        return self.world.bridge.url

    def launches(self) -> int:
        """How many tests were opened at the provider."""
        answer = HTTP.request("GET", f"{self.world.isograd.url}/control/state")
        return len(answer.json()["launches"])


@contextmanager
def running_school(
    folder: Path,
    links: tuple[lms.LinkSpec, ...],
    extra: Callable[[str], str] = lambda bridge: "",
    family: str = "plain",
) -> Iterator[School]:
    """A school with these links; its LMS is known by LTI 1.1 as well, as the world's is.

    `extra` gives more configuration for a bridge at that address, `family` the LMS its habits.
    """
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    settings = lms.LmsSettings(
        bridge_url=world.bridge.url,
        links=links,
        client_id="bridge-client",
        family=family,
        consumer_key="campus-key",
        shared_secret="campus-secret-äöü&x",
    )
    campus = serving.start(lambda url: lms.make_app(settings)(elsewhere(url)))
    with world.bridge.config.open("a", encoding="utf-8") as config:
        config.write(CONFIG.format(lms=elsewhere(campus.url)) + extra(world.bridge.url))
    try:
        world.bridge.serve()
        yield School(world, campus, elsewhere(campus.url))
    finally:
        world.stop()
        campus.stop()


def elsewhere(url: str) -> str:
    """The same server as another site."""
    return url.replace("127.0.0.1", "localhost")


def executable() -> str:
    """Where Chromium is."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path
    return path


@contextmanager
def partitioning(chromium: Browser) -> Iterator[Browser]:
    """A Chromium that keeps cookies of other sites only by the page around them (CHIPS)."""
    arguments = [*CHROMIUM_ARGUMENTS, "--test-third-party-cookie-phaseout"]
    browser = chromium.browser_type.launch(executable_path=executable(), args=arguments)
    yield browser
    browser.close()


@contextmanager
def refusal_of(
    chromium: Browser, folder: Path, pattern: str, *, scripts: bool = True
) -> Iterator[BrowserContext]:
    """A Chromium whose user has blocked the cookies of this pattern, and perhaps scripts.

    Not Playwright's own switch for scripts, which has reached a frame when its page was read.
    """
    (folder / "Default").mkdir(parents=True)
    blocked = {"exceptions": {"cookies": {pattern: {"setting": BLOCK}}}}
    values = {} if scripts else {"javascript": BLOCK}
    preferences = {
        "profile": {"content_settings": blocked, "default_content_setting_values": values}
    }
    (folder / "Default" / "Preferences").write_text(json.dumps(preferences))
    context = chromium.browser_type.launch_persistent_context(
        str(folder), executable_path=executable(), args=CHROMIUM_ARGUMENTS
    )
    yield context
    context.close()


def open_framed(tab: Page, school: School, link: str) -> None:
    """Open a link of the course within the course's page."""
    tab.goto(f"{school.url}/launch/{link}?target=iframe")


def tool(tab: Page) -> Frame:
    """The frame in which the LMS shows the bridge and the test."""
    tab.locator("iframe.tool").wait_for()
    found = tab.locator("iframe.tool").element_handle().content_frame()
    assert found
    return found


def tool_with(tab: Page, url: str, see: Callable[[Frame], Locator]) -> Frame:
    """Open an address of the course, until its tool's frame shows this.

    Not always at once: on a busy machine the LMS's storage may answer later than the bridge waits.
    """
    for tries_left in (2, 1, 0):
        tab.goto(url)
        frame = tool(tab)
        try:
            see(frame).wait_for(timeout=20_000)
        except TimeoutError:
            if not tries_left:
                raise
        else:
            return frame
    raise AssertionError(url)
