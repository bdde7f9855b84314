"""A teacher changes a grade in the LMS: it is noticed, kept, and shown to who looks after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.browser import Browser
from tests.flow.test_launch_to_gradebook import open_test
from tests.flow.world import HTTP, World, eventually, make_world


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running world, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("readback")
    made = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    made.bridge.serve()
    yield made
    made.stop()


def take_test(world: World, link: str, user: str, score: str) -> None:
    """Open the test from the course and finish it."""
    browser = Browser()
    page = browser.submit(open_test(world, browser, user, link), score=score)
    assert page.status == 200, page.text


def run(world: World, *words: str) -> str:
    """What a command of the bridge says."""
    ran = CliRunner().invoke(main, [*words, "--config", str(world.bridge.config)])
    assert ran.exit_code == 0, ran.output
    return ran.output


def shown(world: World, link: str, user: str) -> float | None:
    """What the gradebook of the LMS shows."""
    for column in world.gradebook()["columns"]:
        if column["link"] == link and user in column["cells"]:
            return column["cells"][user]["score"]  # type: ignore[no-any-return]
    return None


def grade(world: World, user: str, delivery: str) -> dict[str, Any]:
    """The one grade of a user in that state, as `results list` has it; empty when none."""
    listed = json.loads(run(world, "results", "list", "--json"))
    found = [one for one in listed if (one["user"], one["delivery"]) == (user, delivery)]
    return found[0] if len(found) == 1 else {}


@pytest.mark.parametrize(
    ("link", "user", "id"), [("last13", "student1", "4"), ("last11", "student2", "5")]
)
def test_a_teachers_grade_is_noticed_and_stays(
    campus: World, link: str, user: str, id: str
) -> None:
    take_test(campus, link, user, "0.85")
    eventually(lambda: shown(campus, link, id), 85.0)
    eventually(lambda: grade(campus, id, "delivered").get("shown") not in (None, ""), True)
    assert grade(campus, id, "delivered")["overridden"] is False

    [column] = [c for c in campus.gradebook()["columns"] if c["link"] == link]
    campus.control(campus.lms, "grade", item=column["item"], user=id, points=70)
    take_test(campus, link, user, "0.95")
    eventually(lambda: bool(grade(campus, id, "waiting")), True)
    waiting = grade(campus, id, "waiting")
    assert waiting["overridden"] is True
    assert "not from here" in waiting["reason"]
    assert shown(campus, link, id) == 70.0
    said = run(campus, "results", "list", "--stuck")
    assert "which is not from here" in said

    run(campus, "results", "resend", waiting["id"])
    eventually(lambda: bool(grade(campus, id, "waiting")), True)
    assert shown(campus, link, id) == 70.0
    said = run(campus, "results", "resend", "--force", waiting["id"])
    assert f"{waiting['id']}: the LMS shows 0.95/1" in said or "the LMS shows 95/100" in said
    eventually(lambda: shown(campus, link, id), 95.0)
    log = HTTP.request("GET", f"{campus.lms.url}/control/log").json()
    assert [one for one in log if one["status"] >= 400] == []
