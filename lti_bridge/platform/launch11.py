"""The bridge as LTI 1.1 tool consumer: a session becomes a signed form (LTI 1.1.1 §3, §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import DEEP_LINKING, RESOURCE_LINK
from lti_bridge.core.tool.choices import Asking
from lti_bridge.core.tool.launches import Origin, ToolLaunch
from lti_bridge.core.tool.registration import Credentials
from lti_bridge.lti import claims, oauth1, roles
from lti_bridge.lti.deep_linking import LTI_LINK

FAMILY = "lti-bridge"
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Platform:
    """The bridge as one connection's tool knows it.

    `new_nonce` returns a fresh unguessable text; `sign(text)` is a MAC of the connection;
    `keep_launch` keeps a launch until its LTI 1.3 tool comes for it; `has_roster(origin)` says
    whether the members of a course can be told; `issuer` is the bridge's name towards LTI 1.3
    tools, empty for `public_url`.
    """

    clock: Callable[[], datetime]
    new_nonce: Callable[[], str]
    public_url: str
    issuer: str
    name: str
    sign: Callable[[str], str]
    keep_launch: Callable[[ToolLaunch], None]
    has_roster: Callable[[Origin], bool]


@dataclass(frozen=True, slots=True)
class Tool11:
    """One LTI 1.1 tool that the bridge launches."""

    launch_url: str
    credentials: Credentials
    platform: Platform

    def form(
        self, session: Session, target: str = "", declared: Mapping[str, str] = NOTHING
    ) -> Form:
        """The signed launch of this session; sign anew for every click.

        `target` is the address of one resource of the tool, if the activity has its own; there
        are no line items that something could be declared for.
        """
        told = launch_claims(session, self.platform)
        return self._signed(target or self.launch_url, claims.parameters_from_claims(told))

    def pick(self, session: Session, asking: Asking, target: str) -> Form:
        """The signed message that asks for links (Content-Item Message 1.0 §3)."""
        told = {
            name: value
            for name, value in launch_claims(session, self.platform).items()
            if name not in (claims.RESOURCE_LINK, claims.PRESENTATION, claims.BASIC_OUTCOME)
        }
        told[claims.MESSAGE_TYPE] = DEEP_LINKING
        told[claims.DEEP_LINKING_SETTINGS] = {
            "deep_link_return_url": asking.return_url,
            "accept_types": [LTI_LINK],
            "accept_presentation_document_targets": ["iframe", "window"],
            "accept_multiple": asking.multiple,
            "auto_create": True,
            "title": asking.title,
            "data": asking.data,
        }
        fields = claims.parameters_from_claims(told)
        return self._signed(target, [*fields, ("accept_unsigned", "false")])

    def _signed(self, url: str, fields: list[tuple[str, str]]) -> Form:
        signed = oauth1.sign_form(
            url,
            fields,
            self.credentials.consumer_key,
            self.credentials.shared_secret,
            nonce=self.platform.new_nonce(),
            timestamp=int(self.platform.clock().timestamp()),
            method=self.credentials.method,
        )
        return Form(url, tuple(signed))


def launch_claims(session: Session, platform: Platform) -> dict[str, Any]:
    """The session in the vocabulary of LTI 1.3, which the 1.1 parameters are derived from."""
    person, presentation = session.person, session.presentation
    found = {
        claims.MESSAGE_TYPE: RESOURCE_LINK,
        claims.ROLES: list(roles.narrow(session.roles)),
        claims.RESOURCE_LINK: _given(
            id=session.resource_link.id,
            title=session.resource_link.title,
            description=session.resource_link.description,
        ),
        claims.CONTEXT: _given(
            id=session.context.id,
            label=session.context.label,
            title=session.context.title,
            type=list(session.context.types),
        ),
        claims.PRESENTATION: _given(
            document_target=presentation.target or "window",
            width=presentation.width,
            height=presentation.height,
            locale=presentation.locale,
            return_url=session.return_url,
        ),
        claims.PLATFORM: _about(platform),
        claims.LIS: _given(person_sourcedid=person.sourced_id),
        claims.BASIC_OUTCOME: _given(
            lis_outcome_service_url=session.outcome_url, lis_result_sourcedid=session.sourced_id
        ),
        claims.CUSTOM: dict(session.custom),
        "sub": session.learner_id,
    }
    found.update(
        _given(
            given_name=person.given_name,
            family_name=person.family_name,
            middle_name=person.middle_name,
            name=person.full_name,
            email=person.email,
            picture=person.image,
        )
    )
    return {name: value for name, value in found.items() if value}


def _about(platform: Platform) -> Mapping[str, str]:
    host = platform.public_url.split("://", 1)[-1]
    return {"guid": host, "name": platform.name, "product_family_code": FAMILY}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
