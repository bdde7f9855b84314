"""Several machines, which are network namespaces: cut off, killed, with wrong clocks, upgraded.

Addresses are of 10.231.77.0/24, on a bridge that only these namespaces are on. The LMS of the tests
and whoever reports grades stay on this machine, at its address there.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import glob
from pathlib import Path

import sqlalchemy
import urllib3

from tests.flow.faults.ground import (
    FAKETIME,
    POSTGRES,
    ROOT,
    Ledger,
    Line,
    Server,
    Slowly,
    doctor,
    say,
    slow,
)
from tests.flow.rig import Rig
from tests.flow.world import eventually

NET, HERE = "10.231.77", "10.231.77.1"
SWITCH = "lbfaults"
NAMED = ("unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"')  # its own name
PORT = 8000
LEARNERS, SCORES = 120, 6
CUT_S = 25.0
TAKES_S = 0.5
READ_WRITE = "target_session_attrs=read-write"


def ip(*arguments: str, check: bool = True) -> None:
    """Debian's ip."""
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


class Net:
    """Machines that are on one network, each with an address of its own."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def begin(self) -> None:
        """The network itself."""
        ip("link", "add", SWITCH, "type", "bridge")
        ip("addr", "add", f"{HERE}/24", "dev", SWITCH)
        ip("link", "set", SWITCH, "up")

    def machine(self, name: str, number: int) -> str:
        """One more machine; its address."""
        space, wire = f"lb-{name}", f"lb{number}"
        ip("netns", "add", space)
        self.names.append(name)
        ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", wire, "master", SWITCH, "up")
        inside = ("netns", "exec", space, "ip")
        ip(*inside, "addr", "add", f"{NET}.{number}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip(*inside, "link", "set", device, "up")
        return f"{NET}.{number}"

    def end(self) -> None:
        """Take all of it away."""
        for name in self.names:
            ip("netns", "del", f"lb-{name}", check=False)
        ip("link", "del", SWITCH, check=False)

    @staticmethod
    def cut(number: int, *, off: bool) -> None:
        """Pull a machine's wire, or put it back: nothing is refused, it is just not there."""
        ip("link", "set", f"lb{number}", "down" if off else "up")


def inside(name: str) -> list[str]:
    """What runs a command on a machine."""
    return ["ip", "netns", "exec", f"lb-{name}"]


class Machine:
    """A process of the bridge on a machine, by the code of a checkout."""

    def __init__(self, name: str, command: list[str], log: Path, code: Path = ROOT) -> None:
        self.name, self.command, self.log, self.code = name, command, log, code
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Start it, in a session of its own."""
        more = {"PYTHONPATH": str(self.code), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*inside(self.name), *NAMED, self.name, sys.executable, "-m", *self.command],
                env={**os.environ, **more, **self.environment},
                cwd=self.code,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait()


class Cluster:
    """Two web machines and two worker machines before one database; whom to ask goes round."""

    def __init__(self, net: Net, rig: Rig, code: Path) -> None:
        self.net, self.rig = net, rig
        self.addresses = {n: net.machine(n, at) for n, at in NUMBERS.items()}
        config, log = str(rig.bridge.config), rig.bridge.folder / "log.txt"
        serve = [
            "lti_bridge",
            "serve",
            "--config",
            config,
            "--host",
            "0.0.0.0",
            "--port",
            str(PORT),
        ]
        serve, work = [*serve, "--no-worker"], ["lti_bridge", "worker", "--config", config]
        self.machines = {
            name: Machine(name, work if "work" in name else serve, log, code) for name in NUMBERS
        }

    def start(self) -> None:
        """Start all, and the proxy before the web machines."""
        for one in self.machines.values():
            one.start()
        for name in ("web1", "web2"):
            eventually(lambda name=name: self.ready(name), True, 120)

    def ready(self, name: str) -> bool:
        """Whether a web machine says that it is."""
        with suppress(urllib3.exceptions.HTTPError):
            url = f"http://{self.addresses[name]}:{PORT}/readyz"
            return urllib3.request("GET", url, timeout=3, retries=False).status == 200
        return False

    def end(self) -> None:
        """Kill all."""
        for one in self.machines.values():
            if hasattr(one, "process"):
                one.kill()


NUMBERS = {"web1": 11, "web2": 12, "work1": 13, "work2": 14}


class Proxy:
    """A load balancer of the simplest kind: each connection goes to a web machine that takes it."""

    def __init__(self, port: int, targets: list[str]) -> None:
        self._targets, self._turn = targets, 0
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        for _ in range(len(self._targets)):
            self._turn += 1
            target = self._targets[self._turn % len(self._targets)]
            try:
                server = socket.create_connection((target, PORT), timeout=1)
            except OSError:
                continue
            server.settimeout(30)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            return
        client.close()

    def close(self) -> None:
        """Take no more."""
        self._socket.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.close()


@contextmanager
def _cluster(databases: int, code: Path = ROOT) -> Iterator[tuple[Cluster, list[Server]]]:
    with ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="bridge-hosts-"))
        folder.chmod(0o755)
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        net = Net()
        ends.callback(net.end)
        net.begin()
        servers = [_server(net, folder, number, ends) for number in range(databases)]
        if databases > 1:
            _follow(servers[0], servers[1])
        (folder / "rig").mkdir()
        hosts = ",".join(one.host for one in servers)
        more = f"?{READ_WRITE}" if databases > 1 else ""
        url = f"postgresql://postgres@{hosts}/postgres{more}"
        rig = _rig(folder / "rig", url, servers[0].host)
        ends.callback(rig.stop)
        cluster = Cluster(net, rig, code)
        port = int(rig.bridge.url.rsplit(":", 1)[1])
        proxy = Proxy(port, [cluster.addresses[one] for one in ("web1", "web2")])
        ends.callback(proxy.close)
        ends.callback(cluster.end)
        cluster.start()
        yield cluster, servers


def _rig(folder: Path, url: str, primary: str) -> Rig:
    """A rig whose LMS is at this machine's address in the network, where machines can reach it."""
    rig = Rig(folder, f"postgresql+psycopg://postgres@{primary}/postgres")
    text = rig.bridge.config.read_text("utf-8")
    text = text.replace(f"postgresql+psycopg://postgres@{primary}/postgres", url)
    text = text.replace(f"sqlite:///{folder}/queue.sqlite3", url)
    text = text.replace("[bridge]", f'[bridge]\nallow_private = ["{NET}.0/24"]', 1)
    rig.bridge.config.write_text(text, encoding="utf-8")
    rig.school.down()
    rig.school.up(HERE)
    return rig


def _server(net: Net, folder: Path, number: int, ends: ExitStack) -> Server:
    name = f"db{number + 1}"
    server = Server(folder / name, 5432, net.machine(name, 21 + number))
    server.prefix = inside(name)
    if number == 0:
        server.make()
        server.start()
    ends.callback(server.stop)
    return server


def _follow(primary: Server, standby: Server) -> None:
    """Let the second server follow the first, which then waits for it at each commit."""
    shutil.rmtree(standby.folder, ignore_errors=True)
    link = f"host={primary.host} port=5432 user=postgres"
    standby.folder.parent.chmod(0o777)
    # its name is that by which the first one waits for it
    told = [
        "-d",
        f"{link} application_name=standby",
        "-D",
        str(standby.folder),
        "-R",
        "-X",
        "stream",
    ]
    standby.run("pg_basebackup", *told, "-C", "-S", "standby")
    standby.folder.chmod(0o700)
    standby.start()
    primary.configure(synchronous_standby_names="standby", synchronous_commit="on")
    primary.run("pg_ctl", "-D", str(primary.folder), "reload")


def hosts(_server: str) -> Iterator[Line]:
    """Machines cut off, killed, and with a clock that is two minutes off."""
    if missing := _missing():
        yield Line("several machines", f"not run: {missing}", "")
        return
    with _cluster(1) as (cluster, _servers):
        rig, found = cluster.rig, list[Line]()
        with Slowly(rig, slow(0, TAKES_S)):
            for what, fault in (
                ("a worker and a web machine cut off", _cut),
                ("a worker and a web machine killed", _killed),
                ("a worker two minutes ahead, one behind", _clocks),
            ):
                ledger = _ledger(cluster)
                ledger.report(lambda: found.extend(fault(cluster)))  # noqa: B023
                yield from found
                found.clear()
                yield ledger.check(what, overtaken=fault is _cut)


def _cut(cluster: Cluster) -> Iterator[Line]:
    time.sleep(2)
    for number in (NUMBERS["web1"], NUMBERS["work1"]):
        cluster.net.cut(number, off=True)
    say("cut off")
    time.sleep(CUT_S)
    yield Line("the other web machine meanwhile", "ready", "ready", cluster.ready("web2"))
    for number in (NUMBERS["web1"], NUMBERS["work1"]):
        cluster.net.cut(number, off=False)
    eventually(lambda: cluster.ready("web1"), True, 60)


def _killed(cluster: Cluster) -> Iterator[Line]:
    for name in ("work2", "web2", "work1"):
        time.sleep(3)
        cluster.machines[name].kill()
        say(f"killed {name}")
        time.sleep(3)
        cluster.machines[name].start()
    eventually(lambda: cluster.ready("web2"), True, 60)
    yield Line("a web machine that came back", "ready", "ready", True)


def _clocks(cluster: Cluster) -> Iterator[Line]:
    (library,) = glob(FAKETIME)[:1]
    for name, off in (("work1", "+120s"), ("work2", "-120s")):
        one = cluster.machines[name]
        one.kill()
        one.environment = {"LD_PRELOAD": library, "FAKETIME": off}
        one.start()
    until, said = time.monotonic() + 60, {"said": "", "remedy": ""}
    while "+120 s" not in said["said"] or "-120 s" not in said["said"]:
        if time.monotonic() > until:
            break
        time.sleep(2)
        said = doctor(cluster.rig)["processes"]
    good = bool(said["remedy"]) and "work1 +120 s" in said["said"] and "-120 s" in said["said"]
    yield Line("the doctor meanwhile, processes", said["said"][-80:], "both clocks", good)


def standby(_server: str) -> Iterator[Line]:
    """The first of two PostgreSQL servers is gone at once; the second is promoted, and found."""
    if missing := _missing():
        yield Line("a standby promoted", f"not run: {missing}", "")
        return
    with _cluster(2) as (cluster, servers):
        rig, began = cluster.rig, [0.0, 0.0]

        def promote() -> None:
            time.sleep(4)
            cluster.net.cut(21, off=True)  # gone without a word
            say("the first server is cut off")
            time.sleep(3)
            began[0] = time.monotonic()
            servers[1].configure(synchronous_standby_names="")
            servers[1].run("pg_ctl", "-D", str(servers[1].folder), "-w", "promote")
            rig.engine.dispose()
            eventually(lambda: cluster.ready("web1") and cluster.ready("web2"), True, 120)
            began[1] = time.monotonic()

        ledger = _ledger(cluster)
        ledger.sit()
        moved = f"postgresql+psycopg://postgres@{servers[1].host}/postgres"
        ledger.report(promote)
        rig.engine = sqlalchemy.create_engine(moved)
        took = began[1] - began[0]
        said = f"{took:.1f} s after it was promoted"
        yield Line("both web machines write again", said, "within 30 s", 0 < took < 30)
        yield ledger.check("the first of two PostgreSQL servers gone, the second promoted")


def upgrade(_server: str) -> Iterator[Line]:
    """Machines of the version before the newest migration beside those of this one."""
    if missing := _missing():
        yield Line("a rolling upgrade", f"not run: {missing}", "")
        return
    with _old_code() as old:
        if old is None:
            yield Line("a rolling upgrade", "not run: no history here", "")
            return
        with _cluster(1, old) as (cluster, _servers):
            ledger = _ledger(cluster)
            ledger.report(lambda: _upgrade(cluster))
            yield ledger.check("old and new version side by side, upgraded one by one")


def _upgrade(cluster: Cluster) -> None:
    """Machine by machine; the first of the new version changes the schema below the old ones."""
    for name in ("work1", "web1", "web2", "work2"):
        time.sleep(4)
        one = cluster.machines[name]
        one.kill(signal.SIGTERM)
        one.code = ROOT
        one.start()
        say(f"{name} is upgraded")
        if "web" in name:
            eventually(lambda name=name: cluster.ready(name), True, 120)


def _ledger(cluster: Cluster) -> Ledger:
    """At the two LMSs that machines can reach here."""
    ledger = Ledger(cluster.rig, LEARNERS, SCORES)
    ledger.lms = ("old", "other")
    return ledger


@contextmanager
def _old_code() -> Iterator[Path | None]:
    """A checkout of the commit before the one that added the newest migration."""
    newest = max(Path(ROOT, "lti_bridge/store/migrations/versions").glob("0*.py"))
    git = ["git", "-C", str(ROOT)]
    added = subprocess.run(
        [*git, "log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="bridge-old-"))
    try:
        if not added:
            yield None
            return
        archive = subprocess.run([*git, "archive", f"{added}^"], check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _missing() -> str:
    """Why there can be no machines here; empty when there can."""
    if os.geteuid():
        return "only root may make network namespaces"
    for place in (POSTGRES, FAKETIME, "/usr/sbin/ip"):
        if not glob(place) and not shutil.which(Path(place).name):
            return f"{place} is missing"
    return ""
