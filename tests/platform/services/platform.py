"""A bridge in this process, an LTI 1.1 LMS that launches, and LTI 1.3 tools that call services."""

from __future__ import annotations

import html
import json
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.web import web_app
from lti_bridge.core.course.rosters import Roster
from lti_bridge.settings import parse
from tests.flow.campus11 import Campus

URL = "https://bridge.example.edu"
AGS = "https://purl.imsglobal.org/spec/lti-ags/"
LINE_ITEM, READ_ONLY = AGS + "scope/lineitem", AGS + "scope/lineitem.readonly"
SCORE, RESULT = AGS + "scope/score", AGS + "scope/result.readonly"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
OUTCOME_CLAIM = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
ITEM_TYPE = "application/vnd.ims.lis.v2.lineitem+json"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
OUTCOME_TYPE = "application/vnd.ims.lti.v1.outcome+xml"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
EVERY = ("ags", "basic-outcome", "members")


def make_key() -> rsa.RSAPrivateKey:
    """A key pair."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """The public half as a tool's administrator pastes it."""
    made = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made.decode()


@dataclass(frozen=True)
class Learner:
    """What a tool knows after a launch: its claims, and where to call."""

    claims: dict[str, Any]

    @property
    def user_id(self) -> str:
        return str(self.claims["sub"])

    @property
    def line_item(self) -> str:
        return str(self.claims[AGS + "claim/endpoint"]["lineitem"])

    @property
    def line_items(self) -> str:
        return str(self.claims[AGS + "claim/endpoint"]["lineitems"])

    @property
    def link(self) -> str:
        return str(self.claims[LTI + "resource_link"]["id"])

    @property
    def sourced_id(self) -> str:
        return str(self.claims[OUTCOME_CLAIM]["lis_result_sourcedid"])


@dataclass
class Tool:
    """One LTI 1.3 tool as its operator sees it."""

    platform: Platform
    client_id: str
    key: rsa.RSAPrivateKey = field(default_factory=make_key)
    deployment_id: str = "1"

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a client assertion, some changed or (None) left out."""
        now = int(time.time())
        made = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{URL}/platform/token",
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_hex(16),
            **changes,
        }
        return {name: value for name, value in made.items() if value is not None}

    def assertion(self, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A signed client assertion."""
        header = {"kid": "k"} if headers is None else headers
        return jwt.encode(self.claims(**changes), self.key, "RS256", header)

    def ask(self, *scopes: str, assertion: str = "", **changes: str | None) -> TestResponse:
        """Ask for a token, with some of the form changed or (None) left out."""
        form: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion or self.assertion(),
            "scope": " ".join(scopes),
            **changes,
        }
        return self.platform.client.post(
            "/platform/token",
            data=urlencode({name: value for name, value in form.items() if value is not None}),
            content_type=FORM,
        )

    def token(self, *scopes: str) -> str:
        """An access token."""
        answer = self.ask(*scopes)
        assert answer.status_code == 200, answer.data
        return str(answer.json["access_token"])

    def call(
        self,
        method: str,
        url: str,
        scope: str,
        body: Any = None,
        content_type: str | None = None,
        **headers: str,
    ) -> TestResponse:
        """A call to a service with a fresh token."""
        return self.send(method, url, self.token(scope), body, content_type, **headers)

    def send(
        self,
        method: str,
        url: str,
        token: str,
        body: Any = None,
        content_type: str | None = None,
        **headers: str,
    ) -> TestResponse:
        """A call to a service with this token."""
        data = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        return self.platform.client.open(
            url.removeprefix(URL),
            method=method,
            data=data,
            content_type=content_type,
            headers={"Authorization": f"Bearer {token}", **headers},
        )

    def create(self, learner: Learner, **members: Any) -> TestResponse:
        """POST a line item."""
        body = {"label": "Quiz", "scoreMaximum": 60, **members}
        body = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", learner.line_items, LINE_ITEM, body, ITEM_TYPE)

    def score(self, learner: Learner, at: str = "", item: str = "", **members: Any) -> TestResponse:
        """POST a fully graded score; members may be changed or (...) left out."""
        body = {
            "userId": learner.user_id,
            "scoreGiven": 1,
            "scoreMaximum": 1,
            "timestamp": at or f"{self.platform.tick()}Z",
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            **members,
        }
        body = {name: value for name, value in body.items() if value is not ...}
        return self.call("POST", f"{item or learner.line_item}/scores", SCORE, body, SCORE_TYPE)

    def results(self, item: str, query: str = "") -> list[dict[str, Any]]:
        """GET the results of a line item."""
        answer = self.call("GET", f"{item}/results{query}", RESULT)
        assert answer.status_code == 200, answer.data
        return list(answer.json)


class Platform:
    """The bridge and everybody around it. Tools: `quiz`, `other`, and `lean` (basic outcomes)."""

    def __init__(self, folder: Path, database: str, roster: Roster | None = None) -> None:
        self.roster = roster
        self.quiz, self.other = Tool(self, "quiz-client"), Tool(self, "other-client")
        self.lean = Tool(self, "lean-client")
        self.campus = Campus(f"{URL}/lti/launch", "campus-key", "campus-secret")
        self.twin = Campus(f"{URL}/lti/launch", "twin-key", "twin-secret")
        self._ticks = 0
        settings = {
            "bridge": {
                "public_url": URL,
                "database_url": database,
                "queue_url": f"sqlite:///{folder}/queue.sqlite3",
                "keys_dir": str(folder / "keys"),
            },
            "lms": [
                {
                    "name": one.key,
                    "lti": "1.1",
                    "consumer_key": one.key,
                    "shared_secret": one.secret,
                }
                for one in (self.campus, self.twin)
            ],
            "connection": [
                self._connection("quiz", self.quiz, EVERY),
                self._connection("other", self.other, EVERY),
                self._connection("lean", self.lean, ("basic-outcome",)),
            ],
            "activity": [
                {"id": name, "title": f"Test {name}", "connection": name}
                for name in ("quiz", "other", "lean")
            ],
        }
        settings["activity"][0]["settings"] = {"custom": {"given": "$Person.name.given", "a": "b"}}
        chosen = {"resource_id": "chapter-3", "tag": "final", "score_maximum": "40"}
        settings["activity"].append(
            {"id": "chosen", "title": "Chapter 3", "connection": "quiz", "settings": chosen}
        )
        self.settings = settings
        self.start()
        self.bridge.store.database.migrate()

    def start(self) -> None:
        """Start (again) with the settings as they are now."""
        self.bridge: Bridge = build(parse(self.settings, "test"))
        if self.roster is not None:
            services = self.bridge.services
            members = replace(services.members, roster=self.roster)
            self.bridge = replace(self.bridge, services=replace(services, members=members))
        self.client: FlaskClient = web_app(self.bridge).test_client()

    def stop(self) -> None:
        """Close the database."""
        self.bridge.store.database.close()

    def tick(self) -> str:
        """A new time without zone, later than the ones before and a little in the past."""
        self._ticks += 1
        return f"2026-01-01T00:{self._ticks // 60 % 60:02}:{self._ticks % 60:02}.000"

    def open(self, activity: str = "quiz", user: str = "ann", **changes: str | None) -> Learner:
        """Launch by LTI 1.1 and carry the launch to the tool; what the tool learns.

        Whoever is asked whether to begin another attempt does.
        """
        campus = changes.pop("campus", None) or self.campus
        fields = campus.signed(
            campus.fields(
                **{
                    "custom_activity": activity,
                    "resource_link_id": f"link-{activity}",
                    "user_id": user,
                    "lis_result_sourcedid": f"cell-{user}",
                    **changes,
                }
            )
        )
        page = self._post("/lti/launch", fields)
        if "number" in (asked := fields_of(page)):
            page = self._post("/course/go-on", list(asked.items()))
        return Learner(self._carry(page))

    def _post(self, path: str, fields: list[tuple[str, str]]) -> TestResponse:
        """The page that a form ends at."""
        body = urlencode(fields)
        page = self.client.post(path, data=body, content_type=FORM, follow_redirects=True)
        assert page.status_code == 200, page.data
        return page

    def _carry(self, page: TestResponse) -> dict[str, Any]:
        started = fields_of(page)
        query = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "nonce": secrets.token_hex(8),
            "client_id": started["client_id"],
            "redirect_uri": f"https://{started['client_id']}.example.org/launch",
            "login_hint": started["login_hint"],
            "lti_message_hint": started["lti_message_hint"],
        }
        path = f"/platform/authorize?{urlencode(query)}"
        token = fields_of(self.client.get(path))["id_token"]
        return dict(jwt.decode(token, options={"verify_signature": False}))

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """The rows of a query on the bridge's database."""
        with self.bridge.store.database.reading() as connection:
            return list(connection.execute(text(sql), values))

    def grade(self, user: str = "ann") -> tuple[str | None, str | None, str]:
        """What the LMS is to show for this user: given, maximum, and how the delivery stands."""
        ((given, maximum, delivery),) = self.rows(
            "SELECT given, maximum, delivery FROM grades WHERE user_id = :user", user=user
        )
        return given, maximum, delivery

    def snapshot(self) -> list[Any]:
        """Everything that a request could change, but for what is used once."""
        tables = (
            "attempts results grades attempt_changes tool_line_items tool_scores tool_users"
            " tool_contexts learners links"
        )
        return [sorted(map(str, self.rows(f"SELECT * FROM {name}"))) for name in tables.split()]  # noqa: S608

    def _connection(self, name: str, tool: Tool, services: tuple[str, ...]) -> dict[str, Any]:
        return {
            "name": name,
            "kind": "lti",
            "version": "1.3",
            "launch_url": f"https://{tool.client_id}.example.org/launch",
            "login_url": f"https://{tool.client_id}.example.org/login",
            "public_key": pem(tool.key),
            "client_id": tool.client_id,
            "services": list(services),
            "privacy": ["given_name", "family_name"],
        }


def fields_of(page: TestResponse) -> dict[str, str]:
    """The fields of the form on a page."""
    found = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
    return {name: html.unescape(value) for name, value in found}


def next_page(answer: TestResponse) -> str:
    """The address of the next page; empty on the last."""
    found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("Link", ""))
    return found[1] if found else ""


def query_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))
