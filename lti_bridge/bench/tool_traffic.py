"""What an LTI 1.3 tool and its browser send: authentication requests, assertions and scores."""

from __future__ import annotations

import base64
import html
import json
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from lti_bridge.bench.traffic import COOKIE, FORM, SCORE_SCOPE
from lti_bridge.lti import claims, jwt
from lti_bridge.lti.ags import SCORE_TYPE
from lti_bridge.lti.keys import SigningKey
from lti_bridge.platform.access_tokens import ASSERTION_TYPE, GRANT_TYPE
from lti_bridge.platform.launch13 import AUTHORIZE_PATH
from lti_bridge.platform.routes_services import TOKEN_PATH

CLIENT, LAUNCH_URL = "bench-tool", "https://tool.example.org/launch"
INPUT = re.compile(rb'<input type="hidden" name="([^"]+)" value="([^"]*)">')
ACCESS_TOKEN = re.compile(rb'"access_token": ?"([^"]+)"')


@dataclass(frozen=True, slots=True)
class ToolTraffic:
    """Makes requests of a tool to the bridge at `bridge`; `key` is the tool's own."""

    bridge: str
    key: SigningKey

    def authorize(self, page: bytes) -> bytes:
        """The authentication request that follows the page of a login initiation."""
        sent, cookie = _inputs(page), COOKIE.search(page)
        if cookie is None:
            raise ValueError("the launch was answered without a cookie")
        query = urlencode(
            {
                "scope": "openid",
                "response_type": "id_token",
                "response_mode": "form_post",
                "prompt": "none",
                "client_id": CLIENT,
                "redirect_uri": LAUNCH_URL,
                "login_hint": sent["login_hint"],
                "lti_message_hint": sent["lti_message_hint"],
                "state": secrets.token_urlsafe(16),
                "nonce": secrets.token_urlsafe(16),
            }
        )
        head = f"GET {AUTHORIZE_PATH}?{query} HTTP/1.1\r\nHost: bench\r\nCookie: "
        return head.encode() + cookie[1] + b"\r\n\r\n"

    def tokens(self, count: int) -> list[bytes]:
        """Requests for access tokens, each with an assertion of its own."""
        return [self._token() for _ in range(count)]

    def scores(self, count: int, pages: Iterable[bytes], token_answer: bytes) -> list[bytes]:
        """Scores for the learners of these pages, again and again, each with a later time.

        Of several launches of one learner the last one counts: two scores of theirs that overtake
        each other would be refused.
        """
        found = ACCESS_TOKEN.search(token_answer)
        if found is None:
            raise ValueError("the token request was answered without a token")
        launches = list({said["sub"]: said for said in map(_claims, pages)}.values())
        first = datetime.now(UTC) - timedelta(milliseconds=count)
        return [
            self._score(launches[number % len(launches)], number, first, found[1])
            for number in range(count)
        ]

    def _token(self) -> bytes:
        now = int(time.time())
        assertion = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": self.bridge + TOKEN_PATH,
            "iat": now,
            "exp": now + 600,
            "jti": secrets.token_urlsafe(16),
        }
        form = {
            "grant_type": GRANT_TYPE,
            "client_assertion_type": ASSERTION_TYPE,
            "scope": SCORE_SCOPE,
            "client_assertion": jwt.sign(assertion, self.key),
        }
        return _post(TOKEN_PATH, FORM, urlencode(form).encode())

    def _score(self, launch: dict[str, Any], number: int, first: datetime, token: bytes) -> bytes:
        at = first + timedelta(milliseconds=number)
        score = {
            "userId": launch["sub"],
            "scoreGiven": number % 1000 / 10,
            "scoreMaximum": 100,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": at.isoformat(timespec="milliseconds"),
        }
        path = urlsplit(launch[claims.AGS_ENDPOINT]["lineitem"]).path + "/scores"
        bearer = b"Authorization: Bearer " + token + b"\r\n"
        return _post(path, SCORE_TYPE, json.dumps(score).encode(), bearer)


def _post(path: str, content_type: str, body: bytes, headers: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
    return head.encode() + headers + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def _inputs(page: bytes) -> dict[str, str]:
    return {name.decode(): html.unescape(value.decode()) for name, value in INPUT.findall(page)}


def _claims(page: bytes) -> dict[str, Any]:
    """What the id_token on a page says; it is our own, so nothing is checked."""
    payload = _inputs(page)["id_token"].split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "==="))
    return found
