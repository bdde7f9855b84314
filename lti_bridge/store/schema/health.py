"""The tables by which it is known that the database can be written, and who uses it."""

from __future__ import annotations

from lti_bridge.store.schema.parts import key, number, table, text, time

WRITE_PROBE = table(
    "write_probe",
    "One row that store.health writes over, of no meaning.",
    key("id"),
    text("text"),
)
PROCESSES = table(
    "processes",
    "A web process or worker of this bridge, which writes its row again and again while it runs.",
    key("id"),
    text("host", "the name of its machine"),
    text("kind", "web or worker"),
    text("version", "of its code"),
    text("keys", "a digest of the secret in its keys_dir"),
    number("ahead_ms", "how far its machine's clock is ahead of the database's"),
    time("started_at"),
    time("seen_at", "by the database's clock, where it has one"),
)
