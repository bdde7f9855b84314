"""A link whose LMS offers only the container: the bridge's own column, through running servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lti_bridge.sandbox.lms import LinkSpec
from tests.flow.browser import Browser
from tests.flow.test_launch_to_gradebook import open_test
from tests.flow.world import HTTP, LINKS, World, eventually, make_world

LINK = "own13"
COPY = LinkSpec(
    "copy13",
    "Column by us",
    "1.3",
    {"activity": "best", "resource_link_id_history": LINK},
    grades="container",
)
SERVICE = "/lti/ags/101/lineitems"
MAKING = ("POST", SERVICE)


@pytest.fixture
def idle(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A running world in which nobody delivers grades yet."""
    made = make_world(tmp_path, database_url, links=(*LINKS, COPY))
    made.bridge.serve("--no-worker")
    yield made
    made.stop()


def take_test(world: World, user: str, score: str, link: str = LINK) -> None:
    """Open the test from the course and finish it."""
    browser = Browser()
    page = browser.submit(open_test(world, browser, user, link), score=score)
    assert page.status == 200, page.text


def columns(world: World, link: str = LINK) -> list[tuple[str, dict[str, Any]]]:
    """Title and points by user id of every column of the link."""
    return [
        (column["title"], {user: cell["score"] for user, cell in column["cells"].items()})
        for column in world.gradebook()["columns"]
        if column["link"] == link
    ]


@pytest.mark.spec("T13AG-14", "T13AG-17", "BR-20", "CERTV-16")
def test_two_workers_bring_all_grades_into_one_new_column(idle: World) -> None:
    take_test(idle, "student1", "0.85")
    take_test(idle, "student2", "0.5")
    assert columns(idle) == []
    idle.control(idle.lms, "fault", path=SERVICE, delay_s=0.6, times=-1)
    idle.bridge.run("worker")
    idle.bridge.run("worker")
    title = "Excel, best of all attempts"
    eventually(lambda: columns(idle), [(title, {"4": 85.0, "5": 50.0})])
    held = [line for line in idle.bridge.log().splitlines() if "another worker looks" in line]
    assert len(held) > 1
    tries = [re.findall(r" try=(\S+)", line) for line in held]
    assert tries == [["1"]] * len(held)  # waiting is no failed try
    log = HTTP.request("GET", f"{idle.lms.url}/control/log").json()
    assert [call["status"] for call in log if (call["method"], call["path"]) == MAKING] == [201]

    [column] = [c for c in idle.gradebook()["columns"] if c["link"] == LINK]
    assert idle.control(idle.lms, "delete-item", item=column["item"]) == {"ok": True}
    take_test(idle, "student3", "0.75")
    everybody = [(title, {"4": 85.0, "5": 50.0, "6": 75.0})]
    eventually(lambda: columns(idle), everybody)

    # a copy of the link has a column of its own, without the results of the original
    take_test(idle, "student2", "0.25", COPY.id)
    eventually(lambda: columns(idle, COPY.id), [(title, {"5": 25.0})])
    assert columns(idle) == everybody
