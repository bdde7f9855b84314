"""Line items, scores and results for LTI 1.3 tools (Assignment and Grade Services 2.0)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from lti_bridge.core.grade.scores import Score
from lti_bridge.core.tool.line_items import (
    ScorePost,
    ToolContext,
    ToolGrades,
    ToolLineItem,
    ToolScore,
    ToolStore,
)
from lti_bridge.core.tool.links import ToolLinks
from lti_bridge.errors import BadRequest, LineItemKept, NotFound, ServiceRefused
from lti_bridge.lti import ags_service
from lti_bridge.lti.ags import LINE_ITEM, LINE_ITEM_READ, RESULT_READ, SCORE
from lti_bridge.lti.ags_service import written
from lti_bridge.platform.access_tokens import Grant
from lti_bridge.platform.launch13 import line_items_url
from lti_bridge.platform.pages import AFTER, Answer, Asked

FILTERS = {"resource_link_id": "link_id", "resource_id": "resource_id", "tag": "tag"}
MAX_ITEMS = 1000  # line items that a tool may have in a course
_ID = re.compile(r"[\w.~-]{1,128}", re.ASCII)
_EXACT = Context(prec=28)


@dataclass(frozen=True, slots=True)
class GradeServices:
    """The service of all tools. A tool sees only what is its own, in one course at a time.

    `user_id` is the id of a learner towards a connection. Scores may be as far ahead of our
    clock as clocks may differ (`leeway_s`), so that no time of far ahead closes a column.
    """

    store: ToolStore
    grades: ToolGrades
    links: ToolLinks
    public_url: str
    user_id: Callable[[str, str], str]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    leeway_s: float = 60

    def line_items(self, grant: Grant, course: str, asked: Asked) -> Answer:
        """The tool's line items of a course, in pages (AGS section 3.2.4)."""
        grant.need(LINE_ITEM, LINE_ITEM_READ)
        context = self._context(grant, course)
        filters = {column: asked.value(name) for name, column in FILTERS.items()}
        found = self.store.line_items(context.id, filters, asked.value(AFTER), asked.limit() + 1)
        url = line_items_url(self.public_url, context.id)
        items, next_url = asked.page(url, found, tuple(FILTERS), lambda item: item.id)
        return Answer(written([self._shown(item) for item in items]), next_url)

    def create(self, grant: Grant, course: str, body: bytes) -> Answer:
        """A new line item (AGS section 3.2.5). Raises ServiceRefused where there are MAX_ITEMS."""
        grant.need(LINE_ITEM)
        context = self._context(grant, course)
        asked = ags_service.parse_line_item(body)
        if asked.resource_link_id:
            self.links.activity(context, asked.resource_link_id)
        if len(self.store.line_items(context.id, {}, "", MAX_ITEMS)) == MAX_ITEMS:
            raise ServiceRefused(f"the course has {MAX_ITEMS} line items: delete some first")
        item = ToolLineItem(
            id=self.new_id(),
            context_id=context.id,
            label=asked.label,
            maximum=asked.maximum,
            link_id=asked.resource_link_id,
            resource_id=asked.resource_id,
            tag=asked.tag,
            more=asked.more,
        )
        self.store.add(item, self.clock())
        return self._answer(item)

    def read(self, grant: Grant, course: str, item_id: str) -> Answer:
        """One line item."""
        grant.need(LINE_ITEM, LINE_ITEM_READ)
        return self._answer(self._item(grant, course, item_id))

    def change(self, grant: Grant, course: str, item_id: str, body: bytes) -> Answer:
        """A new definition; what it leaves out is unset, id and link stay (AGS section 3.2.6)."""
        grant.need(LINE_ITEM)
        item = self._item(grant, course, item_id)
        asked = ags_service.parse_line_item(body)
        changed = replace(
            item,
            label=asked.label,
            maximum=asked.maximum,
            resource_id=asked.resource_id,
            tag=asked.tag,
            more=asked.more,
        )
        if not self.store.change(changed):
            raise NotFound("no such line item")
        return self._answer(changed)

    def remove(self, grant: Grant, course: str, item_id: str) -> None:
        """Delete a line item of the tool's own with its scores. Raises LineItemKept."""
        grant.need(LINE_ITEM)
        item = self._item(grant, course, item_id)
        if not item.by_tool:
            raise LineItemKept("the line item was declared by the bridge")
        self.store.remove(item.id)

    def score(self, grant: Grant, course: str, item_id: str, body: bytes) -> None:
        """Take one score (AGS section 3.4). Raises as `ToolGrades.take`, and BadRequest."""
        grant.need(SCORE)
        _check_ids(course, item_id)
        posted, now = ags_service.parse_score(body), self.clock()
        latest = now + timedelta(seconds=self.leeway_s)
        if posted.at > latest.timestamp() * 1_000_000:
            raise BadRequest("timestamp is in the future")
        score = None
        if posted.given is not None and posted.maximum is not None:
            score = Score(posted.given, posted.maximum)
        post = ScorePost(
            posted.user_id,
            posted.at,
            posted.activity,
            posted.grading,
            score,
            posted.content,
            posted.comment,
            posted.scoring_user_id,
            posted.started_at,
            posted.submitted_at,
        )
        self.grades.take(grant.tool.connection, course, item_id, post, now)

    def results(self, grant: Grant, course: str, item_id: str, asked: Asked) -> Answer:
        """The scores that count at a line item, in pages (AGS section 3.3)."""
        grant.need(RESULT_READ)
        item = self._item(grant, course, item_id)
        connection, after = grant.tool.connection, asked.value(AFTER)
        limit, wanted = asked.limit() + 1, asked.value("user_id")
        found = self.store.scores(item.id, connection, wanted, after, limit)
        url, user_id = self._url(item), partial(self.user_id, connection)
        shown, next_url = asked.page(
            f"{url}/results", found, ("user_id",), lambda one: user_id(one[0])
        )
        return Answer(written(_results(url, item.maximum, shown, user_id)), next_url)

    def _context(self, grant: Grant, course: str) -> ToolContext:
        _check_ids(course)
        context = self.store.context(grant.tool.connection, course)
        if context is None:
            raise NotFound("no such context")
        return context

    def _item(self, grant: Grant, course: str, item_id: str) -> ToolLineItem:
        _check_ids(item_id)
        item = self.store.line_item(self._context(grant, course).id, item_id)
        if item is None:
            raise NotFound("no such line item")
        return item

    def _answer(self, item: ToolLineItem) -> Answer:
        return Answer(written(self._shown(item)))

    def _url(self, item: ToolLineItem) -> str:
        return f"{line_items_url(self.public_url, item.context_id)}/{item.id}"

    def _shown(self, item: ToolLineItem) -> dict[str, Any]:
        texts = {
            "resourceLinkId": item.link_id,
            "resourceId": item.resource_id,
            "tag": item.tag,
        }
        return {
            "id": self._url(item),
            "label": item.label,
            "scoreMaximum": item.maximum,
            **{name: value for name, value in texts.items() if value},
            **item.more,
        }


def _results(
    url: str,
    maximum: Decimal,
    scores: Sequence[tuple[str, ToolScore]],
    user_id: Callable[[str], str],
) -> list[Mapping[str, Any]]:
    """The results of a line item; each is on the scale of the line item (AGS section 3.4.4)."""
    results: list[Mapping[str, Any]] = []
    for learner_id, kept in scores:
        if kept.score is None:
            continue
        name = user_id(learner_id)
        # multiplied first: a third of six is two
        scaled = _EXACT.divide(_EXACT.multiply(kept.score.given, maximum), kept.score.maximum)
        more = {key: kept.more[key] for key in ("comment", "scoringUserId") if key in kept.more}
        results.append(
            {
                "id": f"{url}/results?user_id={quote(name, safe='')}",
                "scoreOf": url,
                "userId": name,
                "resultScore": scaled,
                "resultMaximum": maximum,
                **more,
            }
        )
    return results


def _check_ids(*ids: str) -> None:
    if not all(_ID.fullmatch(one) for one in ids):
        raise NotFound("no such address")
