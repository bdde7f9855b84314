"""The commands about courses: what an LMS calls them, where only a person can know."""

from __future__ import annotations

from pathlib import Path

import click

from lti_bridge.cli.options import config_option, confirm, open_bridge, refuse, say, yes_option

MAX_ID = 255


@click.group()
def courses() -> None:
    """What LMSs call their courses."""


@courses.command()
@config_option
@click.option("--part", is_flag=True, help="OLD is a part of many ids, such as a host name.")
@click.option("--undo", is_flag=True, help="Take it back.")
@yes_option
@click.argument("lms")
@click.argument("old")
@click.argument("new")
def moved(config: Path, part: bool, undo: bool, yes: bool, lms: str, old: str, new: str) -> None:
    """Say that the course OLD of an LMS is called NEW now (its context ids).

    Its links are found by both names from then on: attempts, grades and activities stay with
    them, and nothing is begun twice. Links that were made since keep what was begun at them. With
    --part the text OLD becomes NEW in every course id of the LMS that holds it, and in the ids of
    those courses' links. Nothing is changed at the LMS or at a provider; --undo takes it back.
    """
    if not old or not new or old == new or max(len(old), len(new)) > MAX_ID:
        raise click.UsageError(f"OLD and NEW are two ids of 1 to {MAX_ID} characters")
    from lti_bridge.store.moves import Moves

    bridge = open_bridge(config)
    moves = Moves(bridge.store.database)
    plan = moves.plan(lms, old, new, part=part)
    if not plan:
        refuse(f"No link of {lms!r} is in such a course.")
    if any(max(len(one.context_id), len(one.resource_link_id)) > MAX_ID for one in plan):
        refuse(f"An id would have more than {MAX_ID} characters.")
    for course, name in dict.fromkeys((one.former[0], one.context_id) for one in plan):
        say(f"{course} -> {name}")
    courses_ = len({(one.deployment_id, one.former[0]) for one in plan})
    attempts = sum(one.attempts for one in plan)
    what = f"{courses_} courses of {lms}, with {len(plan)} links and {attempts} attempts,"
    confirm(f"{what} are found by {'the old' if undo else 'both'} names. Go on?", yes)
    done = moves.part(plan) if undo else moves.join(plan)
    say(f"{done} links are {'parted' if undo else 'joined'}.")
