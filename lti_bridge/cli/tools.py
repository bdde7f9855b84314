"""The commands about LTI 1.3 tools that register themselves."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import get_args
from urllib.parse import urlencode

import click

from lti_bridge.cli.later import LaterGroup
from lti_bridge.cli.options import config_option, json_option, open_bridge, refuse, write_json
from lti_bridge.cli.registrations import NAME, TOKEN_BYTES, name_argument, said
from lti_bridge.core.launch.message import PERSON_FIELDS

LATER = {
    "set": (
        "lti_bridge.cli.corrections:set_keys",
        "Correct keys of a registered tool's connection, as [[connection]] of the file has them.",
    )
}


@click.group(cls=LaterGroup, later=LATER)
def tools() -> None:
    """LTI 1.3 tools that register themselves, as connections."""


@tools.command()
@config_option
@click.option("--hours", default=1, show_default=True, type=click.IntRange(1, 72))
@json_option
@name_argument
@click.argument("address")
def invite(config: Path, name: str, address: str, hours: int, as_json: bool) -> None:
    """Make the address by which the tool with the registration page ADDRESS registers, once.

    The new connection will be called NAME; it is not used before you approve it.
    """
    from lti_bridge.platform.registration import CONFIGURATION_PATH, PURPOSE
    from lti_bridge.settings import web_address

    if not NAME.fullmatch(name):
        raise click.UsageError("a name has letters, digits, '.', '_' and '-', at most 64")
    try:
        web_address(address)
    except ValueError as error:
        raise click.UsageError(f"ADDRESS {error}") from error
    bridge = open_bridge(config)
    if bridge.catalogue.in_file(name) or name in {one["name"] for one in bridge.tool_store.tools()}:
        refuse(f"{name!r} is the name of a connection already.")
    token, until = secrets.token_urlsafe(TOKEN_BYTES), bridge.clock() + timedelta(hours=hours)
    bridge.lms.store.invite(token, name, bridge.clock(), until, approve=False, purpose=PURPOSE)
    issuer = bridge.settings.bridge.issuer  # a tool may want both to be of one host
    added = {
        "openid_configuration": issuer + CONFIGURATION_PATH,
        "registration_token": token,
    }
    opened = f"{address}{'&' if '?' in address else '?'}{urlencode(added)}"
    if as_json:
        write_json({"name": name, "address": opened, "expires_at": until})
        return
    click.echo(f"Open this address in a browser by {until:%Y-%m-%d %H:%M} UTC, once:")
    click.echo(opened)


@tools.command("list")
@config_option
@json_option
def list_tools(config: Path, as_json: bool) -> None:
    """List the registered tools, and the invitations that have not led to one."""
    from lti_bridge.platform.registration import PURPOSE

    bridge = open_bridge(config)
    known = bridge.tool_store.tools()
    found = {
        "tools": [{key: one[key] for key in ("name", "client_id", "state")} for one in known],
        "invitations": bridge.lms.store.invitations(PURPOSE),
    }
    if as_json:
        write_json(found)
        return
    for one in found["tools"]:
        click.echo(f"{one['state']:8} {one['name']}")
    for one in found["invitations"]:
        if one["outcome"] != "registered":
            click.echo(f"invited  {one['name']:24} {said(one)}")


@tools.command()
@config_option
@name_argument
def show(config: Path, name: str) -> None:
    """Show one tool as JSON: its connection, and what was registered."""
    found = [one for one in open_bridge(config).tool_store.tools() if one["name"] == name]
    if not found:
        refuse(f"No tool named {name!r} has registered.")
    write_json(found[0])


@tools.command()
@config_option
@click.option(
    "--privacy",
    multiple=True,
    type=click.Choice(get_args(PERSON_FIELDS)),
    help="What the tool may know of a person; may be given several times. Nothing if left out.",
)
@click.option("--lms", multiple=True, help="An LMS that may use it; all if left out.")
@name_argument
def approve(config: Path, name: str, privacy: tuple[str, ...], lms: tuple[str, ...]) -> None:
    """Make a registered tool a connection that instructors can choose."""
    bridge = open_bridge(config)
    more = {"privacy": list(privacy), "lms": list(lms)}
    if not bridge.tool_store.approve(name, more, bridge.clock()):
        refuse(f"No tool named {name!r} waits for approval.")
    click.echo(f"{name} is a connection now; all processes know it within seconds.")


@tools.command()
@config_option
@name_argument
def retire(config: Path, name: str) -> None:
    """Trust a tool no longer: no launches, no tokens, no grades by LTI 1.3. Nothing is deleted.

    An open invitation of this name is withdrawn.
    """
    from lti_bridge.platform.registration import PURPOSE

    bridge = open_bridge(config)
    if bridge.lms.store.withdraw(name, PURPOSE, bridge.clock()):
        click.echo(f"The invitation {name} is withdrawn.")
        return
    if not bridge.tool_store.retire(name, bridge.clock()):
        refuse(f"There is no tool named {name!r} that could be retired.")
    click.echo(f"{name} is retired; all processes know it within seconds.")
