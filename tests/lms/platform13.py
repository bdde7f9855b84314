"""A pretend LTI 1.3 platform for tests: real keys and its own JOSE code, no line of ours."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from lti_bridge.core.launch.message import Launch
from lti_bridge.errors import NetworkFailed
from lti_bridge.lms.login13 import LoginRedirect
from lti_bridge.lms.receive13 import Lms13
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.lti.keysets import KeySets
from lti_bridge.net import Response

PUBLIC = "https://bridge.example.edu"
TARGET = f"{PUBLIC}/lti/launch"
ISSUER = "https://lms.example.edu"
CLIENT = "client-1"
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
STATE_KEY = b"k" * 32
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
REMOVED = object()


@functools.cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(kid: str, key: rsa.RSAPrivateKey, **members: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    return {
        "kty": "RSA",
        "kid": kid,
        "n": number(numbers.n),
        "e": number(numbers.e),
        "alg": "RS256",
        "use": "sig",
        **members,
    }


def segment(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return b64(text.encode("utf-8", "surrogatepass"))


def rs256(key: rsa.RSAPrivateKey) -> Callable[[bytes], bytes]:
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def jws(header: Any, payload: Any, sign: Callable[[bytes], bytes]) -> str:
    """A token from a header and a payload, each an object or the JSON text of one."""
    signing_input = f"{segment(header)}.{segment(payload)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


class Clock:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


def random_bytes() -> Callable[[int], bytes]:
    """Bytes that never repeat."""
    calls = iter(range(1, 1_000_000))
    return lambda size: next(calls).to_bytes(size, "big")


class Endpoint:
    """The key set addresses of all platforms, counting who asks."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.down = False

    def __call__(self, url: str) -> Response:
        self.asked.append(url)
        if self.down:
            raise NetworkFailed("the platform is down")
        body = self.documents[url]
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(200, self.headers, raw)


class Platform:
    """One LMS: signs what it is told to, right or wrong."""

    def __init__(self, name: str, issuer: str = ISSUER, client_id: str = CLIENT) -> None:
        self.name, self.issuer, self.client_id = name, issuer, client_id
        self.kid = f"{name}-key-1"
        self.key = rsa_key(name)

    def registration(self, **changes: Any) -> Registration13:
        values: dict[str, Any] = {
            "name": self.name,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "authorization_url": f"https://{self.name}.example.edu/auth?tenant=7",
            "token_url": f"https://{self.name}.example.edu/token",
            "jwks_url": f"https://{self.name}.example.edu/jwks",
            "deployment_ids": frozenset({"1", "2"}),
        }
        return Registration13(**(values | changes))

    def claims(self, nonce: str, now: datetime = NOW, /, **changes: Any) -> dict[str, Any]:
        """Claims of a student's launch; `changes` by short or full name, REMOVED to leave out."""
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "user-7",
            "nonce": nonce,
            "iat": issued,
            "exp": issued + 60,
            f"{LTI}version": "1.3.0",
            f"{LTI}message_type": "LtiResourceLinkRequest",
            f"{LTI}deployment_id": "1",
            f"{LTI}target_link_uri": TARGET,
            f"{LTI}resource_link": {"id": "link-1", "title": "A test"},
            f"{LTI}roles": [f"{ROLE}Learner"],
            f"{LTI}context": {"id": "course-1", "title": "A course"},
        }
        for name, value in changes.items():
            claims[name if name in claims or ":" in name else _full(name)] = value
        return {name: value for name, value in claims.items() if value is not REMOVED}

    def sign(self, claims: Any, **header: Any) -> str:
        header = {"alg": "RS256", "typ": "JWT", "kid": self.kid} | header
        return jws({k: v for k, v in header.items() if v is not REMOVED}, claims, rs256(self.key))


def _full(name: str) -> str:
    plain = ("azp", "nbf", "locale", "email", "name", "given_name", "family_name")
    return name if name in plain else LTI + name


class World:
    """A bridge, platforms registered with it, and the endpoints it reads their keys from."""

    def __init__(self, *platforms: Platform, **registration: Any) -> None:
        self.platforms = platforms or (Platform("lms"),)
        self.platform = self.platforms[0]
        self.clock = Clock()
        self.endpoint = Endpoint()
        registrations = [p.registration(**registration) for p in self.platforms]
        for platform, known in zip(self.platforms, registrations, strict=True):
            self.endpoint.documents[known.jwks_url] = {"keys": [jwk(platform.kid, platform.key)]}
        self.door = Lms13(
            Registrations(registrations),
            KeySets(self.endpoint, self.clock),
            state_key=STATE_KEY,
            login_url=f"{PUBLIC}/lti/login",
            launch_url=TARGET,
            public_url=PUBLIC,
            clock=self.clock,
            random=random_bytes(),
        )

    def login(
        self,
        platform: Platform | None = None,
        *,
        again: bool = False,
        refused: bool = False,
        **parameters: Any,
    ) -> Login:
        platform = platform or self.platform
        values = {
            "iss": platform.issuer,
            "login_hint": "hint",
            "target_link_uri": TARGET,
            "client_id": platform.client_id,
        } | parameters
        given = {name: [value] for name, value in values.items() if value is not REMOVED}
        return Login(self, platform, self.door.login(given, again=again, refused=refused))

    def launch(self, **changes: Any) -> Launch:
        """A whole launch with some claims changed."""
        return self.login().launch(**changes)


class Login:
    """A login under way in one browser."""

    def __init__(self, world: World, platform: Platform, going: LoginRedirect) -> None:
        self.world, self.platform, self.going = world, platform, going
        self.sent = dict(parse_qsl(urlsplit(going.url).query, keep_blank_values=True))
        self.state, self.nonce = self.sent["state"], self.sent["nonce"]
        self.cookies = {going.cookie_name: going.cookie_value}

    def claims(self, **changes: Any) -> dict[str, Any]:
        return self.platform.claims(self.nonce, self.world.clock.now, **changes)

    def token(self, **changes: Any) -> str:
        return self.platform.sign(self.claims(**changes))

    def launch(self, **changes: Any) -> Launch:
        return self.post(self.token(**changes))

    def post(self, token: str) -> Launch:
        return self.world.door.launch({"id_token": [token], "state": [self.state]}, self.cookies)
