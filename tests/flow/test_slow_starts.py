"""A provider that is slow, hangs or fails while students click: who waits, and who does not."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from lti_bridge.cli import main
from lti_bridge.core.lanes import AWAY_AFTER
from lti_bridge.sandbox import demo
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Campus, send
from tests.flow.exam import provider_s
from tests.flow.loop import Loop, on_each_database, running_loop
from tests.flow.scene import refusal
from tests.flow.signing import Signer, document
from tests.flow.waiting import ALONE, PREPARED, gone_on, pause_s, press
from tests.flow.world import HTTP, PATIENCE_S, eventually

TOOL = Signer("tool-key", "tool-secret")
CONFIG = """
[[connection]]
name = "slow"
kind = "demo"
base_url = "{party}"
api_key = "demo-key-of-the-test"
max_in_flight = 20

[[connection]]
name = "narrow"
kind = "demo"
base_url = "{party}"
api_key = "demo-key-of-the-test"
max_in_flight = 1

[[connection]]
name = "tool"
kind = "lti"
launch_url = "http://127.0.0.1:9/tool"
consumer_key = "tool-key"
shared_secret = "tool-secret"

[[activity]]
id = "best"
title = "Geography"
connection = "slow"
settings = {{ test = "geography" }}

[[activity]]
id = "last"
title = "Geography, one after the other"
connection = "narrow"
settings = {{ test = "geography" }}

[[activity]]
id = "quiz"
title = "A tool's quiz"
connection = "tool"
"""
PREVIEWED = "preview"
EACH = 12  # students of a wave
AT_ONCE_S = 1.0  # what others may notice of a provider that hangs


class Scene(Loop):
    """A loop with a pretend demo provider, and students of an LMS without cookies."""

    @property
    def campus(self) -> Campus:
        """The LTI 1.1 LMS."""
        url = f"{self.world.bridge.url}/lti/launch"
        return Campus(url, "campus-key", "campus-secret-äöü&x")

    def slow(self, delay_s: float, **more: Any) -> None:
        """Let the call that buys take so long, until the scene begins anew."""
        self.pull("fault", path="/sessions", method="POST", delay_s=delay_s, times=-1, **more)

    def first(self, user: str, activity: str = "best", **more: str) -> Page:
        """What a student's first click is answered with."""
        link, cell = f"link-{activity}", f"cell-{user}"
        more = {"resource_link_id": link, "lis_result_sourcedid": cell, **more}
        campus = self.campus
        fields = campus.fields(user_id=user, custom_activity=activity, **more)
        return send(campus.url, campus.signed(fields), ALONE)

    def go_on(self, page: Page) -> Page:
        """As the page does by itself, until it is another one."""
        return gone_on(page, 2)[0]

    def bought(self) -> list[Any]:
        """The sessions that cost something."""
        sessions = self.state()["sessions"]
        return [one for one in sessions if not one["asked"].get(PREVIEWED)]


def timed(do: Callable[[], Any]) -> tuple[float, Any]:
    """How long something takes, in seconds, and what it gives."""
    begun = time.monotonic()
    found = do()
    return time.monotonic() - begun, found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge, of two web processes, and a pretend demo provider."""

    def party(_: str) -> Callable[[str], Flask]:
        return demo.make_app(demo.DemoSettings(api_key="demo-key-of-the-test"))

    folder = tmp_path_factory.mktemp("slow")
    with running_loop(Scene, folder, shared_database, party, CONFIG, "--workers", "2") as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    yield running
    running.die()  # and nothing of it goes on


@on_each_database
def test_a_slow_start_is_a_page_that_goes_on_into_the_test(scene: Scene) -> None:
    scene.slow(6)
    users = [f"student-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        answers = list(pool.map(lambda user: timed(lambda: scene.first(user)), users))
        for took_s, page in answers:
            assert took_s < 2.5
            assert (page.status, PREPARED in page.text) == (200, True)
            assert 1 <= pause_s(page) <= 10
        took_s, again = timed(lambda: scene.first("student-0"))  # they click again
        assert took_s < 2.5
        assert PREPARED in again.text
        ends = list(pool.map(scene.go_on, [page for _, page in answers]))
    assert {page.status for page in ends} == {302}
    places = {page.headers["Location"] for page in ends}
    assert len(places) == len(users)
    assert all(place.startswith(f"{scene.party.url}/take/") for place in places)
    assert scene.go_on(again).headers["Location"] in places
    assert len(scene.bought()) == len(users)
    assert set(scene.attempts()) == {"started"}
    assert scene.rows("SELECT * FROM call_answers") == []
    log = scene.world.bridge.log()
    assert not any(place.rpartition("/")[2] in log for place in places)


def test_an_answer_says_how_much_of_its_time_was_the_providers(scene: Scene) -> None:
    scene.slow(1)
    took_s, page = timed(lambda: scene.first("ann"))
    assert page.status == 302
    assert 0.9 < provider_s(page.headers["Server-Timing"]) < took_s
    scene.pull("clear")
    quick = scene.first("quizzed", "quiz")  # nobody is called for it
    assert "Server-Timing" not in quick.headers


def test_a_browser_that_keeps_cookies_goes_on_where_it_is(scene: Scene) -> None:
    scene.slow(4)
    browser, lms = Browser(), scene.world.lms.url
    browser.get(f"{lms}/as/student1")
    page = browser.get(f"{lms}/launch/best13")
    while page.url.startswith(lms):
        page = browser.submit(page)
    assert PREPARED in page.text
    held = scene.rows("SELECT count(*) AS n FROM held_launches")[0].n
    while PREPARED in page.text:
        time.sleep(1)
        page = browser.submit(page)
    assert page.url.startswith(f"{scene.party.url}/take/")
    assert scene.rows("SELECT count(*) AS n FROM held_launches")[0].n == held
    assert len(scene.bought()) == 1


def test_nobody_else_notices_a_provider_that_hangs(scene: Scene) -> None:
    quiz = dict(scene.first("quizzed", "quiz").form().fields)
    grade = document("replaceResult", quiz["lis_result_sourcedid"], "0.5")
    url = f"{scene.world.bridge.url}/platform/outcomes"
    scene.slow(8)

    def report() -> int:
        headers = {"Content-Type": "application/xml", "Authorization": TOOL.header(url, grade)}
        return int(HTTP.request("POST", url, body=grade, headers=headers).status)

    with ThreadPoolExecutor(20) as pool:
        clicks = [
            pool.submit(timed, lambda n=number: scene.first(f"student-{n}")) for number in range(20)
        ]
        previews = pool.submit(timed, lambda: preview(scene))
        until = time.monotonic() + 4
        while time.monotonic() < until:
            for do in (
                lambda: HTTP.request("GET", f"{scene.world.bridge.url}/healthz").status,
                lambda: scene.first("quizzed", "quiz").status,
                report,
            ):
                took_s, status = timed(do)
                assert (took_s < AT_ONCE_S, status) == (True, 200), took_s
            time.sleep(0.1)
        answers = [click.result(PATIENCE_S) for click in (*clicks, previews)]
    assert all(PREPARED in page.text for _, page in answers)
    assert max(took_s for took_s, _ in answers) < 2.5 + AT_ONCE_S
    for _, page in answers:
        assert scene.go_on(page).status == 302
    assert len(scene.bought()) == 20


def preview(scene: Scene) -> Page:
    """One of the staff opens the test itself."""
    page = scene.first("tess", roles="Instructor", lis_result_sourcedid="")
    return press(page)


def test_a_slow_preview_opens_what_was_made_for_it(scene: Scene) -> None:
    scene.slow(3)
    page = preview(scene)
    assert PREPARED in page.text
    assert scene.go_on(page).headers["Location"].startswith(f"{scene.party.url}/take/")
    assert scene.bought() == []
    assert len(scene.state()["sessions"]) == 1


def test_an_error_after_a_while_is_its_page_once_and_nothing_begins_behind_it(
    scene: Scene,
) -> None:
    scene.slow(3, status=402)
    page = scene.first("ann")
    assert PREPARED in page.text
    ended = scene.go_on(page)
    assert (ended.status, refusal(ended)[0]) == (503, "demo-sold-out")
    assert scene.attempts() == ["created"]  # as after an error at once
    assert scene.state()["sessions"] == []
    scene.pull("clear")
    assert scene.go_on(scene.first("ann")).status == 302  # who clicks again begins again
    assert len(scene.bought()) == 1


def test_a_slow_answer_that_is_lost_waits_for_a_person(scene: Scene) -> None:
    scene.slow(3, drop=True)
    ended = scene.go_on(scene.first("ann"))
    assert (ended.status, refusal(ended)[0]) == (409, "attempt-unclear")
    assert scene.attempts() == ["unclear"]
    assert PREPARED in scene.first("ann").text  # it may be under way, and is not called again
    assert len(scene.bought()) == 1


def test_few_attempts_are_unclear_of_a_provider_that_never_answers(scene: Scene) -> None:
    scene.slow(1, drop=True)

    def click(number: int) -> str:
        page = scene.first(f"student-{number}")
        return refusal(scene.go_on(page) if PREPARED in page.text else page)[0]

    def wave(first: int) -> Counter[str]:
        with ThreadPoolExecutor(EACH) as pool:
            return Counter(pool.map(click, range(first, first + EACH)))

    assert wave(0)["attempt-unclear"] > 2 * AWAY_AFTER  # nobody knows of it yet
    said = wave(EACH)
    assert said["attempt-unclear"] <= said["provider-down"]
    assert scene.attempts().count("created") == said["provider-down"]  # and buy at their next click
    eventually(lambda: lane(scene).get("said", "")[:10], "away since")
    assert "does not answer" in lane(scene)["remedy"]


def lane(scene: Scene) -> dict[str, str]:
    """What the doctor says of the provider's lane for starts."""
    said = CliRunner().invoke(
        main, ["doctor", "--json", "--config", str(scene.world.bridge.config)]
    )
    found = {one["what"]: one for one in json.loads(said.stdout)}
    return dict(found.get("lane of slow for starts", {}))


def test_a_kill_loses_no_attempt_that_waits_and_buys_none_twice(scene: Scene) -> None:
    scene.slow(8)
    users = [f"student-{number}" for number in range(8)]
    pages = [scene.first(user, "last") for user in users]
    assert all(PREPARED in page.text for page in pages)
    lost = scene.attempts().count("unclear")  # one call at a time in each process
    assert lost in (1, 2)
    assert scene.attempts().count("created") == 8 - lost  # what waits for its turn is not claimed
    scene.die()
    scene.pull("clear")
    scene.world.bridge.serve("--workers", "2")
    ends = [press(page) for page in pages]
    scene.let_time_pass()
    ends = [scene.go_on(page) for page in ends]
    assert sorted(page.status for page in ends) == [302] * (8 - lost) + [409] * lost
    codes = [refusal(page)[0] for page in ends if page.status == 409]
    assert codes == ["attempt-unclear"] * lost
    assert sorted(scene.attempts()) == ["started"] * (8 - lost) + ["unclear"] * lost
    eventually(lambda: len(scene.bought()), 8)


def test_a_server_that_is_stopped_waits_for_calls_that_are_under_way(scene: Scene) -> None:
    scene.slow(5)
    page = scene.first("ann")
    assert PREPARED in page.text
    scene.world.bridge.stop()
    assert scene.attempts() == ["started"]
    scene.world.bridge.serve("--workers", "2")
    assert press(page).status == 302
    assert len(scene.bought()) == 1
