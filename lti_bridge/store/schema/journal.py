"""The table of the journal."""

from __future__ import annotations

from lti_bridge.store.schema.parts import counted, flag, index, json, number, table, text, time

HOPS = table(
    "hops",
    "One step of a launch or a grade between two parties; those of one `ref` are one trace.",
    counted("id", "rises with every row, so that the oldest ones are found without counting"),
    text("ref", "the reference of its request, which error pages and the log have"),
    time("at", "when it began, by the machine that wrote it"),
    number("ms", "how long it took"),
    text("kind", "one of core.journal.kinds"),
    text("code", "of the error that it ended with; empty: it went well", nullable=True),
    text("detail", "why, redacted; or empty"),
    flag("proved", "whether the party is who it says"),
    text("registration", "or empty"),
    text("context_id", "or empty", nullable=True),
    text("link_id", "links.id, or empty", nullable=True),
    text("activity_id", "or empty", nullable=True),
    text("connection", "or empty", nullable=True),
    text(
        "learner_id", "learners.id, or empty; goes with the whole row when forgotten", nullable=True
    ),
    text("person", "a MAC of an LMS's user of whom there is no learner", nullable=True),
    text("attempt_id", "attempts.id, or empty", nullable=True),
    text("grade_id", "grades.id, or empty", nullable=True),
    text("checks", "what was checked, in order, joined by blanks; the last one failed if any did"),
    json("more", "status, words, calls and findings, or empty"),
    index("hops_by_ref", "ref"),
    index("hops_by_age", "at"),
    index("hops_by_registration", "registration", "at"),
    index("hops_by_course", "context_id", "at", where="context_id IS NOT NULL"),
    index("hops_by_activity", "activity_id", "at", where="activity_id IS NOT NULL"),
    index("hops_by_learner", "learner_id", "at", where="learner_id IS NOT NULL"),
    index("hops_by_person", "person", "at", where="person IS NOT NULL"),
    index("hops_by_attempt", "attempt_id", where="attempt_id IS NOT NULL"),
    index("hops_by_grade", "grade_id", where="grade_id IS NOT NULL"),
    index("hops_failed", "at", where="code IS NOT NULL"),
    index("hops_by_code", "code", "at", where="code IS NOT NULL"),
)
