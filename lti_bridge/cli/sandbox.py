"""The pretend LMS, tools and providers alone, for who develops or configures the other end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from lti_bridge.cli.options import json_option, write_json

if TYPE_CHECKING:  # no other command needs its web servers
    from lti_bridge.sandbox.parties import Party, Place
    from lti_bridge.sandbox.serving import Running

HOST = "127.0.0.1"
LAST_PORT = 65535


def _names(ctx: click.Context, option: click.Parameter, given: str) -> dict[str, Party]:
    from lti_bridge.sandbox.parties import parties

    known = parties()
    names = [name.strip() for name in given.split(",") if name.strip()] or list(known)
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(known)}")
    return {name: known[name] for name in known if name in names}


def _base(ctx: click.Context, option: click.Parameter, given: str) -> str:
    from lti_bridge.settings import base_address

    try:
        return base_address(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _address(ctx: click.Context, option: click.Parameter, given: str) -> str:
    from lti_bridge.settings import web_address

    try:
        return web_address(given) if given else ""
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _pairs(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    if bare := [one for one in given if "=" not in one]:
        raise click.BadParameter(f"{bare[0]}: write NAME=VALUE")
    return dict(one.split("=", 1) for one in given)


def _family(ctx: click.Context, option: click.Parameter, given: str) -> str:
    from lti_bridge.sandbox.lms.families import FAMILIES

    if given not in FAMILIES:
        raise click.BadParameter(f"{given}: there are {', '.join(FAMILIES)}")
    return given


@click.command()
@click.option(
    "--only", default="", callback=_names, help="Some of them: lms,isograd. Default: all."
)
@click.option(
    "--port",
    default=0,
    show_default="free ones",
    type=click.IntRange(0, LAST_PORT),
    help="The port of the first; the others follow.",
)
@click.option(
    "--bridge",
    default="http://127.0.0.1:8000",
    show_default=True,
    callback=_base,
    help="What they know: a bridge, which the LMS launches and providers call.",
)
@click.option("--launch-url", default="", callback=_address, help="Launch another LTI tool, here.")
@click.option("--login-url", default="", callback=_address, help="Its login initiation, LTI 1.3.")
@click.option("--jwks-url", default="", callback=_address, help="Its public keys, LTI 1.3.")
@click.option(
    "--custom",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="A custom parameter of the LMS's links; may be given several times.",
)
@click.option(
    "--family",
    default="plain",
    show_default=True,
    callback=_family,
    help="Whose habits the LMS has: plain, moodle, canvas, blackboard, brightspace, schoology or"
    " studip.",
)
@json_option
def sandbox(
    only: dict[str, Party],
    port: int,
    bridge: str,
    launch_url: str,
    login_url: str,
    jwks_url: str,
    custom: dict[str, str],
    family: str,
    as_json: bool,
) -> None:
    """Start a pretend LMS, pretend tools and providers without a bridge, until Ctrl-C.

    Prints their addresses, and the keys and secrets to configure at the other end;
    lti_bridge/sandbox/README.md says how to use and steer them.
    """
    from lti_bridge.sandbox.parties import Place

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    urls = _urls(only, port)
    tool = {"launch_url": launch_url, "login_url": login_url, "jwks_url": jwks_url}
    place = Place(urls, bridge, tool=tool, custom=custom, family=family)
    with ExitStack() as ends:
        try:
            for name, party in only.items():
                running = _start(party, place, int(urls[name].rpartition(":")[2]))
                ends.callback(running.stop)
            _tell(only, place, as_json)
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("\nStopping.", err=True)


def _urls(names: Mapping[str, Party], first: int) -> dict[str, str]:
    """An address for each. Raises ConfigurationError when somebody has one of the ports."""
    from lti_bridge.sandbox.serving import free_ports
    from lti_bridge.serving import open_port

    ports = range(first, first + len(names)) if first else free_ports(HOST, len(names))
    if ports[-1] > LAST_PORT:
        raise click.UsageError(f"--port {first}: there are no {len(names)} ports from there on")
    if first:
        for port in ports:
            open_port(HOST, port).close()  # of all, before any is started
    return {name: f"http://{HOST}:{port}" for name, port in zip(names, ports, strict=True)}


def _start(party: Party, place: Place, port: int) -> Running:
    from lti_bridge.sandbox.serving import start

    try:
        return start(party.build(place), HOST, port)
    except OSError as error:  # somebody took it in the last moment
        raise click.ClickException(f"Port {port} cannot be had ({error.strerror}).") from error


def _tell(names: Mapping[str, Party], place: Place, as_json: bool) -> None:
    from lti_bridge.sandbox.parties import desks

    if as_json:
        write_json(
            {
                name: {
                    "url": place.urls[name],
                    "what": party.what,
                    "keys": dict(party.keys(place.urls[name], place)),
                }
                for name, party in names.items()
            }
        )
        return
    for name, party in names.items():
        url = place.urls[name]
        click.echo(f"\n{name:<10}{url}\n          {party.what}")
        for key, value in party.keys(url, place).items():
            click.echo(f"            {key:<24}{value}")
    for desk in desks(place):
        click.echo(f"\n{desk.title}: {desk.about}\n          {desk.path}")
    click.echo(f"\nThey know {place.bridge}. Nothing is kept. Stop with Ctrl-C.")
