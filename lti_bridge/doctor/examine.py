"""Whether everything that the bridge depends on works now, one line a thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from lti_bridge.assembly.bridge import Bridge
from lti_bridge.core.attempt.capabilities import COSTS, can, pushing
from lti_bridge.core.attempt.purchases import alarm_at
from lti_bridge.doctor import parties, running
from lti_bridge.doctor.finding import Finding
from lti_bridge.keyring import own
from lti_bridge.lms import belonging
from lti_bridge.private import open_to_others
from lti_bridge.providers.registry import kinds
from lti_bridge.queue import queue_files
from lti_bridge.settings import strangers
from lti_bridge.store.clock import DatabaseClock
from lti_bridge.store.health import Health
from lti_bridge.store.notices import NoticeServices
from lti_bridge.store.purchases import bought_on
from lti_bridge.store.rosters import services

AT_ONCE = 16  # looks at others
CLOCK_OFF = timedelta(seconds=5)
DATABASE_S = 10.0  # for the database to be written
REASONS = 5  # why grades are not delivered: the most frequent ones


def examine(bridge: Bridge) -> Iterator[Finding]:
    """Look at the database, the queue, the keys, attempts, grades, and key sets and tokens."""
    trouble = Health(bridge.store.database).trouble(DATABASE_S)
    said = running.unwritable(bridge, trouble) if trouble else "answers, and can be written"
    yield Finding("database", said, trouble.remedy if trouble else "")
    yield _try(
        "queue", lambda: f"{bridge.waker.queue.pending_count()} hints waiting", "Check queue_url."
    )
    yield _files(bridge)
    yield _try("keys", lambda: f"tool key {bridge.keyring.signing('tool').kid}", "See keys_dir.")
    if trouble is None or trouble.readable:
        yield _clock(bridge)
        yield from running.looks(bridge)
        yield _deliveries(bridge)
        yield _attempts(bridge)
        yield _unheard(bridge)
        yield _purchases(bridge)
        yield _services(bridge)
        yield _clashes(bridge)
        yield _strangers(bridge)
        yield _trust(bridge)
        yield _notices(bridge)
    yield _kinds()
    with ThreadPoolExecutor(AT_ONCE) as pool:  # each that is down takes as long as a call may
        waiting = [pool.submit(look) for look in parties.looks(bridge)]
        yield from (_result(look) for look in waiting)


def _result(look: Future[Finding]) -> Finding:
    """What came of a look; one that needs the database tells while that is away that it does."""
    try:
        return look.result()
    except Exception as error:  # whatever it is, it is the finding
        said = f"one could not be looked at: {type(error).__name__}"
        return Finding("parties", said, "If the database is wrong, mend that first.")


def _clock(bridge: Bridge) -> Finding:
    """Whether this machine's time of day is the database's, by which the bridge goes."""
    if not isinstance(bridge.clock, DatabaseClock):
        return Finding("clock", "this machine's")
    off = bridge.clock.ahead()
    said = f"the database's; this machine's is {abs(off).total_seconds():.1f} s "
    said += "ahead" if off > timedelta() else "behind"
    remedy = "Set the clock of this machine, by NTP: its log and other programs go by it."
    return Finding("clock", said, remedy if abs(off) > CLOCK_OFF else "")


def _files(bridge: Bridge) -> Finding:
    keys = Path(bridge.settings.bridge.keys_dir)
    files = [*bridge.store.database.files, *queue_files(bridge.waker.queue)]
    secrets = (keys, keys / "keys.json", keys / "secret", *keys.glob("*.pem"))
    found = open_to_others([*files, *secrets])
    if not found:
        return Finding("files", "only their owner can read them")
    said = "others can read " + ", ".join(map(str, found))
    return Finding("files", said, "Take the rights of group and others away: chmod go= FILE.")


def _deliveries(bridge: Bridge) -> Finding:
    counts = bridge.store.delivery_counts()
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none yet"
    for state, reason, count in bridge.store.delivery_reasons(REASONS):
        said += f"; {count} {state}: {reason}"
    stuck = counts.get("refused", 0) + counts.get("waiting", 0)
    return Finding("grades", said, "See lti-bridge results list --stuck." if stuck else "")


def _attempts(bridge: Bridge) -> Finding:
    counts = bridge.store.stuck_attempts(bridge.clock(), pushing(bridge.catalogue.connections()))
    said = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))
    remedy = "See lti-bridge attempts list --stuck." if counts else ""
    return Finding("attempts", said or "none waits for a person", remedy)


def _unheard(bridge: Bridge) -> Finding:
    """Activities that are opened by LTI and of which no grade has ever come."""
    found = bridge.store.never_graded(bridge.clock(), pushing(bridge.catalogue.connections()))
    said = "; ".join(
        f"no grade has ever come of {one.activity_id} from {one.connection}, "
        f"{one.count} attempts since {one.since.date()}"
        for one in found
    )
    remedy = (
        "Ask the provider whether its tool returns grades, and whether Basic Outcome or AGS is "
        "switched on there; see lti-bridge attempts list --stuck."
    )
    return Finding("grades by lti", said or "no activity is silent", remedy if found else "")


def _purchases(bridge: Bridge) -> Finding:
    """What LMSs have bought today, and where a limit is near or there is none."""
    today = bridge.clock().date().isoformat()
    limits = {
        one.name: one.daily_limit for one in bridge.catalogue.connections() if can(one, COSTS)
    }
    said, near = [], False
    for one in bought_on(bridge.store.database, today):
        limit = limits.get(one.connection, 0)
        near |= bool(limit) and one.count >= alarm_at(limit)
        most = f"of {limit} " if limit else ""
        said.append(f"{one.registration} at {one.connection}: {one.count} {most}today")
    if unlimited := [name for name, limit in limits.items() if not limit]:
        said.append(f"no daily_limit: {', '.join(unlimited)}")
    remedy = "Look whether this is meant; raise daily_limit of the connection." if near else ""
    return Finding("purchases", "; ".join(said) or "none today", remedy)


def _services(bridge: Bridge) -> Finding:
    """Whether LMSs keep grades or members at hosts to which no token of theirs is sent."""
    known = {one.name: one for one in bridge.lms.directory.all13()}
    strange = {
        f"{name} at {belonging.host(url)}": None
        for name, url in services(bridge.store.database)
        if name in known and not belonging.may_receive(known[name], url, known.values)
    }
    if not strange:
        return Finding("service hosts", "all are their LMS's own")
    remedy = (
        "If a host is the LMS's own, say so before a grade is refused: service_hosts of the LMS in "
        "the file, or registrations set NAME --service-host HOST."
    )
    return Finding("service hosts", f"not its own: {', '.join(strange)}", remedy)


def _kinds() -> Finding:
    """Kinds of providers that installed packages bring, and nobody can use."""
    found = "; ".join(kinds().problems())
    remedy = "Mend or uninstall the package; connections of other kinds are served."
    return Finding("kinds", found or ", ".join(kinds()), remedy if found else "")


def _clashes(bridge: Bridge) -> Finding:
    found = "; ".join(bridge.lms.directory.clashes())
    if not found:
        return Finding("registrations", "file and database agree")
    return Finding("registrations", found, "Rename the LMS in the file, or retire the other one.")


def _strangers(bridge: Bridge) -> Finding:
    found = "; ".join(strangers(bridge.settings, bridge.lms.directory.names()))
    if not found:
        return Finding("lms keys", "all LMSs that are named are registered")
    return Finding("lms keys", f"not registered: {found}", "Correct the name, or register the LMS.")


def _trust(bridge: Bridge) -> Finding:
    """Whether what we say to one LMS is of use to another, or its tokens would be refused."""
    known = [one for one in bridge.lms.directory.all13() if one.by_address or one.own_key]
    lost = [one.name for one in known if one.own_key and not bridge.keyring.has(own(one.name))]
    if lost:
        remedy = "Restore keys_dir, or invite it again."
        return Finding("own keys", f"no key for {', '.join(lost)}", remedy)
    strange = [
        one.name
        for one in known
        if not (belonging.belongs(one, one.token_url) and belonging.may_be_meant(one))
    ]
    if strange:
        remedy = (
            "See registrations show; if they are its own: registrations set NAME --service-host"
        )
        return Finding("own keys", f"token hosts not confirmed: {', '.join(strange)}", remedy)
    if shared := [one.name for one in known if not one.own_key]:
        said = f"signed for with the key that all LMSs know: {', '.join(shared)}"
        return Finding("own keys", said, "Move each: lti-bridge registrations set NAME --own-key")
    return Finding("own keys", f"{len(known)} LMSs have keys of their own")


def _notices(bridge: Bridge) -> Finding:
    """Whether the LMSs that offer it tell of copied courses by themselves."""
    names = bridge.lms.directory.names()
    told = [one for one in NoticeServices(bridge.store.database).all() if one.registration in names]
    if not told:
        return Finding("notices", "no LMS has offered to tell of copied courses")
    failed = [f"{one.registration} {one.deployment_id}: {one.said}" for one in told if one.said]
    well = sum(1 for one in told if one.handler and not one.said)
    waiting = len(told) - well - len(failed)
    said = f"{well} of {len(told)} deployments tell of copied courses"
    said += f", {waiting} are asked as soon as a worker runs" if waiting else ""
    remedy = (
        "Allow the tool the scope …/lti/scope/noticehandlers in the LMS; see docs/lms.md, notices."
        " Nothing is lost: a teacher confirms a copied course instead."
    )
    return Finding("notices", "; ".join([said, *failed]), remedy if failed else "")


def _try(what: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what, look())
    except Exception as error:  # whatever it is, it is the finding
        return Finding(what, f"{type(error).__name__}: {error}", remedy)
