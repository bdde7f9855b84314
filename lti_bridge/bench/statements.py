"""How many SQL statements a click and a grade message cost, counted in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event

from lti_bridge.assembly.bridge import Bridge
from lti_bridge.assembly.web import web_app
from lti_bridge.bench.traffic import Click, Traffic
from lti_bridge.errors import BridgeError
from lti_bridge.store import journal, registrations, tools
from lti_bridge.store.engine import Database

TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
SELDOM = (
    # every two seconds, however many clicks there are
    registrations.VERSION_SQL,
    tools.VERSION_SQL,
    journal.ADD.text.partition("VALUES")[0],  # beside the requests, whenever that is
)


def count(bridge: Bridge, traffic: Traffic) -> dict[str, int]:
    """Statements of first and second clicks and of a grade message, by SQLite's account.

    BEGIN and COMMIT are one each everywhere and not counted.
    """
    client = web_app(bridge).test_client()
    click, *_ = traffic.clicks(1, "1.1")
    known = Click(click.number, f"counted-{click.user}")
    (at_tool,) = traffic.clicks(1, "1.1", "1.3")
    requests = {
        "first_launch": traffic.launch11(known),
        "relaunch": traffic.launch11(known),
        "first_tool_launch": traffic.launch11(at_tool),
        "tool_relaunch": traffic.launch11(at_tool),
        "outcome": traffic.outcome(click.number),
    }
    return {name: _count(bridge, client, request) for name, request in requests.items()}


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that SQLite itself says it runs meanwhile."""
    seen: list[str] = []

    def see(statement: str) -> None:
        if not statement.startswith((*TRANSACTION, *SELDOM)):
            seen.append(statement)

    def trace(connection: Any, *_rest: Any) -> None:
        connection.set_trace_callback(see)

    database.close()  # so that every connection is a new one, or one that is asked for again
    event.listen(database.engine, "checkout", trace)
    try:
        yield seen
    finally:
        event.remove(database.engine, "checkout", trace)
        database.close()


def send(client: FlaskClient, request: bytes) -> int:
    """Send one prepared request through the app; the status of the answer."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return client.open(path, method=method, headers=headers, data=body).status_code


def _count(bridge: Bridge, client: FlaskClient, request: bytes) -> int:
    with counted(bridge.store.database) as seen:
        status = send(client, request)
    if status != 200:
        raise BridgeError(f"a counted request was answered with {status}")
    return len(seen)
