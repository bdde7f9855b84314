"""Connections to PostgreSQL: one server or several, and a host that is gone is noticed."""

from __future__ import annotations

from lti_bridge.errors import ConfigurationError

CONNECT_S = 5  # for each host of an address
# A host that is gone without a word, as behind a network that is cut, is noticed after so long:
# by what it does not acknowledge, or by questions while nothing else is sent.
UNHEARD_S = 8
IDLE_S, QUESTION_S, QUESTIONS = 4, 2, 3
# What an address does not say; those for TCP mean nothing on a socket of this machine.
DEFAULTS = {
    "application_name": "lti-bridge",
    "connect_timeout": str(CONNECT_S),
    "keepalives_idle": str(IDLE_S),
    "keepalives_interval": str(QUESTION_S),
    "keepalives_count": str(QUESTIONS),
    "tcp_user_timeout": str(UNHEARD_S * 1000),
}
# The same for the server's end, so that what a machine held that is gone is free again soon.
SETTINGS = {
    "tcp_keepalives_idle": f"{IDLE_S}s",
    "tcp_keepalives_interval": f"{QUESTION_S}s",
    "tcp_keepalives_count": str(QUESTIONS),
    "tcp_user_timeout": f"{UNHEARD_S}s",
    "idle_in_transaction_session_timeout": "60s",
}
PREFIXES = ("postgresql://", "postgresql+psycopg://")


def is_postgres(url: str) -> bool:
    """Whether this is the address of a PostgreSQL database."""
    return url.startswith(PREFIXES)


def parameters(url: str, key: str) -> dict[str, str]:
    """What libpq is told for an address, which may name several hosts.

    `postgresql://bridge@a,b/bridge?target_session_attrs=read-write` finds the one that takes
    writes (PostgreSQL 15 documentation, §34.1.1). Raises ConfigurationError, which names `key`.
    """
    from psycopg import ProgrammingError  # nothing that SQLite needs
    from psycopg.conninfo import conninfo_to_dict

    try:
        given = conninfo_to_dict(url.replace("+psycopg", "", 1))
    except ProgrammingError as error:
        raise ConfigurationError(f"bridge: {key}: no address of PostgreSQL: {error}") from error
    return DEFAULTS | {name: str(value) for name, value in given.items()}
