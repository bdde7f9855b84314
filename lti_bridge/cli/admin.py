"""The commands about who may see the pages for admins."""

from __future__ import annotations

from dataclasses import asdict
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


@click.group()
def admin() -> None:
    """Who may see the pages for administrators."""


@admin.command()
@config_option
@click.option("--name", default="", metavar="TEXT", help="Whom it is for, as the list shows them.")
def link(config: Path, name: str) -> None:
    """Print a link to the pages for administrators; it is good once, for ten minutes.

    Whoever opens it is signed in for eight hours, in that browser.
    """
    from lti_bridge.assembly.admins import build_admins, link_to
    from lti_bridge.core.staff.admins import MAX_NAME

    if len(name) > MAX_NAME:
        refuse(f"--name has more than {MAX_NAME} characters.")
    bridge = open_bridge(config)
    _, secret = build_admins(bridge.basics).invite(name)
    click.echo(link_to(bridge.basics, secret))


@admin.command("list")
@config_option
@json_option
def list_admins(config: Path, as_json: bool) -> None:
    """List who is signed in, and links that nobody has opened yet."""
    from lti_bridge.assembly.admins import build_admins

    bridge = open_bridge(config)
    found = build_admins(bridge.basics).store.all(bridge.clock())
    if as_json:
        write_json([asdict(one) for one in found])
        return
    for one in found:
        what = "signed in" if one.entered else "link"
        say(f"{one.id}  {what} until {one.until:%Y-%m-%d %H:%M}Z  {one.name}".rstrip())
    if not found:
        say("None.")


@admin.command()
@config_option
@click.argument("admin_id", metavar="ID", default="")
@click.option("--all", "everybody", is_flag=True, help="All links and sessions.")
@yes_option
def end(config: Path, admin_id: str, everybody: bool, yes: bool) -> None:
    """End a link or session by the ID that `admin list` shows, or all."""
    from lti_bridge.assembly.admins import build_admins

    if bool(admin_id) == everybody:
        refuse("Name one ID of lti-bridge admin list, or --all.")
    admins = build_admins(open_bridge(config).basics)
    confirm("End all links and sessions?" if everybody else f"End {admin_id}?", yes)
    count = admins.store.end(admin_id)
    if not count and admin_id:
        refuse(f"There is no {admin_id!r}: see lti-bridge admin list.")
    say(f"{count} ended.")
