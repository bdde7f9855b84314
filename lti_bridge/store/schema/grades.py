"""The tables of gradebook cells and columns."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint

from lti_bridge.store.schema.parts import flag, index, key, number, score, table, text, time

GRADES = table(
    "grades",
    "One gradebook cell: what it is to show, where it is, and how that comes there.",
    key("id"),
    text("link_id", to="links.id"),
    text("learner_id", to="learners.id"),
    # what it is to show
    *score(),
    number("version", "rises with every change of what it is to show; 0: nothing yet"),
    text("awaiting", "how marks to come are called: Pending, PendingManual or empty", ""),
    # where it is, in the words of the newest launch
    text("registration"),
    text("deployment_id"),
    text("user_id"),
    text("outcome_url"),
    text("sourced_id"),
    text("line_item"),
    text("line_items"),
    text("scopes", "of the AGS, joined by blanks"),
    text("family", "what the LMS calls its product", ""),
    time("launched_at", "the newest launch; what a list said before no longer counts", "0"),
    # how it comes there
    text("delivery", "core.records.DeliveryState"),
    time("due_at", "when to try; with a lease when that ends; empty: never", nullable=True),
    number("tries", "of this version"),
    text("lease", "of the worker that has it, else empty", nullable=True),
    time("leased_until", nullable=True),
    time("stamp", "the time that the LMS is told; it rises strictly"),
    number("stamp_version", "the version that it belongs to; negative once moved ahead"),
    number("delivered_version"),
    time("delivered_at", nullable=True),
    text("last_error", "why it did not come there, or empty"),
    number("forced_version", "the version that replaces even a teacher's value", "0"),
    time("changed_at", "when the wish changed last"),
    # what the LMS shows
    text("told", "the values that it may hold from us, joined by blanks: 7/10, - for none", ""),
    text("unanswered", "the values of requests whose end nobody knows, one for each", ""),
    text("shown", "what it showed when we looked: 7/10, - for none, empty: not looked", ""),
    flag("overridden", "whether that was not ours", "0"),
    number("reads", "how often we looked since the delivery", "0"),
    time("shown_at", nullable=True),
    time("read_at", "when to look; empty: never", nullable=True),
    UniqueConstraint("link_id", "learner_id"),
    index("grades_due", "registration", "due_at", where="due_at IS NOT NULL"),
    index("grades_to_read", "registration", "read_at", where="read_at IS NOT NULL"),
    index(
        "grades_for_people",
        "registration",
        "delivery",
        where="delivery IN ('refused', 'waiting')",
    ),
)
LINK_PLACES = table(
    "link_places",
    "Where an LMS has the grades of a link by AGS, as staff last opened it at an LTI 1.3 tool.",
    key("link_id", to="links.id"),
    text("registration"),
    text("deployment_id"),
    text("family"),
    text("line_item"),
    text("line_items"),
    text("scopes", "joined by blanks"),
    time("noted_at"),
)
LINE_ITEMS = table(
    "line_items",
    "The gradebook column of a link where its LMS names none.",
    key("link_id", to="links.id"),
    text("url", "empty while it is looked for, or once it is gone"),
    text("lease", "of the worker that looks for it; why none is made until then", nullable=True),
    time("leased_until", nullable=True),
)
