"""The processes of a measurement: the bridge, its floor, and a pretend LMS, each on its core."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lti_bridge.bench import floor
from lti_bridge.bench.client import pin
from lti_bridge.bench.fill import ACTIVITY, ACTIVITY13, CONNECTION, CONNECTION13, LMS11, LMS13
from lti_bridge.bench.tool_traffic import CLIENT, LAUNCH_URL
from lti_bridge.bench.traffic import CLIENT13, KEY11, SECRET11, TOOL_KEY, TOOL_SECRET
from lti_bridge.errors import BridgeError
from lti_bridge.lti.keys import SigningKey, public_jwk
from lti_bridge.store.engine import Database

START_S, STOP_S = 120.0, 15.0
MB = 1024
CONFIG = '''\
[bridge]
public_url = "{bridge}"
database_url = "{database}"
queue_url = "sqlite:///{folder}/queue.sqlite3"
keys_dir = "{folder}/keys"
log_level = "{log_level}"

[[lms]]
name = "{LMS11}"
lti = "1.1"
consumer_key = "{KEY11}"
shared_secret = "{SECRET11}"

[[lms]]
name = "{LMS13}"
lti = "1.3"
issuer = "{lms}"
client_id = "{CLIENT13}"
deployment_ids = ["1"]
authorization_url = "{lms}/auth"
token_url = "{lms}/token"
jwks_url = "{lms}/jwks"

[[connection]]
name = "{CONNECTION}"
kind = "isograd"
route = "lti-1.1"
launch_url = "https://provider.example.org/public/lti.php"
consumer_key = "{TOOL_KEY}"
shared_secret = "{TOOL_SECRET}"

[[activity]]
id = "{ACTIVITY}"
title = "Excel"
connection = "{CONNECTION}"
settings = {{ act_id = 8, tst_frm_id = "363", gen_id = 3, redirect = 1 }}

[[connection]]
name = "{CONNECTION13}"
kind = "lti"
version = "1.3"
login_url = "https://tool.example.org/login"
launch_url = "{LAUNCH_URL}"
client_id = "{CLIENT}"
privacy = ["given_name", "family_name", "email"]
public_key = """
{key}"""

[[activity]]
id = "{ACTIVITY13}"
title = "Excel"
connection = "{CONNECTION13}"
settings = {{ custom = {{ chapter = "363", course = "$Context.title" }} }}
'''
NAMES = {
    "LMS11": LMS11,
    "LMS13": LMS13,
    "KEY11": KEY11,
    "SECRET11": SECRET11,
    "CLIENT13": CLIENT13,
    "CONNECTION": CONNECTION,
    "TOOL_KEY": TOOL_KEY,
    "TOOL_SECRET": TOOL_SECRET,
    "ACTIVITY": ACTIVITY,
    "CONNECTION13": CONNECTION13,
    "ACTIVITY13": ACTIVITY13,
    "CLIENT": CLIENT,
    "LAUNCH_URL": LAUNCH_URL,
}


def cores() -> tuple[int, int] | None:
    """One core for servers and one for the client; None where processes cannot be placed."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else None


@dataclass
class Parties:
    """Everything that runs, in `folder`. `database` is a PostgreSQL URL, or empty for SQLite."""

    folder: Path
    database: str
    log_level: str
    lms_key: SigningKey = field(init=False)
    bridge_port: int = 0
    floor_port: int = 0
    lms_port: int = 0
    web: subprocess.Popen[bytes] = field(init=False, repr=False)
    floor: subprocess.Popen[bytes] = field(init=False, repr=False)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lms_key = SigningKey("bench", generate_private_key(65537, 2048))
        self.bridge_port, self.floor_port, self.lms_port = _free_ports(3)
        self.config = self.folder / "config.toml"
        self.config.write_text(
            CONFIG.format(
                bridge=self.bridge_url,
                lms=self.lms_url,
                database=self.database or f"sqlite:///{self.folder}/bridge.sqlite3",
                folder=self.folder,
                log_level=self.log_level,
                key=self.public_key,
                **NAMES,
            ),
            encoding="utf-8",
        )

    @property
    def bridge_url(self) -> str:
        """Where the bridge listens."""
        return f"http://127.0.0.1:{self.bridge_port}"

    @property
    def lms_url(self) -> str:
        """Where the pretend LMS listens."""
        return f"http://127.0.0.1:{self.lms_port}"

    @property
    def public_key(self) -> str:
        """The key of the LMS, which is the tool's too, in PEM."""
        public = self.lms_key.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def floor_database(self) -> str:
        """Where the floor puts its rows: a file of its own, or a table of its own."""
        return self.database or f"{self.folder}/floor.sqlite3"

    def start(self, *, with_floor: bool = True) -> None:
        """Start the LMS, the bridge and the floor, and wait until all of them answer."""
        server, client = cores() or (None, None)
        key_set = json.dumps({"keys": [public_jwk(self.lms_key)]}).encode()
        lms = self._run("lti_bridge.bench.lms", str(self.lms_port), core=client, pipe=True)
        if lms.stdin:
            lms.stdin.write(key_set)
            lms.stdin.close()
        serve = ["serve", "--config", str(self.config), "--port", str(self.bridge_port)]
        self.web = self._run("lti_bridge", *serve, "--no-worker", core=server)
        self._wait(f"{self.lms_url}/jwks")
        self._wait(f"{self.bridge_url}/readyz")
        if with_floor:
            os.environ[floor.KEY_VARIABLE] = self.public_key
            os.environ[floor.DATABASE_VARIABLE] = self.floor_database
            self.floor = self._run("lti_bridge.bench.floor", str(self.floor_port), core=server)
            self._wait(f"http://127.0.0.1:{self.floor_port}/")

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A worker that delivers what is due, for as long as this lasts."""
        server, _ = cores() or (None, None)
        process = self._run("lti_bridge", "worker", "--config", str(self.config), core=server)
        try:
            yield process
        finally:
            self._stop(process)

    def arrived(self) -> dict[str, Any]:
        """How many grades the LMS got since the last look, and over how many seconds."""
        return dict(urllib3.request("GET", f"{self.lms_url}/count").json())

    def stop(self) -> None:
        """Stop everything."""
        for process in list(self._running):
            self._stop(process)

    def _run(
        self, module: str, *arguments: str, core: int | None, pipe: bool = False
    ) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log, _on(core):
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running.append(process)
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        self._running.remove(process)
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                urllib3.request("GET", url, retries=False, timeout=2.0)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
            else:
                return
        log = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        raise BridgeError(f"a server of the measurement did not start:\n{log[-2000:]}")


def memory(process: subprocess.Popen[bytes]) -> dict[str, float] | None:
    """MB of a process and its children: resident, and its share of what is resident."""
    found = {"rss_mb": 0.0, "pss_mb": 0.0}
    for pid in _family(process.pid):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            return None
        for name, key in (("Rss", "rss_mb"), ("Pss", "pss_mb")):
            size = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
            found[key] += int(size[1]) / MB if size else 0
    return {key: round(value, 1) for key, value in found.items()}


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its children have used, 0.0 where nobody can tell.

    Of children that are gone, what they used until then.
    """
    ticks = 0
    for one in _family(pid):
        stat = Path(f"/proc/{one}/stat")
        if stat.exists():
            used = stat.read_text(encoding="ascii").rpartition(")")[2].split()[11:15]
            ticks += sum(map(int, used))
    return ticks / os.sysconf("SC_CLK_TCK")


def postgres_pid(database: Database) -> int | None:
    """The process of a PostgreSQL server that all others of it come from, if it runs here."""
    if database.is_sqlite:
        return None
    with database.reading() as connection:
        own = int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    stat = Path(f"/proc/{own}/stat")
    if not stat.exists():
        return None
    name, _, rest = stat.read_text(encoding="ascii").rpartition(") ")
    return int(rest.split()[1]) if "postgres" in name else None


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    pids = children.read_text(encoding="ascii").split() if children.exists() else []
    return [pid, *(one for child in pids for one in _family(int(child)))]


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@contextmanager
def _on(core: int | None) -> Iterator[None]:
    """What is started meanwhile stays on this core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
