"""Prov through running servers: exams, pushed and polled results, lost answers, kill -9."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from lti_bridge.sandbox import prov
from tests.flow.loop import HOOK_TOKEN, USERS, Loop, on_each_database, running_loop
from tests.flow.world import HTTP, eventually

WIRE = """
kind = "prov"
base_url = "{party}"
auth_style = "bearer"
auth_value = "prov-secret-of-the-test"
candidate_path = "/api/candidates"
candidate_body = '{{"candidateId": "{{candidate_id}}", "candidateName": "{{name}}"}}'
event_path = "/api/events"
event_body = '''{{"candidateId": "{{candidate_id}}", "examCode": "{{exam_code}}",
  "at": "{{starts_at}}"}}'''
event_id_path = "eventId"
event_url_path = "examUrl"
result_event_id_path = "eventId"
result_score_path = "overallScore"
hook_token = "hook-token-of-the-test"
"""
PROV = (
    """
[[connection]]
name = "asked"
result_path = "/api/results/{{event_id}}"
"""
    + WIRE
    + """
[[connection]]
name = "told"
centres = [{{ code = "H1", name = "Hall", address = "2 Main Street", seats = 2 }}]
"""
    + WIRE
    + """
[[activity]]
id = "best"
title = "Remote exam"
connection = "asked"
settings = {{ exam_code = "NB1", score_min = 0, score_max = 100 }}

[[activity]]
id = "last"
title = "Exam in the hall"
connection = "told"
grade = "last"
[activity.settings]
exam_code = "NB2"
location_code = "H1"
starts_at = 2099-01-31T10:00:00+01:00
score_min = 200
score_max = 800
"""
)


class Scene(Loop):
    """A loop with a pretend Prov that pushes its results."""

    def finish(self, number: int = -1, **result: Any) -> None:
        """Score an event, by its place among all."""
        self.pull("finish", event_id=self.state()["events"][number]["event_id"], **result)


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_database: str,
) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend Prov that pushes to a connection."""

    def party(bridge_url: str) -> Callable[[str], Flask]:
        settings = prov.ProvSettings(
            auth_style="bearer",
            auth_value="prov-secret-of-the-test",
            results_url=f"{bridge_url}/hooks/{request.param}/{HOOK_TOKEN}",
            max_score=800,
        )
        return prov.make_app(settings)

    folder = tmp_path_factory.mktemp("prov")
    with running_loop(Scene, folder, shared_database, party, PROV) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


asked = pytest.mark.parametrize("running", ["asked"], indirect=True, scope="module")
told = pytest.mark.parametrize("running", ["told"], indirect=True, scope="module")


def push(scene: Scene, connection: str, document: Any, known: bool = True) -> int:
    token = "hook-token-of-the-test" if known else "hook-token-of-nobody"
    url = f"{scene.world.bridge.url}/hooks/{connection}/{token}"
    return int(HTTP.request("POST", url, json=document).status)


@asked
@pytest.mark.parametrize("link", ["best13", "best11"])
def test_a_message_is_a_hint_where_prov_can_be_asked(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    assert page.url.startswith(f"{scene.party.url}/exam/"), page.text
    assert scene.click("student1", link).url == page.url
    (event,) = scene.state()["events"]
    lie = {"eventId": event["event_id"], "overallScore": 100}
    assert push(scene, "asked", lie) == 200
    assert push(scene, "asked", lie, known=False) == 403
    assert push(scene, "asked", {"eventId": "EV0", "overallScore": 1}) == 200
    assert push(scene, "asked", ["x"]) == 400
    eventually(lambda: scene.state()["calls"].get("results", 0) > 0, True)
    assert scene.grade("student1", link) is None
    scene.finish(score=42.5)
    eventually(lambda: scene.grade("student1", link), 0.425)
    scene.finish(score=40)  # corrected
    eventually(lambda: scene.grade("student1", link), 0.4)
    log = scene.world.bridge.log()
    for private in ("prov-secret-of-the-test", "student1@"):
        assert private not in log


@on_each_database
@told
def test_a_pushed_result_is_read_on_the_scale_of_its_exam(scene: Scene) -> None:
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda user: scene.click(user, "last13"), [*USERS] * 2))
    refused = [page for page in pages if page.status != 200]
    assert {page.status for page in refused} == {503}
    assert all("prov-no-seats" in page.text for page in refused)
    assert len(scene.state()["events"]) == 2
    (row,) = scene.rows("SELECT count(*) AS seats FROM reservations WHERE slot LIKE 'seat H1%'")
    assert row.seats == 2
    scene.finish(0, score=650)
    scene.finish(0, score=650)
    scene.finish(1, score=200)

    def grades() -> list[float]:
        found = [scene.grade(user, "last13") for user in USERS]
        return sorted(grade for grade in found if grade is not None)

    eventually(grades, [0, 0.75])
    assert len(scene.rows("SELECT id FROM results")) == 2


@on_each_database
@asked
def test_a_lost_message_and_killed_servers_lose_no_grade(scene: Scene) -> None:
    scene.click("student1", "best13")
    scene.die()
    scene.finish(score=64)
    assert [hook["status"] for hook in scene.state()["hooks"]] == [0]
    scene.rows("UPDATE attempts SET poll_at = 1")
    scene.world.bridge.serve()
    eventually(lambda: scene.grade("student1", "best13"), 0.64)


@on_each_database
@asked
def test_a_lost_answer_is_never_repeated(scene: Scene) -> None:
    scene.pull("fault", path="/api/events", drop=True)
    for _ in range(2):
        page = scene.click("student1", "best11")
        assert (page.status, "attempt-unclear" in page.text) == (409, True)
        scene.rows("UPDATE attempts SET changed_at = changed_at - 3600000")
    assert len(scene.state()["events"]) == 1


@told
def test_a_refusal_is_a_page_and_the_next_click_works(scene: Scene) -> None:
    scene.pull("fault", path="/api/events", status=400, body=json.dumps("no"))
    page = scene.click("student1", "last11")
    assert (page.status, "prov-refused" in page.text) == (503, True)
    assert scene.click("student1", "last11").url.startswith(f"{scene.party.url}/exam/")
    assert len(scene.rows("SELECT seat FROM reservations")) == 2
