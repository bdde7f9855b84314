"""The whole thing on one machine: a pretend LMS, every pretend provider, and the bridge between.

The bridge is configured by demo.toml here and one of each kind of provider, where the names of
parties are replaced by their addresses.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import click

from lti_bridge.errors import BridgeError
from lti_bridge.net import Client
from lti_bridge.sandbox import serving
from lti_bridge.sandbox.parties import Place, course, parties
from lti_bridge.serving import open_port

HOST = "127.0.0.1"
START_S = 60.0


def run(port: int) -> None:
    """Start everything, print the address to open, and stay until Ctrl-C."""
    # ended politely, it takes the bridge with it, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    if port:
        open_port(HOST, port).close()  # before anything is made, in words that name the port
    urls = _addresses(port)
    with ExitStack() as ends:
        folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="lti-bridge-demo-"))
        try:
            config = Path(folder, "config.toml")
            config.write_text(configuration(urls, folder), encoding="utf-8")
            bridge = _serve(config, urls["bridge"])  # first, for it takes longest
            ends.callback(_end, bridge)
            place = Place(urls, urls["bridge"], links=course(parties()))
            for name, party in parties().items():
                running = _start(party.build(place), _port(urls[name]))
                ends.callback(running.stop)
            _wait(bridge, urls["bridge"])
            _welcome(urls)
            bridge.wait()
        except KeyboardInterrupt:
            click.echo("\nStopping.")


def configuration(urls: Mapping[str, str], folder: str) -> str:
    """The bridge's configuration for parties at these addresses and data in that folder."""
    here = files("lti_bridge")
    kinds = sorted(here.joinpath("providers").iterdir(), key=lambda kind: kind.name)
    parts = [here.joinpath("demo.toml"), *(kind.joinpath("demo.toml") for kind in kinds)]
    text = "\n\n".join(part.read_text(encoding="utf-8") for part in parts if part.is_file())
    for name, url in urls.items():
        text = text.replace(f"<{name}>", url)
    return text.replace("demo-data", folder)


def _start(make_app: serving.Builder, port: int) -> serving.Running:
    try:
        return serving.start(make_app, HOST, port)
    except OSError as error:  # somebody took it in the last moment
        raise click.ClickException(f"Port {port} cannot be had ({error.strerror}).") from error


def _serve(config: Path, bridge_url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lti_bridge", "serve", "--config", str(config)]
    return subprocess.Popen([*command, "--host", HOST, "--port", str(_port(bridge_url))])


def _end(bridge: subprocess.Popen[bytes]) -> None:
    bridge.terminate()
    bridge.wait(timeout=20)


def _wait(bridge: subprocess.Popen[bytes], bridge_url: str) -> None:
    click.echo("Starting …")
    client = Client(loopback=True, timeout_s=2, user_agent="lti-bridge-demo")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and bridge.poll() is None:
        try:
            if client.send("GET", f"{bridge_url}/readyz").status == 200:
                return
        except BridgeError:
            time.sleep(0.2)
    raise click.ClickException(f"The bridge did not start at {bridge_url}: see what it said above.")


def _welcome(urls: Mapping[str, str]) -> None:
    providers = "\n".join(f"{name:<10}{url}" for name, url in urls.items() if name != "lms")
    click.echo(
        f"""
Open      {urls["lms"]}/

A pretend course with a link per provider. Choose to be a student, open a test, answer it, and
watch your grade appear on the course page. Where a person at the provider has to mark, that
page leads to the provider's desk, and you are the staff.

{providers}

Nothing is kept. Stop with Ctrl-C."""
    )


def _addresses(bridge_port: int) -> dict[str, str]:
    """An address for each party."""
    names = ("bridge", *parties())
    found = dict(zip(names, serving.free_ports(HOST, len(names)), strict=True))
    found["bridge"] = bridge_port or found["bridge"]
    return {name: f"http://{HOST}:{port}" for name, port in found.items()}


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
