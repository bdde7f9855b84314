"""From LTI 1.1 to 1.3 without losing anyone: under which former names a launch was known.

Either the LMS proves it in the launch, signing with the secret of the old consumer key (the
lti1p1 claim), or an admin has said that an old registration and a new one are the same LMS. A
claim that proves nothing changes nothing: the launch goes on by itself.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lti_bridge.core.launch.message import Former, Launch
from lti_bridge.lms.directory import Directory
from lti_bridge.lms.reading import MAX_ID
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti.claims import DEPLOYMENT_ID, LTI1P1
from lti_bridge.lti.migration import key_sign

log = logging.getLogger("lti_bridge.migration")

KEY = "oauth_consumer_key"
SIGN = "oauth_consumer_key_sign"
# Verified against when the key is unknown, so that both cost the same.
NOBODY = Registration11("", "", "no-such-consumer")


def with_former(
    launch: Launch, claims: Mapping[str, Any], ours: Registration13, directory: Directory
) -> Launch:
    """The launch, with its former names where they are proved; `claims` are verified."""
    claim = claims.get(LTI1P1)
    claim = claim if isinstance(claim, Mapping) else {}
    old = _proved(claim, claims, ours, directory) or _linked(claim, ours, directory)
    if old is None or directory.parted(ours.name, old.name):
        return launch
    former = Former(
        registration=old.name,
        user_id=_text(claim, "user_id") or launch.person.id,
        context_id=_text(claim, "context_id") or launch.context.id,
        resource_link_id=_text(claim, "resource_link_id") or launch.resource_link.id,
    )
    return replace(launch, former=former)


def _proved(
    claim: Mapping[str, Any], claims: Mapping[str, Any], ours: Registration13, directory: Directory
) -> Registration11 | None:
    """The 1.1 registration whose secret signed this very token's identity, if any did."""
    key, given, expires = _text(claim, KEY), _text(claim, SIGN), claims.get("exp")
    if not key or not given or type(expires) is not int:
        return None
    old = directory.by_key.get(key)
    # our own client_id, never another audience of the token
    expected = key_sign(
        (old or NOBODY).shared_secret,
        key,
        claims[DEPLOYMENT_ID],
        ours.issuer,
        ours.client_id,
        expires,
        claims["nonce"],
    )
    if old is not None and hmac.compare_digest(expected.encode(), given.encode()):
        return old
    log.warning("migration.refused", extra={"registration": ours.name, "reason": "key sign"})
    return None


def _linked(
    claim: Mapping[str, Any], ours: Registration13, directory: Directory
) -> Registration11 | None:
    """The 1.1 registration that an admin linked, unless the claim speaks of another one."""
    old = directory.former(ours.name)
    if old is None or _text(claim, KEY) not in ("", old.consumer_key):
        return None
    return old


def _text(claim: Mapping[str, Any], name: str) -> str:
    value = claim.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_ID else ""
