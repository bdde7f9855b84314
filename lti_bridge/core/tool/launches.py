"""What the bridge keeps of a launch at an LTI 1.3 tool; nothing of it is told to the tool."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session comes from, in the bridge's and the LMS's own ids.

    `learner_id` is empty for an anonymous click, `context_id` (the LMS's) without a course.
    `course` stands for the course in the addresses of services: opaque, and never empty.
    `graded`: the LMS has a place for grades of this link. `listed`: it says where it lists the
    members of the course.
    """

    learner_id: str = ""
    registration: str = ""
    deployment_id: str = ""
    context_id: str = ""
    course: str = ""
    graded: bool = False
    listed: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredItem:
    """The line item that the bridge itself declares for a link whose grade an LMS wants.

    `maximum` is what its scores are shown out of, `resource_id` and `tag` are the tool's own words.
    """

    id: str
    link_id: str
    label: str
    maximum: str = "100"
    resource_id: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class ToolLaunch:
    """A launch between the login initiation and the id_token.

    `hint` and `browser` are digests of the message hint and of the browser's cookie; `user_id` is
    the learner as the tool knows them, empty when anonymous; `claims` are those of the id_token,
    but for the nonce and the times.
    """

    hint: str
    connection: str
    login_hint: str
    browser: str
    user_id: str
    origin: Origin
    line_item: DeclaredItem | None
    claims: Mapping[str, Any]
    until: datetime


@dataclass(frozen=True, slots=True)
class TakenLaunch:
    """A launch that was taken from the store, which has it no longer."""

    connection: str
    login_hint: str
    claims: Mapping[str, Any]
    until: datetime


def digest(text: str) -> str:
    """A secret as it is kept: its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
