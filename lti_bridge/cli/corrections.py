"""Correcting what registrations brought: of an LMS by options, of a tool by keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from lti_bridge.cli.options import config_option, confirm, open_bridge, refuse, say, yes_option
from lti_bridge.cli.registrations import name_argument, stored

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge

MAX_ID = 255
# What a tool is known by, and what it was told: with another value it would be another tool.
FIXED = ("name", "kind", "version", "client_id", "deployment_id")


def _address(_context: Any, parameter: click.Parameter, value: str | None) -> str | None:
    from lti_bridge.settings import web_address

    try:
        return value if value is None else web_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from error


def _id(_context: Any, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (0 < len(value) <= MAX_ID and value.isprintable()):
        raise click.BadParameter(f"1 to {MAX_ID} characters", param=parameter)
    return value


@click.command("set")
@config_option
@click.option("--issuer", callback=_id, metavar="TEXT", help="As its launches have it, exactly.")
@click.option("--client-id", callback=_id, metavar="TEXT", help="What it calls this tool.")
@click.option("--authorization-url", callback=_address, metavar="URL", help="Where logins go on.")
@click.option("--token-url", callback=_address, metavar="URL", help="Where tokens are asked for.")
@click.option("--jwks-url", callback=_address, metavar="URL", help="Where its key set is.")
@click.option("--deployment", "deployments", multiple=True, metavar="ID", help="Only this; repeat.")
@click.option("--any-deployment", is_flag=True, help="All deployments of its client again.")
@click.option(
    "--keys",
    type=click.File("r", encoding="utf-8"),
    help="A file with its public keys (a JWK set, or one in PEM), instead of its jwks_url.",
)
@click.option("--fetch-keys", is_flag=True, help="The keys at its jwks_url again.")
@click.option("--own-key", is_flag=True, help="Sign for it with a key that no other LMS knows.")
@click.option("--service-host", "hosts", multiple=True, metavar="HOST", help="Its own too; repeat.")
@click.option("--no-service-host", is_flag=True, help="Only what is at its issuer's host again.")
@click.option("--audience", metavar="TEXT", help="The aud of token requests; '' for the usual.")
@yes_option
@name_argument
def set_facts(config: Path, name: str, own_key: bool, yes: bool, **told: Any) -> None:
    """Correct what an LMS said of itself when it registered, and say what it may do.

    Which deployments may launch, by which keys it is known, which hosts are its own, what its
    token requests are for, and that it gets its own key.
    """
    changes = _changes(**told)
    if not changes and not own_key:
        raise click.UsageError("nothing to set")
    bridge = open_bridge(config)
    if name in bridge.lms.directory.in_file:
        refuse(f"{name!r} is in {config}: change it there, and restart.")
    _check_changes(bridge, name, changes)
    if own_key:
        changes["own_key"] = _moved(bridge, name, yes)
    if not bridge.lms.store.change(name, changes):
        refuse(f"There is no registration named {name!r} that could be changed.")
    click.echo(f"{name} is changed; all processes know it within seconds.")


def _changes(
    deployments: tuple[str, ...],
    any_deployment: bool,
    keys: TextIO | None,
    fetch_keys: bool,
    hosts: tuple[str, ...],
    no_service_host: bool,
    audience: str | None,
    **plain: str | None,
) -> dict[str, Any]:
    """The facts that are to be changed, from the options."""
    from lti_bridge.lms import belonging
    from lti_bridge.settings import HOST

    opposites = ((deployments, any_deployment), (keys, fetch_keys), (hosts, no_service_host))
    if any(one and other for one, other in opposites):
        raise click.UsageError("an option and its opposite")
    if not all(re.fullmatch(HOST, one) for one in hosts):
        raise click.UsageError("a host is written like grades.example.edu")
    if not all(0 < len(one) <= MAX_ID for one in deployments):
        raise click.UsageError(f"a deployment id has 1 to {MAX_ID} characters")
    changes: dict[str, Any] = {key: value for key, value in plain.items() if value is not None}
    if deployments or any_deployment:
        changes["deployment_ids"] = sorted(set(deployments)) or "any"
    if keys or fetch_keys:
        changes["public_keys"] = _public_keys(keys) if keys else ""
    if hosts or no_service_host:
        changes["service_hosts"] = sorted({belonging.host(one) for one in hosts})
    if audience is not None:
        changes["auth_audience"] = audience
    return changes


def _check_changes(bridge: Bridge, name: str, changes: dict[str, Any]) -> None:
    """Refuse what would make an LMS another one, or give it a host of another one."""
    from lti_bridge.lms import belonging
    from lti_bridge.lms.directory import read

    directory, known = bridge.lms.directory, bridge.lms.store.registrations()
    others = [one for one in known if one["name"] != name and one["state"] != "retired"]
    found = next((one for one in known if one["name"] == name and one["state"] != "retired"), None)
    if found is None:
        refuse(f"There is no registration named {name!r} that could be changed.")
    changed = read({**found, **changes})
    ids = (changed.issuer, changed.client_id)
    if problem := directory.clash(name, *ids) or belonging.taken(
        changed, directory.all13(), before=()
    ):
        refuse(f"{name}: {problem}.")
    for one in others:
        if (one["issuer"], one["client_id"]) == ids:
            refuse(f"{name}: {one['name']!r} has this issuer and client_id.")
    for named in belonging.look(changed, directory.all13()):
        if named.problem:
            said = "if it is its own, say so with --service-host" if named.host else ""
            say(f"{named.what:10} {named.host}   WARNING: {named.problem}; {said}", err=True)


def _moved(bridge: Bridge, name: str, yes: bool) -> bool:
    """Make an LMS its own key, once the LMS reads its own key set."""
    from lti_bridge.lms.routes import JWKS_PATH

    known = stored(bridge, name, "pending", "active")
    if known is not None and known.own_key:
        refuse(f"{name!r} has its own key: lti-bridge keys rotate --lms {name} makes a new one.")
    address = f"{bridge.settings.bridge.public_url}{JWKS_PATH}/{name}"
    say(f"{address} is its own key set from now on; with the old address no grade would arrive.")
    confirm("Is this address entered in the LMS, as the tool's key set?", yes)
    bridge.keyring.make_own(name, bridge.clock())
    click.echo("Its own key is published, and signs in an hour.")
    return True


def _public_keys(file: TextIO) -> str:
    from lti_bridge.lti.given_keys import checked
    from lti_bridge.lti.keysets import MAX_BODY

    try:
        return checked(file.read(MAX_BODY))
    except ValueError as error:
        refuse(f"{file.name}: {error}.")


@click.command("set")
@config_option
@name_argument
@click.argument("values", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_keys(config: Path, name: str, values: tuple[str, ...]) -> None:
    """Correct keys of a registered tool's connection, as [[connection]] of the file has them.

    For example: jwks_url=https://tool.example.org/jwks privacy='["email"]' custom='{"a": "b"}'
    frame=true. What is no JSON is a text; KEY= takes the key away.
    """
    bridge = open_bridge(config)
    known = bridge.tool_store.tools()
    found = next((one for one in known if one["name"] == name and one["state"] != "retired"), None)
    if found is None:
        refuse(f"There is no tool named {name!r} that could be changed.")
    connection = {**found["connection"], **_keys(values)}
    connection = {key: value for key, value in connection.items() if value != ""}
    bridge.catalogue.check(connection)
    if not bridge.tool_store.change(name, found["connection"], connection):
        refuse(f"{name!r} was changed meanwhile: look at it again.")
    click.echo(f"{name} is changed; all processes know it within seconds.")


def _keys(values: tuple[str, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for one in values:
        key, joint, value = one.partition("=")
        if not joint or not key.isidentifier():
            raise click.UsageError(f"{one!r} is not written KEY=VALUE")
        if key in FIXED:
            raise click.UsageError(f"{key} stays: with another one it would be another tool")
        try:
            read_value = json.loads(value)
        except (ValueError, RecursionError):
            read_value = value
        changes[key] = value if read_value is None else read_value
    return changes
