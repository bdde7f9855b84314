"""What the commands share: options, opening the bridge, and how they say no."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lti_bridge.cli.later import loading

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.core.staff.resolution import ByHand
    from lti_bridge.settings import Settings

FAILED = 1
config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.toml"),
    show_default=True,
    help="The configuration file. Without a config.toml, serve uses defaults.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for scripts.")
# An id may begin with a hyphen and must not be read as an option then.
IDS = {"ignore_unknown_options": True}
yes_option = click.option("--yes", is_flag=True, help="Do not ask, for scripts.")


class Moment(click.ParamType[datetime]):
    """A time by ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """The time that was written. Fails the command for what is none."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time as 2026-11-29 or 2026-11-29T08:00+01:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def settings_of(path: Path) -> Settings:
    """The settings of a file. Raises ConfigurationError."""
    from lti_bridge.settings import Settings, load

    if path == Path("config.toml") and not path.exists():
        return Settings()
    return load(path)


def open_bridge(path: Path) -> Bridge:
    """The bridge of a configuration file, with a database that has its schema."""
    with loading():
        from lti_bridge.assembly.bridge import build
        from lti_bridge.store.engine import reachable

    bridge = build(settings_of(path))
    if not reachable(bridge.store.database):
        refuse("The database does not answer or has no schema: run lti-bridge migrate.")
    return bridge


def by_hand(bridge: Bridge) -> ByHand:
    """What people do by hand, with the parts of a bridge."""
    from lti_bridge.core.staff.resolution import ByHand

    return ByHand(bridge.store, bridge.polling, bridge.results, bridge.owners, bridge.clock)


def refuse(message: str) -> NoReturn:
    """End the command with this message and status 1."""
    raise click.ClickException(message)


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be taken back; `yes` means that it was asked before."""
    if not yes:
        click.confirm(_harmless(question), abort=True, err=True)


def say(line: str, *, err: bool = False) -> None:
    """Write a line for people."""
    click.echo(_harmless(line), err=err)


def write_json(value: Any) -> None:
    """Write a value for scripts."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _harmless(line: str) -> str:
    """A line without what an LMS's or a provider's text could steer a terminal with."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
