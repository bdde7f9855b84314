"""Dynamic registration as a platform: a tool with an invitation registers itself (DR 1.0).

What it says becomes a connection that waits for an admin. It chooses neither its client id nor
the connection's name, and nothing of it is fetched before it is approved.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from lti_bridge.core.launch.message import DEEP_LINKING, RESOURCE_LINK
from lti_bridge.core.launch.variables import variables
from lti_bridge.errors import ConfigurationError, TokenMissing, TokenRefused, ToolMetadataRefused
from lti_bridge.lti import oidc
from lti_bridge.lti.scopes import SCOPES, SCOPES_OF
from lti_bridge.platform.content_items import plain_text
from lti_bridge.platform.launch13 import AUTHORIZE_PATH

log = logging.getLogger("lti_bridge.tool_registering")

CONFIGURATION_PATH = "/.well-known/openid-configuration"
REGISTER_PATH = "/platform/register"
PURPOSE = "tool"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "middle_name", "email", "picture")
MAX_TEXT = 2000  # characters of an address, a name or a value
MAX_LIST = 50
_UNFIT = re.compile(r"[\ud800-\udfff]|\\u0000")  # in JSON: what no database and no terminal takes
# One value that has to be there, or to be among those that are there (DR 1.0 §3.1).
FIXED = {"token_endpoint_auth_method": "private_key_jwt", "application_type": "web"}


class Keeps(Protocol):
    """Where invitations are used up."""

    def use_invitation(self, token: str, purpose: str, now: datetime) -> Any:
        """The invitation for one try, with its `name`; None when it is not good (any more)."""

    def give_back(self, invitation: Any, reason: str, exchange: Sequence[Any]) -> None:
        """Keep why nothing was registered; it is as good as before."""

    def end(self, invitation: Any) -> None:
        """It has led to a tool, and is good for nothing any more."""


@dataclass(frozen=True, slots=True)
class ToolRegistering:
    """Dynamic registration with everything it needs from the outside.

    `add` keeps a connection with what was registered and says whether there was room for it;
    `check` raises ConfigurationError for a connection that could not be used; `may_call` says of
    a host that it is public, or private and allowed.
    """

    public_url: str
    issuer: str
    version: str
    paths: Mapping[str, str]
    keeps: Keeps
    check: Callable[[Mapping[str, Any]], None]
    may_call: Callable[[str], bool]
    add: Callable[[Mapping[str, Any], Mapping[str, Any], datetime], bool]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def configuration(self) -> dict[str, Any]:
        """What the bridge says about itself as a platform (DR 1.0 §3.2)."""
        url = self.public_url
        return {
            "issuer": self.issuer,
            "authorization_endpoint": url + AUTHORIZE_PATH,
            "registration_endpoint": url + REGISTER_PATH,
            **{name: url + path for name, path in self.paths.items()},
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", *sorted(SCOPES)],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": list(CLAIMS),
            "subject_types_supported": ["pairwise"],
            PLATFORM: {
                "product_family_code": "lti-bridge",
                "version": self.version,
                "messages_supported": [
                    {"type": RESOURCE_LINK},
                    {"type": DEEP_LINKING, "placements": ["ContentArea"]},
                ],
                "variables": [name for name, _ in variables()],
            },
        }

    def register(self, authorization: str, body: bytes) -> dict[str, Any]:
        """The accepted registration, which waits for an admin.

        Raises TokenMissing, TokenRefused before anything is read, ToolMetadataRefused.
        """
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenMissing("no registration token in the Authorization header")
        invitation = self.keeps.use_invitation(token.strip(), PURPOSE, self.clock())
        if invitation is None:
            raise TokenRefused("the registration token is unknown, used or expired")
        try:
            answer = self._accept(
                _Metadata.read(body, self.public_url, self.may_call), invitation.name
            )
        except ToolMetadataRefused as error:
            self.keeps.give_back(invitation, error.detail, [])
            raise
        self.keeps.end(invitation)
        log.info("tool.registered", extra={"connection": invitation.name})
        return answer

    def _accept(self, told: _Metadata, name: str) -> dict[str, Any]:
        scopes = [one for one in told.text("scope", needed=False).split() if one in SCOPES]
        tool = told.tool()
        connection = {
            "name": name,
            "kind": "lti",
            "version": "1.3",
            "launch_url": tool["target_link_uri"],
            "login_url": told.address("initiate_login_uri"),
            "redirect_uris": told.addresses("redirect_uris"),
            "jwks_url": told.address("jwks_uri"),
            "client_id": self.new_id(),
            "deployment_id": "1",
            "services": _services(scopes),
            "deep_link_url": told.deep_link_url(tool),
            "custom": tool["custom_parameters"],
        }
        answer = told.echo()
        answer.update(client_id=connection["client_id"], scope=" ".join(scopes))
        answer[TOOL] = {**answer[TOOL], "deployment_id": "1"}
        try:
            self.check(connection)
        except ConfigurationError as error:
            raise ToolMetadataRefused(error.detail) from error
        if not self.add(connection, answer, self.clock()):
            raise ToolMetadataRefused("a tool was registered under this name before")
        return answer


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What a tool says about itself; everything is read with its kind and length checked."""

    values: Mapping[str, Any]
    hosts: frozenset[str]
    loopback: bool
    may_call: Callable[[str], bool]

    @classmethod
    def read(cls, body: bytes, public_url: str, may_call: Callable[[str], bool]) -> _Metadata:
        """Raises ToolMetadataRefused unless all required parts are there (DR 1.0 §3.1)."""
        try:
            values = json.loads(body)
            unfit = _UNFIT.search(json.dumps(values, ensure_ascii=False))
        except (ValueError, RecursionError) as error:
            raise ToolMetadataRefused("the body is no JSON") from error
        if unfit:
            raise ToolMetadataRefused("a text holds NUL or half a character")
        tool = values.get(TOOL) if isinstance(values, dict) else None
        if not isinstance(tool, dict):
            raise ToolMetadataRefused(f"{TOOL} is missing")
        for name, wanted in FIXED.items():
            if values.get(name, wanted if name == "application_type" else None) != wanted:
                raise ToolMetadataRefused(f"{name} must be {wanted}")
        if "id_token" not in _texts(values, "response_types"):
            raise ToolMetadataRefused("response_types must contain id_token")
        _text(values, "client_name")
        more = tool.get("secondary_domains")
        domains = [_text(tool, "domain"), *(_texts(tool, "secondary_domains") if more else ())]
        try:
            hosts = frozenset(urlsplit(f"//{domain.lower()}").hostname or "" for domain in domains)
        except ValueError:
            raise ToolMetadataRefused("domain is no name of a host") from None
        return cls(values, hosts, public_url.startswith("http://"), may_call)

    def text(self, name: str, *, needed: bool = True) -> str:
        """A text of the registration itself."""
        return _text(self.values, name, needed=needed)

    def address(self, name: str, members: Mapping[str, Any] | None = None) -> str:
        """An https address on the tool's own domain, or below it."""
        return self._own(_text(self.values if members is None else members, name), name)

    def addresses(self, name: str) -> list[str]:
        """Several of them, one at least."""
        found = [self._own(one, name) for one in _texts(self.values, name)]
        if not found:
            raise ToolMetadataRefused(f"{name} is empty")
        return found

    def tool(self) -> dict[str, Any]:
        """The checked part about LTI: target_link_uri and custom_parameters."""
        tool = self.values[TOOL]
        custom = tool.get("custom_parameters") or {}
        if not isinstance(custom, dict) or len(custom) > MAX_LIST:
            raise ToolMetadataRefused(f"custom_parameters is no object of at most {MAX_LIST}")
        texts = {name: plain_text(value) for name, value in custom.items() if value is not None}
        for name, value in texts.items():
            if value is None or len(value) > MAX_TEXT:
                said = f"is no text of at most {MAX_TEXT} characters"
                raise ToolMetadataRefused(f"custom_parameters.{name:.80} {said}")
        target = self.address("target_link_uri", tool)
        return {"target_link_uri": target, "custom_parameters": texts}

    def deep_link_url(self, tool: Mapping[str, Any]) -> str:
        """Where instructors choose at the tool; empty when it does not offer that."""
        messages = self.values[TOOL].get("messages") or []
        for one in messages if isinstance(messages, list) else []:
            if isinstance(one, dict) and one.get("type") == DEEP_LINKING:
                named = one.get("target_link_uri")
                return self.address("target_link_uri", one) if named else tool["target_link_uri"]
        return ""

    def echo(self) -> dict[str, Any]:
        """What was accepted, as the answer repeats it."""
        names = (
            "client_name",
            "initiate_login_uri",
            "redirect_uris",
            "jwks_uri",
            "token_endpoint_auth_method",
        )
        known = ("domain", "target_link_uri", "custom_parameters", "description", "messages")
        found = {name: self.values[name] for name in names if name in self.values}
        tool = {name: self.values[TOOL][name] for name in known if name in self.values[TOOL]}
        logo = self.values.get("logo_uri")  # of any host, or none: nobody here shows or fetches it
        if isinstance(logo, str) and len(logo) <= MAX_TEXT and oidc.origin(logo):
            found["logo_uri"] = logo
        found.update(application_type="web", response_types=["id_token"])
        found["grant_types"] = ["implicit", "client_credentials"]
        return {**found, TOOL: {**tool, "claims": list(CLAIMS)}}

    def _own(self, url: str, name: str) -> str:
        host = self._address(url, name)
        if not any(host == one or host.endswith(f".{one}") for one in self.hosts if one):
            raise ToolMetadataRefused(f"{name} is not on the tool's domain")
        return url

    def _address(self, url: str, name: str) -> str:
        """The host of an https address that anybody can reach."""
        origin = oidc.origin(url)
        if not origin or not (self.loopback or origin.startswith("https://")):
            raise ToolMetadataRefused(f"{name} is no https address")
        host = urlsplit(url).hostname or ""
        if not self.may_call(host):  # names are looked up when they are called
            said = "is an internal address, which is not in the bridge's allow_private"
            raise ToolMetadataRefused(f"{name} {said}")
        return host


def _services(scopes: Sequence[str]) -> list[str]:
    return [name for name, needed in SCOPES_OF.items() if set(needed) & set(scopes)]


def _text(members: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = members.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT or (needed and not value.strip()):
        raise ToolMetadataRefused(f"{name} is missing, or no text of reasonable length")
    return value


def _texts(members: Mapping[str, Any], name: str) -> list[str]:
    values = members.get(name)
    if not isinstance(values, list) or len(values) > MAX_LIST:
        raise ToolMetadataRefused(f"{name} is missing, or no list of reasonable length")
    if not all(isinstance(one, str) and len(one) <= MAX_TEXT for one in values):
        raise ToolMetadataRefused(f"{name} is no list of texts")
    return list(values)
