"""The tables of learners, links and courses, of what they open, and of clicks."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint

from lti_bridge.store.schema.parts import flag, index, json, key, number, table, text, time

LEARNERS = table(
    "learners",
    "One user of one LMS, from the first launch on; staff too, when they click.",
    key("id"),
    text("registration"),
    text("user_id", "the LMS's own id; `forgotten:` and ours once the learner is forgotten"),
    time("created_at"),
    UniqueConstraint("registration", "user_id"),
)
LEARNER_ALIASES = table(
    "learner_aliases",
    "A further name of a learner, which comes before a learner of that name.",
    key("registration"),
    key("user_id"),
    text("learner_id", to="learners.id"),
    index("learner_aliases_by_learner", "learner_id"),
)
LINKS = table(
    "links",
    "One placement of the tool in a course, from its first launch on.",
    key("id"),
    text("registration"),
    text("deployment_id"),
    text("context_id", "the course; empty for a link that stands in none"),
    text("resource_link_id"),
    text("activity_id", "what it opens now: of the configuration file or of `activities`"),
    time("created_at"),
    UniqueConstraint("registration", "deployment_id", "context_id", "resource_link_id"),
    index("links_by_resource_link", "registration", "resource_link_id"),
)
LINK_ALIASES = table(
    "link_aliases",
    "A further name of a link, which comes before a link of that name.",
    key("registration"),
    key("deployment_id"),
    key("context_id"),
    key("resource_link_id"),
    text("link_id", to="links.id"),
    index("link_aliases_by_link", "link_id"),
)
ROSTERS = table(
    "rosters",
    "Where an LMS lists the members of a course.",
    key("registration"),
    key("deployment_id"),
    key("context_id"),
    text("url", "as the newest launch named it"),
)
DEPARTURES = table(
    "departures",
    "A user who has left a course, as its LMS last listed it; who is back has no row.",
    key("registration"),
    key("deployment_id"),
    key("context_id"),
    key("user_id", "the LMS's own id"),
    time("seen_at", "when that list was read"),
)
ACTIVITIES = table(
    "activities",
    "An activity that an instructor made, or one that a link brought its settings with.",
    key("id"),
    text("title"),
    text("connection"),
    json("settings", "what was typed, by the names of the kind's settings"),
    text("grade", "which of several attempts counts: best, last, first or mean"),
    time("created_at"),
    text("registration", "of the course that it belongs to; empty: of none", ""),
    text("deployment_id", "", ""),
    text("context_id", "", ""),
    text("origin", "the activity that it was first copied from; empty for one of its own", ""),
    text("maximum", "what its gradebook column counts to, an exact decimal or empty", ""),
    text("label", "the column's name; empty: the title", ""),
    flag("ungraded", "whether it has no column", "0"),
    text("changed_by", "learners.id of who changed it last, or empty", ""),
    number("attempts", "how many a learner may make; 0: any number", "0"),
    number("days_between", "from one attempt's beginning to the next one's, at least", "0"),
    time("opens_at", "no attempt begins before it", nullable=True),
    time("closes_at", "no attempt begins from it on", nullable=True),
    time("changed_at", nullable=True),
    time("retired_at", "since when no new attempt begins", nullable=True),
    index("activities_by_course", "registration", "deployment_id", "context_id"),
    index("activities_by_origin", "origin"),
)
ACTIVITY_VERSIONS = table(
    "activity_versions",
    "The settings that an activity had from a time on; an attempt keeps those it began with.",
    key("activity_id", to="activities.id"),
    number("number", "from 1 on", primary_key=True),
    time("at", "from when on"),
    text("changed_by", "learners.id of the instructor, or empty"),
    json("settings", "as in `activities`"),
)
COURSE_COPIES = table(
    "course_copies",
    "A course that was copied from another one, as its LMS told in a notice, or a person said.",
    key("registration"),
    key("deployment_id"),
    key("context_id", "the new course"),
    key("origin_context_id", "the one that it was copied from"),
    time("told_at", "when that was said last"),
    text("told_by", "learners.id of the teacher, or command; empty for the LMS", ""),
)
ADJUSTMENTS = table(
    "adjustments",
    "What one learner gets more of at one activity.",
    key("activity_id"),
    key("learner_id", to="learners.id"),
    number("extra_attempts"),
    number("extra_time_percent"),
)
USED_ONCE = table(
    "used_once",
    "A nonce, state, jti or event that was used; nobody uses it twice.",
    key("scope", "what kind of value, and whose"),
    key("value"),
    time("expires_at", "from when on the row may go: the value is refused for its age then"),
    time("used_at", "", "0"),
    text("browser", "a digest; empty where nothing ties the message to a browser", ""),
    text("message", "a digest of the message; empty where no other one has this value", ""),
    index("used_once_expiry", "expires_at"),
)
LAUNCHES = table(
    "launches",
    "One verified click; the return page asks for it, and traces name it.",
    key("id"),
    text("registration"),
    text("link_id", "where the click was made", to="links.id"),
    text("learner_id", "empty for an anonymous one", nullable=True, to="learners.id"),
    text("attempt_id", "empty for who only looks", nullable=True, to="attempts.id"),
    text("return_url", "where the LMS wants its user back, or empty"),
    flag("framed", "whether the LMS opened it within a page of its own", "0"),
    time("received_at"),
    index("launches_by_age", "received_at"),
    index("launches_by_attempt", "attempt_id"),
    index("launches_without_attempt", "learner_id", where="attempt_id IS NULL"),
)
HELD_LAUNCHES = table(
    "held_launches",
    "A launch that waits for a second click, on a page of the bridge.",
    key("token", "SHA-256 of what the page holds"),
    json("text", "the launch, as core.launch.held_launch writes it"),
    time("until"),
    index("held_launches_expiry", "until"),
)
