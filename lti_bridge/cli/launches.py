"""The commands about launches: what became of clicks, messages and grades, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lti_bridge.cli.options import (
    Moment,
    config_option,
    json_option,
    open_bridge,
    refuse,
    say,
    write_json,
)
from lti_bridge.core.journal.kinds import CLICKS, KINDS

if TYPE_CHECKING:
    from lti_bridge.core.journal.record import Recorded

EVERY = "all"
UNKNOWN = (
    "Nothing is known of the reference {ref!r}. It may be mistyped, older than [journal] keep_days,"
    " or one of too many that were refused in one minute: see lti-bridge launches list."
)


@click.group()
def launches() -> None:
    """Clicks, messages and grades, and what became of each; kept as [journal] says."""


@launches.command("list")
@config_option
@click.option("--since", type=Moment(), help="From then on, as 2026-11-29T08:00.")
@click.option("--until", type=Moment(), help="Before then.")
@click.option("--user", default="", metavar="ID", help="Of this user, by the LMS's own id.")
@click.option("--activity", default="", metavar="ID", help="Of this activity.")
@click.option("--course", default="", metavar="ID", help="Of this course, by the LMS's own id.")
@click.option("--lms", default="", metavar="NAME", help="Of this LMS.")
@click.option("--failed", is_flag=True, help="Only what did not go well.")
@click.option("--code", default="", help="Only what ended with this error (docs/errors.md).")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([EVERY, *KINDS]),
    help="Only these, and not clicks alone; may be repeated.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_launches(
    config: Path,
    since: datetime | None,
    until: datetime | None,
    user: str,
    activity: str,
    course: str,
    lms: str,
    failed: bool,
    code: str,
    kinds: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List clicks, the newest first, each with its reference; --kind for all else.

    Whoever clicked is named by the LMS's own id. Times are those of the machine that was asked.
    """
    from lti_bridge.assembly.journal import traces
    from lti_bridge.core.journal.traces import Question

    bridge = open_bridge(config)
    question = Question(
        since=since,
        until=until,
        user=user,
        activity=activity,
        course=course,
        lms=lms,
        failed=failed,
        code=code,
        kinds=() if EVERY in kinds else kinds or (*CLICKS, "start"),
        logins=bool(kinds),
        limit=limit,
    )
    found = traces(bridge).find(question)
    if lms and not found and bridge.lms.directory.get(lms) is None:
        refuse(f"There is no LMS {lms!r}: see lti-bridge registrations list.")
    if as_json:
        write_json([_plain(one) for one in found])
        return
    for one in found:
        say(_line(one))
    if not found:
        click.echo("None.")


@launches.command()
@config_option
@click.argument("ref", metavar="REFERENCE")
@json_option
def show(config: Path, ref: str, as_json: bool) -> None:
    """Show what became of a REFERENCE, which is on error pages and in every line of the log.

    All that is known of the same attempts and their grades is shown with it.
    """
    from lti_bridge.assembly.journal import traces

    found = traces(open_bridge(config)).trace(ref)
    if found is None:
        refuse(UNKNOWN.format(ref=ref))
    if as_json:
        own, others = [_plain(one) for one in found.hops], [_plain(one) for one in found.others]
        write_json({"ref": found.ref, "hops": own, "others": others})
        return
    _tell(found.all, found.hops[0])


@launches.command()
@config_option
@click.argument("ref", metavar="REFERENCE")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to; made if it is not there.",
)
def bundle(config: Path, ref: str, out: Path) -> None:
    """Write what became of a REFERENCE to a page and a JSON file, for an LMS's admin or a vendor.

    Learners are numbered, and their ids are left out. Files that are there already stay.
    """
    from lti_bridge.assembly.journal import traces
    from lti_bridge.core.journal.bundle import as_html, as_json

    found = traces(open_bridge(config)).trace(ref)
    if found is None:
        refuse(UNKNOWN.format(ref=ref))
    files = {out / f"{found.ref}.json": as_json(found), out / f"{found.ref}.html": as_html(found)}
    if there := [str(path) for path in files if path.exists()]:
        refuse(f"{there[0]} is there already: name another folder, or take it away.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        refuse(f"{out} cannot be written: {error.strerror}.")
    for path in files:
        say(str(path))


def _tell(hops: Sequence[Recorded], first: Recorded) -> None:
    from lti_bridge.core.journal.story import picture, words

    for line in picture(hops):
        say(line)
    say("")
    for name, value in _facts(first):
        say(f"{name}: {value}")
    for line in words(hops):
        say(line)
    for one in hops:
        for call in one.calls:
            end = call.status or "no answer"
            say(f"sent: {call.method} {call.host}{call.path}  {end}  {call.ms} ms")


def _facts(hop: Recorded) -> list[tuple[str, str]]:
    claimed = "" if hop.proved or not hop.registration else ", as somebody claims"
    known = [
        ("LMS", f"{hop.registration}{claimed}"),
        ("course", hop.course),
        ("user", hop.user),
        ("activity", hop.activity),
        ("connection", hop.connection),
        ("attempt", hop.attempt),
    ]
    return [(name, value) for name, value in known if value]


def _line(hop: Recorded) -> str:
    from lti_bridge.core.journal.story import kind_of, when

    who = f"user {hop.user}" if hop.user else "user unknown"
    where = " ".join(filter(None, (hop.registration or "an LMS unknown", hop.course)))
    end = f"NOT well: {hop.code}" if hop.code else "well"
    what = hop.detail or hop.said
    return (
        f"{when(hop)}  {hop.ref:10}  {kind_of(hop).words}  {end}  {where}  {who}  {what}".rstrip()
    )


def _plain(hop: Recorded) -> dict[str, Any]:
    return asdict(hop)
