"""The whole thing on one machine: a pretend LMS, a pretend provider, and the bridge between."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from lti_bridge.errors import BridgeError
from lti_bridge.net import Client
from lti_bridge.sandbox import isograd, lms, serving

HOST = "127.0.0.1"
START_S = 30.0
CONFIG = """\
[bridge]
public_url   = "{bridge}"
database_url = "sqlite:///{folder}/bridge.sqlite3"
queue_url    = "sqlite:///{folder}/queue.sqlite3"
keys_dir     = "{folder}/keys"
log_level    = "WARNING"

[[lms]]
name = "sandbox-lti-1.3"
lti = "1.3"
issuer = "{lms}"
client_id = "bridge-client"
deployment_ids = ["1"]
authorization_url = "{lms}/lti/auth"
token_url = "{lms}/lti/token"
jwks_url = "{lms}/lti/jwks"

[[lms]]
name = "sandbox-lti-1.1"
lti = "1.1"
consumer_key = "sandbox-campus"
shared_secret = "sandbox-campus-secret"
origins = ["{lms}"]

[[connection]]
name = "tosa"
kind = "isograd"
route = "lti-1.1"
launch_url = "{isograd}/public/lti.php"
consumer_key = "sandbox-bridge"
shared_secret = "sandbox-bridge-secret"

[[activity]]
id = "excel"
title = "TOSA Excel"
connection = "tosa"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}
grade = "best"

[[activity]]
id = "word"
title = "TOSA Word"
connection = "tosa"
settings = {{ act_id = 8, tst_frm_id = "365", gen_id = 3, redirect = 1 }}
grade = "last"
"""


def run(port: int) -> None:
    """Start everything, print the address to open, and stay until Ctrl-C."""
    # ended politely, it takes the bridge with it, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="lti-bridge-demo-") as folder:
        bridge_url = f"http://{HOST}:{port or _free_port()}"
        campus = serving.start(lms.make_app(_campus(bridge_url)))
        tosa = serving.start(
            isograd.make_app(
                isograd.IsogradSettings("sandbox-bridge", "sandbox-bridge-secret", "id", "secret")
            )
        )
        config = Path(folder, "config.toml")
        config.write_text(
            CONFIG.format(bridge=bridge_url, lms=campus.url, isograd=tosa.url, folder=folder),
            encoding="utf-8",
        )
        bridge = _serve(config, bridge_url)
        try:
            _wait(bridge, bridge_url)
            _welcome(campus.url, bridge_url, tosa.url)
            bridge.wait()
        except KeyboardInterrupt:
            click.echo("\nStopping.")
        finally:
            bridge.terminate()
            bridge.wait(timeout=20)
            campus.stop()
            tosa.stop()


def _campus(bridge_url: str) -> lms.LmsSettings:
    return lms.LmsSettings(
        bridge_url=bridge_url,
        links=(
            lms.LinkSpec(
                "excel-13", "TOSA Excel", "1.3", {"activity": "excel"}, "Opened by LTI 1.3."
            ),
            lms.LinkSpec("word-11", "TOSA Word", "1.1", {"activity": "word"}, "Opened by LTI 1.1."),
        ),
        consumer_key="sandbox-campus",
        shared_secret="sandbox-campus-secret",  # noqa: S106 - both ends of it live here
        client_id="bridge-client",
        deployment_id="1",
    )


def _serve(config: Path, bridge_url: str) -> subprocess.Popen[bytes]:
    port = bridge_url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "lti_bridge", "serve", "--config", str(config)]
    return subprocess.Popen([*command, "--host", HOST, "--port", port])


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
    raise click.ClickException(
        f"The bridge did not start at {bridge_url}; is the port in use? Try --port 0."
    )


def _welcome(campus: str, bridge: str, tosa: str) -> None:
    click.echo(
        f"""
Open   {campus}/

A pretend course. Choose to be a student, open a test, answer it, and watch
{campus}/gradebook

The bridge        {bridge}
Pretend Isograd   {tosa}

Nothing is kept. Stop with Ctrl-C."""
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
