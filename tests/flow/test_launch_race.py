"""Many clicks at once, at two web processes, on each database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from tests.flow.browser import Browser
from tests.flow.scene import Scene


@pytest.mark.spec("BR-01", "P11L-14", "SECP-17")
def test_ten_first_clicks_are_one_attempt(fresh_scene: Scene) -> None:
    scene = fresh_scene
    for user in ("ann", "ben", "cleo"):
        if user == "cleo":  # nothing of hers is new but the attempt
            scene.campus.launch(user_id=user, resource_link_id="other", roles="Instructor")
        with ThreadPoolExecutor(10) as threads:
            pages = list(threads.map(lambda u: scene.campus.launch(user_id=u), repeat(user, 10)))
        assert [page.status for page in pages] == [200] * 10
        forms = [dict(page.form().fields) for page in pages]
        for name in ("lis_result_sourcedid", "user_id", "resource_link_id", "context_id"):
            assert len({form[name] for form in forms}) == 1, name
        for name in ("oauth_nonce", "launch_presentation_return_url"):
            assert len({form[name] for form in forms}) == 10, name
        assert scene.attempts(user) == [(1, "created")]
    counts = {name: scene.count(name) for name in ("learners", "links", "grades", "launches")}
    assert counts == {"learners": 3, "links": 2, "grades": 3, "launches": 31}


def test_clicks_while_the_link_changes_are_one_open_attempt(fresh_scene: Scene) -> None:
    scene = fresh_scene
    activities = ["plain", "named", "query"] * 5
    with ThreadPoolExecutor(10) as threads:
        pages = list(threads.map(lambda a: scene.campus.launch(custom_activity=a), activities))
    assert [page.status for page in pages] == [200] * 15
    found = scene.attempts("ann")
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert [state for _, state in found].count("created") == 1
    for activity in ("plain", "named"):
        assert scene.campus.launch(custom_activity=activity).status == 200
        opened = scene.rows("SELECT activity_id FROM attempts WHERE is_open = 1")
        assert [row.activity_id for row in opened] == [activity]


@pytest.mark.spec("T11L-01", "P11L-01")
def test_the_main_flow_on_each_database(fresh_scene: Scene) -> None:
    scene, browser = fresh_scene, Browser()
    for score, state in (("0.5", "graded"), ("0.75", "graded")):
        test = browser.submit(browser.anew(scene.campus.launch(custom_activity="best")))
        assert test.url.startswith(scene.world.isograd.url)
        browser.submit(test, score=score)
        assert scene.attempts("ann")[-1][1] == state
    sql = "SELECT given, delivery, sourced_id FROM grades"
    assert [tuple(row) for row in scene.rows(sql)] == [("0.75", "pending", "cell-of-ann")]
    staff = scene.campus.launch(roles="Instructor", user_id="tess")
    assert browser.submit(browser.submit(staff)).text == "hello"
    assert scene.attempts("ann") == [(1, "graded"), (2, "graded")]
    assert scene.attempts("tess") == []
    inline = {"custom_activity": None, "custom_connection": "plain", "custom_tool_chapter": "1"}
    for _ in range(2):
        assert scene.open(scene.twin, **inline).form["custom_chapter"] == "1"
    wide = "".join(chr(0x1F300 + 7 * number % 500) for number in range(255))
    odd = dict.fromkeys(("user_id", "context_id", "resource_link_id"), wide)
    assert scene.campus.launch(**odd, oauth_nonce=wide).status == 200
