"""The commands about LMSs: who is trusted, inviting one, and moving one from LTI 1.1 to 1.3."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lti_bridge.cli.later import LaterGroup
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

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.lms.registration13 import Registration13

TOKEN_BYTES = 24  # 192 bits
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
name_argument = click.argument("name")


LATER = {
    "set": (
        "lti_bridge.cli.corrections:set_facts",
        "Correct what an LMS said of itself when it registered, and say what it may do.",
    )
}


@click.group(cls=LaterGroup, later=LATER)
def registrations() -> None:
    """The LMSs that may launch."""


@registrations.command("list")
@config_option
@json_option
def list_registrations(config: Path, as_json: bool) -> None:
    """List all registrations and invitations, and who succeeds whom."""
    bridge = open_bridge(config)
    store = bridge.lms.store
    invitations = [_without_exchange(one) for one in store.invitations()]
    found: dict[str, Any] = {
        "registrations": [*_from_file(bridge), *store.registrations()],
        "invitations": invitations,
        "succession": store.succession(),
        "clashes": bridge.lms.directory.clashes(),
    }
    if as_json:
        write_json(found)
        return
    for one in found["registrations"]:
        click.echo("{state:8} {lti:4} {name:24} {made_by}".format(**one))
    for one in invitations:
        if one["outcome"] != "registered":
            click.echo(f"invited       {one['name']:24} {said(one)}")
    for one in found["succession"]:
        click.echo("{state:8}      {former} -> {registration}".format(**one))
    for problem in found["clashes"]:
        click.echo(f"clash: {problem}; the file wins")


@registrations.command()
@config_option
@json_option
@name_argument
def show(config: Path, name: str, as_json: bool) -> None:
    """Show one registration, with what was asked and answered when it was made."""
    bridge = open_bridge(config)
    known = [*_from_file(bridge), *bridge.lms.store.registrations()]
    registration = next((one for one in known if one["name"] == name), None)
    invitations = [one for one in bridge.lms.store.invitations() if one["name"] == name]
    if registration is None and not invitations:
        refuse(f"There is neither a registration nor an invitation named {name!r}.")
    if registration and registration["lti"] == "1.3":
        registration = {**registration, "our_key_set": _key_set(bridge, registration)}
    found = {"registration": registration, "invitations": invitations}
    if as_json:
        write_json(found)
        return
    for key, value in (registration or {}).items():
        say(f"{key:20} {' '.join(str(value).split())}")
    for one in invitations:
        click.echo(f"{'invitation':20} {said(one)}")
        for step in one["exchange"]:
            click.echo(f"  {step['request']}: {step.get('status', step.get('failed', ''))}")
            write_json({key: step[key] for key in ("sent", "answered") if step.get(key)})


@registrations.command()
@config_option
@click.option("--approve", is_flag=True, help="It may launch as soon as it is registered.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 90))
@json_option
@name_argument
def invite(config: Path, name: str, approve: bool, days: int, as_json: bool) -> None:
    """Make an address by which one LMS registers itself, once; it will be called NAME."""
    from lti_bridge.lms.register import PURPOSE
    from lti_bridge.lms.routes_register import REGISTER_PATH

    if not NAME.fullmatch(name):
        raise click.UsageError("a name has letters, digits, '.', '_' and '-', at most 64")
    bridge = open_bridge(config)
    if problem := bridge.lms.directory.clash(name):
        refuse(problem)
    token, until = secrets.token_urlsafe(TOKEN_BYTES), bridge.clock() + timedelta(days=days)
    bridge.lms.store.invite(token, name, bridge.clock(), until, approve=approve, purpose=PURPOSE)
    address = f"{bridge.settings.bridge.public_url}{REGISTER_PATH}/{token}"
    if as_json:
        write_json({"name": name, "address": address, "expires_at": until, "approve": approve})
        return
    click.echo(f"Give this address to the LMS, as its tool registration URL, by {until:%Y-%m-%d}:")
    click.echo(address)


@registrations.command()
@config_option
@click.option("--former", metavar="NAME", help="The LTI 1.1 registration that this LMS was.")
@yes_option
@name_argument
def approve(config: Path, name: str, former: str | None, yes: bool) -> None:
    """Let a registration that an LMS made launch.

    Every host that it named is shown. Where one is not plainly its own, you are asked first.
    With --former it continues what was begun by LTI 1.1 from its very first launch, as `link` says.
    """
    from lti_bridge.lms import belonging

    bridge = open_bridge(config)
    waiting = _waiting(bridge, name)
    if former is not None:
        _check_former(bridge, former)
    others = bridge.lms.directory.all13()
    found = belonging.look(waiting, others)
    for one in found:
        say(f"{one.what:10} {one.host}" + (f"   WARNING: {one.problem}" if one.problem else ""))
    if problem := belonging.taken(waiting, others):
        refuse(f"{name} cannot be approved: {problem}. Retire whichever of the two is wrong.")
    if any(one.problem for one in found):
        confirm("Has its administrator told you, by another way, that these are its own?", yes)
        said = {one.host for one in found if one.problem and one.what in belonging.SENT_TO}
        hosts = sorted(waiting.service_hosts | said)
        if hosts and not bridge.lms.store.change(name, {"service_hosts": hosts}):
            refuse(f"{name!r} was changed meanwhile: look at it again.")
    if not bridge.lms.store.approve(name, bridge.clock(), former=former):
        refuse(f"No registration named {name!r} waits for approval.")
    if former is not None:
        click.echo(f"Launches of {name} continue what was begun by {former}.")
    click.echo(f"{name} may launch; all processes know it within seconds.")


@registrations.command()
@config_option
@click.argument("former")
@click.argument("current")
def link(config: Path, former: str, current: str) -> None:
    """Say that CURRENT (LTI 1.3) is the LMS that was FORMER (LTI 1.1): same learners, same links.

    Only where the LMS keeps its user ids and link ids, or sends the former ones in its launches.
    """
    bridge = open_bridge(config)
    _check_pair(bridge, former, current)
    bridge.lms.store.link(current, former, bridge.clock())
    click.echo(f"Launches of {current} continue what was begun by {former}.")


@registrations.command()
@config_option
@click.argument("former")
@click.argument("current")
def unlink(config: Path, former: str, current: str) -> None:
    """Part CURRENT from FORMER again, also where the LMS itself proved that they are one.

    Attempts and grades stay where they are; what was begun by either is found by it alone.
    """
    bridge = open_bridge(config)
    _check_pair(bridge, former, current)
    bridge.lms.store.part(current, former, bridge.clock())
    click.echo(f"{current} and {former} are two LMSs again.")


@registrations.command()
@config_option
@name_argument
def retire(config: Path, name: str) -> None:
    """Trust an LMS no longer: no launches, no grades to it. Nothing is deleted.

    An open invitation of this name is withdrawn.
    """
    from lti_bridge.lms.register import PURPOSE

    bridge = open_bridge(config)
    if name in bridge.lms.directory.in_file:
        refuse(f"{name!r} is in {config}: take it out there, and restart.")
    if bridge.lms.store.withdraw(name, PURPOSE, bridge.clock()):
        click.echo(f"The invitation {name} is withdrawn.")
        return
    if not bridge.lms.store.retire(name, bridge.clock()):
        refuse(f"There is no registration named {name!r} that could be retired.")
    bridge.keyring.end_own(name, bridge.clock())
    click.echo(f"{name} is retired; all processes know it within seconds.")


def stored(bridge: Bridge, name: str, *states: str) -> Registration13 | None:
    """A registration of the database that is in one of these states."""
    from lti_bridge.lms.directory import read

    known = bridge.lms.store.registrations()
    return next(
        (read(one) for one in known if one["name"] == name and one["state"] in states), None
    )


def _waiting(bridge: Bridge, name: str) -> Registration13:
    waiting = stored(bridge, name, "pending")
    if waiting is None:
        refuse(f"No registration named {name!r} waits for approval.")
    return waiting


def _key_set(bridge: Bridge, registration: dict[str, Any]) -> str:
    from lti_bridge.lms.routes import JWKS_PATH

    own = f"/{registration['name']}" if registration.get("own_key") else ""
    return f"{bridge.settings.bridge.public_url}{JWKS_PATH}{own}"


def _check_former(bridge: Bridge, former: str) -> None:
    from lti_bridge.lms.registration11 import Registration11

    if not isinstance(bridge.lms.directory.get(former), Registration11):
        refuse(f"{former!r} is no LTI 1.1 registration.")


def _check_pair(bridge: Bridge, former: str, current: str) -> None:
    from lti_bridge.lms.registration13 import Registration13

    _check_former(bridge, former)
    if not isinstance(bridge.lms.directory.get(current), Registration13):
        refuse(f"{current!r} is no LTI 1.3 registration that may launch.")


def _from_file(bridge: Bridge) -> Iterator[dict[str, Any]]:
    from lti_bridge.settings import Lms13Table

    for one in bridge.settings.lms:
        facts: dict[str, Any] = {"name": one.name, "lti": one.lti}
        facts.update(state="active", made_by="configuration file")
        if isinstance(one, Lms13Table):
            names = (
                "issuer",
                "client_id",
                "deployment_ids",
                "token_url",
                "jwks_url",
                "public_keys",
                "own_key",
                "service_hosts",
            )
            facts.update({name: getattr(one, name) for name in names})
        else:
            facts["consumer_key"] = one.consumer_key
        yield facts


def _without_exchange(invitation: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in invitation.items() if key != "exchange"}


def said(invitation: dict[str, Any]) -> str:
    """How an invitation stands, in words."""
    if invitation["outcome"]:
        return str(invitation["outcome"])
    if invitation["used_at"]:
        return f"used {invitation['used_at']:%Y-%m-%d %H:%M} UTC, without an end"
    return f"open until {invitation['expires_at']:%Y-%m-%d %H:%M} UTC"
