"""A launch as JSON and back, for the few launches that wait for a second click."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from lti_bridge.core.launch.message import (
    Context,
    Former,
    GradeTarget,
    Launch,
    Once,
    Person,
    Platform,
    Presentation,
    ResourceLink,
)

PARTS: dict[str, Any] = {
    "person": Person,
    "context": Context,
    "resource_link": ResourceLink,
    "platform": Platform,
    "presentation": Presentation,
    "grade_target": GradeTarget,
}
TUPLES = ("roles", "mentor_scope")
MAIN_ROLE = "standing"  # as it is called where launches were kept before


def to_json(launch: Launch, step: Mapping[str, str] | None = None) -> str:
    """The launch as JSON text; `step` says what its page shows, where that needs more to say."""
    data = {name: getattr(launch, name) for name in Launch.__dataclass_fields__}
    data.update({name: asdict(data[name]) for name in (*PARTS, "once")})
    data[MAIN_ROLE] = data.pop("main_role")
    data["former"] = asdict(launch.former) if launch.former else None
    data["custom"] = dict(launch.custom)
    data["extra"] = dict(launch.extra)
    data["step"] = dict(step or {})
    return json.dumps(data, default=_plain)


def from_json(text: str) -> Launch:
    """The launch of `to_json`."""
    data = json.loads(text)
    data.pop("step", None)
    data["main_role"] = data.pop(MAIN_ROLE)
    for name, part in PARTS.items():
        data[name] = part(**{key: _frozen(value) for key, value in data[name].items()})
    expires_at = datetime.fromisoformat(data["once"].pop("expires_at"))
    data["once"].pop("at", None)  # only the message itself can be repeated
    data["once"] = Once(**data["once"], expires_at=expires_at)
    data["received_at"] = datetime.fromisoformat(data["received_at"])
    if data.get("former"):
        data["former"] = Former(**data["former"])
    data.update({name: tuple(data[name]) for name in TUPLES})
    return Launch(**data)


def step_of(text: str) -> dict[str, str]:
    """The step of `to_json`."""
    return dict(json.loads(text).get("step") or {})


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | frozenset):
        return list(value)
    raise TypeError(type(value).__name__)


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
