"""The commands about the keys by which the bridge signs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lti_bridge.cli.options import config_option, json_option, refuse, settings_of, write_json

if TYPE_CHECKING:
    from lti_bridge.keyring import Keyring
    from lti_bridge.keyring.files import KeyRow, Role


@click.group()
def keys() -> None:
    """The keys by which the bridge signs."""


@keys.command("list")
@config_option
@json_option
def list_keys(config: Path, as_json: bool) -> None:
    """List the keys of both roles, and those of single LMSs (lms.NAME)."""
    keyring = _keyring(config)
    rows = [{**asdict(row), "use": _use(keyring, row)} for row in keyring.list()]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        click.echo("{role:20} {use:9} {kid}  made {created_at:%Y-%m-%d %H:%M} UTC".format(**row))


@keys.command()
@config_option
@click.option("--role", type=click.Choice(["tool", "platform"]), default="tool", show_default=True)
@click.option("--lms", metavar="NAME", help="The LMS whose own key it is, instead of a role.")
def rotate(config: Path, role: Role, lms: str | None) -> None:
    """Make a new key: published at once, used in an hour, the old one kept for 30 days."""
    from lti_bridge.assembly.basics import now
    from lti_bridge.keyring import own

    keyring = _keyring(config)
    role = own(lms) if lms else role
    if lms and not keyring.has(role):
        refuse(f"{lms!r} has no key of its own: lti-bridge registrations set {lms} --own-key")
    keyring.rotate(role, now())
    click.echo(f"A new {role} key is published; it signs in one hour.")


def _keyring(path: Path) -> Keyring:
    from lti_bridge.assembly.basics import now
    from lti_bridge.keyring import Keyring

    return Keyring.open(Path(settings_of(path).bridge.keys_dir), now)


def _use(keyring: Keyring, row: KeyRow) -> str:
    from lti_bridge.assembly.basics import now

    if not row.published(now()):
        return "retired"
    if row.kid == keyring.signing(row.role).kid:
        return "current"
    return "next" if row.signs_from > now() else "previous"
