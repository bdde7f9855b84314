"""What LMSs do in their own way with grades: one entry per family, each habit with its source.

An entry changes what is sent. What every LMS is treated with because one of them needs it (compact
JSON, a text/html answer, 200 with an empty list, typographic quotes) is in docs/lms.md only.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

CANVAS_SUBMISSION = "https://canvas.instructure.com/lti/submission"


@dataclass(frozen=True, slots=True)
class Saying:
    """An answer of a family's that says no more than its status: what is meant by it.

    `body` is all that it says, without what stands around it. It is for good: nothing will be
    otherwise before somebody has done something in the LMS.
    """

    status: int
    body: str
    meant: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family. `codes` are its tool_platform.product_family_code, lower case; `hosts` are
    known hosts of its issuers and token addresses, a leading dot standing for any below.

    `audience` is what its token requests are for, when not the token address (D2L: "LTI Advantage
    tool registration"). `submission`: scores carry Canvas' own extension and the time of the
    submission (Canvas: Score API). `keeps_comments`: a comment stays until another comes, so
    sending one again would double it (Canvas: Score API, submission comments). `unbound_columns`:
    a link outside an assignment is unknown to its line items, which are then made without one
    (instructure/canvas-lms issue 1944).

    `shared` are the hosts by which a cloud serves all its schools: logins, keys and tokens.
    `elsewhere`: the services of each school are at a host of its own, which launches name (Canvas:
    jwt_message.rb; Blackboard: docs.anthology.com, ags-start). `names_server`: what it says at its
    registration to be its authorization server is a bare host, and its tokens are asked for by
    their address all the same (Canvas: security_controller.rb, lib/canvas/oauth).

    `sayings` are what it answers to scores without a word of the reason. `keeps_overrides`: what a
    teacher has overridden stays whatever is sent, and is answered as if it did not.
    """

    name: str
    codes: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ()
    audience: str = ""
    submission: bool = False
    keeps_comments: bool = False
    unbound_columns: bool = False
    shared: tuple[str, ...] = ()
    elsewhere: bool = False
    names_server: bool = False
    sayings: tuple[Saying, ...] = ()
    keeps_overrides: bool = False


LOCKED = "the grade or its whole column is locked there"
PLAIN = Dialect("plain")
DIALECTS = (
    Dialect(
        "Moodle",
        frozenset({"moodle"}),
        sayings=(  # as a 4.5.6 answered in 2026-11
            Saying(500, "[]", LOCKED),
            Saying(200, "Grade replace response", LOCKED),
            Saying(
                400, "[]", "it takes no grade of this person, who is no student of the course now"
            ),
            Saying(403, "Invalid LTI id supplied.", "the activity or its column was deleted there"),
        ),
        keeps_overrides=True,
    ),
    Dialect(
        "Canvas",
        frozenset({"canvas"}),
        (".instructure.com", ".canvaslms.com"),
        submission=True,
        keeps_comments=True,
        unbound_columns=True,
        shared=(".instructure.com", ".canvaslms.com"),
        elsewhere=True,
        names_server=True,
    ),
    Dialect(
        "Brightspace",
        frozenset({"desire2learn", "brightspace"}),
        (".brightspace.com",),
        audience="https://api.brightspace.com/auth/token",
        shared=(".auth.brightspace.com", ".api.brightspace.com"),
    ),
    Dialect(
        "Blackboard",
        frozenset({"blackboardlearn", "blackboard"}),
        (".blackboard.com",),
        shared=(".blackboard.com", ".developer.anthology.com"),
        elsewhere=True,
    ),
    Dialect("Sakai", frozenset({"sakai"})),
    Dialect("Open edX", frozenset({"openedx", "edx"})),
    Dialect("Schoology", frozenset({"schoology"}), (".schoology.com",), shared=(".schoology.com",)),
    PLAIN,
)


def of(family: str, *addresses: str) -> Dialect:
    """The entry of an LMS by what it calls itself, else by its issuer or token address."""
    for dialect in DIALECTS:
        if family.strip().lower() in dialect.codes:
            return dialect
    hosts = [_host(address) for address in addresses]
    for dialect in DIALECTS:
        if any(f".{host}".endswith(known) for host in hosts for known in dialect.hosts):
            return dialect
    return PLAIN


def meant(family: Dialect, status: int, said: str) -> str:
    """What a family means by an answer to a score that gives no reason; empty: it is not known."""
    for one in family.sayings:
        if (one.status, one.body) == (status, said.strip()):
            return one.meant
    return ""


def shared_by(host: str, *, tokens: bool = False) -> Dialect | None:
    """The family whose issuers are at this host; `tokens`: whose hosts for all schools it is."""
    for dialect in DIALECTS:
        known = dialect.shared if tokens else dialect.hosts
        if dialect.shared and any(f".{host}".endswith(one) for one in known):
            return dialect
    return None


def serves_all(family: Dialect, host: str) -> bool:
    """Whether a family serves all its schools by this host."""
    return any(f".{host}".endswith(one) for one in family.shared)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
