"""The scopes of services: AGS 2.0, NRPS 2.0, and Basic Outcome by access token."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_bridge.lti import ags

AGS_SCOPES = (ags.LINE_ITEM, ags.LINE_ITEM_READ, ags.RESULT_READ, ags.SCORE)
BASIC_OUTCOME_SCOPE = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"
NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPES = frozenset({*AGS_SCOPES, BASIC_OUTCOME_SCOPE, NRPS_SCOPE})
"""Every service that a tool may be offered."""

SCOPES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"ags": AGS_SCOPES, "basic-outcome": (BASIC_OUTCOME_SCOPE,), "members": (NRPS_SCOPE,)}
)
"""By the name that a service has in the configuration."""
