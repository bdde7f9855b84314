"""The commands about attempts: seeing them, and settling what nobody but a person can know."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from lti_bridge.cli import members
from lti_bridge.cli.members import members_option
from lti_bridge.cli.options import (
    IDS,
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
from lti_bridge.core.records import AttemptState
from lti_bridge.errors import ByHandRefused

STUCK = {
    "held": "Its result is held for a person: lti-bridge results release lets it count, "
    "lti-bridge results refuse does not.",
    "no-grade": "It was opened two days ago or more and its tool has sent no grade: ask the "
    "learner; if no grade ever comes from there, ask the tool's provider.",
    "unclear": "Nobody knows whether the provider has started it: look there, then see "
    "lti-bridge attempts resolve --help.",
    "silent": "Nothing has been heard of it for a week: ask the learner or the provider; marks "
    "can be entered with lti-bridge results enter.",
}


TOLD_EACH = 100  # attempts that are settled together
MARKS = {"silent": "  SILENT", "no-grade": "  NO GRADE", "held": "  HELD"}


@click.group()
def attempts() -> None:
    """Attempts at tests: how they stand, and those that need a person."""


@attempts.command("list")
@config_option
@click.option("--state", type=click.Choice(get_args(AttemptState)), default=None)
@click.option("--connection", default="", help="Only those at this connection.")
@click.option("--stuck", is_flag=True, help="Only those that need a person.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@members_option
@json_option
def list_attempts(
    config: Path,
    state: str | None,
    connection: str,
    stuck: bool,
    limit: int,
    ask: bool,
    as_json: bool,
) -> None:
    """List attempts, the newest change first. Learners are named by the LMS's own ids."""
    from lti_bridge.core.attempt.capabilities import pushing

    bridge = open_bridge(config)
    if connection:
        bridge.catalogue.connection(connection)
    rows = bridge.store.list_attempts(
        bridge.clock(),
        state=state or "",
        connection=connection,
        stuck=stuck,
        limit=limit,
        pushing=pushing(bridge.catalogue.connections()),
    )
    members.note(bridge, rows, ask=ask)
    if as_json:
        write_json(rows)
        return
    for row in rows:
        say(
            "{changed_at}  {id}  {state:14}  {score:>9}  {connection}  {activity}  "
            "{registration} user {user}".format(**row)
            + MARKS.get(row["stuck"], "")
            + (f": {row['held']}" if row["held"] else "")
            + (f"  {row['member']}" if row["member"] else "")
        )
    if not rows:
        say("None.")


@attempts.command(context_settings=IDS)
@config_option
@click.argument("attempt_id", metavar="ID")
@json_option
def show(config: Path, attempt_id: str, as_json: bool) -> None:
    """Show all about one attempt: how it came to its state, its results, its grade's delivery."""
    from lti_bridge.core.attempt.capabilities import pushing

    bridge = open_bridge(config)
    store = bridge.store
    names = pushing(bridge.catalogue.connections())
    found = store.attempt_overview(attempt_id, bridge.clock(), names)
    if found is None:
        refuse(f"There is no attempt {attempt_id!r}.")
    found["changes"] = store.attempt_changes(attempt_id)
    if as_json:
        write_json(found)
        return
    _show(found)


@attempts.command("resolve-all")
@config_option
@click.argument("connection")
@click.option("--not-started", is_flag=True, help="None exists there: the next click starts it.")
@click.option("--expired", is_flag=True, help="Close them: the next click makes another attempt.")
@click.option("--activity", default="", metavar="ID", help="Only attempts of this activity.")
@yes_option
def resolve_all(
    config: Path, connection: str, not_started: bool, expired: bool, activity: str, yes: bool
) -> None:
    """Settle all unclear attempts at a CONNECTION alike, after asking the provider about them.

    For when a provider was away while many clicked, and says that it has started none of them
    (or that whatever it has may be left). One of which it does have a test is settled first, by
    itself, with attempts resolve ID --started REFERENCE.
    """
    if not_started == expired:
        raise click.UsageError("say one of --not-started and --expired")
    bridge = open_bridge(config)
    bridge.catalogue.connection(connection)
    ids = bridge.store.unclear_attempts(bridge.clock(), connection, activity)
    if not ids:
        refuse(f"No attempt at {connection!r} is unclear.")
    what = "release" if not_started else "close"
    many = f"{len(ids)} attempt{'' if len(ids) == 1 else 's'}"
    after = ", so that the next clicks start (and buy) them" if not_started else " without marks"
    confirm(f"{many} at {connection}: {what} all{after}?", yes)
    hand, done = by_hand(bridge), 0
    for number, attempt_id in enumerate(ids, 1):
        try:
            (hand.not_started if not_started else hand.expired)(attempt_id)
            done += 1
        except ByHandRefused as error:  # somebody was faster
            say(f"{attempt_id}: {error.detail}", err=True)
        if number % TOLD_EACH == 0:
            say(f"{number} of {len(ids)}", err=True)
    say(f"{done} attempt{' is' if done == 1 else 's are'} {what}d.")


@attempts.command(context_settings=IDS)
@config_option
@click.argument("attempt_id", metavar="ID")
@click.option("--started", "reference", metavar="REFERENCE", help="It exists there, as REFERENCE.")
@click.option("--not-started", is_flag=True, help="It does not exist: the next click starts it.")
@click.option("--expired", is_flag=True, help="Close it: the next click asks, and makes another.")
@click.option("--with", "facts", multiple=True, metavar="NAME=VALUE", help="What else is known.")
@yes_option
def resolve(
    config: Path,
    attempt_id: str,
    reference: str | None,
    not_started: bool,
    expired: bool,
    facts: tuple[str, ...],
    yes: bool,
) -> None:
    """Settle an unclear attempt, after looking at the provider.

    An attempt is unclear when the answer to its start was lost: the test may exist, and may have
    cost something. Look for it at the provider, then say what you found. With --started the bridge
    may have to know more than the reference; it says what.
    """
    if (reference is not None) + not_started + expired != 1:
        raise click.UsageError("say one of --started REFERENCE, --not-started and --expired")
    if reference is not None and not reference.strip():
        raise click.UsageError("--started: the reference is empty")
    if facts and reference is None:
        raise click.UsageError("--with goes with --started only")
    known = _facts(facts)
    bridge = open_bridge(config)
    overview = bridge.store.attempt_overview(attempt_id, bridge.clock())
    if overview is None:
        refuse(f"There is no attempt {attempt_id!r}.")
    who = "{activity} of {registration} user {user} at {connection}".format(**overview)
    hand = by_hand(bridge)
    if reference is not None:
        confirm(f"{who}: take it over as {reference}, and wait for its result?", yes)
        hand.started(attempt_id, reference.strip(), known)
        say("It is started; its result is waited for.")
    elif not_started:
        confirm(f"{who}: release it, so that the next click starts (and buys) it?", yes)
        hand.not_started(attempt_id)
        say("It is released; the next click starts it.")
    else:
        confirm(f"{who}: close it without marks, so that the next click can make another one?", yes)
        hand.expired(attempt_id)
        say("It is closed; the next click asks before it makes another attempt, if one is left.")
    bridge.waker.sweep_now()


def _facts(pairs: tuple[str, ...]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise click.UsageError(f"--with: {wrong[0]!r} is not NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _show(found: dict[str, Any]) -> None:
    say("{state}  {activity}, attempt {number}, {registration} user {user}".format(**found))
    say("connection  {connection}".format(**found))
    say(f"reference   {found['reference'] or 'none'}")
    say(f"score       {found['score'] or 'none'}")
    if found["held"]:
        say(f"held        {found['held_score'] or 'no marks'}: {found['held']}")
    if found["next_question_at"]:
        say(f"next look   {found['next_question_at']}")
    say("changes")
    say(f"  {found['created_at']}  created  by a click")
    for change in found["changes"]:
        say("  {at}  {state}  by {source}  {detail}".format(**change).rstrip())
    say("results" if found["results"] else "results     none")
    for result in found["results"]:
        said = ", ".join(f"{name} {value}" for name, value in result["said"].items())
        say(f"  {result['at']}  {result['score'] or 'no score'}  by {result['source']}  {said}")
    grade = found["grade"]
    if grade is None:
        say("grade       none")
    else:
        say("grade       {grade}, {delivery} {delivered_at}  {reason}".format(**grade).rstrip())
    if found["stuck"]:
        say(STUCK[found["stuck"]])
