"""Who an LTI 1.3 tool is at the platform's services: client assertions and access tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lti_bridge.core.journal.hop import checking, note
from lti_bridge.core.launch.message import Once
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.errors import (
    NetworkFailed,
    ScopeRefused,
    SignatureRefused,
    TokenMissing,
    TokenRefused,
    TokenRequestRefused,
    TooManyTokens,
)
from lti_bridge.lti import jwt

GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEPLOYMENT_ID = "https://purl.imsglobal.org/spec/lti/claim/deployment_id"
MESSAGE_TYPE = "https://purl.imsglobal.org/spec/lti/claim/message_type"
KNOWN = ("grant_type", "client_assertion_type", "client_assertion", "client_id", "scope")
ALGORITHMS = ("RS256",)
ONE_KEY = "pem"  # the id of a key that was registered without one

TOKEN_S = 3600  # how long an access token lasts
MAX_LIFE_S = 3600  # of a client assertion, between iat and exp
MAX_JTI = 1024  # characters
PER_SECOND = 100  # tokens of one client and process; a token lasts an hour
BURST = 1000

# RFC 6750 section 3, by HTTP status; who sent no token at all is told nothing more.
CHALLENGES: Mapping[int, str] = MappingProxyType(
    {401: 'Bearer error="invalid_token"', 403: 'Bearer error="insufficient_scope"'}
)
NO_TOKEN = "Bearer"  # noqa: S105 - a challenge

# Whatever the reason is, before a client has proved who it is (RFC 6749 section 5.2).
UNPROVED = (
    "client_assertion does not prove a registered client: iss and sub have to be its client_id, "
    "alg RS256, and kid a key of its registered key set that made the signature"
)

FindTool = Callable[[str], ToolRegistration | None]


class FindKeys(Protocol):
    """The keys of a tool, by the address of its key set (lti.keysets.KeySets)."""

    def keys(self, url: str, kid: str) -> Mapping[str, RSAPublicKey]:
        """The trusted keys of this address. Raises NetworkFailed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows: which tool, and which scopes."""

    tool: ToolRegistration
    scopes: frozenset[str]

    def need(self, *scopes: str) -> None:
        """Raise ScopeRefused unless the token has one of these scopes."""
        if self.scopes.isdisjoint(scopes):
            raise ScopeRefused(f"the token has none of {', '.join(scopes)}")


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Access tokens that carry what they allow, under a MAC: nothing is stored or looked up.

    `find` says whether the tool is still registered, so a removed one's tokens fail at once.
    """

    key: bytes
    find: FindTool
    clock: Callable[[], datetime]

    def issue(self, tool: ToolRegistration, scopes: list[str]) -> str:
        """A token for this tool: printable ASCII, valid for TOKEN_S seconds."""
        claims = {
            "client": tool.client_id,
            "connection": tool.connection,
            "deployment": tool.deployment_id,
            "scopes": scopes,
            "exp": int(self.clock().timestamp()) + TOKEN_S,
        }
        payload = _encoded(json.dumps(claims, separators=(",", ":")).encode())
        return f"{payload}.{self._mac(payload)}"

    def read(self, authorization: str) -> Grant:
        """What the token in an Authorization header allows (RFC 6750 section 2.1).

        Raises TokenMissing without a bearer token, TokenRefused for one that is not good.
        """
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer":
            raise TokenMissing("no bearer token in the Authorization header")
        payload, _, mac = token.strip().partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(payload).encode()):
            raise TokenRefused("not a token of ours")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if claims["exp"] <= self.clock().timestamp():
            raise TokenRefused("expired")
        tool = self.find(claims["client"])
        meant = (claims["connection"], claims["deployment"])
        if tool is None or (tool.connection, tool.deployment_id) != meant:
            raise TokenRefused("the tool is not registered any more")
        return Grant(tool, tool.scopes.intersection(claims["scopes"]))

    def _mac(self, payload: str) -> str:
        text = payload.encode("utf-8", "surrogatepass")
        return _encoded(hmac.digest(self.key, text, hashlib.sha256))


@dataclass(slots=True)
class Pace:
    """How fast each client may get tokens: `per_second`, and `burst` at once."""

    per_second: float = PER_SECOND
    burst: float = BURST
    _left: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, client: str, now: datetime) -> bool:
        """Take one; False when this client has none left now."""
        with self._lock:
            left, since = self._left.get(client, (self.burst, now))
            gained = max((now - since).total_seconds(), 0) * self.per_second
            left = min(self.burst, left + gained)
            self._left[client] = (max(left - 1, 0), now) if left >= 1 else (left, now)
            return left >= 1


@dataclass(frozen=True, slots=True)
class TokenService:
    """Answers /platform/token: client_credentials with private_key_jwt (Security 1.0 §4.1).

    `use_once` records a value and says whether it was new. `issuer` is the bridge's own name,
    `url` the address of this service, `former` what either was or may become; a client assertion
    may be addressed to any of them.
    """

    url: str
    issuer: str
    tokens: AccessTokens
    key_sets: FindKeys
    use_once: Callable[[Once], bool]
    clock: Callable[[], datetime]
    leeway_s: float = 60
    pace: Pace = field(default_factory=Pace)
    former: tuple[str, ...] = ()

    def answer(self, form: Mapping[str, list[str]]) -> dict[str, Any]:
        """The members of a successful answer (RFC 6749 section 5.1).

        Raises TokenRequestRefused with the error that the tool may know, TooManyTokens.
        """
        twice = [name for name in KNOWN if len(form.get(name, [])) > 1]
        if twice or any(len(values) > 1 for values in form.values()):
            _refuse("invalid_request", f"{'a parameter' if not twice else twice[0]} is given twice")
        asked = {name: values[0] for name, values in form.items()}
        if not asked.get("grant_type"):
            _refuse("invalid_request", "no grant_type")
        if asked["grant_type"] != GRANT_TYPE:
            _refuse("unsupported_grant_type", f"grant_type is not {GRANT_TYPE}")
        for name in ("client_assertion_type", "client_assertion"):
            if not asked.get(name):
                _refuse("invalid_request", f"no {name}")
        if asked["client_assertion_type"] != ASSERTION_TYPE:
            _refuse("invalid_request", f"client_assertion_type is not {ASSERTION_TYPE}")
        if "scope" not in asked:
            _refuse("invalid_request", "no scope")
        tool, once = self._client(asked)
        # Counted only now: nobody can use up the share of somebody else.
        if not self.pace.take(tool.client_id, self.clock()):
            raise TooManyTokens(f"connection {tool.connection}")
        scopes = [one for one in dict.fromkeys(asked["scope"].split()) if one in tool.scopes]
        if not scopes:
            _refuse("invalid_scope", "scope names none that the registration has", tool)
        if not self.use_once(once):
            _refuse("invalid_client", "this jti was already used", tool)
        return {
            "access_token": self.tokens.issue(tool, scopes),
            "token_type": "Bearer",
            "expires_in": TOKEN_S,
            "scope": " ".join(scopes),
        }

    def _client(self, asked: Mapping[str, str]) -> tuple[ToolRegistration, Once]:
        """The tool that made the assertion, and what makes the assertion usable once."""
        tool = None
        try:
            token = jwt.decode(asked["client_assertion"])
            client_id = token.claims.get("iss")
            tool = self.tokens.find(client_id) if isinstance(client_id, str) else None
            if tool is None:
                raise SignatureRefused("iss is no registered client_id")
            note(connection=tool.connection)
            checking("signature")
            claims = verified_claims(token, tool, self.key_sets)
            note(proved=True)
            checking("claims")
        except (SignatureRefused, NetworkFailed) as error:
            _refuse("invalid_client", error.detail, tool, UNPROVED)
        try:
            self._check(claims, tool, asked.get("client_id"))
            return tool, self._once(claims, tool)
        except SignatureRefused as error:
            _refuse("invalid_client", error.detail, tool)

    def _check(
        self, claims: Mapping[str, Any], tool: ToolRegistration, client_id: str | None
    ) -> None:
        if claims.get("sub") != tool.client_id or client_id not in (None, tool.client_id):
            raise SignatureRefused("sub or client_id is another client's")
        jwt.check_times(claims, self.clock(), self.leeway_s, MAX_LIFE_S)
        if claims["exp"] - claims["iat"] > MAX_LIFE_S:
            raise SignatureRefused("the assertion lasts too long")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if {self.url, self.issuer, *self.former}.isdisjoint(map(str, audiences)):
            wanted = f"neither {self.url} nor {self.issuer}"
            raise SignatureRefused(f"aud is {audience!r:.120}, {wanted}")
        if MESSAGE_TYPE in claims:  # a message to the platform, made with the same key
            raise SignatureRefused("an LTI message is no client assertion")
        if claims.get(DEPLOYMENT_ID, tool.deployment_id) != tool.deployment_id:
            raise SignatureRefused("deployment_id is not that of the registration")

    def _once(self, claims: Mapping[str, Any], tool: ToolRegistration) -> Once:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
            raise SignatureRefused(f"jti is no text of at most {MAX_JTI} characters")
        # a digest: any text fits into any database
        digest = hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest()
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        expires_at += timedelta(seconds=2 * self.leeway_s)
        return Once(f"assertion:{tool.client_id}", digest, expires_at)


def verified_claims(
    token: jwt.Unverified, tool: ToolRegistration, key_sets: FindKeys
) -> Mapping[str, Any]:
    """The claims, if this tool signed them. Raises SignatureRefused, NetworkFailed."""
    if tool.jwks_url:
        kid = jwt.key_id(token, ALGORITHMS)
        return jwt.verify(token, key_sets.keys(tool.jwks_url, kid), ALGORITHMS)
    # a tool that has registered its one key need not name it
    token = replace(token, header={"kid": ONE_KEY, **token.header})
    return jwt.verify(
        token, {jwt.key_id(token, ALGORITHMS): _public_key(tool.public_key)}, ALGORITHMS
    )


@lru_cache
def _public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):  # the settings take no other
        raise SignatureRefused("the registered public_key is no RSA key")
    return key


def _refuse(
    oauth: str, detail: str, tool: ToolRegistration | None = None, said: str = ""
) -> NoReturn:
    where = f"connection {tool.connection}: " if tool else ""
    raise TokenRequestRefused(oauth, where + detail, said or detail)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
