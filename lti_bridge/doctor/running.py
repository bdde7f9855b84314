"""Which processes run where, since when the database fails, and which LMSs do not get grades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from lti_bridge.assembly.bridge import Bridge
from lti_bridge.assembly.presence import which_keys
from lti_bridge.doctor.finding import Finding
from lti_bridge.store.figures import late
from lti_bridge.store.health import Trouble
from lti_bridge.store.processes import Process, known
from lti_bridge.store.watch import observed

CLOCK_OFF = timedelta(seconds=5)
WORK = ("grades", "looks", "questions", "starts")  # that has lanes
NOT_OPEN = {
    "away": "It does not answer and is tried now and then; nothing else waits for it. See whether"
    " it works, and whether this machine reaches it; all goes on by itself once it does.",
    "busy": "It asked for fewer requests, and gets them. If this lasts, ask it for a higher limit,"
    " or set calls_per_minute.",
}
OVERDUE = timedelta(seconds=30)  # as long as a worker may need for a grade that is due
BRING_AGAIN = (
    "See whether the LMS works, and what it says: lti-bridge results list. Once it takes them, all"
    " are sent by themselves."
)
BEHIND = "Look at the worker's log: it is behind."
NO_WORKER = (
    "Start lti-bridge worker, or serve without --no-worker; all are sent by themselves then."
)


def unwritable(bridge: Bridge, trouble: Trouble) -> str:
    """What is wrong with the database, and since when as far as it can be known."""
    if trouble.readable and (seen := known(bridge.store.database)):
        last = max(one.seen_at for one in seen)
        return f"{trouble.said}; last written by a process at {_time(last)}"
    return trouble.said


def looks(bridge: Bridge) -> Iterator[Finding]:
    """The processes, and what is behind."""
    running = [one for one in known(bridge.store.database) if one.runs(bridge.clock())]
    yield _processes(bridge, running)
    yield from _lanes(bridge)
    yield from _late(bridge, working=any(one.kind == "worker" for one in running))


def _processes(bridge: Bridge, running: list[Process]) -> Finding:
    """Whether all processes, on whatever machines, have one time and one set of keys."""
    counts = Counter((one.host, one.kind, one.version) for one in running)
    said = ", ".join(f"{n} {kind} on {host} ({v})" for (host, kind, v), n in counts.items())
    if strange := {one.host for one in running if one.keys != which_keys(bridge)}:
        said += f"; other keys than here on {', '.join(sorted(strange))}"
        return Finding("processes", said, "Share one keys_dir among all machines.")
    if apart := [one for one in running if abs(one.ahead) > CLOCK_OFF]:
        clocks = {f"{one.host} {one.ahead.total_seconds():+.0f} s": None for one in apart}
        said += f"; clocks off: {', '.join(clocks)}"
        return Finding("processes", said, "Set the clocks of these machines, by NTP.")
    return Finding("processes", said or "none runs")


def _lanes(bridge: Bridge) -> Iterator[Finding]:
    """The parties that do not answer, or have enough, as any process sees them now."""
    for one in observed(bridge.store.database, bridge.clock()):
        if one.what in WORK:
            said = f"{one.said} since {_time(one.since)}"
            yield Finding(f"lane of {one.about} for {one.what}", said, NOT_OPEN[one.said])


def _late(bridge: Bridge, *, working: bool) -> Iterator[Finding]:
    """LMSs that do not get their grades: which, since when, why, and what to do."""
    found = late(bridge.store.database, bridge.clock() - OVERDUE)
    for name in dict.fromkeys(one.registration for one in found):
        of = [one for one in found if one.registration == name]
        failing = [one for one in of if one.reason]
        if not failing and not any(one.overdue for one in of):
            continue
        since = min(one.since for one in (failing or of))
        said = f"{sum(one.count for one in of)} not there, the oldest since {_time(since)}"
        if failing:
            said += f"; {failing[0].count} of them: {failing[0].reason}"
        if working:
            yield Finding(f"grades to {name}", said, BRING_AGAIN if failing else BEHIND)
        else:
            yield Finding(f"grades to {name}", f"{said}; no worker runs", NO_WORKER)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
