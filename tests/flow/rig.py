"""A bridge between a recording school and any LTI 1.1 tool, whose grade messages the tests sign."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import sqlalchemy
import urllib3

from tests.flow import signing
from tests.flow.browser import Browser, Page
from tests.flow.school import AGS, LTI, QUERY, SCORE, School
from tests.flow.signing import Signer
from tests.flow.world import PATIENCE_S, Bridge, free_port
from tests.prepared import prepare

ONE = Signer("tool-one", "secret one & ö")
TWO = Signer("tool-two", "secret two", "HMAC-SHA256")
TWIN_A = Signer("tool-twin", "secret twin a")
TWIN_B = Signer("tool-twin", "secret twin b")

CONFIG = """
[bridge]
public_url = "{bridge}"
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"
call_timeout_s = 4

[[lms]]
name = "old"
lti = "1.1"
consumer_key = "old-key"
shared_secret = "old secret & ü"

[[lms]]
name = "other"
lti = "1.1"
consumer_key = "other-key"
shared_secret = "other-secret"
"""
LMS13 = """
[[lms]]
name = "{name}"
lti = "1.3"
issuer = "{school}"
client_id = "client-{name}"
deployment_ids = "any"
authorization_url = "{school}/auth"
token_url = "{school}/token"
jwks_url = "{school}/jwks"
"""
CONNECTION = """
[[connection]]
name = "{name}"
kind = "lti"
launch_url = "http://127.0.0.1:9/tool"
consumer_key = "{signer.key}"
shared_secret = "{signer.secret}"
signature = "{signer.method}"
"""
ACTIVITY = """
[[activity]]
id = "{name}"
title = "A test, {name}"
connection = "{connection}"
grade = "{grade}"
"""
TERMS = {
    "once": "attempts = 1",
    "thrice": "attempts = 3",
    "weekly": "days_between = 7",
    "early": "opens_at = 2999-01-01T00:00:00Z",
    "late": "closes_at = 2001-01-01T00:00:00Z",
}
CONNECTIONS = {"one": ONE, "two": TWO, "twin-a": TWIN_A, "twin-b": TWIN_B}
POLICIES = ("best", "last", "first", "mean")
HTTP = urllib3.PoolManager(maxsize=32, retries=False, timeout=PATIENCE_S)


@dataclass(frozen=True)
class Sitting:
    """One attempt that a learner has just opened, as the tool knows it."""

    learner: str
    sourced_id: str
    outcome_url: str
    lms: str
    activity: str


@dataclass(frozen=True)
class Reply:
    """What the bridge answered to a grade message."""

    status: int
    headers: Any
    body: bytes

    @property
    def root(self) -> ElementTree.Element:
        """The envelope, which every answer is."""
        assert self.headers["Content-Type"] == "application/xml", self.body
        root = ElementTree.fromstring(self.body)  # noqa: S314 - the bridge's own
        assert root.tag == f"{{{signing.NS}}}imsx_POXEnvelopeResponse"
        return root

    def header(self, name: str) -> str:
        """A text of the status block, or of the header around it."""
        info = "imsx_POXHeader/imsx_POXResponseHeaderInfo"
        for path in (f"{info}/imsx_statusInfo/{name}", f"{info}/{name}"):
            if (found := signing.words(self.root, path)) is not None:
                return found
        raise AssertionError(f"no {name} in {self.body!r}")

    @property
    def major(self) -> str:
        """What imsx_codeMajor says."""
        return self.header("imsx_codeMajor")

    @property
    def said(self) -> tuple[int, str]:
        """Status and imsx_codeMajor."""
        return self.status, self.major

    @property
    def score(self) -> str | None:
        """The score of a readResult; None when there is no element for it."""
        return signing.words(
            self.root, "imsx_POXBody/readResultResponse/result/resultScore/textString"
        )


class Rig:
    """The bridge, the school, and what tests do with them."""

    def __init__(self, folder: Path, database: str, former: str = "") -> None:
        self.school = School()
        url = f"http://127.0.0.1:{free_port()}"
        self.school.bridge_url = url
        prepare(folder, database)
        config = folder / "config.toml"
        text = CONFIG.format(bridge=url, database=database, folder=folder)
        if former:  # a port of this machine under another name
            self.former = url.replace("127.0.0.1", former)
            urls = ["https://first.example.edu/bridge", self.former]
            text = text.replace("\n[[lms]]", f"former_urls = {json.dumps(urls)}\n\n[[lms]]", 1)
        text += "".join(LMS13.format(name=n, school=self.school.url) for n in ("new", "next"))
        text += "".join(CONNECTION.format(name=n, signer=s) for n, s in CONNECTIONS.items())
        text += "".join(ACTIVITY.format(name=n, connection="one", grade=n) for n in POLICIES)
        for name in ("two", "twin-a", "twin-b"):
            text += ACTIVITY.format(name=name, connection=name, grade="last")
        for name, terms in TERMS.items():
            text += ACTIVITY.format(name=name, connection="one", grade="best") + terms + "\n"
        config.write_text(text, encoding="utf-8")
        self.bridge = Bridge(url, folder, config)
        self.engine = sqlalchemy.create_engine(database)

    def stop(self) -> None:
        """Stop everything; a call that no LMS would take is a failure of the test."""
        self.bridge.end()
        self.school.down()
        self.engine.dispose()
        assert not self.school.problems, self.school.problems

    def sit(
        self, lms: str = "old", activity: str = "best", learner: str = "", **more: Any
    ) -> Sitting:
        """Launch as a learner (a new one, unless named) and open the test."""
        learner = learner or f"learner-{secrets.token_hex(4)}"
        browser = Browser()
        page = browser.anew(self.click(browser, lms, activity, learner, **more))
        assert page.status == 200, page.text
        fields = dict(page.form().fields)
        return Sitting(
            learner,
            fields.get("lis_result_sourcedid", ""),
            fields.get("lis_outcome_service_url", ""),
            lms,
            activity,
        )

    def click(self, browser: Browser, lms: str, activity: str, learner: str, **more: Any) -> Page:
        """What a browser gets for a launch by whatever this LMS speaks."""
        launch = self.launch if lms in ("old", "other") else self._launch13
        return launch(browser, lms, activity, learner, **more)

    def launch(self, browser: Browser, lms: str, activity: str, learner: str, **more: str) -> Page:
        """What a browser gets for a signed LTI 1.1 launch."""
        fields = {
            "lti_message_type": "basic-lti-launch-request",
            "lti_version": "LTI-1p0",
            "resource_link_id": f"link-{activity}",
            "context_id": "course-1",
            "roles": "Learner",
            "user_id": learner,
            "custom_activity": activity,
            "lis_outcome_service_url": f"{self.school.url}/outcome?{QUERY}",
            "lis_result_sourcedid": cell_id(learner),
            **more,
        }
        url = f"{self.bridge.url}/lti/launch"
        key = f"{lms}-key"
        return browser.post(url, Signer(key, self.school.consumers[key]).form(url, fields))

    def _launch13(
        self,
        browser: Browser,
        lms: str,
        activity: str,
        learner: str,
        deployment: str = "1",
        **services: Any,
    ) -> Page:
        item = f"{self.school.url}/items/{activity}/lineitem?type_id=1&x=%C3%A4"
        ags = {"scope": [SCORE], "lineitem": item}
        self.school.claims[learner] = {
            "sub": learner,
            f"{LTI}message_type": "LtiResourceLinkRequest",
            f"{LTI}version": "1.3.0",
            f"{LTI}deployment_id": deployment,
            f"{LTI}target_link_uri": f"{self.bridge.url}/lti/launch",
            f"{LTI}roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
            f"{LTI}resource_link": {"id": f"link-{activity}"},
            f"{LTI}context": {"id": "course-1"},
            f"{LTI}custom": {"activity": activity},
            **(services or {AGS + "claim/endpoint": ags}),
        }
        query = {
            "iss": self.school.url,
            "login_hint": learner,
            "target_link_uri": f"{self.bridge.url}/lti/launch",
            "client_id": f"client-{lms}",
            "lti_deployment_id": deployment,
        }
        return browser.submit(browser.get(f"{self.bridge.url}/lti/login?{urlencode(query)}"))

    def post(
        self,
        body: bytes,
        header: str | None,
        *,
        query: str = "",
        http: str = "POST",
        content_type: str = "application/xml",
    ) -> Reply:
        """Send any request to the outcome service."""
        headers = {"Content-Type": content_type}
        if header is not None:
            headers["Authorization"] = header
        url = f"{self.bridge.url}/platform/outcomes{query}"
        answer = HTTP.request(http, url, body=body, headers=headers)
        return Reply(answer.status, answer.headers, answer.data)

    def send(self, body: bytes, signer: Signer = ONE, **changes: str | None) -> Reply:
        """Send a message with a good signature, or one with something changed."""
        url = f"{self.bridge.url}/platform/outcomes"
        return self.post(body, signer.header(url, body, **changes))

    def report(self, sitting: Sitting, score: str, signer: Signer = ONE) -> Reply:
        """Report a score as the tool does."""
        return self.send(signing.document("replaceResult", sitting.sourced_id, score), signer)

    def read(self, sitting: Sitting, signer: Signer = ONE) -> str | None:
        """The score that the bridge tells the tool."""
        reply = self.send(signing.document("readResult", sitting.sourced_id), signer)
        assert reply.said == (200, "success"), reply.body
        return reply.score

    def delete(self, sitting: Sitting, signer: Signer = ONE) -> Reply:
        """Take a score back."""
        return self.send(signing.document("deleteResult", sitting.sourced_id), signer)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            found = connection.execute(sqlalchemy.text(sql), values)
            return [dict(row._mapping) for row in found]

    def write(self, sql: str, **values: Any) -> None:
        """Change the bridge's database behind its back."""
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text(sql), values)

    def grade(self, sitting: Sitting) -> dict[str, Any]:
        """The row of a learner's gradebook cell."""
        (row,) = self.rows(
            "SELECT g.* FROM grades g JOIN links l ON l.id = g.link_id"
            " WHERE g.user_id = :user AND g.registration = :lms AND l.resource_link_id = :link",
            user=sitting.learner,
            lms=sitting.lms,
            link=f"link-{sitting.activity}",
        )
        return row

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that a grade message could change."""
        wanted = {
            "results": "*",
            "attempts": "id, state, is_open, given, maximum, scored_at",
            "grades": "id, given, maximum, version",
            "used_once": "scope, value",
        }
        return {
            table: self.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2")  # noqa: S608 - ours
            for table, columns in wanted.items()
        }

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing in the database may be different afterwards."""
        before = self.state()
        yield
        assert self.state() == before


def cell_id(learner: str) -> str:
    """The school's sourcedid: JSON with characters that XML and OAuth must escape."""
    return json.dumps({"learner": learner, "x": "ä<&>'+ %"}, ensure_ascii=False)
