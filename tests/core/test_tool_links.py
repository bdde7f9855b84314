"""A tool is told of its own links only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lti_bridge.core.records import Activity, Link
from lti_bridge.core.tool.line_items import ToolContext
from lti_bridge.core.tool.links import ToolLinks
from lti_bridge.errors import NotConfigured, NotFound

ACTIVITIES = {name: Activity(name, "A test", name, None) for name in ("ant", "bee", "cat")}


class Rows:
    """A link for each activity, one of an activity that is gone, and one that does not fit."""

    def link_in(self, context: ToolContext, link_id: str) -> Link | None:
        return None if link_id == "none" else Link(link_id, link_id)

    @contextmanager
    def transaction(self) -> Iterator[Rows]:
        yield self

    def stored_activity(self, activity_id: str) -> None:
        if activity_id == "unfit":
            raise NotConfigured("its connection is another one now")

    def activity(self, activity_id: str) -> Activity | None:
        return ACTIVITIES.get(activity_id)


def test_a_link_opens_the_tool_that_its_activity_is_of() -> None:
    links = ToolLinks(Rows(), Rows())  # type: ignore[arg-type]
    bee = ToolContext("course", "bee", "campus", "1", "c")
    assert links.activity(bee, "bee") == ACTIVITIES["bee"]
    for other in ("ant", "cat", "gone", "unfit", "none"):
        with pytest.raises(NotFound):
            links.activity(bee, other)
