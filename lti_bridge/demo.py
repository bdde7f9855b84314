"""The whole thing on one machine: a pretend LMS, every pretend provider, and the bridge between.

The bridge is configured by demo.toml, whose addresses are replaced by free ones.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Literal

import click

from lti_bridge.errors import BridgeError
from lti_bridge.net import Client
from lti_bridge.sandbox import demo, isograd, itep, lms, mettl, prov, quiz, serving
from lti_bridge.sandbox.tools import tool13
from lti_bridge.sandbox.tools.tool13_oidc import Platform
from lti_bridge.serving import open_port

HOST = "127.0.0.1"
START_S = 60.0
# Each party's port in demo.toml.
PORTS = {
    "bridge": 8000,
    "lms": 8001,
    "isograd": 8002,
    "mettl": 8003,
    "itep": 8004,
    "prov": 8005,
    "demo": 8006,
    "quiz": 8007,
    "quiz-1.3": 8008,
}
VERSIONS: tuple[Literal["1.3", "1.1"], ...] = ("1.3", "1.1")
# Activity of demo.toml, title on the course page, and what to know before.
COURSE = (
    (
        "excel",
        "TOSA Excel",
        "Isograd, which the bridge opens by LTI 1.1, whatever the course speaks.",
    ),
    (
        "excel-lti13",
        "TOSA Excel, by LTI 1.3",
        "Isograd, which the bridge opens by LTI 1.3, whatever the course speaks.",
    ),
    ("excel-level", "TOSA Excel, by the API", "Isograd again, ordered and asked by its API."),
    ("reasoning", "Logical reasoning", "Mettl. The grade is there at once."),
    (
        "reasoning-essay",
        "Logical reasoning, marked by a person",
        "Mettl. Hand it in, then mark it at Mettl's desk below.",
    ),
    (
        "english",
        "iTEP Academic Plus",
        "iTEP with a test ID. Hand it in, then grade it at iTEP's desk below.",
    ),
    (
        "english-by-mail",
        "iTEP Business Plus, by e-mail",
        "iTEP with a test ID by e-mail: look into the pretend mailbox below.",
    ),
    (
        "nursing",
        "Nursing basics",
        "Prov. Hand it in, then score it at Prov's desk below.",
    ),
    ("geography", "Geography", "The demo kind, the worked example for adding a provider."),
    ("bread", "Bread quiz", "Any LTI 1.1 tool, here a quiz of nobody in particular."),
    ("tea", "Tea quiz", "Any LTI 1.3 tool, here a quiz of nobody in particular."),
)


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
            for name, make_app in _parties(urls).items():
                running = _start(make_app, _port(urls[name]))
                ends.callback(running.stop)
            _wait(bridge, urls["bridge"])
            _welcome(urls)
            bridge.wait()
        except KeyboardInterrupt:
            click.echo("\nStopping.")


def configuration(urls: Mapping[str, str], folder: str) -> str:
    """The text of demo.toml for parties at these addresses and data in that folder."""
    text = files("lti_bridge").joinpath("demo.toml").read_text(encoding="utf-8")
    for name, port in PORTS.items():
        text = text.replace(f"http://{HOST}:{port}", urls[name])
    return text.replace("demo-data", folder)


def _parties(urls: Mapping[str, str]) -> dict[str, serving.Builder]:
    """The builder of every pretend party."""
    hooks = f"{urls['bridge']}/hooks"
    track = itep.Track("RC", f"{hooks}/itep/sandbox-itep-hook", notify_finished=True)
    return {
        "lms": lms.make_app(_campus(urls)),
        "isograd": isograd.make_app(
            isograd.IsogradSettings(
                api_client_id="sandbox-client",
                api_client_secret="sandbox-client-secret",  # noqa: S106 - a pretend secret
                platform=Platform.at(urls["bridge"], "sandbox-isograd", "1"),
            )
        ),
        "mettl": mettl.make_app(mettl.MettlSettings(exit_redirection_url=f"{urls['lms']}/return")),
        "itep": itep.make_app(itep.ItepSettings(tracks=(track,), graded_later=True)),
        "prov": prov.make_app(
            prov.ProvSettings(results_url=f"{hooks}/prov/sandbox-prov-hook", scored_later=True)
        ),
        "demo": demo.make_app(demo.DemoSettings()),
        "quiz": quiz.make_app(quiz.QuizSettings()),
        "quiz-1.3": tool13.make_app(tool13.Tool13Settings(urls["bridge"], "sandbox-quiz")),
    }


def _start(make_app: serving.Builder, port: int) -> serving.Running:
    try:
        return serving.start(make_app, HOST, port)
    except OSError as error:  # somebody took it in the last moment
        raise click.ClickException(f"Port {port} cannot be had ({error.strerror}).") from error


def _campus(urls: Mapping[str, str]) -> lms.LmsSettings:
    return lms.LmsSettings(
        bridge_url=urls["bridge"],
        links=tuple(
            lms.LinkSpec(f"{activity}-{lti}", title, lti, {"activity": activity}, text)
            for activity, title, text in COURSE
            for lti in VERSIONS
        ),
        consumer_key="sandbox-campus",
        shared_secret="sandbox-campus-secret",  # noqa: S106 - both ends of it live here
        client_id="bridge-client",
        deployment_id="1",
        elsewhere=(
            lms.Elsewhere("Pretend mailbox", f"{urls['itep']}/mailbox", "where iTEP's e-mails are"),
            lms.Elsewhere("Mettl's desk", f"{urls['mettl']}/staff", "be Mettl's staff, and mark"),
            lms.Elsewhere("iTEP's desk", f"{urls['itep']}/staff", "be iTEP's staff, and grade"),
            lms.Elsewhere("Prov's desk", f"{urls['prov']}/staff", "be Prov's staff, and score"),
        ),
    )


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
    """An address for each party. All ports are held until the last is found: none comes twice."""
    with ExitStack() as probes:
        found = {}
        for name in PORTS:
            probe = probes.enter_context(socket.socket())
            probe.bind((HOST, 0))
            found[name] = int(probe.getsockname()[1])
    found["bridge"] = bridge_port or found["bridge"]
    return {name: f"http://{HOST}:{port}" for name, port in found.items()}


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
