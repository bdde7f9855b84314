"""How a pretend LTI 1.3 tool logs in and believes an id_token, written from the standards alone."""

import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug.wrappers import Response as AnyResponse

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
BASIC_OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"

_LIFE_S = 600
_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_ROLE = re.compile(r"http://purl\.imsglobal\.org/vocab/l(is|ti)/.+#\w+")


class LaunchRefused(Exception):
    """A message that cannot be believed; the text says why."""


@dataclass(frozen=True)
class Platform:
    """What the tool was told about its platform."""

    issuer: str
    client_id: str
    deployment_id: str
    authorize_url: str
    token_url: str
    jwks_url: str

    @classmethod
    def at(cls, issuer: str, client_id: str, deployment_id: str) -> "Platform":
        """A bridge, whose addresses all hang at its issuer."""
        address = f"{issuer}/platform"
        return cls(
            issuer,
            client_id,
            deployment_id,
            f"{address}/authorize",
            f"{address}/token",
            f"{address}/jwks",
        )


@dataclass(frozen=True)
class Login:
    """A login under way, by its state."""

    nonce: str
    browser: str
    target: str
    deployment_id: str
    until: float


class ToolKey:
    """The tool's own key pair and its key set."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_hex(8)

    def key_set(self) -> dict[str, Any]:
        """The JSON Web Key Set."""
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        key = {"kty": "RSA", "n": public["n"], "e": public["e"]}
        return {"keys": [{**key, "kid": self.kid, "alg": "RS256", "use": "sig"}]}


@dataclass
class Door:
    """The tool's login and launch. `redirect_uri` is where id_tokens are wanted.

    `accepts` says whether an address is a target of this tool.
    """

    platform: Platform
    redirect_uri: str
    accepts: Callable[[str], bool]
    lock: threading.RLock = field(default_factory=threading.RLock)
    logins: dict[str, Login] = field(default_factory=dict)

    def login(self, sent: Mapping[str, str]) -> AnyResponse:
        """Answer a login initiation. Raises LaunchRefused."""
        platform = self.platform
        if sent.get("iss") != platform.issuer:
            raise LaunchRefused("The platform is not known here.")
        if sent.get("client_id", platform.client_id) != platform.client_id:
            raise LaunchRefused("The client id is not ours.")
        if not sent.get("login_hint") or not self.accepts(sent.get("target_link_uri", "")):
            raise LaunchRefused("login_hint is missing, or target_link_uri is not ours.")
        state, nonce, browser = (secrets.token_urlsafe(24) for _ in range(3))
        with self.lock:
            self.logins[state] = Login(
                nonce,
                browser,
                sent["target_link_uri"],
                sent.get("lti_deployment_id", platform.deployment_id),
                time.time() + _LIFE_S,
            )
        request = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": platform.client_id,
            "redirect_uri": self.redirect_uri,
            "login_hint": sent["login_hint"],
            "state": state,
            "nonce": nonce,
        }
        if "lti_message_hint" in sent:
            request["lti_message_hint"] = sent["lti_message_hint"]
        response = AnyResponse(status=302)
        response.headers["Location"] = f"{platform.authorize_url}?{urlencode(request)}"
        response.set_cookie(
            _cookie(state),
            browser,
            max_age=_LIFE_S,
            secure=True,
            httponly=True,
            samesite="None",
            partitioned=True,
        )
        return response

    def launch(self, sent: Mapping[str, str], cookies: Mapping[str, str]) -> dict[str, Any]:
        """The claims of a posted id_token. Raises LaunchRefused."""
        if "error" in sent:
            raise LaunchRefused(f"The platform refused: {sent['error'][:60]}")
        state = sent.get("state", "")
        with self.lock:
            login = self.logins.pop(state, None)
        if login is None or time.time() > login.until:
            raise LaunchRefused("The state is unknown, used or too old.")
        if not hmac.compare_digest(cookies.get(_cookie(state), ""), login.browser):
            raise LaunchRefused("This is not the browser that logged in.")
        claims = self._verified(sent.get("id_token", ""))
        _check(claims, login, self.platform)
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        platform = self.platform
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "RS256" or header.get("typ") != "JWT":
                raise LaunchRefused("The id_token is not a JWT signed by RS256.")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public_key(str(header.get("kid"))),
                algorithms=["RS256"],
                audience=platform.client_id,
                issuer=platform.issuer,
                options={"require": ["iss", "aud", "exp", "iat", "nonce"]},
            )
        except jwt.PyJWTError as error:
            raise LaunchRefused(f"The id_token is not valid: {type(error).__name__}") from error
        if claims.get("azp", platform.client_id) != platform.client_id:
            raise LaunchRefused("azp is somebody else.")
        if not 0 < claims["exp"] - claims["iat"] <= _LIFE_S:
            raise LaunchRefused("The id_token lives too long.")
        return claims

    def _public_key(self, kid: str) -> Any:
        answer = urllib3.request("GET", self.platform.jwks_url, timeout=_TIMEOUT, retries=False)
        keys = json.loads(answer.data)["keys"]
        found = [key for key in keys if key["kid"] == kid and key["use"] == "sig"]
        if answer.status != 200 or len(found) != 1:
            raise LaunchRefused("The key is not in the platform's key set.")
        return RSAAlgorithm.from_jwk(found[0])


def _cookie(state: str) -> str:
    return f"tool13-{state[:8]}"


def _check(claims: dict[str, Any], login: Login, platform: Platform) -> None:
    """The LTI claims of a launch (Core 1.3 §5.3), or of a request to choose (DL 2.0 §4.4)."""
    choosing = claims.get(f"{CLAIM}message_type") == "LtiDeepLinkingRequest"
    wanted = {
        "nonce": login.nonce,
        f"{CLAIM}message_type": ("LtiDeepLinkingRequest" if choosing else "LtiResourceLinkRequest"),
        f"{CLAIM}version": "1.3.0",
        f"{CLAIM}deployment_id": login.deployment_id,
        f"{CLAIM}target_link_uri": login.target,
    }
    wrong = [name for name, value in wanted.items() if claims.get(name) != value]
    if login.deployment_id != platform.deployment_id:
        wrong.append("lti_deployment_id")
    roles = claims.get(f"{CLAIM}roles")
    if not isinstance(roles, list) or (roles and not any(_ROLE.fullmatch(one) for one in roles)):
        wrong.append("roles")
    if bool(claims.get(f"{CLAIM}resource_link", {}).get("id")) == choosing:
        wrong.append("resource_link")
    custom = claims.get(f"{CLAIM}custom", {})
    if not all(isinstance(value, str) for value in custom.values()):
        wrong.append("custom")
    if len(claims.get("sub", "x")) > 255 or not claims.get("sub", "x").isascii():
        wrong.append("sub")
    if wrong:
        raise LaunchRefused(f"Claims are missing or wrong: {', '.join(wrong)}")
