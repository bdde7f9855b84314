"""Every kind that calls its provider: to the gradebook, through refusals and through kill -9."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from lti_bridge.sandbox import serving
from lti_bridge.sandbox.lms import LinkSpec
from tests.contract.kinds import Case, cases
from tests.contract.party import Party
from tests.flow.browser import Browser, Page
from tests.flow.loop import HOOK_TOKEN, LMSS, Loop, on_postgres
from tests.flow.scene import refusal
from tests.flow.test_crashes import processes
from tests.flow.waiting import gone_on, waits
from tests.flow.world import ACTIVITIES, eventually, make_world

AT_MOST_S = 2.0  # between two looks of a page that waits
REPEATABLE = ("isograd", "mettl")  # where asking again for the same thing gives the same thing
# Asked and told of, with a start that may be repeated; two that only tell; one that is asked.
KILLED = [case for case in cases() if str(case) in ("mettl-Schedule", "itep-Gtx", "prov-Told")]
KILLED += [case for case in cases() if case.kind == "demo"]


class Circle(Loop):
    """A loop with the pretend provider of the contract kit."""

    case: Case
    kit: Party

    def click(self, user: str, link: str) -> Page:
        """Click the course link of this case."""
        return super().click(user, f"{link}-{self.case}")

    def stay(self, user: str, link: str) -> Page:
        """Click it and stay at a page that goes on by itself, until it is another one."""
        browser = Browser()
        page = self.click_in(browser, user, f"{link}-{self.case}")
        return gone_on(page, AT_MOST_S, go=browser.submit)[0]

    def grade(self, user: str, link: str) -> float | None:
        """What the gradebook shows at the link of this case."""
        return super().grade(user, f"{link}-{self.case}")

    def fault(self, **how: Any) -> None:
        """Break the call that buys."""
        self.pull("fault", **{**self.kit.paid_call(), **how})

    def finish(self, number: int, score: str) -> None:
        """What was bought as that number is handed in and marked."""
        name = self.kit.bought()[number]
        self.kit.hand_in(name)
        self.kit.mark(name, score)
        if not self.kit.tells_marks:
            self.let_time_pass()

    def share(self, score: str) -> float:
        """What the gradebook shows for a score."""
        return round(float(score) / float(self.kit.maximum), 6)


def config_of(case: Case, kit: Party) -> str:
    """The connection and its activity, as operators write them."""
    name = str(case)
    connection = {"name": name, "kind": case.kind, "hook_token": HOOK_TOKEN, "addresses": "plus"}
    activity = {"id": name, "title": "A test", "connection": name}
    written = f"[[connection]]\n{_lines({**connection, **kit.connection()})}\n"
    return written + (
        f"[[activity]]\n{_lines(activity)}\n[activity.settings]\n{_lines(kit.activity())}\n"
    )


def _lines(table: dict[str, Any]) -> str:
    # texts, numbers, truth values and lists of them are written alike in JSON and TOML
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items())


@pytest.fixture(scope="module")
def circles(
    tmp_path_factory: pytest.TempPathFactory, shared_database: str
) -> Iterator[dict[str, Circle]]:
    """A running bridge between the LMS and the pretend providers of all cases, by case."""
    links = tuple(
        LinkSpec(f"{name}-{case}", "A test", lti, {"activity": str(case)})
        for case in cases()
        for name, lti in (("best13", "1.3"), ("best11", "1.1"))
    )
    folder = tmp_path_factory.mktemp("kinds")
    world = make_world(folder, shared_database, base=LMSS, links=links)
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    made = {}
    for case in cases():
        kit = case.party()
        hooks = f"{world.bridge.url}/hooks/{case}/{HOOK_TOKEN}"
        circle = Circle(world, serving.start(kit.served(hooks)), shared_database)
        circle.case, circle.kit, kit.url = case, kit, circle.party.url
        written += config_of(case, kit)
        made[str(case)] = circle
    world.bridge.config.write_text(written, encoding="utf-8")
    try:
        world.bridge.serve()
        yield made
    finally:
        world.stop()
        for circle in made.values():
            circle.party.stop()


@pytest.fixture
def circle(circles: dict[str, Circle], request: pytest.FixtureRequest) -> Circle:
    """That of a case; nothing has happened yet."""
    made = circles[str(request.param)]
    made.begin_anew()
    return made


@pytest.mark.parametrize("circle", cases(), ids=str, indirect=True)
def test_a_launch_of_each_version_ends_in_the_gradebook(circle: Circle) -> None:
    for number, link in enumerate(("best13", "best11")):
        user = f"student{number + 1}"
        page = circle.click(user, link)
        assert page.status == 200, page.text
        assert len(circle.kit.bought()) == number + 1
        assert circle.grade(user, link) is None
        score = circle.kit.scores[number]
        circle.finish(number, score)
        eventually(
            lambda user=user, link=link: circle.grade(user, link),
            pytest.approx(circle.share(score), abs=1e-5),
        )
    assert circle.attempts() == ["graded", "graded"]


@pytest.mark.parametrize("circle", cases(), ids=str, indirect=True)
def test_each_documented_refusal_is_a_page_and_buys_nothing(circle: Circle) -> None:
    for number, (code, answer) in enumerate(circle.kit.refusals):
        circle.fault(**answer)
        link = ("best13", "best11")[number % 2]
        page = circle.click("student1", link)
        assert refusal(page)[0] == code, (code, page.text)
        assert refusal(page)[1] in circle.world.bridge.log()
        assert page.status in (403, 409, 502, 503), code
        assert set(circle.attempts()) == {"created"}, code
        assert circle.kit.bought() == []
        circle.pull("clear")
    page = circle.stay("student1", "best13")
    assert page.status == 200
    assert not waits(page)
    assert circle.attempts().count("started") == 1
    assert circle.click("student1", "best13").status == 200
    assert len(circle.kit.bought()) == 1


def vanishing(click: Callable[[], Page]) -> str:
    """What a click shows, or nothing when the server dies meanwhile."""
    try:
        return click().text
    except urllib3.exceptions.HTTPError:
        return ""


@on_postgres
@pytest.mark.parametrize("circle", KILLED, ids=str, indirect=True)
def test_killed_while_a_test_is_bought(circle: Circle) -> None:
    """One call is carried out after its caller is gone, and one never is."""
    again = circle.case.kind in REPEATABLE
    calls = (
        1 if circle.case.kind == "itep" else 2
    )  # orders have numbers, so one waits for the other
    if calls == 2:
        circle.fault(status=503, body="")
    with ThreadPoolExecutor(2) as pool, circle.kit.held(circle.kit.paid_call()) as waiting:
        clicks = [
            pool.submit(vanishing, lambda user=user: circle.click(user, "best13"))
            for user in ("student1", "student2")
        ]
        eventually(waiting, calls)
        eventually(circle.attempts, ["unclear"] * 2)
        circle.die()
        assert [click.result() for click in clicks] == ["", ""]
    eventually(lambda: len(circle.kit.bought()), 1)
    circle.pull("clear")
    circle.world.bridge.serve()
    assert circle.attempts() == ["unclear", "unclear"]
    assert "being prepared" in circle.click("student1", "best13").text  # it may be under way
    circle.let_time_pass()
    for user in ("student1", "student2", "student1"):
        page = circle.click(user, "best13")
        assert page.status == 200 if again else refusal(page)[0] == "attempt-unclear", page.text
    assert circle.attempts() == (["started"] if again else ["unclear"]) * 2
    assert len(circle.kit.bought()) == (2 if again else 1)


@on_postgres
@pytest.mark.parametrize("circle", KILLED, ids=str, indirect=True)
def test_killed_on_the_way_back(circle: Circle) -> None:
    """Three grades: one recorded, one only told of, and one about which nobody could be told."""
    users = ("student1", "student2", "student3")
    scores = (*circle.kit.scores, circle.kit.scores[0])
    for user in users:
        assert circle.click(user, "best13").status == 200
    circle.world.control(circle.world.lms, "fault", path="/lti/", status=503, times=-1)
    circle.finish(0, scores[0])
    eventually(lambda: circle.attempts()[0], "graded")
    eventually(lambda: len(circle.rows("SELECT id FROM grades WHERE tries > 0")), 1)
    (serving,) = circle.world.bridge.processes
    os.kill(processes(serving.pid)["worker"], signal.SIGSTOP)
    circle.finish(1, scores[1])
    circle.die()
    circle.finish(2, scores[2])
    assert circle.grade("student1", "best13") is None
    circle.world.control(circle.world.lms, "clear")
    circle.let_time_pass()
    circle.world.bridge.serve()
    if "fetch" not in circle.case.capabilities:  # who only tells is asked to tell again
        circle.finish(2, scores[2])
    for user, score in zip(users, scores, strict=True):
        wanted = pytest.approx(circle.share(score), abs=1e-5)
        eventually(lambda user=user: circle.grade(user, "best13"), wanted)
    assert circle.attempts() == ["graded"] * 3
    assert len(circle.kit.bought()) == 3
