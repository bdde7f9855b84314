"""The commands about single grades: from a provider's word to what the gradebook shows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lti_bridge.cli.options import (
    IDS,
    config_option,
    json_option,
    open_bridge,
    refuse,
    say,
    write_json,
)

if TYPE_CHECKING:
    from lti_bridge.core.journal.traces import Cell

TAKES_PART = ("outcome", "score", "hook", "poll", "delivery", "look")


@click.group()
def grades() -> None:
    """Single grades, from a provider's word to what the gradebook shows."""


@grades.command(context_settings=IDS)
@config_option
@click.argument("name", metavar="GRADE|ATTEMPT|REFERENCE")
@json_option
def show(config: Path, name: str, as_json: bool) -> None:
    """Show what was said of a grade, what the gradebook is to show, and each try to bring it there.

    Named by its id (results list --json), by an attempt, or by a reference.
    """
    from lti_bridge.assembly.journal import traces
    from lti_bridge.core.journal.story import picture, words

    bridge = open_bridge(config)
    found = traces(bridge).grade(name)
    if found is None:
        refuse(
            f"No grade is known by {name!r}: name a grade (lti-bridge results list --json), an"
            " attempt (lti-bridge attempts list) or the reference of one of their messages."
        )
    now, store = bridge.clock(), bridge.store
    attempts = [one for name in found.attempts if (one := store.attempt_overview(name, now))]
    if as_json:
        cells, told = ([asdict(one) for one in many] for many in (found.cells, found.hops))
        write_json({"grades": cells, "attempts": attempts, "hops": told})
        return
    for cell in found.cells:
        _tell_cell(cell)
    for attempt in attempts:
        _tell_attempt(attempt)
    hops = [one for one in found.hops if one.kind in TAKES_PART]
    for line in (*picture(hops), *words(hops)):
        say(line)
    if not hops:
        say("No message or try is in the journal any more.")


def _tell_cell(cell: Cell) -> None:
    say(f"grade {cell.id}: user {cell.user} of {cell.registration}")
    say(f"    to be shown: {cell.grade or 'nothing yet'}")
    late = f", {cell.tries} tries" if cell.tries else ""
    at = f" at {cell.delivered_at:%Y-%m-%d %H:%M:%S}Z" if cell.delivered_at else ""
    say(f"    {cell.delivery}{at}{late}{': ' if cell.reason else ''}{cell.reason}")
    if cell.shown:
        whose = ", which is not from here" if cell.overridden else ""
        say(f"    the LMS shows {cell.shown}{whose}")
    else:
        say("    nobody has seen yet what the LMS shows")


def _tell_attempt(attempt: dict[str, Any]) -> None:
    score = attempt["score"] or "no score"
    say("attempt {id}, number {number}: {state}, ".format(**attempt) + score)
    for result in attempt["results"]:
        say("    {at}  {source}  {score}".format(**result))
