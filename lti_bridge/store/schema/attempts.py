"""The tables of attempts and of all that providers have to do with them."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint

from lti_bridge.store.schema.parts import flag, index, json, key, number, score, table, text, time

ATTEMPTS = table(
    "attempts",
    "One sitting of one learner at one activity.",
    key("id"),
    text("link_id", to="links.id"),
    text("learner_id", to="learners.id"),
    number(
        "number", "among the learner's at this link, from 1 on; 0: graded without having been here"
    ),
    text("activity_id", "what the link opened when it began"),
    text("connection"),
    text("grade_policy", "the activity's `grade` of then"),
    text("state", "core.records.AttemptState"),
    flag("is_open", "whether the learner's next click goes on with it"),
    *score(),
    time("scored_at", "when its score came; it counts from then on", nullable=True),
    time("created_at"),
    time("changed_at", "when its state, score or verdict changed last"),
    text("reference", "the provider's name for it; empty before it is started", ""),
    json("data", "what the provider's code needs to come back to it", "{}"),
    time("poll_at", "when its provider is to be asked; empty: never", nullable=True),
    number("polls", "how often it was asked", "0"),
    text("held", "why its newest result waits, or waited, for a person; else empty", ""),
    *score("held_"),
    UniqueConstraint("link_id", "learner_id", "number"),
    index("one_open_attempt", "link_id", "learner_id", where="is_open = 1", unique=True),
    index("attempts_by_reference", "connection", "reference", where="reference <> ''"),
    index("attempts_to_poll", "connection", "poll_at", where="poll_at IS NOT NULL"),
    index("attempts_by_activity", "activity_id"),
    index("attempts_by_learner", "learner_id"),
    index("attempts_for_people", "changed_at", where="state IN ('unclear', 'held')"),
    index("attempts_without_word", "connection", "created_at", where="state = 'created'"),
    index("attempts_with_word", "activity_id", "connection", where="state <> 'created'"),
)
ATTEMPT_CHANGES = table(
    "attempt_changes",
    "How an attempt came to a state, or what about it was refused.",
    text("attempt_id", to="attempts.id"),
    time("at"),
    text("state", "the new one; that of then for what was refused"),
    text("source", "who said so: start, provider, person, import, clock, a tool; or refused"),
    text("detail", "a reason in words, or empty"),
    index("attempt_changes_by_attempt", "attempt_id", "at"),
    index("attempt_changes_by_age", "at"),
)
RESULTS = table(
    "results",
    "What was said of an attempt, once each, whether it counts or not.",
    key("id"),
    text("attempt_id", to="attempts.id"),
    text("source", "as in `attempt_changes`"),
    text("event", "tells the same message from another one"),
    *score(),
    json("raw", "what the provider sent, with nothing about the learner; {} once it is too old"),
    time("received_at"),
    UniqueConstraint("attempt_id", "event"),
    index("results_with_words", "received_at", where="raw <> '{}'"),
)
CALL_ANSWERS = table(
    "call_answers",
    "What a call to a provider brought after its click was answered, for the learner's next one.",
    key("id", "attempts.id, or what tells one's preview from all others"),
    text("learner_id", "empty for an anonymous preview", nullable=True, to="learners.id"),
    json("text", "where the browser is sent or what went wrong, as core.attempt.answers writes it"),
    time("until"),
    index("call_answers_expiry", "until"),
)
RESERVATIONS = table(
    "reservations",
    "A seat of a slot of a provider's, taken by one learner for one attempt.",
    key("connection"),
    key("slot"),
    number("seat", "from 1 on", primary_key=True),
    text("learner_id"),
    text("attempt_id"),
    UniqueConstraint("connection", "slot", "learner_id"),
)
NOTICES_READ = table(
    "notices_read",
    "A learner who has read a connection's notice.",
    key("connection"),
    key("learner_id", to="learners.id"),
    time("at"),
)
OWNERS = table(
    "owners",
    "To which learner a candidate or a test at a provider belongs.",
    key("id", "a MAC of what the provider calls it"),
    text("what", "candidate or test"),
    text("connection", "where it was met first"),
    text("learner_id", to="learners.id"),
    time("created_at"),
    index("owners_by_learner", "learner_id"),
)
PURCHASES = table(
    "purchases",
    "An attempt that was bought; it stays in this ledger whatever becomes of the attempt.",
    key("attempt_id"),
    text("connection"),
    text("registration"),
    text("deployment_id"),
    text("context_id"),
    text("day", "2026-11-29, UTC"),
    time("at"),
    flag("given_back", "whether nothing was bought after all"),
)
PURCHASE_DAYS = table(
    "purchase_days",
    "How much one LMS has bought at a connection in a day.",
    key("connection"),
    key("registration"),
    key("day", "2026-11-29, UTC"),
    number("bought", "without what was given back"),
    index("purchases_of_a_day", "day"),
)
