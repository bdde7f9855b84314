"""The table by which it is known that the database can be written."""

from __future__ import annotations

from lti_bridge.store.schema.parts import key, table, text

WRITE_PROBE = table(
    "write_probe",
    "One row that store.health writes over, of no meaning.",
    key("id"),
    text("text"),
)
