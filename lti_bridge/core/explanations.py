"""What a validation error means, in sentences for the person who wrote the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is missing",
        "extra_forbidden": "is not known here; correct the spelling or remove it",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "string_too_short": "is empty or too short",
        "too_short": "is empty or too short",
        "model_type": "must be a group of keys and values",
        "model_attributes_type": "must be a group of keys and values",
        "dict_type": "must be a group of keys and values",
        "union_tag_not_found": "is missing",
    }
)


def explain(error: ValidationError) -> list[str]:
    """One `key: reason` sentence per problem, never with the value: it may be a secret."""
    return [_sentence(problem) for problem in _problems(error)]


def reasons(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Where each problem is and its reason, for a form that shows them beside its fields."""
    return [_reason(problem) for problem in _problems(error)]


def _problems(error: ValidationError) -> list[ErrorDetails]:
    # a default that follows from another key is no problem of its own where that one is wrong
    found = error.errors(include_url=False, include_input=False)
    return [one for one in found if one["type"] != "default_factory_not_called"]


def _sentence(problem: ErrorDetails) -> str:
    location, reason = _reason(problem)
    key = _key(location)
    return f"{key}: {reason}" if key else reason


def _reason(problem: ErrorDetails) -> tuple[tuple[int | str, ...], str]:
    kind, location, context = problem["type"], problem["loc"], problem.get("ctx", {})
    if kind.startswith("union_tag"):  # pydantic reports these without the key that decides
        location = (*location, str(context["discriminator"]).strip("'"))
    if kind == "union_tag_invalid":  # its own message repeats the value
        reason = f"must be one of {context['expected_tags']}"
    else:
        reason = _REASONS.get(kind) or _plain(problem["msg"])
    return location, reason


def _key(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return re.sub(r"^\w+ should ", "must ", message)
