"""What the status of an LMS's answer means for a grade on its way."""

from __future__ import annotations

from lti_bridge.errors import DeliveryFailed, DeliveryRefused
from lti_bridge.net import Response

TAKEN = frozenset({200, 201, 202, 204})
GONE = frozenset({404, 410})
TEMPORARY = frozenset({401, 408, 425, 429})


def refusal(reply: Response, what: str) -> DeliveryFailed | DeliveryRefused:
    """The error to raise: whether trying again later may help (AGS 2.0, OpenAPI)."""
    detail = f"{what}: HTTP {reply.status}"
    if reply.status >= 500 or reply.status in TEMPORARY or reply.status in TAKEN:
        return DeliveryFailed(detail)
    return DeliveryRefused(detail)
