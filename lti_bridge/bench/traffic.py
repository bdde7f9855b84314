"""Real signed requests, made before the clock runs: clicks, logins and grade messages."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from lti_bridge.bench.fill import CONNECTION, activity_of, link_of, row_id, user_of
from lti_bridge.core.grade import sourced_ids
from lti_bridge.lms.routes import LAUNCH_PATH, LOGIN_PATH
from lti_bridge.lti import claims, jwt, oauth1, outcomes
from lti_bridge.lti.keys import SigningKey
from lti_bridge.platform.routes_outcomes import OUTCOMES_PATH

SECRET11, KEY11, CLIENT13 = "campus-secret", "campus", "bridge-client"
TOOL_KEY, TOOL_SECRET = "bridge", "bridge-secret"
FORM = "application/x-www-form-urlencoded"
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
COOKIE = re.compile(rb"\r\nset-cookie: ([^;\r]+)", re.IGNORECASE)
LOCATION = re.compile(rb"\r\nlocation: ([^\r]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Click:
    """Who clicks which link: every second click is a learner's first one."""

    number: int
    user: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """Makes requests to the bridge at `bridge`, from the LMS at `lms`.

    `rows` links, each with a learner and an attempt, are in the database; `key` is the bridge's
    own secret for sourcedids, so that grade messages name real attempts.
    """

    bridge: str
    lms: str
    lms_key: SigningKey
    key: bytes
    rows: int
    random: Random

    def clicks(self, count: int, lti: str, tool: str = "1.1") -> list[Click]:
        """Random links of one LMS to a tool; even entries are new learners, odd ones come again.

        Of the first half of the links: who was graded, in the second, is asked before a new test.
        """
        offset = (0 if lti == "1.1" else 1) + (0 if tool == "1.1" else 2)
        half = max(self.rows // 8, 1)
        links = [self.random.randrange(half) * 4 + offset for _ in range(count)]
        return [
            Click(number, user_of(number) if at % 2 else f"new-{secrets.token_hex(8)}")
            for at, number in enumerate(links)
        ]

    def launches11(self, count: int, tool: str = "1.1") -> list[bytes]:
        """Signed LTI 1.1 launches."""
        return [self.launch11(click) for click in self.clicks(count, "1.1", tool)]

    def launch11(self, click: Click) -> bytes:
        """One signed LTI 1.1 launch."""
        fields = claims.parameters_from_claims(self.claims(click))
        signed = oauth1.sign_form(
            self.bridge + LAUNCH_PATH,
            fields,
            KEY11,
            SECRET11,
            nonce=secrets.token_hex(12),
            timestamp=int(time.time()),
        )
        return self._post(LAUNCH_PATH, FORM, urlencode(signed).encode())

    def login(self, click: Click) -> bytes:
        """One third-party login initiation."""
        query = urlencode(
            {
                "iss": self.lms,
                "client_id": CLIENT13,
                "login_hint": click.user,
                "lti_message_hint": '{"cmid":7,"launchid":"12345"}',
                "lti_deployment_id": "1",
                "target_link_uri": self.bridge + LAUNCH_PATH,
            }
        )
        return f"GET {LOGIN_PATH}?{query} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()

    def launches13(self, clicks: list[Click], logins: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """The launches that follow the answers to these clicks' logins."""
        return [self.launch13(clicks[number], answer) for number, answer in logins]

    def launch13(self, click: Click, login: bytes) -> bytes:
        """One launch with an id_token for the login's answer."""
        location, cookie = LOCATION.search(login), COOKIE.search(login)
        if location is None or cookie is None:
            raise ValueError("the login was not answered with a redirect and a cookie")
        asked = parse_qs(urlsplit(location[1].decode()).query)
        now = int(time.time())
        token = {
            **self.claims(click),
            "iss": self.lms,
            "aud": CLIENT13,
            "iat": now,
            "exp": now + 600,
            "nonce": asked["nonce"][0],
        }
        form = {"id_token": jwt.sign(token, self.lms_key), "state": asked["state"][0]}
        body = urlencode(form).encode()
        return self._post(LAUNCH_PATH, FORM, body, b"Cookie: " + cookie[1] + b"\r\n")

    def outcomes(self, count: int) -> list[bytes]:
        """Grade messages of the provider for random attempts of the second half."""
        half = (self.rows // 8, max(self.rows // 4, 1))
        numbers = (self.random.randrange(*half) * 4 for _ in range(count))
        return [self.outcome(number) for number in numbers]

    def outcome(self, number: int) -> bytes:
        """One grade message, with a score of its own."""
        sourced_id = sourced_ids.issue(self.key, CONNECTION, row_id("attempt", number))
        score = outcomes.parse_score(f"0.{self.random.randrange(10**6):06}")
        xml = outcomes.build_request("replaceResult", sourced_id, secrets.token_hex(8), score)
        header = oauth1.sign_body(
            "POST",
            self.bridge + OUTCOMES_PATH,
            xml,
            TOOL_KEY,
            TOOL_SECRET,
            nonce=secrets.token_hex(12),
            timestamp=int(time.time()),
        )
        line = f"Authorization: {header}\r\n".encode()
        return self._post(OUTCOMES_PATH, "application/xml", xml, line)

    def _post(self, path: str, content_type: str, body: bytes, headers: bytes = b"") -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
        length = f"Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + headers + length.encode() + body

    def claims(self, click: Click) -> dict[str, Any]:
        """What the LMS says about this click."""
        course, link = link_of(click.number)
        return {
            claims.MESSAGE_TYPE: "LtiResourceLinkRequest",
            claims.VERSION: "1.3.0",
            claims.DEPLOYMENT_ID: "1",
            claims.TARGET_LINK_URI: self.bridge + LAUNCH_PATH,
            claims.ROLES: [ROLE],
            claims.RESOURCE_LINK: {"id": link, "title": "Final test", "description": "Excel"},
            claims.CONTEXT: {
                "id": course,
                "label": "OFFICE-101",
                "title": "Office skills",
                "type": ["CourseSection"],
            },
            claims.PLATFORM: {
                "guid": "lms.example.edu",
                "name": "Example University",
                "product_family_code": "moodle",
                "version": "2024100700",
            },
            claims.PRESENTATION: {
                "document_target": "window",
                "locale": "en",
                "return_url": f"{self.lms}/mod/lti/return.php?course=2&launch_container=4",
            },
            claims.LIS: {"person_sourcedid": "", "course_section_sourcedid": "OFFICE-101-A"},
            claims.CUSTOM: {"activity": activity_of(click.number)},
            claims.BASIC_OUTCOME: {
                "lis_outcome_service_url": f"{self.lms}/outcomes",
                "lis_result_sourcedid": f'{{"data":{{"instanceid":"7","userid":"{click.user}"}}}}',
            },
            claims.AGS_ENDPOINT: {
                "scope": [SCORE_SCOPE],
                "lineitem": f"{self.lms}/mod/lti/services.php/2/lineitems/7/lineitem?type_id=1",
            },
            "sub": click.user,
            "given_name": "Example",
            "family_name": "Student",
            "name": "Example Student",
            "email": f"{click.user}@example.edu",
        }
