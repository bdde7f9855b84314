"""Reading what Isograd's API answers: members, numbers, web addresses, and refusals by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from lti_bridge.errors import BridgeError
from lti_bridge.providers.isograd.errors import ERRORS, CandidateExists, UnknownRefusal


def members_of(body: bytes) -> dict[str, Any]:
    """The members of a JSON object with exact decimals; none when it is anything else."""
    try:
        value = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def id_of(value: object) -> str:
    """An id as text; empty when it is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if re.fullmatch("[0-9]{1,18}", text) else ""


def refusal(act_id: int, members: Mapping[str, Any]) -> BridgeError:
    """The named error for an answer without success.

    Of the message only a parameter's name is kept: the rest may repeat what a person is called.
    """
    code = id_of(members.get("error_code"))
    named = re.search('"([a-z_]{2,20})"', str(members.get("error_message")))
    detail = f"action {act_id}: error {code or 'without a code'}"
    if named and code == "105":
        detail += f", {named[1]} is missing"
    if code == "202":
        return CandidateExists(detail, id_of(members.get("can_id")))
    return ERRORS.get(code, UnknownRefusal)(detail)
