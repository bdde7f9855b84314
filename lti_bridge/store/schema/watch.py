"""The tables of what processes see of parties, and of what operators are told."""

from __future__ import annotations

from lti_bridge.store.schema.parts import key, table, text, time

OBSERVATIONS = table(
    "observations",
    "What one process sees of a party now that is not as it should be; written again and again.",
    key("process", "a word of its own"),
    key("what", "a kind of work, or certificate"),
    key("about", "an LMS, a connection or a host"),
    text("said", "away, busy, or the time when a certificate ends"),
    time("since"),
    time("seen_at"),
)
ALERTS = table(
    "alerts",
    "A matter that an operator is told of by one way; the row goes when its end has been told.",
    key("matter"),
    key("way", "log, mail or webhook"),
    text("said"),
    text("remedy"),
    time("since"),
    time("told_at", "null while its begin is to be told", nullable=True),
    time("over_at", "null while it lasts", nullable=True),
    time("claimed_until", "until when a process is telling it, or waits after it could not"),
)
