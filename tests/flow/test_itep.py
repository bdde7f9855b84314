"""iTEP through running servers: test IDs on a page, web-hooks, lost answers, resets, kill -9."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from lti_bridge.sandbox import itep
from tests.flow.browser import Browser, Page
from tests.flow.loop import USERS, Loop, on_each_database, running_loop
from tests.flow.world import HTTP, eventually

ITEP = """
[[connection]]
name = "itep"
kind = "itep"
endpoint = "{party}/api/fulfillment"
secret = "account-key"
header_name_gtx = "X-iTEP-GTX"
header_name_stx = "X-iTEP-STX"
sig_encoding = "hex"
sequence_mode = "counter"
response_test_id_path = "test-id"
response_password_path = "password"
launch_template = "{party}/?test-id={{test_id}}"
hook_token = "hook-token-of-the-test"
hook_header_name = "X-Agreed"
hook_header_value = "agreed-secret"
stock = {{ Academic-Plus = 3 }}

[[activity]]
id = "best"
title = "Academic Plus"
connection = "itep"
settings = {{ product_code = "GTX-Academic-Plus", track = "RC" }}

[[activity]]
id = "last"
title = "Business Plus by mail"
connection = "itep"
settings = {{ product_code = "STX-Business-Plus", track = "RC" }}
"""
HOOK = "/hooks/itep/hook-token-of-the-test"
AGREED = {"X-Agreed": "agreed-secret"}


class Scene(Loop):
    """A loop with a pretend iTEP."""

    def control(self, action: str, number: int = 0, **values: Any) -> None:
        """What iTEP's staff does with the test ID that was taken as that number."""
        test = sorted(self.state()["tests"], key=lambda one: one["assigned_to"]["sequence"])
        self.pull(action, **{"test-id": test[number]["test_id"]}, **values)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Iterator[Scene]:
    """A running bridge between the LMS and a pretend iTEP."""

    def party(bridge_url: str) -> Callable[[str], Flask]:
        track = itep.Track("RC", f"{bridge_url}{HOOK}", True, tuple(AGREED.items()))
        return itep.make_app(itep.ItepSettings("account-key", tracks=(track,)))

    folder = tmp_path_factory.mktemp("itep")
    with running_loop(Scene, folder, shared_database, party, ITEP) as made:
        yield made


@pytest.fixture
def scene(running: Scene) -> Scene:
    """The same one, in which nothing has happened yet."""
    running.begin_anew()
    return running


def shown(page: Page) -> dict[str, str]:
    """The labels and values on a page of the bridge."""
    return dict(re.findall(r'<dt>([^<]+)</dt><dd class="copy">([^<]+)</dd>', page.text))


def send(scene: Scene, body: str, headers: dict[str, str], path: str = HOOK) -> int:
    form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    url = f"{scene.world.bridge.url}{path}"
    return int(HTTP.request("POST", url, body=body, headers=form).status)


@pytest.mark.parametrize("link", ["best13", "best11"])
def test_an_id_is_shown_and_its_level_comes_back(scene: Scene, link: str) -> None:
    page = scene.click("student1", link)
    (test,) = scene.state()["tests"]
    assert shown(page) == {"Test ID": test["test_id"], "Password": test["password"]}
    assert f"{scene.party.url}/?test-id={test['test_id']}" in page.text
    assert shown(scene.click("student1", link)) == shown(page)
    candidate = Browser()
    login = {"test-id": test["test_id"], "password": test["password"]}
    candidate.submit(candidate.post(f"{scene.party.url}/", login), score="4.5")
    eventually(lambda: scene.grade(*("student1", link)), 0.75)
    # told again, forged, and broken
    (hook,) = [one for one in scene.state()["hooks"] if "Overall_Level" in one["body"]]
    assert send(scene, hook["body"], AGREED) == 200
    assert send(scene, hook["body"], {}) == 403
    assert send(scene, hook["body"], AGREED, "/hooks/itep/hook-token-of-nobody") == 403
    oid = test["registration"]["trExternal_ID"]
    for data in ({"OID": f"{oid}x"}, {"OID": oid.split(".")[0]}, {"OID": ""}):
        forged = json.dumps({**data, "Status": "Complete", "Overall_Level": 6})
        assert send(scene, urlencode({"data": forged}), AGREED) == 403
    assert send(scene, urlencode({"data": "{"}), AGREED) == 400
    assert len(scene.state()["tests"]) == 1
    assert len(scene.rows("SELECT id FROM results")) == 2  # finished, graded
    assert scene.grade("student1", link) == 0.75
    log = scene.world.bridge.log()
    for private in (test["password"], "account-key", "agreed-secret", "student1@", oid):
        assert private not in log


def test_itep_writes_the_mail(scene: Scene) -> None:
    page = scene.click("student1", "last13")
    (mail,) = scene.state()["outbox"]
    assert "mailbox" in page.text
    assert mail["password"] not in page.text
    scene.control("finish", level=6)
    eventually(lambda: scene.grade("student1", "last13"), 1)


@on_each_database
def test_many_clicks_take_one_id_each(scene: Scene) -> None:
    with ThreadPoolExecutor(9) as pool:
        users = [*USERS] * 3
        pages = list(pool.map(lambda user: scene.click(user, "best13"), users))
    assert {page.status for page in pages} == {200}
    assert len(scene.state()["tests"]) == 3
    assert "itep.few-test-ids" in scene.world.bridge.log()


@on_each_database
def test_a_lost_answer_is_never_repeated(scene: Scene) -> None:
    scene.pull("fault", path="/api/fulfillment", drop=True)
    page = scene.click("student1", "best11")
    assert (page.status, "attempt-unclear" in page.text) == (409, True)
    scene.rows("UPDATE attempts SET changed_at = changed_at - 3600000")
    page = scene.click("student1", "best11")
    assert (page.status, "attempt-unclear" in page.text) == (409, True)
    assert scene.state()["calls"] == {"GTX": 1}
    # staff found the ID by its assigned-to and gave it to the student
    scene.control("finish", level=3)
    eventually(lambda: scene.grade("student1", "best11"), 0.5)


def test_a_refusal_is_a_page_and_the_next_click_works(scene: Scene) -> None:
    said = '{"error": "Invalid Gender [Zoë]."}'
    scene.pull("fault", path="/api/fulfillment", status=400, body=said)
    page = scene.click("student1", "best11")
    assert (page.status, "itep-gender" in page.text) == (409, True)
    assert "Zoë" not in page.text + scene.world.bridge.log()
    assert shown(scene.click("student1", "best11"))["Test ID"]


def test_killed_servers_and_lost_web_hooks(scene: Scene) -> None:
    before = shown(scene.click("student1", "best13"))
    scene.die()
    scene.control("finish", level=5.4)
    assert {hook["status"] for hook in scene.state()["hooks"]} == {0}
    scene.rows("UPDATE attempts SET created_at = created_at - 8 * 86400000, poll_at = 1")
    scene.world.bridge.serve()
    eventually(lambda: "attempt.silent" in scene.world.bridge.log(), True)
    assert shown(scene.click("student1", "best13")) == before
    scene.control("resend")  # iTEP's staff was asked
    eventually(lambda: scene.grade("student1", "best13"), 0.9)


def test_resets_and_invalidations(scene: Scene) -> None:
    def click() -> dict[str, str]:
        return shown(scene.click("student1", "best13"))

    first = click()
    scene.control("finish", level=3)
    eventually(lambda: scene.grade("student1", "best13"), 0.5)
    scene.control("reset")
    assert scene.attempts() == ["started"]
    assert click() == first  # the same ID, not another one
    scene.control("finish", level=3)
    assert scene.attempts() == ["graded"]
    assert click() != first  # a second attempt
    scene.control("reset")  # of the first, while the second is open
    assert scene.attempts() == ["started", "started"]
    scene.control("finish", level=4.2)
    eventually(lambda: scene.grade("student1", "best13"), 0.7)
    scene.control("invalidate")
    assert scene.attempts() == ["invalidated", "started"]
    assert "itep.invalidated-after-grade" in scene.world.bridge.log()
    scene.control("invalidate", 1)
    eventually(scene.attempts, ["invalidated", "invalidated"])
    assert scene.grade("student1", "best13") == 0.7
    assert {hook["status"] for hook in scene.state()["hooks"]} == {200}
