"""The bridge's own column: found or made once, against a real server that speaks AGS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request

from lti_bridge.core.grade.gradebook import Outcome
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.grade.states import wanted
from lti_bridge.core.launch.message import Context, GradeTarget, Launch, Once, Person, ResourceLink
from lti_bridge.core.records import Activity, Course, Delivery
from lti_bridge.errors import DeliveryFailed, DeliveryHeld, DeliveryRefused
from lti_bridge.lms.deliver import Gradebooks
from lti_bridge.lms.line_items import LineItems
from lti_bridge.lms.paging import MAX_PAGES
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags
from lti_bridge.lti.keys import SigningKey
from lti_bridge.net import Client
from lti_bridge.sandbox import serving
from lti_bridge.store.columns import Columns
from lti_bridge.store.engine import Database
from lti_bridge.store.grades import resend
from lti_bridge.store.store import Store
from tests import claims
from tests.lms.platform13 import NOW, Clock, Platform, random_bytes, rsa_key

ALL = (ags.LINE_ITEM, ags.LINE_ITEM_READ, ags.RESULT_READ, ags.SCORE)
READ = (ags.LINE_ITEM_READ, ags.SCORE)
LEASE_S = 50.0
LINK = "rl-7"


class Ags:
    """An LMS's grade service in one course. What it does wrong is set by a test."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.added = 0
        self.calls: list[tuple[str, str, str, bytes]] = []
        self.scores: list[str] = []
        self.asked: list[set[str]] = []
        self.page_size, self.delay_s = 100, 0.0
        self.content_type = "application/json"  # of all that it answers
        self.filters = True
        self.next_link = ""  # instead of the true one
        self.create_status, self.scores_status = 201, 200
        self.created_at = ""  # the server that a made item is said to be on
        self.searched: Callable[[], None] = lambda: None
        self.running = serving.start(self._app)
        self.container = f"{self.running.url}/items?type_id=1"

    def add(self, **members: str) -> str:
        """Add an item; its address."""
        self.added += 1
        number = self.added
        url = f"{self.created_at or self.running.url}/items/{number}?type_id=1"
        self.items.append({"id": url, "label": "x", "scoreMaximum": 100, **members})
        return url

    def called(self, method: str) -> list[tuple[str, str, bytes]]:
        """Requests to the container: address, media type and body."""
        return [call[1:] for call in self.calls if call[0] == method]

    def _app(self, base_url: str) -> Flask:
        app = Flask("ags")
        app.post("/token")(self._token)
        app.get("/items")(lambda: self._list(base_url))
        app.post("/items")(self._create)
        app.post("/items/<number>/scores")(self._score)
        app.after_request(self._typed)
        app.route("/items/<number>", methods=["GET", "DELETE"])(self._one)
        return app

    def _token(self) -> Response:
        scope = request.form["scope"]
        self.asked.append(set(scope.split()))
        token = scope.replace(" ", "+")
        return jsonify(access_token=token, token_type="Bearer", expires_in=3600, scope=scope)

    def _may(self, *scopes: str) -> bool:
        held = request.headers["Authorization"].removeprefix("Bearer ").split("+")
        return bool({*held} & {*scopes})

    def _note(self, media_type: str) -> None:
        self.calls.append((request.method, request.full_path, media_type, request.get_data()))

    def _list(self, base_url: str) -> Response:
        self._note(request.headers["Accept"])
        assert self._may(ags.LINE_ITEM, ags.LINE_ITEM_READ)
        self.searched()
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        found, wanted = self.items, request.args
        if self.filters:
            for name in names.keys() & wanted.keys():
                found = [item for item in found if item.get(names[name]) == wanted[name]]
        start = int(wanted.get("from", 0))
        answer = jsonify(found[start : start + self.page_size])
        following = self.next_link.replace("N", str(len(self.calls)))
        if not following and start + self.page_size < len(found):
            following = f"{base_url}/items?type_id=1&amp;from={start + self.page_size}"
        if following:
            answer.headers["Link"] = f"<{following}>; rel=“next”".encode().decode("latin-1")
        return answer

    def _create(self) -> Response:
        self._note(request.headers["Content-Type"])
        assert self._may(ags.LINE_ITEM)
        time.sleep(self.delay_s)
        if self.create_status < 400 or self.create_status >= 500:
            sent = request.get_json(force=True)
            self.add(**sent)
        return jsonify(self.items[-1] if self.create_status < 400 else {}), self.create_status

    def _score(self, number: str) -> Response:
        assert self._may(ags.SCORE)
        assert request.args["type_id"] == "1"
        known = any(f"/items/{number}?" in item["id"] for item in self.items)
        if not known or self.scores_status == 404:
            return Response(status=404)
        self.scores.append(f"{number} {request.get_json(force=True)['userId']}")
        return Response(status=self.scores_status)

    def _typed(self, response: Response) -> Response:
        response.content_type = self.content_type
        return response

    def _one(self, number: str) -> Response:
        """Nothing can be read here, as at some LMSs."""
        assert self._may(ags.LINE_ITEM)
        if request.method == "GET":
            return Response(status=404)
        self.items = [item for item in self.items if f"/items/{number}?" not in item["id"]]
        return Response(status=204)


class Bridge:
    """One worker's gradebook and the database it shares with others."""

    def __init__(self, database_url: str, lms: Ags, clock: Clock) -> None:
        self.database, self.lms, self.clock = Database(database_url), lms, clock
        self.store, self.columns = Store(self.database, clock), Columns(self.database)
        registration = Platform("lms").registration(token_url=f"{lms.running.url}/token")
        self.client = Client(loopback=True, user_agent="test")
        key, fresh = SigningKey("tool-1", rsa_key("tool")), random_bytes()
        tokens = Tokens(self.client.send, lambda _: key, clock, fresh)

        def new_id() -> str:
            return f"{id(self)}-{fresh(8).hex()}"

        items = LineItems(
            tokens, self.columns, {"excel": "Excel test"}, clock, new_id, lease_s=LEASE_S
        )
        self.gradebook = Gradebooks(
            {"lms": registration}, tokens, self.client.send, clock, new_id, items
        )

    def grade(
        self, user: str = "u1", link: str = LINK, activity: str = "excel", **target: Any
    ) -> Delivery:
        """A learner's grade on its way; the launch offers only the container unless told."""
        offered = {"line_items": self.lms.container, "scopes": ALL} | target
        launch = Launch(
            registration="lms",
            lti="1.3",
            once=Once("x", "x", NOW),
            received_at=NOW,
            deployment_id="1",
            person=Person(id=user),
            context=Context(id="course"),
            resource_link=ResourceLink(id=link),
            grade_target=GradeTarget(**offered),
        )
        with self.store.transaction() as tx:
            link_id = tx.save_link(launch, activity, f"link-of-{link}").id
            learner = tx.learner("lms", user, f"learner-{user}", NOW)
            tx.save_target(f"grade-{user}-{link}", launch, link_id, learner)
            cell = tx.cell(link_id, learner)
            wish = wanted(cell, Score(Decimal(4), Decimal(5)), "")
            assert wish is not None
            assert tx.save_wish(cell, wish, self.clock())
        [delivery] = claims.deliveries(self.store, self.clock(), 15, 1)
        return delivery

    def deliver(self, *args: str, **target: Any) -> None:
        self.gradebook.deliver(self.grade(*args, **target))

    def close(self) -> None:
        self.client.close()
        self.database.close()


@pytest.fixture
def lms() -> Iterator[Ags]:
    made = Ags()
    yield made
    made.running.stop()


@pytest.fixture
def bridge(tmp_path: Path, lms: Ags) -> Iterator[Bridge]:
    yield from running(f"sqlite:///{tmp_path}/bridge.sqlite3", lms)


@pytest.fixture
def either(database_url: str, lms: Ags) -> Iterator[Bridge]:
    """The bridge on each database."""
    yield from running(database_url, lms)


def running(database_url: str, lms: Ags) -> Iterator[Bridge]:
    made = Bridge(database_url, lms, Clock())
    made.database.migrate()
    yield made
    made.close()


@pytest.mark.spec("T13AG-13", "T13AG-14", "T13AG-17", "T13TK-05")
def test_the_first_grade_makes_the_column_and_the_others_use_it(either: Bridge, lms: Ags) -> None:
    either.deliver("u1")
    assert lms.called("POST") == [
        (
            "/items?type_id=1",
            "application/vnd.ims.lis.v2.lineitem+json",
            b'{"label":"Excel test","scoreMaximum":100,"resourceLinkId":"rl-7",'
            b'"resourceId":"link-of-rl-7","tag":"lti-bridge"}',
        )
    ]
    accept = "application/vnd.ims.lis.v2.lineitemcontainer+json"
    assert lms.called("GET") == [
        ("/items?type_id=1&resource_link_id=rl-7", accept, b""),
        ("/items?type_id=1&resource_id=link-of-rl-7&tag=lti-bridge", accept, b""),
    ]
    assert lms.asked == [{ags.LINE_ITEM}, {ags.SCORE}]
    before = len(lms.calls)
    either.deliver("u2")
    assert len(lms.calls) == before
    either.deliver("u1", "rl-8")
    assert lms.scores == ["1 u1", "1 u2", "2 u1"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/html", "application/vnd.ims.lis.v2.lineitem+json; charset=utf-8"],
)
def test_an_answer_is_read_whatever_it_calls_itself(
    bridge: Bridge, lms: Ags, content_type: str
) -> None:
    """Line items as application/json are common, and Moodle says text/html of everything."""
    lms.content_type = content_type
    lms.add(**OURS, **ELSEWHERE)
    lms.filters = False
    bridge.deliver("u1")
    bridge.deliver("u2")
    assert lms.scores == ["2 u1", "2 u2"]


@pytest.mark.spec("T13AG-14")
def test_a_column_counts_to_the_points_that_the_instructor_set(either: Bridge, lms: Ags) -> None:
    course = Course("lms", "1", "course")
    made = Activity("a-1", "Final exam", "tosa", {}, course=course, maximum="12.5")
    with either.store.transaction() as tx:
        assert tx.save_course_activity(made, "", NOW)
    either.deliver(activity="a-1")
    [(_, _, sent)] = lms.called("POST")
    assert b'"label":"Final exam","scoreMaximum":12.5,' in sent


OURS = {"resourceId": f"link-of-{LINK}", "tag": "lti-bridge"}
COPIED = {"resourceId": "link-before-the-copy", "tag": "lti-bridge"}
HERE, ELSEWHERE = {"resourceLinkId": LINK}, {"resourceLinkId": "rl-8"}


@pytest.mark.spec("T13AG-14")
@pytest.mark.parametrize("filters", [True, False], ids=["filters", "none"])
@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{}, HERE], 2),
        ([HERE, HERE], 3),
        ([HERE, HERE | COPIED], 2),
        ([HERE, HERE | COPIED, HERE | OURS], 3),
        ([ELSEWHERE | OURS, ELSEWHERE | COPIED, {"resourceLinkId": ""}], 4),
        ([COPIED, {"resourceId": OURS["resourceId"]}, {"tag": OURS["tag"]}], 4),
        ([{}, OURS], 2),
    ],
)
def test_an_existing_column_is_found_before_one_is_made(
    bridge: Bridge, lms: Ags, items: list[dict[str, str]], expected: int, filters: bool
) -> None:
    lms.filters = filters
    for item in items:
        lms.add(**item)
    bridge.deliver()
    assert lms.scores == [f"{expected} u1"]
    assert len(lms.items) == max(expected, len(items))


@pytest.mark.spec("T13AG-13")
def test_the_next_page_is_called_as_given(bridge: Bridge, lms: Ags) -> None:
    lms.page_size, lms.filters = 2, False
    for item in ({}, {}, ELSEWHERE, ELSEWHERE, HERE):
        lms.add(**item)
    bridge.deliver()
    assert [address for address, *_ in lms.called("GET")] == [
        "/items?type_id=1&resource_link_id=rl-7",
        "/items?type_id=1&from=2",
        "/items?type_id=1&from=4",
    ]
    assert lms.scores == ["5 u1"]


@pytest.mark.spec("SECP-36")
@pytest.mark.parametrize(("following", "pages"), [("/items?a=b", 2), ("/items?p=N", MAX_PAGES)])
def test_pages_without_end_stop_and_make_nothing(
    bridge: Bridge, lms: Ags, following: str, pages: int
) -> None:
    lms.next_link = following
    with pytest.raises(DeliveryRefused, match="no end"):
        bridge.deliver()
    assert len(lms.called("GET")) == pages
    assert lms.items == []


@pytest.mark.spec("SECP-36")
def test_too_many_items_stop_too(bridge: Bridge, lms: Ags) -> None:
    lms.items, lms.filters = [{"id": f"{lms.running.url}/items/0"}] * 2600, False
    lms.page_size, lms.next_link = 2600, "/items?p=N"
    with pytest.raises(DeliveryRefused, match="no end"):
        bridge.deliver()
    assert len(lms.called("GET")) == 2


@pytest.mark.spec("SECP-35")
def test_no_token_goes_to_another_server(bridge: Bridge, lms: Ags) -> None:
    other = Ags()
    try:
        lms.next_link = f"{other.running.url}/items"
        with pytest.raises(DeliveryRefused, match="another server"):
            bridge.deliver("u1")
        assert lms.items == []
        lms.next_link, lms.created_at = "", other.running.url
        other.add()
        with pytest.raises(DeliveryRefused, match="another server"):
            bridge.deliver("u2")
        assert len(lms.items) == 1
        assert (other.calls, other.scores) == ([], [])
    finally:
        other.running.stop()


@pytest.mark.spec("T13TK-05")
def test_reading_is_enough_to_find_a_column_but_not_to_make_one(bridge: Bridge, lms: Ags) -> None:
    with pytest.raises(DeliveryRefused, match="no line item"):
        bridge.deliver("u1", scopes=READ)
    lms.add(**HERE)
    bridge.deliver("u2", scopes=READ)
    assert lms.scores == ["1 u2"]
    assert lms.asked == [{ags.LINE_ITEM_READ}, {ags.SCORE}]


@pytest.mark.spec("T13TK-05")
@pytest.mark.parametrize("scopes", [(ags.SCORE, ags.RESULT_READ), (ags.LINE_ITEM,), ()])
def test_without_the_scopes_nothing_is_asked(
    bridge: Bridge, lms: Ags, scopes: tuple[str, ...]
) -> None:
    with pytest.raises(DeliveryRefused, match="offers no place"):
        bridge.deliver(scopes=scopes)
    assert (lms.asked, lms.calls) == ([], [])


@pytest.mark.spec("T13AG-17")
def test_a_line_item_of_the_launch_is_used_without_the_container(bridge: Bridge, lms: Ags) -> None:
    item = lms.add()
    bridge.deliver("u1", line_item=item, line_items="")
    bridge.deliver("u2", line_item=item)
    assert lms.scores == ["1 u1", "1 u2"]
    assert lms.calls == []


def test_a_place_for_basic_outcomes_comes_before_a_column_of_our_own(
    bridge: Bridge, lms: Ags
) -> None:
    with pytest.raises(DeliveryRefused, match="outcomes: HTTP 404"):  # not spoken by this server
        bridge.deliver(outcome_url=f"{lms.running.url}/outcomes", sourced_id="cell")
    assert (lms.calls, lms.items) == ([], [])


def test_a_deleted_column_is_made_again_once(either: Bridge, lms: Ags) -> None:
    either.deliver("u1")
    lms.items[0] = {"id": "gone"}
    either.deliver("u2")
    either.deliver("u3")
    assert lms.scores == ["1 u1", "2 u2", "2 u3"]
    assert len(lms.called("POST")) == 2


def test_a_404_that_is_not_about_the_column_makes_no_second_one(bridge: Bridge, lms: Ags) -> None:
    lms.scores_status = 404
    with pytest.raises(DeliveryRefused, match="404"):
        bridge.deliver("u1")
    assert len(lms.items) == 1
    lms.scores_status = 200
    bridge.deliver("u2")
    assert (len(lms.items), lms.scores) == (1, ["1 u2"])


def test_a_deleted_column_of_the_launch_needs_the_container(bridge: Bridge, lms: Ags) -> None:
    gone = f"{lms.running.url}/items/77?type_id=1"
    with pytest.raises(DeliveryRefused, match="404"):
        bridge.deliver("u1", line_item=gone, line_items="")
    assert lms.calls == []
    bridge.deliver("u2", line_item=gone)
    bridge.deliver("u3", line_item=gone)
    assert lms.scores == ["1 u2", "1 u3"]
    assert len(lms.called("POST")) == 1


def test_a_column_found_by_a_faster_worker_is_not_forgotten(either: Bridge) -> None:
    link_id = either.columns.column(either.grade().grade_id).link_id
    assert either.columns.claim(link_id, "a", NOW, LEASE_S)
    either.columns.settle(link_id, "a", "https://lms.example.edu/new")
    either.columns.forget(link_id, "https://lms.example.edu/old")
    either.columns.settle(link_id, "a", "https://lms.example.edu/too-late")
    assert not either.columns.claim(link_id, "b", NOW + timedelta(days=1), LEASE_S)
    column = either.columns.column("grade-u1-rl-7")
    assert column.line_item == "https://lms.example.edu/new"


def test_two_workers_make_one_column(either: Bridge, lms: Ags, database_url: str) -> None:
    lms.delay_s = 0.5
    other = Bridge(database_url, lms, either.clock)
    work = [(either, either.grade("u1")), (other, other.grade("u2"))]

    def deliver(job: tuple[Bridge, Delivery]) -> str:
        try:
            job[0].gradebook.deliver(job[1])
        except DeliveryHeld:
            return "held"
        return "delivered"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(deliver, work)) == ["delivered", "held"]
        assert list(pool.map(deliver, work)) == ["delivered", "delivered"]
    other.close()
    assert len(lms.items) == len(lms.called("POST")) == 1


def test_a_dead_workers_lease_ends(either: Bridge, lms: Ags) -> None:
    delivery = either.grade()
    link_id = either.columns.column(delivery.grade_id).link_id
    assert either.columns.claim(link_id, "of-the-dead", either.clock(), LEASE_S)
    either.clock.forward(seconds=LEASE_S - 0.01)
    with pytest.raises(DeliveryHeld):
        either.gradebook.deliver(delivery)
    assert lms.calls == []
    either.clock.forward(seconds=0.01)
    either.gradebook.deliver(delivery)
    assert lms.scores == ["1 u1"]


def test_who_searched_too_long_makes_nothing(either: Bridge, lms: Ags) -> None:
    delivery = either.grade()
    link_id = either.columns.column(delivery.grade_id).link_id

    def another_takes_over() -> None:
        either.clock.forward(seconds=LEASE_S)
        either.columns.claim(link_id, "of-another", either.clock(), 3 * LEASE_S)

    lms.searched = another_takes_over
    with pytest.raises(DeliveryHeld):
        either.gradebook.deliver(delivery)
    assert lms.called("POST") == []
    with pytest.raises(DeliveryHeld):  # and it did not end the other one's lease
        either.gradebook.deliver(delivery)


def test_after_an_unclear_answer_nobody_looks_too_early(either: Bridge, lms: Ags) -> None:
    lms.create_status = 504
    delivery = either.grade()
    with pytest.raises(DeliveryFailed, match="504"):
        either.gradebook.deliver(delivery)
    with pytest.raises(DeliveryHeld):
        either.gradebook.deliver(delivery)
    either.clock.forward(seconds=LEASE_S)
    either.gradebook.deliver(delivery)
    assert lms.scores == ["1 u1"]
    assert len(lms.called("POST")) == 1


def test_after_a_clear_refusal_the_next_grade_may_try(bridge: Bridge, lms: Ags) -> None:
    lms.create_status = 403
    with pytest.raises(DeliveryRefused, match="line item: HTTP 403"):
        bridge.deliver("u1")
    lms.create_status = 201
    bridge.deliver("u2")
    assert lms.scores == ["1 u2"]


def tried(bridge: Bridge, delivery: Delivery, tries: int) -> str:
    """Try to bring a grade that was tried so often before; why that failed."""
    with pytest.raises(DeliveryFailed) as failed:
        bridge.gradebook.deliver(replace(delivery, tries=tries))
    return failed.value.detail


def test_a_column_that_takes_no_score_is_taken_away_and_not_made_at_each_try(
    either: Bridge, lms: Ags
) -> None:
    """It stays for a few tries, because an LMS may fail for a moment just then."""
    lms.scores_status = 500
    mine, yours = either.grade("u1"), either.grade("u2")
    assert tried(either, mine, 0) == tried(either, mine, 1) == "scores: HTTP 500"
    assert (len(lms.items), lms.added) == (1, 1)
    away = "scores, in a column that was made for them and taken away again: HTTP 500"
    assert tried(either, mine, 2) == away
    assert lms.items == []
    calls = len(lms.calls)
    either.clock.now += timedelta(hours=1, minutes=59)
    assert {tried(either, mine, 3), tried(either, yours, 0)} == {away}
    assert (len(lms.calls), lms.added) == (calls, 1)
    either.clock.now += timedelta(minutes=2)
    assert tried(either, mine, 5) == away  # once more, and for longer
    assert (lms.items, lms.added) == ([], 2)
    either.clock.now += timedelta(hours=4)
    assert tried(either, mine, 6) == away
    assert lms.added == 2
    lms.scores_status = 200
    assert resend(either.database, [f"grade-u1-{LINK}"], now=either.clock()) == 1
    either.gradebook.deliver(mine)
    assert lms.scores[-1] == "3 u1"


def test_a_column_in_which_others_have_grades_is_never_taken_away(
    database_url: str, lms: Ags
) -> None:
    """Another worker's grade may have come there meanwhile."""
    first, other = (next(running(database_url, lms)) for _ in range(2))
    lms.scores_status = 500
    mine = first.grade("u1")
    assert tried(first, mine, 0) == "scores: HTTP 500"
    lms.scores_status = 200
    delivery = other.grade("u2")
    other.gradebook.deliver(delivery)
    other.store.settle(delivery, other.clock(), Outcome("delivered"))
    lms.scores_status = 500
    assert tried(first, mine, 5) == "scores: HTTP 500"
    assert len(lms.items) == 1
    first.close()
    other.close()
