"""Which links of a course belong to an LTI 1.3 tool."""

from __future__ import annotations

from dataclasses import dataclass

from lti_bridge.core.course import links
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.records import Activity
from lti_bridge.core.tool.line_items import ToolContext, ToolStore
from lti_bridge.errors import NotConfigured, NotFound


@dataclass(frozen=True, slots=True)
class ToolLinks:
    """Finds the links that open a tool."""

    store: ToolStore
    catalogue: Catalogue

    def activity(self, context: ToolContext, link_id: str) -> Activity:
        """What a link of this course opens at this tool; NotFound when it does not."""
        link = self.store.link_in(context, link_id)
        if link is None:
            raise NotFound("no such resource link in this context")
        try:
            with self.store.transaction() as tx:
                activity = links.by_id(link.activity_id, self.catalogue, tx)
        except NotConfigured:  # the activity is gone, or does not fit its connection any more
            activity = None
        if activity is None or activity.connection != context.connection:
            raise NotFound("no such resource link in this context")
        return activity
