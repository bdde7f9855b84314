"""What was wrong with a refused LTI 1.1 launch, for whoever runs the bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lti_bridge.errors import BadRequest, BridgeError, Finding
from lti_bridge.lms.registration11 import WINDOW_S, Registration11
from lti_bridge.lti import explain_oauth1, oauth1
from lti_bridge.lti.oauth1_changes import Known

Refusal = tuple[type[BridgeError], str]
"""A refusal by its class and detail: the exception itself would keep the whole request."""

VERSION = "LTI-1p0"
_OAUTH = (
    *("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature_method"),
    "oauth_signature",
)
_UNSIGNED = (
    "The link in the LMS has no key and secret, or its LMS signs another address only: enter both"
    " at the tool's settings there."
)
_SHAPE = "The LMS or its plugin signs otherwise than OAuth 1.0 does (RFC 5849, 3.1): update it."
# How the detail of a refusal begins: what was looked at, what is wanted, and the remedy.
_MESSAGES = (
    ("lti_version", "lti_version", VERSION, "Let the LMS send LTI 1.1 messages to this key."),
    (
        "lti_message_type",
        "lti_message_type",
        "basic-lti-launch-request or ContentItemSelectionRequest",
        "Place the tool in the LMS where it opens a link, or chooses content.",
    ),
    (
        "resource_link_id",
        "link",
        "one resource_link_id, not empty",
        "Open the tool from a link in a course: the LMS names that link by its resource_link_id.",
    ),
    ("oauth_nonce", "nonce", "at most 255 characters", "Update the LMS or its plugin."),
    ("parameter", "parameters", "each once", "Take out the one that is set twice (tool, link)."),
    (
        "this LMS has to relaunch",
        "relaunch",
        "relaunch = true: LTI 1.1.2",
        "Switch LTI 1.1.2 on in the LMS, or take relaunch out of this LMS's table.",
    ),
)
_TOLD = ("lti_version", "lti_message_type")  # whose values name nobody


@dataclass(frozen=True, slots=True)
class Arrived11:
    """A launch as it came: fields and address, when, and to which names the browser sent it."""

    fields: oauth1.Params = field(repr=False)
    url: str
    now: int
    hosts: Sequence[str] = ()


def explain(
    arrived: Arrived11,
    registrations: Mapping[str, Registration11],
    former: Sequence[str],
    refusal: Refusal,
) -> list[Finding]:
    """The findings for a launch that was refused like this."""
    try:
        signed = oauth1.read_form("POST", arrived.url, arrived.fields)
    except BadRequest as error:
        return [_malformed(arrived.fields, error.detail)]
    own = registrations.get(signed.consumer_key)
    found = explain_oauth1.findings(
        signed,
        explain_oauth1.Trust(
            own=[known(own)] if own else [],
            others=[known(one) for one in registrations.values() if one is not own],
            now=arrived.now,
            window_s=own.timestamp_window_s if own else WINDOW_S,
            hosts=arrived.hosts,
            former=former,
        ),
    )
    if all(one.fits for one in found):
        found.insert(0, _message(dict(arrived.fields), refusal))
    return found


def known(registration: Registration11) -> Known:
    """A registration as the explainer names it."""
    return Known(
        f"LMS {registration.name!r}",
        registration.consumer_key,
        registration.shared_secret,
        registration.method,
    )


def other(refusal: Refusal) -> Finding:
    """A refusal that no check here explains: what its own words say."""
    refused, detail = refusal
    remedy = f"docs/errors.md says what {refused.code} means, and who can do something about it."
    allowed = "a launch that LTI and this registration allow"
    return Finding(refused.code, allowed, f"{detail:.200}", remedy)


def _malformed(fields: oauth1.Params, detail: str) -> Finding:
    values = dict(fields)
    missing = [name for name in _OAUTH if not values.get(name)]
    if missing:
        remedy = _UNSIGNED if len(missing) == len(_OAUTH) else _SHAPE
        came = f"without {', '.join(missing)}"
        return Finding("oauth parameters", ", ".join(_OAUTH), came, remedy)
    return Finding("oauth parameters", "as RFC 5849, 3.1 has them", f"{detail:.200}", _SHAPE)


def _message(values: Mapping[str, str], refusal: Refusal) -> Finding:
    detail = refusal[1]
    for start, check, configured, remedy in _MESSAGES:
        if detail.startswith(start):
            told = check in _TOLD and check in values
            came = f"{values[check]!r:.60}" if told else f"{detail:.120}"
            return Finding(check, configured, came, remedy)
    return other(refusal)
