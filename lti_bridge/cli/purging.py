"""Deleting what is too old, when a person wants it now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lti_bridge.cli.options import (
    config_option,
    confirm,
    json_option,
    open_bridge,
    say,
    write_json,
    yes_option,
)

if TYPE_CHECKING:
    from lti_bridge.store.purge import Old, Purge

SAID_S = 2.0  # between two lines that say how far it is


@click.command()
@config_option
@click.option("--dry-run", is_flag=True, help="Only say how many rows of which table would go.")
@yes_option
@json_option
def purge(config: Path, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete what is older than the configuration lets it be; workers do it every minute.

    Attempts, their scores and grades, purchases and owners stay. It goes in small steps with rests
    between them, while the bridge runs; stopped in the middle, it has done what it has done.
    """
    bridge = open_bridge(config)
    now, work = bridge.clock(), bridge.purge
    there = work.counts(now)
    if as_json:
        _check_asked(dry_run, yes)
        counts = Counter[str]()
        for old, count in there.items():
            counts[old.table] += count
        write_json(counts)
    else:
        _tell(there, work)
    if dry_run or not sum(there.values()):
        return
    confirm("Do this now?", yes)
    done = _with_progress(work, now, sum(there.values()))
    say(f"{done} rows are gone or emptied.", err=as_json)


def _check_asked(dry_run: bool, yes: bool) -> None:
    if not dry_run and not yes:
        raise click.UsageError("--json needs --dry-run or --yes, for nobody can be asked")


def _tell(there: Mapping[Old, int], work: Purge) -> None:
    for old, count in there.items():
        what = "are emptied" if old.change else "go"
        say(f"{count:>10}  {old.table:16} {old.name}, {_why(old, work)}: {what}")
    if not sum(there.values()):
        say("Nothing is too old.")


def _why(old: Old, work: Purge) -> str:
    if old.most:
        return f"more than {getattr(work.keep, old.most)}"
    return f"older than {getattr(work.keep, old.days)} days" if old.days else "expired"


def _with_progress(work: Purge, now: datetime, there: int) -> int:
    """How many rows it was; said as it goes on where it takes a while."""
    done, last = Counter[str](), time.monotonic()
    for step in work.steps(now):
        done[step.what.table] += step.rows
        if time.monotonic() - last > SAID_S:
            last = time.monotonic()
            say(f"{done.total()} of {there} ({step.what.table})", err=True)
        time.sleep(step.rest_s)
    return done.total()
