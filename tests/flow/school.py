"""A school's LMS of both LTI versions that checks and records every call, and errs when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import jwt
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.flow import signing
from tests.flow.world import free_port

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/"
OUTCOME_CLAIM = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
SCORE = AGS + "scope/score"
OUTCOME_SCOPE = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"
SCORE_TYPE = "application/vnd.ims.lis.v1.score+json"
OUTCOME_TYPE = "application/vnd.ims.lti.v1.outcome+xml"
QUERY = "course=7&tag=a%20b"  # of outcome addresses, to be signed and kept


@dataclass(frozen=True)
class Err:
    """What goes wrong in one call: another answer, a late one, or none."""

    status: int = 200
    body: bytes | None = None
    content_type: str = "text/html"
    late_s: float = 0
    hang_up: bool = False
    stores: bool = False  # the grade is taken before this happens
    retry_after: str = ""

    @property
    def answer(self) -> tuple[int, str, bytes, str]:
        """What is sent."""
        return self.status, self.content_type, self.body or b"", self.retry_after


@dataclass
class Call:
    """One recorded call: `of` is the learner, or `token:<deployment>`."""

    path: str
    headers: Any
    body: bytes
    of: str = ""
    value: str | None = None
    status: int = 0
    at: float = field(default_factory=time.monotonic)

    @property
    def message(self) -> ElementTree.Element:
        """The outcome message."""
        return ElementTree.fromstring(self.body)  # noqa: S314 - the bridge's own

    @property
    def operation(self) -> str:
        """The outcome operation."""
        (body,) = self.message.findall(f"{{{signing.NS}}}imsx_POXBody/*")
        return body.tag.partition("}")[2].removesuffix("Request")

    @property
    def reads(self) -> bool:
        """Whether this asks what is shown."""
        return b"readResultRequest" in self.body

    @property
    def score(self) -> dict[str, Any]:
        """The AGS score, its numbers exact."""
        return dict(json.loads(self.body, parse_float=Decimal, parse_int=Decimal))

    @property
    def oauth(self) -> dict[str, str]:
        """The parameters of the OAuth header."""
        return signing.read_header(self.headers["Authorization"])

    @property
    def stamp(self) -> datetime:
        """The time that the score tells."""
        return datetime.fromisoformat(self.score["timestamp"])


class Refused(Exception):
    """A call that no LMS would take; its text goes to `School.problems`."""


class School:
    """One LMS. `cells` is its gradebook: learner -> exact text of what is shown, None if nothing.

    Errors of the next calls for a learner are put into `errs[learner]`, in order.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.calls: list[Call] = []
        self.reads: list[Call] = []  # questions what is shown, which are no grades
        self.problems: list[str] = []
        self.errs: dict[str, list[Err]] = defaultdict(list)
        self.cells: dict[str, str | None] = {}
        self.stamps: dict[str, int] = {}  # whole seconds, as some LMSs compare them
        self.consumers = {"old-key": "old secret & ü", "other-key": "other-secret"}
        self.token_status: dict[str, int] = {}  # by deployment, when not 200
        self.granted: dict[str, str] = {}  # deployment -> scopes, when not what was asked
        self.tokens: dict[str, tuple[str, str]] = {}  # token -> its client, its scopes
        self.claims: dict[str, dict[str, Any]] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "school"
        self.bridge_url = ""
        # what line items and lists of them answer, by method and path: each in order, the last one
        # for good; and who asked
        self.scripts: dict[tuple[str, str], list[Err]] = {}
        self.asked: list[tuple[str, str]] = []
        self.gone: set[str] = set()  # paths of line items, which take no score
        self._busy: set[str] = set()
        self._used: set[str] = set()
        self._port = free_port()
        self.up()

    def up(self, host: str = "127.0.0.1") -> None:
        """Serve, on the same port as before."""
        handler = type("Handler", (_Handler,), {"school": self})
        self._server = _Server((host, self._port), handler)
        self._port = self._server.server_address[1]
        self.url = f"http://{host}:{self._port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """As if no grade had ever come; access tokens go on being good."""
        with self.lock:
            for kept in (self.calls, self.reads, self.errs, self.cells, self.stamps, self.granted):
                kept.clear()

    def of(self, learner: str) -> list[Call]:
        """The calls for this learner, oldest first."""
        with self.lock:
            return [call for call in self.calls if call.of == learner]

    def scripted(self, method: str, path: str) -> tuple[int, str, bytes, str] | None:
        """The answer of a line item, or of a list of them."""
        with self.lock:
            script = self.scripts.get((method, path))
            if script is None:
                return None
            self.asked.append((method, path))
            err = script.pop(0) if len(script) > 1 else script[0]
        return err.answer

    def receive(self, call: Call) -> tuple[Any, ...] | None:
        """The answer to a call: status, content type, body, Retry-After; None hangs up."""
        try:
            learner, take = self._read(call)
        except (Refused, AssertionError, KeyError, ValueError, jwt.PyJWTError) as error:
            with self.lock:
                self.problems.append(f"{call.path}: {type(error).__name__}: {error}")
            return 400, "text/plain", b"no"
        if call.reads:
            call.of = learner
            with self.lock:
                self.reads.append(call)
            return take()
        with self.lock:
            call.of = learner
            self.calls.append(call)
            err = self.errs[learner].pop(0) if self.errs[learner] else None
            # two clients of one deployment may ask for their tokens at the same time
            if learner in self._busy and not learner.startswith("token:"):
                self.problems.append(f"two calls at once for {learner}")
            answer = take() if err is None or err.stores else None
        if err is None:
            self._busy.add(learner)
            time.sleep(0.01)
            self._busy.discard(learner)
            call.status = answer[0]
            return answer
        time.sleep(err.late_s)
        call.status = err.status
        return None if err.hang_up else err.answer

    def _read(self, call: Call) -> tuple[str, Any]:
        path = urlsplit(call.path).path
        if path == "/token":
            return self._token(call)
        if path.startswith("/outcome"):
            return self._outcome(call)
        if path.endswith("/scores"):
            return self._score(call)
        raise Refused("no such address")

    def _outcome(self, call: Call) -> tuple[str, Any]:
        if call.headers["Authorization"].startswith("Bearer "):
            if call.headers["Content-Type"] != OUTCOME_TYPE:
                raise Refused(f"content type {call.headers['Content-Type']}")
        else:
            self._signed(call)
        learner = json.loads(self._word(call, "sourcedId"))["learner"]
        call.value = self._word(call, "textString")
        return learner, lambda: self._outcome_taken(call, learner)

    def _outcome_taken(self, call: Call, learner: str) -> tuple[int, str, bytes]:
        bearer = "oauth_" not in call.headers["Authorization"]
        if bearer and not self._bearer(call, OUTCOME_SCOPE):
            return 401, "text/plain", b""
        if call.reads:
            shown = self.cells.get(learner) or ""
            said = signing.reply_document("success", "", read=shown)
            return 200, "text/html", said
        self.cells[learner] = call.value
        said = signing.reply_document("success", self._word(call, "imsx_messageIdentifier") or "")
        return 200, "application/xml", said

    def _signed(self, call: Call) -> None:
        oauth = call.oauth
        digest = base64.b64encode(hashlib.sha1(call.body).digest()).decode()
        if call.headers["Content-Type"] != "application/xml" or oauth["oauth_body_hash"] != digest:
            raise Refused("content type or body hash")
        given = oauth.pop("oauth_signature")
        secret = self.consumers[oauth["oauth_consumer_key"]]
        if given != signing.signature("POST", self.url + call.path, oauth.items(), secret):
            raise Refused("signature")
        late = abs(int(oauth["oauth_timestamp"]) - time.time())
        if not self._once(oauth["oauth_nonce"]) or late > 60:
            raise Refused("nonce or time")

    def _score(self, call: Call) -> tuple[str, Any]:
        score = call.score
        learner = score["userId"]
        if call.headers["Content-Type"] != SCORE_TYPE:
            raise Refused(f"content type {call.headers['Content-Type']}")
        call.value = str(score["scoreGiven"]) if "scoreGiven" in score else None
        return learner, lambda: self._score_taken(call, learner)

    def _score_taken(self, call: Call, learner: str) -> tuple[int, str, bytes]:
        if not self._bearer(call, SCORE):
            return 401, "text/plain", b""
        if urlsplit(call.path).path.removesuffix("/scores") in self.gone:
            return 404, "text/plain", b"no such line item"
        if int(call.stamp.timestamp()) <= self.stamps.get(learner, 0):
            return 409, "text/plain", b"older"
        self.stamps[learner] = int(call.stamp.timestamp())
        self.cells[learner] = call.value
        return 200, "text/plain", b""

    def _bearer(self, call: Call, scope: str) -> bool:
        _, scopes = self.tokens.get(call.headers["Authorization"].removeprefix("Bearer "), ("", ""))
        return scope in scopes.split()

    def _token(self, call: Call) -> tuple[str, Any]:
        pairs = parse_qsl(call.body.decode(), strict_parsing=True)
        form = dict(pairs)
        claims = self.assertion(form["client_assertion"])
        if len(form) != len(pairs) or form["grant_type"] != "client_credentials":
            raise Refused("grant type, or something twice")
        if not self._once(claims["jti"]):
            raise Refused("jti")
        # the doctor asks before any launch, when it knows of no deployment yet
        deployment = claims.get(f"{LTI}deployment_id", "")
        return f"token:{deployment}", lambda: self._granted(claims, form["scope"], deployment)

    def assertion(self, text: str) -> dict[str, Any]:
        """The claims of a client assertion, checked with the bridge's published keys."""
        kid = jwt.get_unverified_header(text)["kid"]
        keys = urllib3.request("GET", f"{self.bridge_url}/lti/jwks").json()["keys"]
        key = next(jwt.PyJWK(one).key for one in keys if one["kid"] == kid)
        claims = jwt.decode(text, key, ["RS256"], audience=f"{self.url}/token", leeway=5)
        if claims["iss"] != claims["sub"] or claims["exp"] - claims["iat"] > 300:
            raise Refused("assertion")
        return dict(claims)

    def _granted(
        self, claims: dict[str, Any], asked: str, deployment: str
    ) -> tuple[int, str, bytes]:
        token, scopes = secrets.token_hex(8), self.granted.get(deployment, asked)
        # no grade comes by the token of no deployment
        self.tokens[token] = claims["iss"], scopes if deployment else ""
        said = {
            "access_token": token,
            "token_type": "bEaReR",
            "expires_in": 3600,
            "scope": scopes,
        }
        return self.token_status.get(deployment, 200), "text/html", json.dumps(said).encode()

    def authorize(self, query: dict[str, str]) -> bytes:
        """The form that brings the id_token of a started login to the bridge."""
        now = int(time.time())
        claims = self.claims[query["login_hint"]] | {
            "iss": self.url,
            "aud": query["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
        }
        token = jwt.encode(claims, self.key, "RS256", {"kid": self.kid})
        fields = {"id_token": token, "state": query["state"]}
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        return f'<form method="post" action="{query["redirect_uri"]}">{inputs}</form>'.encode()

    def key_set(self) -> bytes:
        """The school's public key."""
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [jwk | {"kid": self.kid, "alg": "RS256"}]}).encode()

    def _once(self, value: str) -> bool:
        with self.lock:
            fresh = value not in self._used
            self._used.add(value)
        return fresh

    def _word(self, call: Call, name: str) -> str | None:
        found = call.message.find(f".//{{{signing.NS}}}{name}")
        return None if found is None else found.text or ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever was killed reads no answer: that is no news."""


class _Handler(BaseHTTPRequestHandler):
    school: School

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/jwks":
            self._send(200, "application/json", self.school.key_set())
        elif parts.path == "/auth":
            self._send(200, "text/html", self.school.authorize(dict(parse_qsl(parts.query))))
        else:
            self._send(*(self.school.scripted("GET", parts.path) or (404, "text/plain", b"")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if scripted := self.school.scripted("POST", urlsplit(self.path).path):
            self._send(*scripted)
            return
        answer = self.school.receive(Call(self.path, self.headers, body))
        if answer is not None:
            self._send(*answer)

    def _send(self, status: int, content_type: str, body: bytes, retry_after: str = "") -> None:
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
