"""Which tests an instructor may set up, and what stands in the form before anything is typed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from lti_bridge.core.attempt.capabilities import COSTS
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.course.placements import Placing
from lti_bridge.core.launch.message import Launch, Once, ResourceLink
from lti_bridge.errors import NotConfigured

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LINK = ResourceLink("link-1", "The title of the link")
LAUNCH = Launch("campus", "1.3", Once("nonce", "n1", NOON), NOON, resource_link=LINK)
OPEN = Connection("open", "demo", None)  # type: ignore[arg-type]
THEIRS = replace(OPEN, name="theirs", registrations=frozenset({"campus"}))
OTHERS = replace(OPEN, name="others", registrations=frozenset({"college"}))
SOLD = replace(OPEN, name="sold", capabilities=frozenset({COSTS}))


class Settings(BaseModel):
    """A test."""

    color: str = "blue"


class Catalogue:
    """Connections, each with one form."""

    def connections(self) -> list[Connection]:
        return [OPEN, OTHERS, THEIRS, SOLD]

    def connection(self, name: str) -> Connection:
        return next(one for one in self.connections() if one.name == name)

    def forms(self, connection: str) -> tuple[type[BaseModel], ...]:
        return (Settings,)


@pytest.fixture
def placing() -> Placing:
    unused: Any = None
    return Placing(unused, Catalogue(), unused, unused, lambda: "new", lambda: NOON)  # type: ignore[arg-type]


def test_connections_that_are_open_to_the_lms(placing: Placing) -> None:
    assert [way.label for way in placing.ways(LAUNCH)] == ["open", "theirs", "sold"]
    college = replace(LAUNCH, registration="college")
    assert [way.label for way in placing.ways(college)] == ["open", "others", "sold"]
    with pytest.raises(NotConfigured):
        placing.new_draft(LAUNCH, "others", 0)


def test_a_long_name_is_cut_in_the_log(placing: Placing) -> None:
    with pytest.raises(NotConfigured) as caught:
        placing.new_draft(LAUNCH, "n" * 80 + "more", 0)
    assert caught.value.detail == f"connection {'n' * 80!r} is not open to this LMS"


@pytest.mark.parametrize(
    ("extra", "title"),
    [
        ({}, "The title of the link"),
        ({"title": ""}, "The title of the link"),
        ({"title": "What the LMS proposes"}, "What the LMS proposes"),
        ({"title": "t" * 256}, "t" * 255),
    ],
)
def test_the_form_begins_with_a_title(placing: Placing, extra: Any, title: str) -> None:
    draft = placing.new_draft(replace(LAUNCH, extra=extra), "open", 0)
    assert draft.values["title"] == title
    assert (draft.values["set.color"], draft.values["attempts"]) == ("blue", "0")


def test_what_is_paid_for_is_given_once_unless_somebody_asks_for_more(placing: Placing) -> None:
    assert placing.new_draft(LAUNCH, "sold", 0).values["attempts"] == "1"
