"""An LMS's grade services with the habits of a family, and one worker of a bridge before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jwt
from flask import Flask, Response, jsonify, request
from sqlalchemy import text

from lti_bridge.core.attempt import states as attempt_states
from lti_bridge.core.grade import states
from lti_bridge.core.grade.deliveries import Passback
from lti_bridge.core.grade.read_back import ReadBack
from lti_bridge.core.grade.scores import Score, grade_of
from lti_bridge.core.launch.message import (
    Context,
    GradeTarget,
    Launch,
    Once,
    Person,
    Platform,
    ResourceLink,
)
from lti_bridge.core.records import Attempt, AttemptState, Incoming
from lti_bridge.lms.deliver import Gradebooks
from lti_bridge.lms.line_items import LineItems
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import ags
from lti_bridge.lti.keys import SigningKey
from lti_bridge.net import Client
from lti_bridge.sandbox import serving
from lti_bridge.store.columns import Columns
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store
from tests import claims
from tests.lms.platform13 import NOW, Clock, random_bytes, rsa_key
from tests.lms.platform13 import Platform as Signer
from tests.lms.pretend import LINK as LINK
from tests.lms.pretend import PretendLms

ALL = (ags.LINE_ITEM, ags.RESULT_READ, ags.SCORE)


class Gradebook:
    """A gradebook over HTTP. `cells` is what it shows; a teacher writes into it directly.

    `refuses` answers a request instead: path, then a response or None. `strict_seconds` and
    `wipes` are Moodle's habits (moodle.md), `unknown_links` one of Canvas.
    """

    USER = "u1"

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, Any]] = {}
        self.stamps: dict[str, int] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.accepted: list[str] = []
        self.scores: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.created: list[dict[str, Any]] = []
        self.audiences: list[str] = []
        self.strict_seconds = self.wipes = self.unknown_links = self.unfiltered = False
        self.refuses: Callable[[str], Response | None] = lambda path: None
        self.running = serving.start(self._app)
        self.url = self.running.url
        self.token_url = f"{self.url}/token"
        self.container = f"{self.url}/items?type_id=1"
        self.item = self.add()

    def add(self, **members: Any) -> str:
        """Add a column; its address, with a query as Moodle's has."""
        number = str(len(self.created) + len(self.items) + 1)
        url = f"{self.url}/items/{number}/lineitem?type_id=1"
        self.items[number] = {"id": url, "label": "x", "scoreMaximum": 100, **members}
        return url

    def count(self, method: str, ending: str) -> int:
        """How many requests of a kind were made."""
        return sum(1 for one in self.asked if one[0] == method and one[1].endswith(ending))

    def _app(self, base_url: str) -> Flask:
        app = Flask("gradebook")
        app.before_request(self._note)
        app.post("/token")(self._token)
        app.get("/items")(self._list)
        app.post("/items")(self._create)
        app.post("/items/<number>/lineitem/scores")(self._score)
        app.get("/items/<number>/lineitem/results")(self._results)
        return app

    def _note(self) -> Response | None:
        self.asked.append((request.method, request.path))
        if request.path != "/token":
            held = request.headers["Authorization"].removeprefix("Bearer ").split("+")
            needed = ags.RESULT_READ if request.path.endswith("results") else None
            assert needed is None or needed in held
        return self.refuses(request.path)

    def _token(self) -> Response:
        scope = request.form["scope"]
        claims = jwt.decode(request.form["client_assertion"], options={"verify_signature": False})
        self.audiences.append(claims["aud"])
        answer = {
            "access_token": scope.replace(" ", "+"),
            "token_type": "bearer",
            "expires_in": 3600,
            "scope": scope,
        }
        return Response(json.dumps(answer), content_type="text/html")

    def _list(self) -> Response:
        found, wanted = list(self.items.values()), request.args
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        for name in names.keys() & wanted.keys():
            found = [item for item in found if item.get(names[name]) == wanted[name]]
        return jsonify(found)

    def _create(self) -> tuple[Response, int]:
        sent = request.get_json(force=True)
        self.created.append(sent)
        if self.unknown_links and "resourceLinkId" in sent:
            return jsonify(errors=[{"message": "The specified resource does not exist."}]), 404
        url = self.add(**sent)
        return jsonify({**sent, "id": url}), 201

    def _score(self, number: str) -> Response:
        if number not in self.items:
            return Response(status=404)
        self.bodies.append(request.get_data())
        sent = json.loads(request.get_data(), parse_float=Decimal)
        self.scores.append(sent)
        user = sent["userId"]
        if b"\n" in request.get_data():
            return Response("[]", content_type="text/html")  # what Moodle says when it cannot
        second = int(_moment(sent["timestamp"]))
        if self.strict_seconds and second <= self.stamps.get(user, 0):
            return Response("Refusing score with an earlier timestamp", 409)
        self.stamps[user] = second
        cell = {"maximum": sent.get("scoreMaximum"), "score": sent.get("scoreGiven")}
        old = self.cells.get(user, {}).get("comment", "")
        cell["comment"] = sent.get("comment", "" if self.wipes else old)
        self.cells[user] = cell
        return Response(status=200, content_type="text/html")

    def _results(self, number: str) -> Response:
        self.accepted.append(request.headers["Accept"])
        if number not in self.items:
            return Response(status=404)
        wanted = request.args["user_id"]
        assert request.args["type_id"] == "1"
        found = [
            {
                "userId": user,
                "resultScore": None if cell["score"] is None else float(cell["score"]),
                "resultMaximum": float(cell["maximum"] or 1),
                "comment": cell.get("comment", ""),
            }
            for user, cell in self.cells.items()
            if self.unfiltered or user == wanted
        ]
        return jsonify(found)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Bridge:
    """One worker before an LMS, and what providers report to it."""

    def __init__(
        self, database: str, lms: Gradebook | PretendLms, family: str = "", **more: Any
    ) -> None:
        self.lms, self.family, self.clock = lms, family, Clock()
        self.database = Database(database)
        self.database.migrate()
        self.store = Store(self.database, self.clock)
        self.columns = Columns(self.database)
        registration = Signer("lms").registration(token_url=lms.token_url, **more)
        self.client = Client(loopback=True, user_agent="test", timeout_s=30)
        key, fresh = SigningKey("tool-1", rsa_key("tool")), random_bytes()
        self.tokens = Tokens(self.client.send, lambda _: key, self.clock, fresh)

        def new_id() -> str:
            return fresh(8).hex()

        items = LineItems(
            self.tokens, self.columns, {"excel": "Excel"}, self.clock, new_id, lease_s=50
        )
        self.registrations = {"lms": registration}
        self.gradebook = Gradebooks(
            self.registrations, self.tokens, self.client.send, self.clock, new_id, items
        )
        self.keep = True
        self.passback = Passback(
            self.store, self.gradebook, self.clock, lambda: 0.5, lambda lms, activity: self.keep
        )
        self.readback = ReadBack(self.store, self.gradebook, self.clock, lambda: 0.5)
        self._event = 0

    def close(self) -> None:
        self.client.close()
        self.database.close()

    def launch(self, user: str = "u1", **target: Any) -> Launch:
        """A learner's click; the launch's own column unless told otherwise."""
        offered = {"line_item": self.lms.item, "scopes": ALL} | target
        return Launch(
            registration="lms",
            lti="1.3",
            once=Once("x", "x", NOW),
            received_at=NOW,
            deployment_id="1",
            person=Person(id=user),
            context=Context(id="course"),
            resource_link=ResourceLink(id=LINK),
            platform=Platform(family=self.family),
            grade_target=GradeTarget(**offered),
        )

    def report(
        self,
        score: str | None,
        user: str = "u1",
        number: int = 1,
        maximum: str = "100",
        state: AttemptState | None = None,
        pending: str = "",
        **target: Any,
    ) -> None:
        """A provider's score for an attempt, recorded as the bridge does it."""
        launch, self._event = self.launch(user, **target), self._event + 1
        with self.store.transaction() as tx:
            link = tx.save_link(launch, "excel", f"link-{LINK}")
            learner = tx.learner("lms", user, f"learner-{user}", NOW)
            tx.save_target(f"grade-{user}", launch, link.id, learner)
            attempt = Attempt(
                f"{user}-{number}", link.id, learner, number, "excel", "c", "last", "created"
            )
            tx.create_attempt(attempt, self.clock())
            value = None if score is None else Score(Decimal(score), Decimal(maximum))
            state = state or ("graded" if value else "invalidated")
            incoming = Incoming("provider", f"e{self._event}", state, value)
            tx.save_result(f"r{self._event}", attempt, incoming, self.clock())
            after = attempt_states.received(attempt, incoming)
            assert after is not None
            cell = attempt_states.placed(tx.cell(link.id, learner), after, self.clock())
            tx.save_attempt(after, cell, "provider", self.clock())
            if value is None and state != "invalidated":
                value = grade_of("last", tx.scores(link.id, learner))
            if wish := states.wanted(cell, value, pending):
                tx.save_wish(cell, wish, self.clock())

    def deliver(self, seconds: float = 2) -> dict[str, Any]:
        """Deliver what is due; the row of the first learner, after that time."""
        for delivery in claims.deliveries(self.store, self.clock(), 15, 32):
            self.passback.deliver(delivery)
        self.clock.forward(seconds=seconds)
        return self.row()

    def look(self, seconds: float = 10) -> dict[str, Any]:
        """Look at what the LMS shows, when it is time; the row of the first learner."""
        self.clock.forward(seconds=seconds)
        for delivery in claims.reads(self.store, self.clock(), 60, 32):
            self.readback.look(delivery)
        return self.row()

    def row(self, user: str = "") -> dict[str, Any]:
        """A grade as it is in the database."""
        user = user or self.lms.USER
        with self.database.reading() as connection:
            sql = text("SELECT * FROM grades WHERE user_id = :user")
            return dict(connection.execute(sql, {"user": user}).one()._mapping)


@contextmanager
def bridge_before(
    where: Path | str, lms: Gradebook | PretendLms, family: str = "", **more: Any
) -> Iterator[Bridge]:
    """A bridge for one test: with a database in this folder, or at this address."""
    database = where if isinstance(where, str) else f"sqlite:///{where}/bridge.sqlite3"
    made = Bridge(database, lms, family, **more)
    try:
        yield made
    finally:
        made.close()
