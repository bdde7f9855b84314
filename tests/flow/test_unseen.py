"""Scores for people who have not clicked: a tool reads the list of the course and grades it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from lti_bridge.sandbox import lms
from tests.flow.browser import Browser
from tests.flow.test_services13 import CONFIG, add, claims_behind
from tests.flow.world import HTTP, World, eventually, make_world
from tests.platform.services.platform import (
    ASSERTION,
    FORM,
    MEMBERS,
    SCORE,
    SCORE_TYPE,
    make_key,
    pem,
)

AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
NAMES = {"Ann Example": "4", "Ben Example": "5", "Zoë Exämple": "6"}
LINKS = (
    lms.LinkSpec("list-1.3", "A list", "1.3", {"activity": "list"}),
    lms.LinkSpec("other-1.3", "Another", "1.3", {"activity": "list"}),
    lms.LinkSpec("own-1.3", "A column of ours", "1.3", {"activity": "list"}, grades="container"),
    lms.LinkSpec("bo-1.3", "By outcomes", "1.3", {"activity": "list"}, grades="bo"),
    lms.LinkSpec("list-1.1", "By 1.1", "1.1", {"activity": "list"}),
)


@dataclass
class Grader:
    """A tool that reads who is in the course, and grades them."""

    world: World
    key: Any

    def opened(self, link: str, user: str = "teacher", *, again: bool = False) -> dict[str, Any]:
        """The claims of a launch: of a preview, where a teacher clicks."""
        browser = Browser()
        browser.get(f"{self.world.lms.url}/as/{user}")
        page = browser.get(f"{self.world.lms.url}/launch/{link}")
        page = browser.through(page, self.world.bridge.url)
        if user == "teacher":
            page = browser.submit(page)
        assert page.asks == again
        return claims_behind(self.world, browser, browser.anew(page))

    def bearer(self, scope: str) -> dict[str, str]:
        """The header of a request with an access token."""
        now, url = int(time.time()), f"{self.world.bridge.url}/platform/token"
        assertion = {"iss": "list-client", "sub": "list-client", "jti": secrets.token_hex(8)}
        assertion |= {"aud": url, "iat": now, "exp": now + 60}
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": jwt.encode(assertion, self.key, "RS256"),
            "scope": scope,
        }
        form = {"Content-Type": FORM}
        found = HTTP.request("POST", url, body=urlencode(fields), headers=form).json()
        return {"Authorization": f"Bearer {found['access_token']}"}

    def members(self, claims: dict[str, Any]) -> dict[str, str]:
        """The names of everybody whom the tool reads in the list, and their ids."""
        url = claims[NRPS]["context_memberships_url"]
        found = HTTP.request("GET", url, headers=self.bearer(MEMBERS)).json()["members"]
        return {one["name"]: one["user_id"] for one in found}

    def score(self, claims: dict[str, Any], user: str, given: int) -> tuple[int, str]:
        """Post a score of 10; status and reason."""
        body = {
            "userId": user,
            "scoreGiven": given,
            "scoreMaximum": 10,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
        }
        headers = {**self.bearer(SCORE), "Content-Type": SCORE_TYPE}
        url = f"{claims[AGS]['lineitem']}/scores"
        answer = HTTP.request("POST", url, body=json.dumps(body), headers=headers)
        why = answer.json().get("error_description", "") if answer.status >= 400 else ""
        return answer.status, why

    def shown(self, title: str) -> dict[str, float]:
        """What the gradebook shows in a column, by user."""
        for column in self.world.gradebook()["columns"]:
            if column["title"] == title:
                return {user: cell["score"] for user, cell in column["cells"].items()}
        return {}


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory, each_database: str) -> Iterator[Grader]:
    world, key = (
        make_world(tmp_path_factory.mktemp("grader"), each_database, links=LINKS),
        make_key(),
    )
    keys = f"public_key = '''{pem(key)}'''"
    text = CONFIG.format(name="list", url="http://127.0.0.1:9", keys=keys, service="members")
    text = text.replace('services = ["members"]', 'services = ["ags", "members"]')
    add(world, text + "attempts = 1\n")
    world.bridge.serve()
    yield Grader(world, key)
    world.stop()


@pytest.fixture(autouse=True)
def empty(grader: Grader) -> None:
    grader.world.control(grader.world.lms, "clear", grades=True)


@pytest.mark.spec("P13AS-01", "P13NR-02")
def test_whoever_is_listed_is_graded_before_any_student_has_clicked(grader: Grader) -> None:
    told = grader.opened("list-1.3")
    listed = grader.members(told)
    for name in NAMES:
        assert grader.score(told, listed[name], 0) == (200, ""), name
    eventually(lambda: grader.shown("A list"), dict.fromkeys(NAMES.values(), 0.0))
    # a correction, before they were here
    assert grader.score(told, listed["Ben Example"], 4)[0] == 200
    eventually(lambda: grader.shown("A list")["5"], 40.0)
    # what was said of the absent is no attempt of theirs: of one allowed, theirs is the first
    mine = grader.opened("list-1.3", "student1")
    assert mine["sub"] == listed["Ann Example"]
    assert grader.score(mine, mine["sub"], 7)[0] == 200
    eventually(lambda: grader.shown("A list")["4"], 70.0)


def test_where_the_bridge_makes_the_column_it_is_made_for_the_absent_too(grader: Grader) -> None:
    told = grader.opened("own-1.3")
    listed = grader.members(told)
    assert grader.score(told, listed["Zoë Exämple"], 3)[0] == 200
    eventually(lambda: grader.shown("A quiz, list").get("6"), 30.0)


def test_who_is_not_listed_is_refused_with_the_reason(grader: Grader) -> None:
    told = grader.opened("other-1.3")
    listed = grader.members(told)
    staff = next(user for name, user in listed.items() if name not in NAMES)
    status, why = grader.score(told, staff, 1)
    assert status == 403
    assert "list of members" in why
    assert grader.score(told, "never-heard-of", 1)[0] == 404
    # one whom the LMS has taken off the list since the tool read it
    grader.world.control(grader.world.lms, "status", user="5", status="Inactive")
    grader.world.bridge.stop()  # forgets the list that it read
    grader.world.bridge.serve()
    grader.members(told)
    assert grader.score(told, listed["Ben Example"], 1)[0] == 403
    grader.world.control(grader.world.lms, "status", user="5", status="Active")
    assert grader.shown("Another") == {}


def test_without_a_place_for_the_absent_it_is_said(grader: Grader) -> None:
    """By Basic Outcomes an LMS names the place of a grade only to the learner who comes."""
    listed = grader.members(grader.opened("list-1.3"))
    for link in ("bo-1.3", "list-1.1"):
        told = grader.opened(link, "student1")
        status, why = grader.score(told, listed["Zoë Exämple"], 1)
        assert status == 403, link
        assert ("only when they open the link" if link == "bo-1.3" else "list of members") in why
