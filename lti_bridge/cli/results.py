"""The commands about results and grades: seeing them, sending them again, bringing them by hand."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import click

from lti_bridge.cli import members
from lti_bridge.cli.members import members_option
from lti_bridge.cli.options import (
    FAILED,
    IDS,
    Moment,
    by_hand,
    config_option,
    confirm,
    json_option,
    open_bridge,
    refuse,
    say,
    write_json,
    yes_option,
)
from lti_bridge.errors import OutcomeRefused

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.core.grade.reconcile import Reconciled, Verdict
    from lti_bridge.core.staff.resolution import Imported
    from lti_bridge.store import grades

WHOSE: dict[Verdict, str] = {
    "provider": "ours, as the provider says",
    "log": "ours, as the log says",
    "higher": "ours, as the log says, and higher than what is known here",
    "teacher": "nothing here accounts for it: it stays",
    "failed": "could not be read",
}


SEEN_WITHIN_S, LOOK_EVERY_S = 20.0, 0.5  # the first look is some seconds after a delivery


class _Number(click.ParamType[Decimal]):
    """An exact number, with a point before its decimals."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is no number", param, ctx)
        if not number.is_finite() or number < 0:
            self.fail(f"{value!r} is no number from 0 up", param, ctx)
        return number


@click.group()
def results() -> None:
    """Grades, and how far they got on their way to the LMS."""


@results.command("list")
@config_option
@click.option("--stuck", is_flag=True, help="Only grades that wait for a person.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@members_option
@json_option
def list_grades(config: Path, stuck: bool, limit: int, ask: bool, as_json: bool) -> None:
    """List grades, the newest first. Learners are named by the LMS's own ids."""
    from lti_bridge.store import grades

    bridge = open_bridge(config)
    rows = grades.list_grades(bridge.store.database, stuck=stuck, limit=limit)
    members.note(bridge, rows, ask=ask)
    if as_json:
        write_json(rows)
        return
    for row in rows:
        say("{changed_at}  {delivery:9}  {grade:>12}  {registration}  user {user}".format(**row))
        if row["member"]:
            say(f"    {row['member']}")
        if row["held"]:
            say(f"    held: {row['held']}; see lti-bridge attempts list --stuck")
        if row["overridden"]:
            say(f"    {row['id']}  the LMS shows {row['shown']}, which is not from here")
        if row["reason"]:
            say(f"    {row['id']}  {row['reason']}")
    if not rows:
        click.echo("None.")


@results.command(context_settings=IDS)
@config_option
@click.option("--stuck", is_flag=True, help="Only grades that wait for a person.")
@click.option("--lms", default="", metavar="NAME", help="Only grades of this LMS.")
@click.option("--activity", default="", metavar="ID", help="Only grades of this activity.")
@click.option("--since", type=Moment(), help="Only grades that changed since, as 2026-11-29T08:00.")
@click.option("--force", is_flag=True, help="Replace also what a teacher has entered.")
@yes_option
@click.argument("ids", nargs=-1)
def resend(
    config: Path,
    stuck: bool,
    lms: str,
    activity: str,
    since: datetime | None,
    force: bool,
    yes: bool,
    ids: tuple[str, ...],
) -> None:
    """Send grades again: those named by IDS (see results list --json), or all that the options say.

    An LMS gets the same grade, with a later time. What a teacher has entered there stays, unless
    --force is given; of grades that are named it says then what the LMS shows.
    """
    from lti_bridge.store import grades

    chosen = grades.Chosen(stuck, lms, activity, since)
    if bool(ids) == (chosen != grades.Chosen()):
        raise click.UsageError(
            "name grades by their ids, or give --stuck, --lms, --activity or --since"
        )
    bridge = open_bridge(config)
    database, now = bridge.store.database, bridge.clock()
    if ids:
        count = grades.resend(database, ids, now=now, force=force)
    else:
        _check_names(bridge, lms, activity)
        there = grades.count_chosen(database, chosen)
        if there and (force or not stuck):
            also = ", and replace what teachers have entered" if force else ""
            confirm(f"Send {there} grade{'' if there == 1 else 's'} again{also}?", yes)
        count = _with_progress(grades.resend_chosen(database, chosen, now=now, force=force), there)
    bridge.waker.sweep_now()
    click.echo(f"{count} grade{' is' if count == 1 else 's are'} on their way again.")
    if not count:
        sys.exit(FAILED)
    if ids and force:
        _tell_what_is_shown(bridge, ids)


def _tell_what_is_shown(bridge: Bridge, ids: tuple[str, ...]) -> None:
    """Wait for a while until it is seen what the LMS makes of grades that were forced."""
    from lti_bridge.store import grades

    until = time.monotonic() + SEEN_WITHIN_S
    while True:
        found = grades.sent(bridge.store.database, ids)
        waits = [one for one in found if one.delivery == "pending" or not (one.shown or one.reason)]
        if not waits or time.monotonic() > until:
            break
        time.sleep(LOOK_EVERY_S)
    for one in found:
        say(f"{one.id}: {_what_is_shown(one)}")


def _what_is_shown(one: grades.Sent) -> str:
    if one.delivery == "pending":
        return f"not there yet{': ' if one.reason else ''}{one.reason}; see results list"
    if one.delivery != "delivered":
        return f"{one.delivery}: {one.reason}"
    if one.overridden:
        return (
            f"the LMS has taken it, and shows {one.shown} all the same: what was overridden in its"
            " gradebook stays there until somebody takes that away"
        )
    return f"the LMS shows {one.shown}" if one.shown else "delivered; nobody has seen yet as what"


def _check_names(bridge: Bridge, lms: str, activity: str) -> None:
    """A name that is mistyped must not look like one that nothing is wrong with."""
    if lms and bridge.lms.directory.get(lms) is None:
        refuse(f"There is no LMS {lms!r}: see lti-bridge registrations list.")
    if activity and bridge.catalogue.activity(activity) is None:
        with bridge.store.transaction() as tx:
            if tx.stored_activity(activity) is None:
                refuse(f"There is no activity {activity!r}: see its link, or the configuration.")


def _with_progress(parts: Iterator[int], there: int) -> int:
    """How many in all; said as it goes on where it takes a while."""
    from lti_bridge.store import grades

    count = 0
    for part in parts:
        count += part
        if there > grades.AT_ONCE:
            say(f"{count} of {there}", err=True)
    return count


@results.command()
@config_option
@click.option("--lms", required=True, metavar="NAME", help="The LMS whose gradebook is read.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.File(encoding="utf-8", errors="replace"),
    help="A log of the bridge from after the backup, - for standard input. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@yes_option
@json_option
def reconcile(
    config: Path, lms: str, logs: tuple[TextIO, ...], dry_run: bool, yes: bool, as_json: bool
) -> None:
    """After a backup was restored: read every gradebook cell of an LMS, and put it right.

    What a cell shows is ours when the provider says so, or the log; then it is kept, and later
    grades go over it. All else is a teacher's, and stays.
    """
    from lti_bridge.assembly.reconcile import reconciled
    from lti_bridge.core.grade.marks import marks_in
    from lti_bridge.store import grades

    bridge = open_bridge(config)
    _check_names(bridge, lms, "")
    there = bridge.store.count_cells(lms)
    if there and not dry_run:
        confirm(f"Read {there} cells of {lms}, and put right what is known to be ours?", yes)
    marks = frozenset(one for log in logs for one in marks_in(log))
    done = []
    for one in reconciled(bridge, lms, marks, dry_run=dry_run):
        done.append(one)
        if len(done) % grades.AT_ONCE == 0:
            say(f"{len(done)} of {there}", err=True)
    if not dry_run:
        bridge.waker.sweep_now()
    _tell_reconciled(done, as_json)
    if any(one.verdict in ("failed", "higher") for one in done):
        sys.exit(FAILED)


def _tell_reconciled(done: list[Reconciled], as_json: bool) -> None:
    """How many cells there are of each kind, and those that differ."""
    from lti_bridge.core.grade.reconcile import Verdict

    counts = dict.fromkeys(get_args(Verdict), 0)
    for one in done:
        counts[one.verdict] += 1
    if as_json:
        told = [asdict(one) for one in done if one.verdict != "same"]
        write_json({"counts": counts, "grades": told})
        return
    for one in done:
        if one.verdict not in ("same", "empty", "unreadable"):
            said = f": {one.reason}" if one.reason else ""
            say(f"{one.grade_id}  user {one.user}  shows {one.shown}, here {one.wanted}:")
            say(f"    {WHOSE[one.verdict]}{said}")
    say(", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "None.")


@results.command(context_settings=IDS)
@config_option
@click.argument("attempt_id", metavar="ATTEMPT")
@click.argument("given", type=_Number())
@click.argument("maximum", type=_Number())
@yes_option
def enter(config: Path, attempt_id: str, given: Decimal, maximum: Decimal, yes: bool) -> None:
    """Enter the marks of an ATTEMPT by hand: GIVEN out of MAXIMUM. The grade follows by itself."""
    from lti_bridge.core.grade.scores import Score

    try:
        score = Score(given, maximum)
    except OutcomeRefused as error:
        raise click.UsageError(error.detail) from error
    bridge = open_bridge(config)
    overview = bridge.store.attempt_overview(attempt_id, bridge.clock())
    if overview is None:
        refuse(f"There is no attempt {attempt_id!r}.")
    who = "{activity}, attempt {number} of {registration} user {user}".format(**overview)
    instead = overview["score"] or overview["state"]
    above = " (above the maximum)" if given > maximum else ""
    confirm(f"{who}: {given}/{maximum}{above} instead of {instead}?", yes)
    by_hand(bridge).enter(attempt_id, score)
    bridge.waker.sweep_now()
    click.echo(f"{given}/{maximum} is recorded; see lti-bridge attempts show {attempt_id}.")


@results.command(context_settings=IDS)
@config_option
@click.argument("attempt_id", metavar="ATTEMPT")
@yes_option
def release(config: Path, attempt_id: str, yes: bool) -> None:
    """Let the held result of an ATTEMPT count. The grade follows by itself."""
    _decide(config, attempt_id, yes, counts=True)


@results.command("refuse", context_settings=IDS)
@config_option
@click.argument("attempt_id", metavar="ATTEMPT")
@yes_option
def refuse_result(config: Path, attempt_id: str, yes: bool) -> None:
    """Let the held result of an ATTEMPT count for nothing, and nothing that it had before."""
    _decide(config, attempt_id, yes, counts=False)


def _decide(config: Path, attempt_id: str, yes: bool, *, counts: bool) -> None:
    bridge = open_bridge(config)
    found = bridge.store.attempt_overview(attempt_id, bridge.clock())
    if found is None:
        refuse(f"There is no attempt {attempt_id!r}.")
    who = "{activity}, attempt {number} of {registration} user {user}".format(**found)
    marks = found["held_score"] or "no marks"
    said = found["held"] or found["state"]
    asked = f"let {marks} count" if counts else f"let {marks} count for nothing"
    confirm(f"{who}, held: {said}: {asked}?", yes)
    if counts:
        by_hand(bridge).release(attempt_id)
    else:
        by_hand(bridge).refuse(attempt_id)
    bridge.waker.sweep_now()
    done = "is released" if counts else "counts for nothing"
    click.echo(f"The result {done}; see lti-bridge attempts show {attempt_id}.")


@results.command("import")
@config_option
@click.argument("connection")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def import_results(config: Path, connection: str, file: Path, as_json: bool) -> None:
    """Record the results in a CSV FILE, which staff bring from the provider of a CONNECTION.

    Says of each line whether it was recorded, was known already, or was refused and why; the
    status is 1 when any was refused. The same file may be imported as often as one likes.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        refuse(f"{file} is not readable as UTF-8 text: save it as CSV UTF-8.")
    bridge = open_bridge(config)
    lines = by_hand(bridge).import_results(bridge.catalogue.connection(connection), text)
    done = _watched(lines, as_json)
    bridge.waker.sweep_now()
    counts = dict.fromkeys(("recorded", "known", "refused"), 0)
    for one in done:
        counts[one.outcome] += 1
    if as_json:
        write_json({**counts, "lines": [asdict(one) for one in done]})
    else:
        click.echo(
            "{recorded} recorded, {known} known already, {refused} refused.".format(**counts)
        )
    if counts["refused"]:
        sys.exit(FAILED)


def _watched(lines: Iterable[Imported], as_json: bool) -> list[Imported]:
    """All lines, each one told as soon as it is done."""
    done = []
    for one in lines:
        done.append(one)
        attempt = f"  attempt {one.attempt_id}" if one.attempt_id else ""
        say(f"line {one.line}: {one.outcome}  {one.said}{attempt}", err=as_json)
    return done
