"""A trace for people: a picture of its hops, then what happened and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lti_bridge.core.journal.kinds import KINDS, Kind
from lti_bridge.core.journal.record import Recorded
from lti_bridge.errors import BridgeError

BRIDGE = "bridge"
UNKNOWN = Kind("here", "something that this version does not know")
# what is no error of errors.py: how a try to bring a grade ended
DELIVERIES = {
    "pending": ("The grade is not there yet.", "It is tried again by itself."),
    "refused": (
        "The LMS does not take the grade.",
        "See its reason; afterwards: lti-bridge results resend.",
    ),
    "waiting": (
        "The grade waits for a person.",
        "See its reason; afterwards: lti-bridge results resend.",
    ),
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What an error means and what to do about it."""

    sentence: str
    remedy: str


def advice(code: str) -> Advice:
    """What a hop's code means."""
    if code in DELIVERIES:
        return Advice(*DELIVERIES[code])
    found = next((one for one in _classes(BridgeError) if one.code == code), BridgeError)
    return Advice(found.sentence, found.remedy)


def picture(hops: Sequence[Recorded]) -> list[str]:
    """One line a hop: when, between whom, what, how long and how it ended."""
    lms = max([len(one.registration) for one in hops] + [3])
    provider = max([len(one.connection) for one in hops] + [8])
    return [_line(one, lms, provider) for one in hops]


def words(hops: Sequence[Recorded]) -> Iterator[str]:
    """What happened at each hop that did not go well, and what to do; one sentence if all did."""
    failed = [one for one in hops if one.code]
    if not failed:
        yield "Everything that is known went well."
    for one in failed:
        yield from _failure(one)


def kind_of(hop: Recorded) -> Kind:
    """The kind of a hop."""
    return KINDS.get(hop.kind, UNKNOWN)


def when(hop: Recorded) -> str:
    """When it began, in UTC."""
    return hop.at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _line(hop: Recorded, lms: int, provider: int) -> str:
    kind = kind_of(hop)
    party = kind.way.partition("-")[2]
    left = hop.registration or "?" if party == "lms" else ""
    right = hop.connection or "?" if party == "provider" else ""
    first = {"from-lms": "-->", "to-lms": "<--"}.get(kind.way, "   ")
    second = {"from-provider": "<--", "to-provider": "-->"}.get(kind.way, "   ")
    what = f"{kind.words}{': ' if hop.said else ''}{hop.said}"
    end = f"NOT well: {hop.code}" if hop.code else "well"
    who = f"{left:>{lms}} {first} {BRIDGE} {second} {right:{provider}}"
    return f"{when(hop)}  {who}  {hop.ms:>6} ms  {end}  {what}".rstrip()


def _failure(hop: Recorded) -> Iterator[str]:
    told = advice(hop.code)
    yield f"{when(hop)}  {kind_of(hop).words}: {told.sentence} ({hop.code})"
    if hop.detail and hop.detail != told.sentence:
        yield f"    why: {hop.detail}"
    if hop.checks:
        before = ", ".join(hop.checks[:-1])
        yield f"    failed at: {hop.checks[-1]}{'; right before: ' if before else ''}{before}"
    for one in hop.findings:
        if not one.fits:
            sides = f" configured: {one.configured}; came: {one.came}." if one.came else ""
            yield f"    {one.check}:{sides} {one.remedy}"
    if right := [f"{one.check} ({one.came})" for one in hop.findings if one.fits]:
        yield f"    right: {', '.join(right)}"
    if kind_of(hop).click:  # the operator's part is what was found, and docs/errors.md
        yield f"    the page said: {told.remedy}"
    else:
        yield f"    to do: {told.remedy}"


def _classes(of: type[BridgeError]) -> Iterator[type[BridgeError]]:
    yield of
    for one in of.__subclasses__():
        yield from _classes(one)
