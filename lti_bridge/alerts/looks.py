"""What an operator has to hear of, as the database tells it now; each look yields its matters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from lti_bridge.alerts.seen import CERTIFICATE, CLOCK, DISK
from lti_bridge.assembly.bridge import Bridge
from lti_bridge.core.attempt.capabilities import COSTS, STOCK, can, counts, pushing
from lti_bridge.core.attempt.purchases import alarm_at
from lti_bridge.core.matters import Matter
from lti_bridge.store import figures
from lti_bridge.store.purchases import bought_on
from lti_bridge.store.watch import Observation, observed

AWAY = "away"
LOOK = "See lti-bridge doctor."


def matters(bridge: Bridge) -> Iterator[Matter]:
    """All that there are now."""
    seen, now = observed(bridge.store.database, bridge.clock()), bridge.clock()
    yield from _away(bridge, seen, now)
    yield from _late(bridge, now)
    yield from _silent(bridge, now)
    yield from _limits(bridge, now)
    yield from _stock(bridge, now)
    yield from _machines(seen)


def _away(bridge: Bridge, seen: list[Observation], now: datetime) -> Iterator[Matter]:
    """Parties that do not answer, and how much waits for them."""
    waiting = {one.registration: one.count for one in figures.pending(bridge.store.database)}
    due = figures.questions_due(bridge.store.database, now)
    away: dict[str, Observation] = {}
    for one in sorted((one for one in seen if one.said == AWAY), key=lambda one: one.since):
        away.setdefault(one.about, one)
    for name, one in away.items():
        if now - one.since < timedelta(seconds=bridge.settings.alerts.away_s):
            continue
        many = waiting.get(name, 0) or due.get(name, 0)
        what = "grades" if one.what in ("grades", "looks") else "questions about attempts"
        said = f"{name} does not answer; {many} {what} wait"
        remedy = "Look whether it works; all that waits goes out by itself when it answers."
        yield Matter(f"away {name}", said, remedy, one.since)


def _late(bridge: Bridge, now: datetime) -> Iterator[Matter]:
    """LMSs that have not got a grade for a long time, whatever the reason."""
    longest = timedelta(seconds=bridge.settings.alerts.grades_older_s)
    for one in figures.pending(bridge.store.database):
        if now - one.since >= longest:
            said = f"{one.count} grades have not come to {one.registration}"
            remedy = f"lti-bridge results list shows why. {LOOK}"
            yield Matter(f"late {one.registration}", said, remedy, one.since)


def _silent(bridge: Bridge, now: datetime) -> Iterator[Matter]:
    """Activities that are opened, and of which no grade ever comes."""
    for one in bridge.store.never_graded(now, pushing(bridge.catalogue.connections())):
        where = f"{one.activity_id} from {one.connection}"
        said = f"no grade has ever come of {where}, after {one.count} attempts"
        remedy = "Ask the provider whether its tool returns grades, and whether that is switched on"
        yield Matter(f"silent {one.connection} {one.activity_id}", said, f"{remedy}.", one.since)


def _limits(bridge: Bridge, now: datetime) -> Iterator[Matter]:
    """LMSs that have nearly bought as much as they may in a day."""
    known = {one.name: one for one in bridge.catalogue.connections() if can(one, COSTS)}
    for one in bought_on(bridge.store.database, now.date().isoformat()):
        limit = known[one.connection].daily_limit if one.connection in known else 0
        if limit and one.count >= alarm_at(limit):
            said = f"{one.registration} has bought {one.count} of {limit} at {one.connection} today"
            remedy = "Look whether this is meant; raise daily_limit of the connection."
            yield Matter(f"limit {one.connection} {one.registration}", said, remedy, now)


def _stock(bridge: Bridge, now: datetime) -> Iterator[Matter]:
    """What was bought ahead and is nearly used up."""
    for connection in bridge.catalogue.connections():
        if not can(connection, STOCK):
            continue
        for name, count in counts(connection).running_out().items():
            said = f"{count} of {name} are left at {connection.name}"
            remedy = "Buy more, then raise the number in the connection's settings."
            yield Matter(f"stock {connection.name} {name}", said, remedy, now)


def _machines(seen: list[Observation]) -> Iterator[Matter]:
    """Certificates that end, clocks that are apart, disks that are full."""
    for one in seen:
        key = f"{one.what} {one.about}"
        if one.what == CERTIFICATE:
            ends = datetime.fromtimestamp(int(one.said), UTC)
            said = f"the certificate of {one.about} ends on {ends:%Y-%m-%d %H:%M}Z"
            yield Matter(key, said, "Whoever runs that server has to renew it.", one.since)
        elif one.what == CLOCK:
            said = f"the clock of {one.about} is {one.said}"
            yield Matter(key, said, "Set the clock of that machine, by NTP.", one.since)
        elif one.what == DISK:
            said = f"little room is left on {one.about}"
            yield Matter(
                key, said, "Free space there: without any, every grade is refused.", one.since
            )
