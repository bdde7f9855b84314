"""An LTI 1.1 LMS and an LTI 1.1 tool for flow tests, with signatures of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from flask import Flask, request
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from lti_bridge.sandbox import serving
from tests.flow.browser import Page
from tests.flow.world import HTTP

Pairs = Sequence[tuple[str, str]]
FORM = "application/x-www-form-urlencoded"
DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


def enc(text: str) -> str:
    """Percent-encoding of RFC 5849 §3.6."""
    return quote(text, safe="-._~")


def sign(url: str, pairs: Pairs, secret: str, method: str = "HMAC-SHA1") -> str:
    """The signature of a POSTed form (RFC 5849 §3.4), written out from the document."""
    parts = urlsplit(url)
    everything = [*parse_qsl(parts.query, keep_blank_values=True), *pairs]
    encoded = sorted((enc(name), enc(value)) for name, value in everything)
    normal = "&".join(f"{name}={value}" for name, value in encoded)
    base = f"POST&{enc(f'{parts.scheme}://{parts.netloc}{parts.path}')}&{enc(normal)}"
    key = f"{enc(secret)}&".encode()
    digest = hmac.new(key, base.encode(), DIGESTS.get(method, hashlib.sha1)).digest()
    return base64.b64encode(digest).decode()


def changed(pairs: Pairs, changes: dict[str, str | None]) -> list[tuple[str, str]]:
    """The pairs with some values replaced or added, or removed by None."""
    kept = [pair for pair in pairs if pair[0] not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not None]


@dataclass
class Campus:
    """One LTI 1.1 registration as its LMS holds it; `url` is the bridge's launch address."""

    url: str
    key: str
    secret: str
    method: str = "HMAC-SHA1"

    def fields(self, **changes: str | None) -> list[tuple[str, str]]:
        """An unsigned launch of a learner, whose user id is `ann` unless changed."""
        return changed(
            [
                ("lti_message_type", "basic-lti-launch-request"),
                ("lti_version", "LTI-1p0"),
                ("resource_link_id", "link-1"),
                ("context_id", "course-1"),
                ("context_title", "Digital Skills"),
                ("user_id", "ann"),
                ("roles", "Learner"),
                ("lis_person_name_given", "Ann"),
                ("lis_person_name_family", "Exampleton"),
                ("lis_person_name_full", "Ann Exampleton"),
                ("lis_person_contact_email_primary", "ann.exampleton@example.edu"),
                ("launch_presentation_return_url", "https://lms.example.edu/back?course=1"),
                ("lis_outcome_service_url", "https://lms.example.edu/outcomes"),
                ("lis_result_sourcedid", "cell-of-ann"),
                ("custom_activity", "plain"),
                ("oauth_consumer_key", self.key),
                ("oauth_nonce", secrets.token_hex(12)),
                ("oauth_timestamp", str(int(time.time()))),
                ("oauth_version", "1.0"),
                ("oauth_callback", "about:blank"),
                ("oauth_signature_method", self.method),
            ],
            changes,
        )

    def signed(self, fields: Pairs, query: str = "") -> list[tuple[str, str]]:
        """The fields with their signature for the launch address with that query."""
        method = dict(fields).get("oauth_signature_method", "")
        signature = sign(f"{self.url}?{query}", fields, self.secret, method)
        return [*fields, ("oauth_signature", signature)]

    def launch(self, **changes: str | None) -> Page:
        """Sign and send a launch with these changes."""
        return send(self.url, self.signed(self.fields(**changes)))


def send(url: str, fields: Pairs, headers: dict[str, str] | None = None) -> Page:
    """POST a form as a browser without cookies does."""
    sent = {"Content-Type": FORM, "Accept": "text/html", **(headers or {})}
    answer = HTTP.request("POST", url, body=urlencode(fields), headers=sent, redirect=False)
    return Page(url, answer.status, answer.headers, answer.data.decode())


@dataclass
class Arrival:
    """One request as the tool got it."""

    url: str
    body: str
    content_type: str

    @property
    def form(self) -> dict[str, str]:
        """The form's fields; a repeated name fails the test."""
        pairs = parse_qsl(self.body, keep_blank_values=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def verifies(self, secret: str) -> bool:
        """Whether oauthlib, as a tool would use it, accepts the signature."""
        endpoint = SignatureOnlyEndpoint(_Verifier(secret))
        headers = {"Content-Type": self.content_type}
        return bool(endpoint.validate_request(self.url, "POST", self.body, headers)[0])


@dataclass
class Tool:
    """A tiny LTI 1.1 tool that remembers what it got and says "hello" to everything."""

    running: serving.Running
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def last(self) -> Arrival:
        """The newest arrival."""
        return self.arrivals[-1]


def start_tool() -> Tool:
    """Serve a tool on a port of its own."""
    arrivals: list[Arrival] = []

    def make_app(base_url: str) -> Flask:
        app = Flask("recording-tool")

        @app.post("/<path:where>")
        def launch(where: str) -> str:
            body = request.get_data(cache=False).decode("ascii")  # a browser escapes all else
            query = request.query_string.decode("ascii")
            url = f"{base_url}/{where}" + (f"?{query}" if query else "")
            arrivals.append(Arrival(url, body, request.headers["Content-Type"]))
            return "hello"

        return app

    return Tool(serving.start(make_app), arrivals)


class _Verifier(RequestValidator):
    enforce_ssl = False

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secret = secret

    def check_nonce(self, nonce: str) -> bool:
        return len(nonce) >= 20

    def check_client_key(self, client_key: str) -> bool:
        return bool(client_key)

    def validate_client_key(self, client_key: str, request: object) -> bool:
        return True

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: object, **_: str | None
    ) -> bool:
        return abs(time.time() - int(timestamp)) < 60

    def get_client_secret(self, client_key: str, request: object) -> str:
        return self._secret
