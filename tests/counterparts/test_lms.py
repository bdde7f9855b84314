"""LMS sides that others wrote launch the bridge, and get the grade back as they want it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from lti import ToolConsumer

from lti_bridge.sandbox import serving
from tests.counterparts import platform_lms, xblock_lms
from tests.counterparts.platform_lms import PlatformLms
from tests.counterparts.xblock_lms import XblockLms
from tests.flow.browser import Browser
from tests.flow.world import World, eventually, make_world

EXCEL = {"set.tst_frm_id": "363", "set.gen_id": "3", "set.redirect": "true"}
LMSS = """
[[lms]]
name = "xblock13"
lti = "1.3"
issuer = "{xblock}"
client_id = "xblock-client"
deployment_ids = ["1"]
authorization_url = "{xblock}/auth"
token_url = "{xblock}/token"
jwks_url = "{xblock}/jwks"

[[lms]]
name = "xblock11"
lti = "1.1"
consumer_key = "xblock-key"
shared_secret = "xblock-secret"

[[lms]]
name = "platform"
lti = "1.3"
issuer = "{platform}"
client_id = "platform-client"
deployment_ids = ["d-1"]
authorization_url = "{platform}/auth"
token_url = "{platform}/token"
jwks_url = "{platform}/jwks"

[[lms]]
name = "package-lti"
lti = "1.1"
consumer_key = "package-key"
shared_secret = "package-secret"
"""


@dataclass
class Campus:
    """A running bridge between others' LMSs and the pretend Isograd."""

    world: World
    xblock: XblockLms
    platform: PlatformLms

    def take_test(self, page: Any, score: str, browser: Browser) -> None:
        """From the click's first page to a finished test."""
        test = browser.through(page, self.world.isograd.url)
        assert test.status == 200, test.text
        browser.submit(test, score=score)


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """All LMSs at once, each registered under its own name."""
    folder = tmp_path_factory.mktemp("counterparts")
    xblock, platform = XblockLms("best"), PlatformLms("best")
    running = [serving.start(xblock.make_app), serving.start(platform.make_app)]
    extra = LMSS.format(xblock=xblock.url, platform=platform.url)
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3", extra)
    xblock.tool_url = platform.tool_url = world.bridge.url
    world.bridge.serve()
    yield Campus(world, xblock, platform)
    world.stop()
    for party in running:
        party.stop()


@pytest.mark.spec("T13TK-01")
def test_open_edx_by_lti_13(campus: Campus) -> None:
    browser = Browser()
    campus.take_test(browser.get(f"{campus.xblock.url}/click13"), "0.85", browser)
    eventually(lambda: [score.get("scoreGiven") for score in campus.xblock.scores], [0.85])
    [score] = campus.xblock.scores
    assert score["scoreMaximum"] == 1
    assert score["userId"] == xblock_lms.USER
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")


@pytest.mark.spec("T11L-01")
def test_open_edx_by_lti_11(campus: Campus) -> None:
    browser = Browser()
    campus.take_test(browser.get(f"{campus.xblock.url}/click11"), "0.5", browser)
    eventually(lambda: campus.xblock.outcomes, [(xblock_lms.USER, 0.5)])


def test_the_package_lti1p3platform(campus: Campus) -> None:
    browser = Browser()
    campus.take_test(browser.get(f"{campus.platform.url}/click"), "0.3", browser)
    eventually(lambda: [score.get("scoreGiven") for score in campus.platform.scores], [0.3])
    assert campus.platform.scores[0]["userId"] == platform_lms.USER


@pytest.mark.spec("T13DL-06", "T13DL-07")
@pytest.mark.parametrize("name", ["xblock", "platform"])
def test_an_lms_that_others_wrote_takes_our_links(campus: Campus, name: str) -> None:
    lms = getattr(campus, name)
    browser = Browser()
    page = browser.submit(browser.get(f"{lms.url}/pick"))
    form = browser.submit(page, do="form", way="0 tosa")
    chosen = browser.submit(form, do="save", title="Excel “ü”", maximum="20", **EXCEL)
    answer = browser.submit(chosen, do="finish")
    assert answer.form().action == f"{lms.url}/picked"
    assert browser.submit(answer).text == "added"
    [link] = lms.links
    assert (link["type"], link["title"]) == ("ltiResourceLink", "Excel “ü”")
    assert link["url"].startswith(f"{campus.world.bridge.url}/lti/launch?lti_bridge_activity=")
    assert link["lineItem"]["scoreMaximum"] == 20
    assert link["lineItem"]["resourceId"] == link["custom"]["lti_bridge_activity"]
    [(field, token)] = answer.form().fields
    head, body, signature = token.split(".")
    forged = f"{head}.{body}.{signature[::-1]}"
    assert browser.post(answer.form().action, {field: forged}).status == 500  # the package raises
    assert len(lms.links) == 1


@pytest.mark.parametrize("secret", ["package-secret", "another-secret"])
def test_the_package_lti(campus: Campus, secret: str) -> None:
    consumer = ToolConsumer(
        consumer_key="package-key",
        consumer_secret=secret,
        launch_url=f"{campus.world.bridge.url}/lti/launch",
        params={
            "lti_message_type": "basic-lti-launch-request",
            "lti_version": "LTI-1p0",
            "resource_link_id": "link-1",
            "context_id": "course-1",
            "user_id": "user-1",
            "roles": "Learner",
            "lis_person_name_given": "Zoë",
            "lis_person_name_family": "Exämple & Co",
            "lis_person_contact_email_primary": "zoe@example.edu",
            "custom_activity": "best",
        },
    )
    signed = consumer.generate_launch_request()
    body = signed.body if isinstance(signed.body, str) else signed.body.decode()
    page = Browser().request("POST", signed.url, body)
    assert page.status == (200 if secret == "package-secret" else 401), page.text
    fields = dict(page.form().fields) if page.status == 200 else {}
    assert fields.get("lis_person_name_family", "") == ("Exämple & Co" if fields else "")
