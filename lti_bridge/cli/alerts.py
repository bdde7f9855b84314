"""The commands about alerts: what is open, and whether a message gets there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lti_bridge.cli.options import (
    config_option,
    json_option,
    open_bridge,
    refuse,
    say,
    settings_of,
    write_json,
)
from lti_bridge.core.matters import Matter, Notice
from lti_bridge.errors import BridgeError


@click.group()
def alerts() -> None:
    """What operators are told of by mail and web hook: what is open, and whether it gets there."""


@alerts.command("list")
@config_option
@json_option
def list_alerts(config: Path, as_json: bool) -> None:
    """List the matters that are open, the oldest first; running processes find them."""
    from lti_bridge.store.alerts import open_matters

    found = open_matters(open_bridge(config).store.database)
    if as_json:
        write_json([{**asdict(matter), "told": told} for matter, told in found])
        return
    for matter, told in found:
        say(f"{matter.since:%Y-%m-%d %H:%M:%S}Z  {matter.said}" + ("" if told else "  (not told)"))
        say(f"    {matter.remedy}")
    if not found:
        say("None.")


@alerts.command()
@config_option
def test(config: Path) -> None:
    """Send one message by every way that is set, and say whether it got there."""
    from lti_bridge.alerts.ways import LOG, ways
    from lti_bridge.assembly.basics import http_client, now

    settings = settings_of(config)
    found = ways(settings, http_client(settings.bridge))
    chosen = [name for name in found if name != LOG]
    if not chosen:
        refuse(f"{config}: [alerts] sets neither mail_to nor webhook_url.")
    matter = Matter("test", "this is a test", "Nothing has to be done.", now())
    failed = False
    for name in chosen:
        try:
            found[name]([Notice(matter)], now())
            say(f"{name}: sent.")
        except BridgeError as error:
            say(f"{name}: {error.detail}", err=True)
            failed = True
    if failed:
        refuse("Not every way works: see [alerts] of the configuration.")
