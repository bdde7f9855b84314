"""Who is in a course: read from a real server that lists members in pages, some of them badly."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request

from lti_bridge.core.course.rosters import Member
from lti_bridge.core.launch.message import Person
from lti_bridge.errors import DeliveryError, DeliveryFailed, DeliveryRefused
from lti_bridge.lms.nrps import (
    KEPT_FOR,
    MAX_BYTES,
    MAX_KEPT,
    MAX_KEPT_MEMBERS,
    MAX_MEMBERS,
    MAX_PAGES,
    MAX_SHOWN,
    Memberships,
    _Kept,
    _Listed,
    read_members,
)
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti.keys import SigningKey
from lti_bridge.net import Client
from lti_bridge.sandbox import serving
from tests.flow.world import eventually
from tests.lms.platform13 import NOW, Clock, Platform, random_bytes, rsa_key

MEMBER = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
ANN = {
    "status": "Active",
    "roles": ["Learner"],
    "user_id": "4",
    "lis_person_sourcedid": "SIS-4",
    "name": "Ann Example",
    "given_name": "Ann",
    "family_name": "Example",
    "email": "ann@example.invalid",
    "ext_user_username": "ann",
}


class Lms:
    """A membership service. `link` is the Link header of a page, {n} standing for the next."""

    def __init__(self) -> None:
        self.pages: list[list[Any]] = [[ANN]]
        self.link = "<{url}/members?tenant=7&amp;p={n}>; rel=“next”"  # as Moodle writes it
        self.asked: list[str] = []
        self.scopes: list[str] = []
        self.status, self.delay_s, self.endless = 200, 0.0, False
        self.body: bytes | None = None
        self.redirect = ""
        self.meanwhile: Callable[[], object] = lambda: None
        self.running = serving.start(self._app)
        self.url = self.running.url
        self.members = f"{self.url}/members?tenant=7"

    def _app(self, base_url: str) -> Flask:
        app = Flask("lms")
        app.post("/token")(self._token)
        app.get("/members")(lambda: self._members(base_url))
        return app

    def _token(self) -> Response:
        self.scopes.append(request.form["scope"])
        return jsonify(
            access_token="t", token_type="Bearer", expires_in=3600, scope=request.form["scope"]
        )

    def _members(self, base_url: str) -> Response:
        self.asked.append(request.full_path.rstrip("?"))
        assert request.headers["Authorization"] == "Bearer t"
        if request.headers["Accept"] != TYPE:
            return Response(status=400)
        time.sleep(self.delay_s)
        self.meanwhile()
        if self.redirect:
            return Response(status=307, headers={"Location": self.redirect})
        number = request.args.get("p", 0, type=int)
        page = self.pages[0 if self.endless else number]
        body = json.dumps({"id": "x", "context": {}, "members": page}).encode()
        answer = Response(self.body if self.body is not None else body, self.status)
        answer.content_type = TYPE
        if self.endless or number + 1 < len(self.pages):
            link = self.link.format(url=base_url, n=number + 1)
            answer.headers["Link"] = link.encode().decode("latin-1")
        return answer


@dataclass
class Course:
    """Where the store says the members are, and what it is told of them."""

    urls: dict[tuple[str, str, str], str] = field(default_factory=dict)
    noted: list[tuple[tuple[str, str, str], dict[str, bool], datetime]] = field(
        default_factory=list
    )

    def memberships_url(self, registration: str, deployment_id: str, context_id: str) -> str:
        return self.urls.get((registration, deployment_id, context_id), "")

    def note_members(
        self,
        registration: str,
        deployment_id: str,
        context_id: str,
        active: Mapping[str, bool],
        read_at: datetime,
    ) -> None:
        self.noted.append(((registration, deployment_id, context_id), dict(active), read_at))


class World:
    """A roster of two registrations of one LMS, in one course each."""

    def __init__(self, lms: Lms, **more: Any) -> None:
        self.clock, self.client = Clock(), Client(loopback=True, user_agent="test", timeout_s=30)
        key = SigningKey("tool-1", rsa_key("tool"))
        tokens = Tokens(self.client.send, lambda _: key, self.clock, random_bytes())
        registration = Platform("lms").registration(token_url=f"{lms.url}/token")
        old = Registration11("old", "key", "secret")
        self.course = Course({("lms", "1", "c"): lms.members, ("old", "", "c"): lms.members})
        registrations = {"lms": registration, "old": old}
        self.roster = Memberships(registrations, tokens, self.course, self.clock, **more)

    def members(self, *course: str) -> list[Member] | None:
        registration, deployment_id, context_id = course or ("lms", "1", "c")
        return self.roster.members(registration, deployment_id, context_id)


@pytest.fixture
def lms() -> Iterator[Lms]:
    made = Lms()
    yield made
    made.running.stop()


@pytest.fixture
def world(lms: Lms) -> Iterator[World]:
    made = World(lms)
    yield made
    made.client.close()


@pytest.mark.spec("T13NR-01", "T13NR-07", "CERTV-15")
def test_a_course_is_read_with_its_own_scope(world: World, lms: Lms) -> None:
    members = world.members()
    assert members is not None
    [ann] = members
    assert ann.person.id == "4"
    assert (ann.person.full_name, ann.person.given_name) == ("Ann Example", "Ann")
    assert (ann.person.email, ann.person.username) == ("ann@example.invalid", "ann")
    assert (ann.person.sourced_id, ann.active) == ("SIS-4", True)
    assert ann.roles == (MEMBER + "Learner",)  # sent as a short name
    assert lms.asked == ["/members?tenant=7"]
    assert lms.scopes == [SCOPE]


@pytest.mark.spec("T13NR-02")
@pytest.mark.parametrize(
    "link",
    [
        "<{url}/members?tenant=7&amp;p={n}>; rel=“next”",
        '<{url}/members?tenant=7&p={n}>; rel="next"',
        "<{url}/other>; rel=differences, <{url}/members?tenant=7&p={n}>; rel=next",
        '</members?tenant=7&p={n}>; rel="next"',
    ],
)
def test_pages_are_followed_to_the_end(world: World, lms: Lms, link: str) -> None:
    lms.link = link
    lms.pages = [[ANN], [ANN | {"user_id": "5"}], [ANN | {"user_id": "6"}, ANN]]
    members = world.members()
    assert members is not None
    assert [member.person.id for member in members] == ["4", "5", "6"]
    assert lms.asked[1:] == ["/members?tenant=7&p=1", "/members?tenant=7&p=2"]


@pytest.mark.spec("T13NR-02", "SECP-36")
@pytest.mark.parametrize(("loop", "pages"), [("<{url}/members?tenant=7>", 1), (None, MAX_PAGES)])
def test_pages_without_end_are_given_up(
    world: World, lms: Lms, loop: str | None, pages: int
) -> None:
    lms.endless = True
    lms.link = f'{loop or "<{url}/members?tenant=7&p={n}>"}; rel="next"'
    with pytest.raises(DeliveryRefused, match="no end"):
        world.members()
    assert len(lms.asked) == pages


@pytest.mark.spec("T13NR-02")
def test_a_large_course_is_read_fifty_members_at_a_time(world: World, lms: Lms) -> None:
    """As Canvas lists it, whatever limit it is asked for."""
    users = [ANN | {"user_id": f"u{number}"} for number in range(5200)]
    lms.pages = [users[start : start + 50] for start in range(0, len(users), 50)]
    assert len(world.members() or ()) == 5200


def test_a_list_that_takes_too_long_is_given_up(world: World, lms: Lms) -> None:
    lms.endless = True
    lms.link = '<{url}/members?tenant=7&p={n}>; rel="next"'
    lms.meanwhile = lambda: world.clock.forward(seconds=31)
    with pytest.raises(DeliveryFailed, match="too long"):
        world.members()
    assert len(lms.asked) == 4


@pytest.mark.spec("SECP-36")
def test_pages_of_too_many_bytes_are_given_up(world: World, lms: Lms) -> None:
    lms.endless = True
    lms.pages = [[ANN | {"ext": "x" * 1_000_000}]]
    with pytest.raises(DeliveryRefused, match="no end"):
        world.members()
    assert len(lms.asked) == MAX_BYTES // 1_000_000


@pytest.mark.spec("SECP-36")
def test_a_list_of_too_many_members_is_given_up(world: World, lms: Lms) -> None:
    lms.pages = [
        [{"user_id": f"{n}"} for n in range(start, start + 20_000)]
        for start in range(0, MAX_MEMBERS + 100_000, 20_000)
    ]
    with pytest.raises(DeliveryRefused, match="no end"):
        world.members()
    assert len(lms.asked) == MAX_MEMBERS // 20_000 + 1


@pytest.mark.spec("SECP-35")
@pytest.mark.parametrize("way", ["next", "redirect"])
def test_the_token_goes_to_no_other_server(world: World, lms: Lms, way: str) -> None:
    other = Lms()
    try:
        lms.pages = [[ANN], [ANN]]
        if way == "next":
            lms.link = f'<{other.url}/members?p={{n}}>; rel="next"'
        else:
            lms.redirect = other.members
        with pytest.raises(DeliveryError):
            world.members()
        assert other.asked == []
    finally:
        other.running.stop()


def test_a_next_page_that_is_nowhere_is_given_up(world: World, lms: Lms) -> None:
    lms.pages, lms.link = [[ANN], [ANN]], '<https://[/members?p={n}>; rel="next"'
    with pytest.raises(DeliveryRefused, match="cannot be read"):
        world.members()


@pytest.mark.spec("T13NR-03", "T13NR-04", "T13NR-07")
def test_members_of_few_words() -> None:
    entries = [
        {"user_id": "1", "roles": ["Instructor"]},
        {"user_id": "2", "roles": [MEMBER + "Learner", "Mentor"], "status": "Inactive"},
        {"user_id": "3", "roles": ["Learner"], "status": "Deleted"},
        {"user_id": "4", "roles": ["Learner"], "status": None},
        {"user_id": "5", "roles": "Learner", "name": 7},
        {"user_id": "6"},
        {"user_id": "7", "status": "Perhaps"},
    ]
    found = read_members(json.dumps({"members": entries}).encode())
    assert [one.person.id for one in found] == ["1", "2", "3", "4", "5", "6", "7"]
    assert [one.active for one in found] == [True, False, False, True, True, True, True]
    assert found[0].roles == (MEMBER + "Instructor",)
    assert found[1].roles == (MEMBER + "Learner", MEMBER + "Mentor")
    assert (found[4].roles, found[4].person.full_name) == ((), "")


@pytest.mark.spec("T13NR-04")
def test_who_has_left_is_told_to_the_store_once_for_each_whole_list(world: World, lms: Lms) -> None:
    gone, back = ANN | {"status": "Inactive"}, {"user_id": "5", "roles": [], "status": "Deleted"}
    lms.pages = [[gone, back], [ANN | {"user_id": "5"}, ANN | {"user_id": "6"}]]
    asked_at = world.clock()
    lms.meanwhile = lambda: world.clock.forward(seconds=30)  # a launch then is the later word
    world.members()
    world.members()  # kept in memory: no news
    told = {"4": False, "5": True, "6": True}
    assert world.course.noted == [(("lms", "1", "c"), told, asked_at)]


@pytest.mark.spec("T13NR-04")
def test_a_list_that_breaks_off_says_nothing_of_anybody(world: World, lms: Lms) -> None:
    lms.pages = [[ANN | {"status": "Inactive"}], [ANN]]
    lms.link = f'<{lms.members}>; rel="next"'  # a loop
    with pytest.raises(DeliveryRefused):
        world.members()
    assert world.course.noted == []


@pytest.mark.spec("T13NR-03")
@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"user_id": ""},
        {"user_id": 4.5},
        {"user_id": "a\0"},
        {"user_id": "\ud800"},
        "4",
        None,
        [],
    ],
)
def test_what_names_nobody_is_left_out(entry: object) -> None:
    assert read_members(json.dumps({"members": [entry, ANN]}).encode())[0].person.id == "4"


def test_an_id_that_is_a_number_is_its_text_as_in_a_launch() -> None:
    [found] = read_members(json.dumps({"members": [{**ANN, "user_id": 4}]}).encode())
    assert found.person.id == "4"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"members":{}}', b"[" * 9999, b"\xff"]
)
def test_what_is_no_list_is_an_error(world: World, lms: Lms, body: bytes) -> None:
    lms.body = body
    with pytest.raises(DeliveryFailed):
        world.members()


@pytest.mark.parametrize(
    ("status", "error"), [(403, DeliveryRefused), (404, DeliveryRefused), (503, DeliveryFailed)]
)
def test_a_refusal_is_an_error_and_not_an_empty_course(
    world: World, lms: Lms, status: int, error: type[Exception]
) -> None:
    lms.status = status
    with pytest.raises(error):
        world.members()
    lms.status = 200
    assert len(world.members() or ()) == 1  # and it is asked again


@pytest.mark.spec("T13NR-05")
def test_a_role_is_asked_for_beside_the_addresss_own_query(lms: Lms) -> None:
    world = World(lms, role=MEMBER + "Learner")
    world.members()
    escaped = "http%3A%2F%2Fpurl.imsglobal.org%2Fvocab%2Flis%2Fv2%2Fmembership%23Learner"
    assert lms.asked == [f"/members?tenant=7&role={escaped}"]
    world.client.close()


@pytest.mark.spec("SECP-38")
def test_without_an_address_of_this_very_course_nothing_is_asked(world: World, lms: Lms) -> None:
    for course in (("lms", "2", "c"), ("lms", "1", "d"), ("b", "1", "c"), ("old", "", "c")):
        assert world.members(*course) is None
    assert (lms.asked, lms.scopes) == ([], [])


def test_a_list_is_kept_for_five_minutes(world: World, lms: Lms) -> None:
    for _ in range(3):
        world.members()
    assert len(lms.asked) == 1
    world.clock.forward(seconds=301)
    lms.pages = [[]]
    assert world.members() == []
    assert len(lms.asked) == 2


def test_many_at_once_ask_once(world: World, lms: Lms) -> None:
    lms.delay_s = 0.3
    go = threading.Barrier(6)

    def ask(_: int) -> int:
        go.wait()
        return len(world.members() or ())

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == [1] * 6
    assert len(lms.asked) == 1


def test_names_leave_the_memory_though_nobody_comes() -> None:
    kept = _Kept(timedelta(seconds=0.2))
    for number in range(3):
        kept.put(("lms", "1", f"c{number}"), [Member(Person(id="4"), ())] * 7, NOW)
    assert kept.size() == (3, 21)
    eventually(kept.size, (0, 0))
    kept.put(("lms", "1", "c"), [Member(Person(id="4"), ())], NOW)
    eventually(kept.size, (0, 0))  # and the next time, too


def test_not_more_members_are_kept_than_memory_allows() -> None:
    kept = _Kept(KEPT_FOR)
    for number in range(5):
        listed = _Listed([Member(Person(id="4"), ())] * 8000)
        kept.put(("lms", "1", f"c{number}"), listed, NOW)
    assert kept.size() == (2, 16_000)
    assert kept.get(("lms", "1", "c4"), NOW)
    assert kept.get(("lms", "1", "c2"), NOW) is None
    kept.put(("lms", "1", "c4"), _Listed([]), NOW)
    assert kept.size() == (2, 8000)


def test_a_list_that_is_too_long_to_be_shown_tells_who_has_left(world: World, lms: Lms) -> None:
    """No name of it is kept."""
    users = [{"user_id": f"u{n}", "name": "Ann Example"} for n in range(MAX_SHOWN + 2000)]
    users[-7]["status"] = "Deleted"
    lms.pages = [users[start : start + 2000] for start in range(0, len(users), 2000)]
    for _ in range(2):  # and it is not read again at each look
        with pytest.raises(DeliveryRefused, match="too many to be shown"):
            world.members()
    assert len(lms.asked) == len(lms.pages)
    [(_, active, _)] = world.course.noted
    assert len(active) == len(users)
    assert [user for user, state in active.items() if not state] == [users[-7]["user_id"]]
    assert world.roster._kept.size() == (1, 0)


def test_what_all_that_is_kept_takes() -> None:
    """Full lists of members with everything about them: less than 60 MB."""
    page = [
        ANN | {"user_id": f"{n:036}", "picture": f"https://x.invalid/{n:0200}", "roles": [f"{n}#L"]}
        for n in range(2000)
    ]
    body = json.dumps({"members": page}).encode()
    tracemalloc.start()
    found = read_members(body)
    size = tracemalloc.get_traced_memory()[0] / len(found)
    tracemalloc.stop()
    assert size * MAX_KEPT_MEMBERS < 60_000_000


def test_nothing_is_left_of_courses_that_could_not_be_read(world: World, lms: Lms) -> None:
    lms.status = 403
    for number in range(9):
        world.course.urls["lms", "1", f"c{number}"] = lms.members
        with pytest.raises(DeliveryRefused):
            world.members("lms", "1", f"c{number}")
    assert world.roster._busy == {}


@pytest.mark.parametrize("name", ["name", "email", "picture"])
def test_a_text_longer_than_any_name_is_left_out(name: str) -> None:
    [member] = read_members(json.dumps({"members": [ANN | {name: "x" * 501}]}).encode())
    assert "x" * 501 not in str(member)
    assert member.person.id == "4"


def test_not_more_lists_are_kept_than_memory_allows(world: World, lms: Lms) -> None:
    for number in range(MAX_KEPT + 5):
        world.course.urls["lms", "1", f"c{number}"] = lms.members
        world.members("lms", "1", f"c{number}")
    asked = len(lms.asked)
    world.members("lms", "1", f"c{MAX_KEPT + 4}")
    assert len(lms.asked) == asked
    world.members("lms", "1", "c0")
    assert len(lms.asked) == asked + 1
