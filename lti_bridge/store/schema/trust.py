"""The tables of registrations, invitations and registered tools, and the counters."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column

from lti_bridge.store.schema.parts import flag, index, json, key, number, table, text, time

REGISTRATIONS = table(
    "registrations",
    "An LMS that registered itself; those of the configuration file have no row.",
    key("name"),
    text("lti", "the version: 1.3"),
    text("issuer"),
    text("client_id"),
    json("facts", "addresses and other public facts"),
    text("state", "pending, active or retired"),
    text("made_by"),
    time("created_at"),
    time("approved_at", nullable=True),
    time("retired_at", nullable=True),
    index(
        "one_registration_of_a_client",
        "issuer",
        "client_id",
        where="state <> 'retired'",
        unique=True,
    ),
)
INVITATIONS = table(
    "invitations",
    "An invitation to register, once.",
    key("token", "SHA-256 of what the address holds"),
    text("purpose", "what may be registered with it"),
    text("name", "of the registration that it will make"),
    flag("approve", "whether that needs no approval"),
    time("created_at"),
    time("expires_at"),
    time("used_at", nullable=True),
    text("outcome", "what became of it, in words; empty before"),
    json("exchange", "what was asked and answered"),
    index("invitations_by_name", "name"),
)
SUCCESSION = table(
    "succession",
    "Which LTI 1.3 registration is the LMS of which LTI 1.1 registration.",
    key("registration"),
    key("former"),
    text("state", "linked, or parted: never joined again"),
    time("changed_at"),
)
NOTICE_SERVICES = table(
    "notice_services",
    "Where an LMS is asked to send notices to the bridge, for one deployment.",
    key("registration"),
    key("deployment_id"),
    text("url", "as the newest launch named it"),
    text("base", "how the bridge's addresses began when it was last asked; empty before", ""),
    text("handler", "the address of ours that was set, or empty", ""),
    time("due_at", "when it is asked again"),
    number("tries", "how often in a row that did not work", "0"),
    text("said", "why it did not; empty when it is well", ""),
)
TOOLS = table(
    "tools",
    "An LTI 1.3 tool that registered itself.",
    key("name", "of its connection"),
    text("client_id", unique=True),
    json("connection", "as [[connection]] of the configuration has it"),
    json("registered", "what was registered"),
    text("state", "pending, active or retired"),
    time("created_at"),
    time("approved_at", nullable=True),
    time("retired_at", nullable=True),
)
COUNTERS = table(
    "counters",
    "A number that all processes count up together.",
    key("name", "of a test ID list, or of what has changed: registrations, tools"),
    Column("value", BigInteger, nullable=False, doc="the last number given"),
)
