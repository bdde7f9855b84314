"""The commands about connections: accounts at providers, and what only some of them can."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lti_bridge.cli.options import config_option, json_option, open_bridge, refuse, write_json

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.core.attempt.provider import Connection
    from lti_bridge.core.tool.registration import ToolRegistration

EXPECTED = frozenset({"started", "finished", "awaiting-marks"})
OWNER_ONLY = 0o600  # names are in the file


@click.group()
def connections() -> None:
    """Accounts at providers."""


@connections.command("list")
@config_option
@json_option
def list_connections(config: Path, as_json: bool) -> None:
    """List connections, what each can do, and the hook address to give to its provider.

    The hook address is secret: whoever knows it may send messages as the provider.
    """
    bridge = open_bridge(config)
    rows = [
        {
            "name": one.name,
            "kind": one.kind,
            "can": sorted(one.capabilities),
            "may_leave": sorted(one.privacy),
            "hook": _hook(bridge, one),
        }
        for one in bridge.catalogue.connections()
    ]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['kind']}  can: {', '.join(row['can']) or 'be opened'}")
        click.echo(f"    may leave: {', '.join(row['may_leave']) or 'nothing about a person'}")
        if row["hook"]:
            click.echo(f"    hook: {row['hook']}")
    if not rows:
        click.echo("None.")


@connections.command()
@config_option
@click.argument("name")
@json_option
def check(config: Path, name: str, as_json: bool) -> None:
    """Ask a provider whether the account works, and what is left of credits or stock.

    An LTI 1.3 tool is asked for its keys, which is all that can be asked without a student.
    """
    from lti_bridge.core.attempt import capabilities

    bridge = open_bridge(config)
    connection, tool = bridge.catalogue.connection(name), bridge.catalogue.tool13_of(name)
    if tool is not None:
        said = _keys_of(bridge, tool)
    elif capabilities.can(connection, capabilities.CHECK):
        said = capabilities.checks(connection).check()
    else:
        refuse(
            f"kind {connection.kind!r} has no check: nothing can be asked of {name!r} without a"
            " student. Open one of its links as a teacher, and there the preview."
        )
    if as_json:
        write_json({"connection": name, "said": said})
    else:
        click.echo(said)


@connections.command()
@config_option
@click.argument("name")
@json_option
def choices(config: Path, name: str, as_json: bool) -> None:
    """List what an activity of a connection may be set to: tests, schedules."""
    from lti_bridge.core.attempt import capabilities

    found = capabilities.offers(_connection(config, name)).choices()
    if as_json:
        write_json([asdict(choice) for choice in found])
        return
    for choice in found:
        click.echo(f"{choice.setting} = {choice.value}  {choice.label}")
    if not found:
        click.echo("None.")


@connections.command()
@config_option
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write to this file, which nobody else may read, instead of the terminal.",
)
def export(config: Path, name: str, output: Path | None) -> None:
    """Write the registrations that have no result yet as CSV, for a provider without an API."""
    from lti_bridge.core.attempt import capabilities

    bridge = open_bridge(config)
    exports = capabilities.exports(bridge.catalogue.connection(name))
    kept = [pair for pair in bridge.store.attempts_at(name) if pair[0].state in EXPECTED]
    text = exports.export_registrations([bridge.polling.sitting(*pair) for pair in kept])
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(output, flags, OWNER_ONLY), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        refuse(f"{output} cannot be written: {error.strerror}.")
    click.echo(f"{len(kept)} registrations are in {output}.", err=True)


@connections.command("admin-url")
@config_option
@click.argument("name")
@click.argument("email")
@click.option("--sub-account", default="", help="On a distributor's account: its number.")
def admin_url(config: Path, name: str, email: str, sub_account: str) -> None:
    """Make an address that logs in at a provider as the administrator with this EMAIL.

    Whoever has the address is that administrator: open it, and give it to nobody.
    """
    from lti_bridge.core.attempt import capabilities

    if "@" not in email:
        raise click.UsageError(f"{email!r} is no e-mail address")
    administers = capabilities.administers(_connection(config, name))
    click.echo(administers.administrator_url(email, sub_account))


def _connection(config: Path, name: str) -> Connection:
    return open_bridge(config).catalogue.connection(name)


def _keys_of(bridge: Bridge, tool: ToolRegistration) -> str:
    from lti_bridge.doctor.parties import tool_keys

    found = tool_keys(bridge, tool)
    if found.remedy:
        refuse(f"{found.what}: {found.said}. {found.remedy}")
    return (
        f"The keys of the tool: {found.said}. Its logins begin at {tool.login_url}, and launches go"
        f" to {', '.join(tool.redirect_uris)}. There our client_id is {tool.client_id!r} and the"
        f" deployment_id {tool.deployment_id!r}."
    )


def _hook(bridge: Bridge, connection: Connection) -> str:
    from lti_bridge.core.attempt import capabilities
    from lti_bridge.providers.routes import HOOKS_PATH

    if not capabilities.can(connection, capabilities.CALLBACK):
        return ""
    public_url = bridge.settings.bridge.public_url
    return f"{public_url}{HOOKS_PATH}{connection.name}/{connection.hook_token}"
