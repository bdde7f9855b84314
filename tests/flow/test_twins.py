"""Two Canvases that schools host themselves: one issuer, one client id, and each its own people.

Such a Canvas calls itself as the cloud does, and counts its client ids from the same number
(docs/lms.md). The deployment that a login says tells them apart; nothing else of it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lti_bridge.sandbox import lms, serving
from tests.flow.browser import Browser, Page
from tests.flow.scene import refusal
from tests.flow.test_launch_to_gradebook import grade, open_test
from tests.flow.world import HTTP, LINKS, World, eventually, make_world

ISSUER, CLIENT = "https://canvas.instructure.com", "10000000000001"
DEPLOYMENTS = {"north": "1:8865aa", "south": "1:5588ff", "nobody": "1:77ccee"}
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
DEPLOYMENT = "https://purl.imsglobal.org/spec/lti/claim/deployment_id"
ENTRY = """
[[lms]]
name = "{name}"
lti = "1.3"
issuer = "https://canvas.instructure.com"
client_id = "10000000000001"
deployment_ids = {deployments}
authorization_url = "{url}/lti/auth"
token_url = "{url}/lti/token"
jwks_url = "{url}/lti/jwks"
"""


@dataclass
class Schools:
    """A bridge, and the Canvases that launch it, by name."""

    world: World
    canvases: dict[str, serving.Running]

    def at(self, school: str) -> World:
        """The world as one of them sees it."""
        return replace(self.world, lms=self.canvases[school])

    def click(self, school: str, link: str = "best13", user: str = "student1") -> Page:
        """A click, as far as the bridge or the test lets it come."""
        browser, url = Browser(), self.canvases[school].url
        browser.get(f"{url}/as/{user}")
        return browser.through(browser.get(f"{url}/launch/{link}"), self.world.bridge.url)

    def calls(self, school: str) -> list[dict[str, Any]]:
        """What was asked of the services of one of them, for tokens too."""
        log = HTTP.request("GET", f"{self.canvases[school].url}/control/log").json()
        return [one for one in log if one["path"].startswith(("/lti/ags", "/lti/token"))]


def canvas(bridge: str, deployment: str) -> serving.Running:
    settings = lms.LmsSettings(
        bridge_url=bridge,
        links=LINKS,
        client_id=CLIENT,
        deployment_id=deployment,
        family="canvas",
        issuer=ISSUER,
    )
    return serving.start(lms.make_app(settings))


@pytest.fixture(scope="module")
def schools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schools]:
    folder = tmp_path_factory.mktemp("twins")
    world = make_world(folder, f"sqlite:///{folder}/bridge.sqlite3")
    canvases = {name: canvas(world.bridge.url, one) for name, one in DEPLOYMENTS.items()}
    with world.bridge.config.open("a", encoding="utf-8") as config:
        for name in ("north", "south"):
            listed = f'["{DEPLOYMENTS[name]}"]'
            config.write(ENTRY.format(name=name, url=canvases[name].url, deployments=listed))
    world.bridge.serve()
    yield Schools(world, canvases)
    world.stop()
    for one in canvases.values():
        one.stop()


def test_each_ones_learners_and_grades_are_its_own(schools: Schools) -> None:
    """The same user id, course and link stand for two people in two gradebooks."""
    for school, score in (("north", "0.4"), ("south", "0.9")):
        world, browser = schools.at(school), Browser()
        browser.submit(open_test(world, browser, "student1", "best13"), score=score)
        eventually(lambda: grade(world, "student1", "best13"), float(score))  # noqa: B023
    assert grade(schools.at("north"), "student1", "best13") == 0.4
    log = schools.world.bridge.log()
    for school in ("north", "south"):
        assert f"registration={school}" in log


def test_a_deployment_of_neither_is_named(schools: Schools) -> None:
    before = len(schools.world.bridge.log())
    page = schools.click("nobody")
    assert (page.status, refusal(page)[0]) == (403, "unknown-deployment")
    said = schools.world.bridge.log()[before:]
    assert DEPLOYMENTS["nobody"] in said
    assert "is none of north, south" in said


def test_a_login_without_a_deployment_is_not_guessed(schools: Schools) -> None:
    url = schools.canvases["north"].url
    sent = HTTP.request(
        "POST", f"{url}/control/launch", json={"link": "best13", "user": "student1"}
    ).json()
    fields = {**sent["fields"], "lti_deployment_id": ""}
    page = Browser().post(sent["login_url"], fields)
    assert (page.status, refusal(page)[0]) == (400, "lms-ambiguous")
    assert "has to let the login say its client id and its deployment id" in page.text
    assert "it may be any of north, south; the login has no deployment_id" in (
        schools.world.bridge.log()
    )


def test_a_launch_is_signed_by_the_one_whose_deployment_it_says(schools: Schools) -> None:
    """What one of them signs opens nothing in the name of the other."""
    said = {"claims": {DEPLOYMENT: DEPLOYMENTS["south"]}}
    schools.world.control(schools.canvases["north"], "tamper", id_token=said)
    page = schools.click("north")
    assert refusal(page)[0] in ("unknown-deployment", "message")
    url = schools.canvases["north"].url
    sent = HTTP.request(
        "POST",
        f"{url}/control/launch",
        json={
            "link": "best13",
            "user": "student1",
            "extra": {"lti_deployment_id": DEPLOYMENTS["south"]},
        },
    ).json()
    page = Browser().post(sent["login_url"], sent["fields"])
    assert page.url.startswith(schools.canvases["south"].url)  # which knows nothing of it


def test_no_token_of_one_goes_to_the_other(schools: Schools) -> None:
    """A launch of the one names the services of the other for its grades."""
    there = schools.canvases["south"].url
    endpoint = {
        "scope": [
            f"https://purl.imsglobal.org/spec/lti-ags/scope/{one}" for one in ("lineitem", "score")
        ],
        "lineitems": f"{there}/lti/ags/101/lineitems?type_id=1",
        "lineitem": f"{there}/lti/ags/101/lineitems/2/lineitem?type_id=1",
    }
    north, browser = schools.at("north"), Browser()
    before = len(schools.calls("south"))
    schools.world.control(north.lms, "tamper", id_token={"claims": {ENDPOINT: endpoint}})
    browser.submit(open_test(north, browser, "student2", "last13"), score="0.7")
    eventually(lambda: "no host of 'north'" in schools.world.bridge.log(), True)
    assert len(schools.calls("south")) == before
    assert grade(schools.at("south"), "student2", "last13") is None


@pytest.mark.parametrize(
    ("deployments", "good"),
    [
        (['["1:a"]', '["2:b"]'], True),
        (['["1:a", "2:b"]', '["2:b"]'], False),
        (['["1:a"]', '"any"'], False),
        (['"any"', '"any"'], False),
    ],
)
def test_the_configuration_has_to_tell_them_apart(
    check: Callable[[str], tuple[int, str]], deployments: list[str], good: bool
) -> None:
    text = "".join(
        ENTRY.format(name=name, url=f"https://canvas.{name}.example.edu", deployments=listed)
        for name, listed in zip(("north", "south"), deployments, strict=True)
    )
    status, said = check(text)
    assert (status == 0) == good, said
    if not good:
        assert "'north' and 'south' have the same issuer and client_id" in said
        assert "list them in deployment_ids, none of them in both" in said
