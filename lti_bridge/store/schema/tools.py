"""The tables of LTI 1.3 tools."""

from __future__ import annotations

from lti_bridge.store.schema.parts import flag, index, json, key, score, table, text, time

TOOL_LAUNCHES = table(
    "tool_launches",
    "A launch from the login initiation to the id_token, which takes it away.",
    key("hint", "SHA-256 of the lti_message_hint"),
    text("connection"),
    text("login_hint"),
    text("browser", "SHA-256 of the cookie's value"),
    json("claims", "the id_token but for nonce and times"),
    time("until"),
    index("tool_launches_expiry", "until"),
)
TOOL_CHOICES = table(
    "tool_choices",
    "An instructor on the way to a tool to choose, until its answer takes the row away.",
    key("data", "SHA-256 of what the tool sends back"),
    text("browser", "SHA-256 of the cookie's value"),
    text("connection"),
    text("token", "of the held launch"),
    text("chosen", "what the page had chosen before"),
    flag("multiple", "whether the LMS takes several links"),
    time("until"),
    index("tool_choices_expiry", "until"),
)
TOOL_USERS = table(
    "tool_users",
    "Which learner a tool knows by an id; the id belongs to one connection.",
    key("connection"),
    key("user_id", "the pairwise id: sub, userId"),
    text("learner_id", to="learners.id"),
)
TOOL_MEMBERS = table(
    "tool_members",
    "A learner whom a tool has read in the list of a course's members, active then.",
    key("context_id", to="tool_contexts.id"),
    key("learner_id", to="learners.id"),
    index("tool_members_by_learner", "learner_id"),
)
TOOL_CONTEXTS = table(
    "tool_contexts",
    "Which course a tool knows by an id; the id belongs to one connection.",
    key("id", "as the tool knows it, also in addresses"),
    text("connection"),
    text("registration"),
    text("deployment_id"),
    text("context_id", "the LMS's own; empty without a course"),
    time("created_at"),
)
TOOL_LINE_ITEMS = table(
    "tool_line_items",
    "A line item that a tool sees: declared by the bridge for a link, or made by the tool.",
    key("id"),
    text("context_id", to="tool_contexts.id"),
    text("link_id", nullable=True, to="links.id"),
    text("label"),
    text("maximum", "an exact decimal"),
    text("resource_id"),
    text("tag"),
    json("more", "startDateTime, endDateTime and so on, as the tool gave them"),
    flag("by_tool", "0: declared by the bridge"),
    time("created_at"),
    index("tool_line_items_by_context", "context_id", "id"),
    index("tool_line_items_by_link", "link_id"),
    index("one_declared_line_item", "context_id", "link_id", where="by_tool = 0", unique=True),
)
TOOL_SCORES = table(
    "tool_scores",
    "The newest score of one user at one line item.",
    key("line_item_id", to="tool_line_items.id", on_delete="CASCADE"),
    key("learner_id", to="learners.id"),
    time("at", "the score's timestamp, in microseconds since 1970"),
    *score(),
    json("more", "progress, comment, submission times"),
)
