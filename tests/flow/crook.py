"""An LMS that registers itself with what it likes, signs its launches, and keeps all it is told."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.flow.browser import Browser, Page
from tests.flow.school import AGS, LTI, SCORE
from tests.flow.world import free_port

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Crook:
    """One LMS. `says` is what is different in its OpenID configuration; its calls are kept."""

    def __init__(self, client_id: str = "crook-client", **says: str) -> None:
        self.client_id, self.says = client_id, says
        self.calls: list[tuple[str, Any, bytes]] = []
        self.claims: dict[str, Any] = {}
        self.jwks_uri = ""  # of the bridge, as it was told
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        handler = type("Handler", (_Handler,), {"crook": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def opens(self, address: str) -> Page:
        """Open the address of an invitation."""
        query = urlencode({"openid_configuration": f"{self.url}/config"})
        return Browser().get(f"{address}?{query}")

    def configuration(self) -> dict[str, Any]:
        """What it says of itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "registration_endpoint": f"{self.url}/register",
            "scopes_supported": [SCORE],
            **self.says,
        }

    def launch(self, bridge: str, activity: str, learner: str, endpoint: dict[str, Any]) -> Page:
        """A learner's launch that names these grade services."""
        self.claims = {
            "sub": learner,
            f"{LTI}message_type": "LtiResourceLinkRequest",
            f"{LTI}version": "1.3.0",
            f"{LTI}deployment_id": "1",
            f"{LTI}target_link_uri": f"{bridge}/lti/launch",
            f"{LTI}roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
            f"{LTI}resource_link": {"id": f"link-{activity}"},
            f"{LTI}context": {"id": "course-1"},
            f"{LTI}custom": {"activity": activity},
            f"{AGS}claim/endpoint": endpoint,
        }
        query = {
            "iss": self.url,
            "login_hint": learner,
            "target_link_uri": f"{bridge}/lti/launch",
            "client_id": self.client_id,
        }
        browser = Browser()
        page = browser.get(f"{bridge}/lti/login?{urlencode(query)}")
        return browser.submit(page) if page.status == 200 else page

    def authorize(self, query: dict[str, str]) -> bytes:
        """The form that brings the id_token to the bridge."""
        now = int(time.time())
        said = {"iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300}
        token = jwt.encode(
            {**self.claims, **said, "nonce": query["nonce"]}, KEY, "RS256", {"kid": "crook"}
        )
        fields = {"id_token": token, "state": query["state"]}
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        return f'<form method="post" action="{query["redirect_uri"]}">{inputs}</form>'.encode()

    def key_set(self) -> dict[str, Any]:
        """Its public key."""
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return {"keys": [jwk | {"kid": "crook", "alg": "RS256"}]}

    def assertions(self) -> list[str]:
        """Every assertion that it was handed."""
        return [
            parse_qs(body.decode())["client_assertion"][0]
            for path, _, body in self.calls
            if path == "/token"
        ]

    def bearers(self) -> list[str]:
        """Every access token that it was handed."""
        return [
            headers["Authorization"] for _, headers, _ in self.calls if "Authorization" in headers
        ]


class _Handler(BaseHTTPRequestHandler):
    crook: Crook

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/config":
            self._send(self.crook.configuration())
        elif parts.path == "/jwks":
            self._send(self.crook.key_set())
        elif parts.path == "/auth":
            self._send(self.crook.authorize(dict(parse_qsl(parts.query))))
        else:
            self.crook.calls.append((parts.path, self.headers, b""))
            self._send({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if path == "/register":
            self.crook.jwks_uri = json.loads(body)["jwks_uri"]
            self._send({"client_id": self.crook.client_id})
            return
        self.crook.calls.append((path, self.headers, body))
        token = {"access_token": "of-the-crook", "token_type": "Bearer", "expires_in": 3600}
        self._send(token if path == "/token" else {})

    def _send(self, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if isinstance(value, bytes) else "text/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
