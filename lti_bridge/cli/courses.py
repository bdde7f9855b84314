"""The commands about courses: their names and origins, where only a person can know."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from lti_bridge.cli.options import (
    config_option,
    confirm,
    json_option,
    open_bridge,
    refuse,
    say,
    write_json,
    yes_option,
)

MAX_ID = 255


@click.group()
def courses() -> None:
    """What LMSs call their courses, and which were copied from which."""


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


@courses.command()
@config_option
@click.option("--undo", is_flag=True, help="Take it back.")
@yes_option
@json_option
@click.argument("lms")
@click.argument("new")
@click.argument("old")
def copied(
    config: Path, undo: bool, yes: bool, as_json: bool, lms: str, new: str, old: str
) -> None:
    """Say that the course NEW of an LMS was copied from the course OLD (their context ids).

    For an LMS that tells neither a history nor of copies. Each link that came along opens a copy of
    its own test from the first click on, with attempts and grades of its own. A teacher can say the
    same on the page of any such link. With --undo, copies that nobody has begun or changed go.
    """
    if not old or not new or old == new or max(len(old), len(new)) > MAX_ID:
        raise click.UsageError(f"NEW and OLD are two ids of 1 to {MAX_ID} characters")
    from lti_bridge.store.copies import BY_COMMAND, Copies

    bridge = open_bridge(config)
    places = Copies(bridge.store.database).places(lms, old)
    if not places:
        refuse(f"No test was set up in the course {old!r} of {lms!r}.")
    with bridge.store.transaction() as tx:
        tests = [one.title for place in places for one in tx.activities_of(place)]
    listed = ", ".join(f"“{title}”" for title in tests) or "none any more"
    what = f"{new} of {lms} {'is no copy' if undo else 'is a copy'} of {old}"
    confirm(f"{what}, whose tests are: {listed}. Go on?", yes)
    unmade = 0
    with bridge.store.transaction() as tx:
        for place in places:
            course = replace(place, context_id=new)
            if undo:
                tx.forget_copies(course)
                unmade += tx.unmake_copies(course)
            else:
                tx.note_copy(course, [old], bridge.clock(), told_by=BY_COMMAND)
    if as_json:
        done = {"lms": lms, "course": new, "origin": old, "undone": undo, "copies_gone": unmade}
        write_json({**done, "tests": tests})
    else:
        say(f"{what}." + (f" {unmade} copies of tests are gone." if undo else ""))


@courses.command()
@config_option
@json_option
@click.argument("lms", default="")
def copies(config: Path, as_json: bool, lms: str) -> None:
    """List the courses that are known to be copies, and who said so: LMS, teacher or command."""
    from lti_bridge.store.copies import Copies

    found = Copies(open_bridge(config).store.database).listed(lms)
    if as_json:
        write_json([asdict(one) for one in found])
        return
    for one in found:
        when = f"{one.told_at:%Y-%m-%d %H:%M} by {one.told_by}"
        say(f"{one.registration}: {one.course} from {one.origin}, {one.copies} copies, {when}")
    if not found:
        say("No course is known to be a copy.")
