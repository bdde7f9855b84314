"""A world for flow tests: a pretend LMS, a pretend provider and a real bridge between them."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import urllib3
from sqlalchemy import MetaData, create_engine

from lti_bridge.sandbox import isograd, lms, serving
from lti_bridge.sandbox.tools.tool13_oidc import Platform
from tests.flow.forks import Forked, starter
from tests.prepared import prepare

ROOT = Path(__file__).parents[2]
# What a busy machine may take for anything; it costs nothing where all is well.
PATIENCE_S = 60.0
HTTP = urllib3.PoolManager(retries=False, timeout=PATIENCE_S)
# Below the ports that outgoing connections and `bind(0)` get, so that nobody takes one of these
# in the moments when its server is not up.
PORTS = range(11_000, 32_000)  # Chromium refuses 10080
SHARES = 8  # each process of a test run takes ports that no other one takes

BASE = """
[bridge]
public_url = "{bridge}"
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"
log_level = "INFO"

[[lms]]
name = "campus13"
lti = "1.3"
issuer = "{lms}"
client_id = "bridge-client"
deployment_ids = ["1"]
authorization_url = "{lms}/lti/auth"
token_url = "{lms}/lti/token"
jwks_url = "{lms}/lti/jwks"

[[lms]]
name = "campus11"
lti = "1.1"
consumer_key = "campus-key"
shared_secret = "campus-secret-äöü&x"

[[connection]]
name = "tosa"
kind = "isograd"
route = "lti-1.1"
launch_url = "{isograd}/public/lti.php"
consumer_key = "bridge-key"
shared_secret = "bridge-secret"
addresses = "plus"
"""

ACTIVITIES = """
[[activity]]
id = "best"
title = "Excel, best of all attempts"
connection = "tosa"
settings = { act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }
grade = "best"

[[activity]]
id = "last"
title = "Excel, last attempt"
connection = "tosa"
settings = { act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }
grade = "last"
"""


def _own_ports() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = list(PORTS)[number % SHARES :: SHARES]
    random.SystemRandom().shuffle(ports)
    return cycle(ports)


OWN_PORTS = _own_ports()


def free_port() -> int:
    """A port that is free, and stays free until its server starts: it is not given again soon."""
    while True:
        port = next(OWN_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually(look: Callable[[], Any], wanted: Any, seconds: float = PATIENCE_S) -> None:
    """Wait until `look` sees what is wanted."""
    deadline = time.monotonic() + seconds
    while (begun := time.monotonic()) < deadline:
        if look() == wanted:
            return
        # whoever is waited for needs the processor: the dearer a look, the fewer of them
        time.sleep(min(max(0.03, 3 * (time.monotonic() - begun)), 0.5))
    assert look() == wanted


@dataclass
class Bridge:
    """`lti-bridge serve` (or `worker`) as real processes, in a folder of its own."""

    url: str
    folder: Path
    config: Path
    processes: list[Forked] = field(default_factory=list)

    def serve(self, *options: str) -> Forked:
        """Start serving and wait until it is ready."""
        port = self.url.rsplit(":", 1)[1]
        process = self.run("serve", "--port", port, *options)
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(urllib3.exceptions.HTTPError):
                if HTTP.request("GET", f"{self.url}/readyz").status == 200:
                    return process
            time.sleep(0.05)
        self.end()
        raise AssertionError(f"never ready\n{self.log()}")

    def run(self, command: str, *options: str) -> Forked:
        """Start any long-running command of the bridge."""
        arguments = [command, "--config", str(self.config), *options]
        process = starter().start(arguments, self.folder / "log.txt")
        self.processes.append(process)
        return process

    def kill(self, process: Forked) -> None:
        """kill -9 the process and everything it started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    def stop(self) -> None:
        """Stop everything."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()

    def end(self) -> None:
        """Kill everything, which is quicker, when nothing is looked at afterwards."""
        for process in list(self.processes):
            self.kill(process)

    def begin_anew(self, database_url: str) -> None:
        """As if nothing had ever happened here: it runs, and has no rows and no log lines."""
        if not self.processes:
            self.serve()
        engine = create_engine(database_url)
        tables = MetaData()
        tables.reflect(engine)
        with engine.begin() as connection:
            for table in reversed(tables.sorted_tables):
                if table.name != "alembic_version":
                    connection.execute(table.delete())
        engine.dispose()
        os.truncate(self.folder / "log.txt", 0)

    def log(self) -> str:
        """What the processes wrote."""
        path = self.folder / "log.txt"
        return path.read_text() if path.exists() else ""


@dataclass
class World:
    """All parties, and shortcuts that tests use."""

    bridge: Bridge
    lms: serving.Running
    isograd: serving.Running
    links: dict[str, lms.LinkSpec]

    def gradebook(self) -> dict[str, Any]:
        """The LMS's gradebook as JSON."""
        return HTTP.request("GET", f"{self.lms.url}/gradebook.json").json()

    def control(self, party: serving.Running, action: str, **values: Any) -> Any:
        """A control call to a pretend party."""
        answer = HTTP.request("POST", f"{party.url}/control/{action}", json=values)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def stop(self) -> None:
        """Stop everything."""
        self.bridge.end()
        self.lms.stop()
        self.isograd.stop()


LINKS = (
    lms.LinkSpec("best13", "Best by 1.3", "1.3", {"activity": "best"}),
    lms.LinkSpec("last13", "Last by 1.3", "1.3", {"activity": "last"}),
    lms.LinkSpec("bo13", "Outcome claim", "1.3", {"activity": "best"}, grades="bo"),
    lms.LinkSpec("own13", "Column by us", "1.3", {"activity": "best"}, grades="container"),
    lms.LinkSpec("best11", "Best by 1.1", "1.1", {"activity": "best"}),
    lms.LinkSpec("last11", "Last by 1.1", "1.1", {"activity": "last"}),
    lms.LinkSpec("none11", "No activity", "1.1", {}),
)


def make_world(
    folder: Path,
    database: str,
    extra: str = "",
    base: str = BASE,
    links: tuple[lms.LinkSpec, ...] = LINKS,
    family: str = "plain",
) -> World:
    """A world whose bridge is configured but not started; its LMS has the habits of a family."""
    url = f"http://127.0.0.1:{free_port()}"
    campus = serving.start(
        lms.make_app(
            lms.LmsSettings(
                bridge_url=url,
                links=links,
                consumer_key="campus-key",
                shared_secret="campus-secret-äöü&x",
                client_id="bridge-client",
                deployment_id="1",
                family=family,
            )
        )
    )
    tosa = serving.start(
        isograd.make_app(
            isograd.IsogradSettings(
                "bridge-key",
                "bridge-secret",
                "id",
                "secret",
                platform=Platform.at(url, "isograd-client", "isograd-deployment"),
            )
        )
    )
    prepare(folder, database)
    config = folder / "config.toml"
    values = {"bridge": url, "lms": campus.url, "isograd": tosa.url}
    text = base.format(database=database, folder=folder, **values) + ACTIVITIES + extra
    config.write_text(text, encoding="utf-8")
    bridge = Bridge(url, folder, config)
    return World(bridge, campus, tosa, {link.id: link for link in links})
