"""The commands about who is which candidate, and has which test, at a provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lti_bridge.cli.options import (
    IDS,
    config_option,
    confirm,
    json_option,
    open_bridge,
    refuse,
    say,
    write_json,
    yes_option,
)

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge


@click.group()
def owners() -> None:
    """Candidates and tests at providers: each belongs to one learner."""


@owners.command("list", context_settings=IDS)
@config_option
@click.argument("owned_id", metavar="[ID]", default="")
@click.option("--connection", default="", help="Only those that were met first there.")
@click.option("--user", nargs=2, metavar="LMS USER", help="Only those of this learner.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_owners(
    config: Path,
    owned_id: str,
    connection: str,
    user: tuple[str, str] | None,
    limit: int,
    as_json: bool,
) -> None:
    """List who has what, or who has ID, which the log and `attempts show` name.

    A candidate is what a provider that knows people by e-mail address has of one. The address
    itself is not kept here.
    """
    bridge = open_bridge(config)
    learner_id = _learner(bridge, *user) if user else ""
    found = bridge.store.list_owners(
        owned_id=owned_id, connection=connection, learner_id=learner_id, limit=limit
    )
    if as_json:
        write_json(found)
        return
    for one in found:
        say(_line(one))
    if not found:
        say("None.")


@owners.command(context_settings=IDS)
@config_option
@click.argument("owned_id", metavar="ID")
@yes_option
def free(config: Path, owned_id: str, yes: bool) -> None:
    """Let nobody have ID: whoever comes next with it has it then.

    Right where it was a mistake, or where the provider has removed the candidate or the test. The
    learner who has it now has to be without an open test there.
    """
    bridge = open_bridge(config)
    confirm(f"{_line(_one(bridge, owned_id))}: free it for whoever comes next?", yes)
    with bridge.store.transaction() as tx:
        tx.unbind(owned_id)
    say("It is free.")


@owners.command(context_settings=IDS)
@config_option
@click.argument("owned_id", metavar="ID")
@click.argument("registration")
@click.argument("user_id")
@yes_option
def move(config: Path, owned_id: str, registration: str, user_id: str, yes: bool) -> None:
    """Let another learner have ID: the user USER_ID of an LMS, who has been here.

    Right where both are one person, or where the address has become somebody else's. The learner
    who has it now cannot open their own tests there any more.
    """
    bridge = open_bridge(config)
    line = _line(_one(bridge, owned_id))
    learner_id = _learner(bridge, registration, user_id)
    confirm(f"{line}: give it to user {user_id} of {registration}?", yes)
    with bridge.store.transaction() as tx:
        tx.move_owned(owned_id, learner_id)
    say(f"It is that of user {user_id} of {registration} now.")


def _one(bridge: Bridge, owned_id: str) -> dict[str, Any]:
    found = bridge.store.list_owners(owned_id=owned_id, limit=1) if owned_id else []
    if not found:
        refuse(f"Nobody has {owned_id!r}.")
    return found[0]


def _learner(bridge: Bridge, registration: str, user_id: str) -> str:
    learner_id = bridge.store.learner_id(registration, user_id)
    if learner_id is None:
        refuse(f"No user {user_id!r} of {registration!r} is known here.")
    return learner_id


def _line(one: dict[str, Any]) -> str:
    return "{id}  {what:9}  {connection}  {registration} user {user}  since {since}".format(**one)
