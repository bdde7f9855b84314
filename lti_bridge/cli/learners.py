"""The commands about learners: letting one be forgotten, and giving one more time or attempts."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lti_bridge.cli.options import (
    FAILED,
    IDS,
    by_hand,
    config_option,
    confirm,
    json_option,
    open_bridge,
    refuse,
    write_json,
    yes_option,
)

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.core.attempt.extra_time import ExtraTime
    from lti_bridge.core.records import Activity
    from lti_bridge.core.staff.resolution import Forgotten

UNDER_WAY = frozenset({"started", "unclear"})


@click.group()
def learners() -> None:
    """Learners, named by their LMS (the name of its [[lms]]) and its own user id."""


@learners.command(context_settings=IDS)
@config_option
@click.argument("registration")
@click.argument("user_id")
@click.option("--anyway", is_flag=True, help="Forget here even where a provider failed to.")
@yes_option
@json_option
def forget(
    config: Path, registration: str, user_id: str, anyway: bool, yes: bool, as_json: bool
) -> None:
    """Forget a learner: at each provider that can, then here.

    Attempts and scores stay, as those of nobody. Where a provider fails, nothing is deleted here,
    so that the same command can be given again; note down what it says of the other providers.
    """
    from lti_bridge.assembly.journal import traces

    bridge = open_bridge(config)
    learner_id = bridge.store.learner_id(registration, user_id)
    if learner_id is None:
        if not traces(bridge).forget(registration, user_id):
            refuse(f"No user {user_id!r} of {registration!r} is known here.")
        click.echo("Forgotten here: there were only traces of clicks that were refused.")
        return
    count = len(bridge.store.attempts_of(learner_id))
    question = "delete them at the providers and here, with grades that are still on their way?"
    confirm(f"User {user_id} of {registration}, {count} attempts: {question}", yes)
    found = []
    for one in by_hand(bridge).forget_at_providers(learner_id):
        found.append(one)
        if not as_json:
            _say(one)
    failed = any(one.failed for one in found)
    counts = {}
    if not failed or anyway:
        traces(bridge).forget(registration, user_id)
        counts = bridge.store.forget_learner(learner_id, bridge.clock())
    if as_json:
        write_json({"providers": [asdict(one) for one in found], "here": counts})
    else:
        _say_here(found, counts)
    if failed and not anyway:
        sys.exit(FAILED)


@learners.command(context_settings=IDS)
@config_option
@click.argument("registration")
@click.argument("user_id")
@click.argument("activity")
@click.option("--extra-attempts", type=click.IntRange(0, 1000), help="More than the activity has.")
@click.option(
    "--extra-time", type=click.IntRange(0, 1000), metavar="PERCENT", help="Of the test's time."
)
@json_option
def adjust(
    config: Path,
    registration: str,
    user_id: str,
    activity: str,
    extra_attempts: int | None,
    extra_time: int | None,
    as_json: bool,
) -> None:
    """Give one learner more attempts or more time at an ACTIVITY, from the next start on.

    What is not named stays as it is; 0 takes it back. The learner need not have been here yet.
    Time that the provider cannot be told of is refused, and not given.
    """
    from lti_bridge.assembly.basics import new_id

    if extra_attempts is None and extra_time is None:
        raise click.UsageError("say --extra-attempts or --extra-time")
    bridge = open_bridge(config)
    names = {lms.name for lms in bridge.settings.lms}
    names |= {lms["name"] for lms in bridge.lms.store.registrations()}
    if registration not in names:
        refuse(f"There is no LMS named {registration!r}.")
    known = _activity(bridge, activity)
    rule = _extra_time(bridge, known)
    if extra_time and not rule.taken:
        refuse(f"Extra time at {activity} reaches nobody, so it is not given. {rule.note}")
    was_here = bridge.store.learner_id(registration, user_id) is not None
    with bridge.store.transaction() as tx:
        learner_id = tx.learner(registration, user_id, new_id(), bridge.clock())
    more = bridge.store.adjustment(known.id, learner_id)
    if extra_attempts is not None:
        more = replace(more, extra_attempts=extra_attempts)
    if extra_time is not None:
        more = replace(more, extra_time_percent=extra_time)
    bridge.store.adjust(known.id, learner_id, more)
    notes = _notes(bridge, known, learner_id, rule) if extra_time is not None else []
    if as_json:
        write_json({**asdict(more), "was_here": was_here, "notes": notes})
        return
    click.echo(
        f"User {user_id} of {registration} has {more.extra_attempts} more attempts and "
        f"{more.extra_time_percent} % more time at {activity}."
    )
    if not was_here:
        click.echo("No such user has been here yet; make sure that the id is right.")
    for note in notes:
        click.echo(note)
    if more.extra_attempts and not known.attempts:
        click.echo("The activity has no limit of attempts anyway.")


def _extra_time(bridge: Bridge, activity: Activity) -> ExtraTime:
    """What the activity's provider does with extra time, as the activity is set up now."""
    settings = activity.settings
    if activity.course:  # one of the database, as it was typed
        settings = bridge.catalogue.settings(activity.connection, settings)
    return bridge.catalogue.connection(activity.connection).extra_time(settings)


def _notes(bridge: Bridge, activity: Activity, learner_id: str, rule: ExtraTime) -> list[str]:
    """What staff have to know of extra time that was given or taken back."""
    notes = [rule.note] if rule.note else []
    for attempt, _ in bridge.store.attempts_of(learner_id):
        begun = UNDER_WAY | ({"created"} if rule.parameter else set())  # by LTI nobody says more
        if attempt.activity_id == activity.id and attempt.state in begun:
            told = "when the link is opened again" if rule.parameter else "from the next attempt on"
            notes.append(
                f"Attempt {attempt.id} has begun already ({attempt.state}): its provider was told "
                f"what held then, and is told this {told}; set it there by hand if it has to count."
            )
    return notes


def _activity(bridge: Bridge, activity_id: str) -> Activity:
    found = bridge.catalogue.activity(activity_id)
    if found is None:
        with bridge.store.transaction() as tx:
            found = tx.stored_activity(activity_id)
    if found is None:
        refuse(f"There is no activity {activity_id!r}.")
    return found


def _say(one: Forgotten) -> None:
    name = f"attempt {one.attempt_id} at {one.connection}"
    if one.forgotten:
        click.echo(f"{name}: forgotten there.")
        return
    click.echo(f"{name}: NOT forgotten there. {one.reason}")
    reference = f"the test is {one.reference}, " if one.reference else ""
    click.echo(f"    There {reference}the learner {one.pseudonym}.")


def _say_here(found: list[Forgotten], counts: dict[str, int]) -> None:
    if not counts:
        click.echo("Nothing was deleted here. Give the command again later, or with --anyway.")
        return
    left = sum(not one.forgotten for one in found)
    click.echo("Forgotten here." if not left else f"Forgotten here; left at providers: {left}.")
