"""The bridge as LTI 1.3 platform: a session becomes a login initiation (Core 1.3, SEC §5.1.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.launch.handoff import Cookie, Form, Frame
from lti_bridge.core.launch.message import DEEP_LINKING
from lti_bridge.core.tool.choices import Asking
from lti_bridge.core.tool.launches import DeclaredItem, ToolLaunch, digest
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.lti import claims, oidc
from lti_bridge.lti.deep_linking import LTI_LINK
from lti_bridge.lti.scopes import AGS_SCOPES, BASIC_OUTCOME_SCOPE, NRPS_SCOPE
from lti_bridge.platform.launch11 import NOTHING, Platform, launch_claims

AUTHORIZE_PATH = "/platform/authorize"
COOKIE_PREFIX = "__Secure-lti-tool-"
LIFE = timedelta(minutes=5)

_VOCABULARY = "http://purl.imsglobal.org/vocab/lis/v2/course#"
_OF_A_LINK = (claims.RESOURCE_LINK, claims.CUSTOM, claims.PRESENTATION)
_PERSONAL = ("name", "given_name", "family_name", "middle_name", "email", "picture", claims.LIS)


@dataclass(frozen=True, slots=True)
class Tool13:
    """One LTI 1.3 tool that the bridge launches."""

    registration: ToolRegistration
    platform: Platform
    frame_allow: tuple[str, ...] = ()

    def form(
        self, session: Session, target: str = "", declared: Mapping[str, str] = NOTHING
    ) -> Form:
        """The login initiation of this session, which is kept until the tool comes for it.

        `target` is the address of one resource of the tool, if the activity has its own, and
        `declared` what its line item says beside its label.
        """
        target = target or self.registration.launch_url
        item = self._line_item(session, declared)
        form = self._initiation(session, target, item, message_claims(session, self, target, item))
        return replace(form, frame=self._frame())

    def pick(self, session: Session, asking: Asking, target: str) -> Form:
        """The login initiation of a message that asks for links (DL 2.0 §2.1)."""
        told = deep_linking_claims(session, self, target, asking)
        return self._initiation(session, target, None, told)

    def _initiation(
        self, session: Session, target: str, item: DeclaredItem | None, told: Mapping[str, Any]
    ) -> Form:
        registration, platform = self.registration, self.platform
        hint, login_hint, browser = (platform.new_nonce() + platform.new_nonce() for _ in range(3))
        launch = ToolLaunch(
            hint=digest(hint),
            connection=registration.connection,
            login_hint=login_hint,
            browser=digest(browser),
            user_id=session.learner_id,
            origin=session.origin,
            line_item=item,
            claims=told,
            until=platform.clock() + LIFE,
        )
        platform.keep_launch(launch)
        fields = {
            "iss": platform.issuer or platform.public_url,
            "login_hint": login_hint,
            "target_link_uri": target,
            "client_id": registration.client_id,
            "lti_deployment_id": registration.deployment_id,
            "lti_message_hint": hint,
        }
        if registration.frame and claims.RESOURCE_LINK in told:
            fields["lti_storage_target"] = "_parent"
        cookie = Cookie(
            cookie_name(hint), browser, cookie_path(platform.public_url), int(LIFE.total_seconds())
        )
        return Form(registration.login_url, tuple(fields.items()), (cookie,))

    def _frame(self) -> Frame | None:
        registration = self.registration
        if not registration.frame:
            return None
        urls = (registration.login_url, registration.launch_url, *registration.redirect_uris)
        return Frame(tuple(dict.fromkeys(map(oidc.origin, urls))), self.frame_allow)

    def _line_item(self, session: Session, declared: Mapping[str, str]) -> DeclaredItem | None:
        if not session.origin.graded or self.registration.scopes.isdisjoint(AGS_SCOPES):
            return None
        link_id = session.resource_link.id
        name = self.platform.sign(f"line item {session.origin.course} {link_id}")
        return DeclaredItem(name, link_id, **{"label": session.resource_link.title, **declared})


def message_claims(
    session: Session, tool: Tool13, target: str, item: DeclaredItem | None
) -> dict[str, Any]:
    """The claims of a resource link launch (Core 1.3 §5.3, §5.4), but for nonce and times."""
    registration, platform = tool.registration, tool.platform
    found = launch_claims(session, platform)
    outcome = found.pop(claims.BASIC_OUTCOME, {})
    if session.sourced_id and BASIC_OUTCOME_SCOPE in registration.scopes:
        found[claims.BASIC_OUTCOME] = outcome
    if not session.learner_id:  # who is nobody has no name either (Core 1.3 §5.3.6.1)
        found = {name: value for name, value in found.items() if name not in _PERSONAL}
    if context := found.get(claims.CONTEXT, {}).get("id") and found[claims.CONTEXT]:
        types = [uri for uri in context.get("type", ()) if uri.startswith(_VOCABULARY)]
        found[claims.CONTEXT] = {**context, "type": types or [_VOCABULARY + "CourseSection"]}
    if registration.frame:
        found[claims.PRESENTATION] = {**found[claims.PRESENTATION], "document_target": "iframe"}
    found |= {
        "iss": platform.issuer or platform.public_url,
        "aud": registration.client_id,
        claims.VERSION: "1.3.0",
        claims.DEPLOYMENT_ID: registration.deployment_id,
        claims.TARGET_LINK_URI: target,
        claims.ROLES: found.get(claims.ROLES, []),
    }
    found |= _service_claims(session, tool, item)
    cleaned: dict[str, Any] = _trimmed(found)
    for claim in (claims.CONTEXT, claims.RESOURCE_LINK):  # JupyterHub refuses a label of ""
        cleaned |= {claim: _said(cleaned[claim])} if claim in cleaned else {}
    return _said(cleaned)


def deep_linking_claims(
    session: Session, tool: Tool13, target: str, asking: Asking
) -> dict[str, Any]:
    """The claims of a message that asks for links (DL 2.0 §4.4), but for nonce and times."""
    found = message_claims(session, tool, target, None)
    found = {name: value for name, value in found.items() if name not in _OF_A_LINK}
    settings = {
        "deep_link_return_url": asking.return_url,
        "accept_types": [LTI_LINK],
        "accept_presentation_document_targets": ["iframe", "window"],
        "accept_multiple": asking.multiple,
        "accept_lineitem": True,
        "auto_create": True,
        "data": asking.data,
    }
    if asking.title:
        settings["title"] = asking.title.strip()
    return {**found, claims.MESSAGE_TYPE: DEEP_LINKING, claims.DEEP_LINKING_SETTINGS: settings}


def _service_claims(session: Session, tool: Tool13, item: DeclaredItem | None) -> dict[str, Any]:
    scopes, course = tool.registration.scopes, session.origin.course
    found: dict[str, Any] = {}
    if granted := [scope for scope in AGS_SCOPES if scope in scopes]:
        line_items = line_items_url(tool.platform.public_url, course)
        endpoint: dict[str, Any] = {"scope": granted, "lineitems": line_items}
        if item is not None:
            endpoint["lineitem"] = f"{line_items}/{item.id}"
        found[claims.AGS_ENDPOINT] = endpoint
    if NRPS_SCOPE in scopes and tool.platform.has_roster(session.origin):
        found[claims.NRPS] = {
            "context_memberships_url": memberships_url(tool.platform.public_url, course),
            "service_versions": ["2.0"],
        }
    return found


def line_items_url(public_url: str, course: str) -> str:
    """Where the line items of a course are; one of them is below it, by its id."""
    return f"{public_url}/platform/{course}/lineitems"


def memberships_url(public_url: str, course: str) -> str:
    """Where the members of a course are listed."""
    return f"{public_url}/platform/{course}/memberships"


def cookie_name(hint: str) -> str:
    """The name of one launch's own cookie, so that launches in several tabs do not mix."""
    return COOKIE_PREFIX + digest(hint)[:12]


def cookie_path(public_url: str) -> str:
    """Where alone the browser sends the cookie."""
    return urlsplit(public_url).path + AUTHORIZE_PATH


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members but for texts of which nothing is left."""
    return {name: value for name, value in members.items() if value != ""}


def _trimmed(value: Any) -> Any:
    """No text begins or ends with white space (certification, "Free of Extra Whitespace")."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return {name: _trimmed(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_trimmed(part) for part in value]
    return value
