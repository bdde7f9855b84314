"""What a message costs in this build and in another checkout's, in turns, without a server.

`python -m tests.turns PATH` starts one process for each build, with a database of its own, and has
them answer batches of ten requests in turns, by the WSGI app alone: what is compared is processor
time, so that a busy machine disturbs both alike. Said is the median of the ratios of neighbours,
and the ratio of what one batch in ten stays below; below 1 this build takes less. Each build
makes its requests with its own `lti_bridge.bench`.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, cast

ROOT = Path(__file__).parents[1]
KINDS = ("launch_13", "launch_11", "launch_11_13", "authorize", "token", "score", "outcome")
DELIVERY = "delivery"
ROWS, BATCH, ROUNDS = 7500, 10, 60
TURNS = 20  # batches that are prepared at a time, so that neighbours are answered in a moment
DELIVERED = 200  # grades of one round: so many are under way at once that less would not show it
Environ = dict[str, Any]


class Build:
    """One build in this process: makes requests, which cost nothing here, and answers them."""

    def __init__(self, folder: Path) -> None:
        from lti_bridge.bench.fill import fill
        from lti_bridge.bench.parties import Parties
        from lti_bridge.bench.tool_traffic import ToolTraffic
        from lti_bridge.bench.traffic import Traffic
        from lti_bridge.lti.keys import public_jwk
        from lti_bridge.settings import load

        build, web_app = _assembled()
        self.parties = Parties(folder, "", "WARNING")
        self.lms = subprocess.Popen(
            [sys.executable, "-m", "lti_bridge.bench.lms", str(self.parties.lms_port)],
            stdin=subprocess.PIPE,
        )
        if self.lms.stdin:
            key_set = {"keys": [public_jwk(self.parties.lms_key)]}
            self.lms.stdin.write(json.dumps(key_set).encode())
            self.lms.stdin.close()
        self.bridge = build(load(self.parties.config))
        self.bridge.store.database.migrate()
        fill(self.bridge.store.database, 0, ROWS, self.parties.lms_url, lambda _said: None)
        self.app = web_app(self.bridge)
        self.tool = ToolTraffic(self.parties.bridge_url, self.parties.lms_key)
        self.traffic = Traffic(
            bridge=self.parties.bridge_url,
            lms=self.parties.lms_url,
            lms_key=self.parties.lms_key,
            key=self.bridge.keyring.secret("sourcedids"),
            rows=ROWS,
            random=random.Random(),
        )
        self.pool = ThreadPoolExecutor(64)
        self.ready: list[Environ] = []

    def close(self) -> None:
        """End the pretend LMS."""
        self.lms.terminate()
        self.lms.wait()
        self.pool.shutdown()

    def prepare(self, kind: str, count: int) -> None:
        """Make so many requests of a kind, which `cost` takes from; for grades, let them be due."""
        if kind == DELIVERY:
            for request in self._outcomes(count):
                self.answer(_environ(request))
            self.ready = []
            return
        # after a pause the first one looks whether registrations have changed
        first, *self.ready = [_environ(one) for one in self.requests(kind, count + 1)]
        self.answer(first)
        gc.collect()
        gc.freeze()

    def cost(self, count: int) -> float:
        """Microseconds of processor time for each of so many of them."""
        if not self.ready:
            return _used(lambda: self.bridge.passback.deliver_due(self.pool)) / count
        taken, self.ready = self.ready[:count], self.ready[count:]
        return _used(lambda: [self.answer(one) for one in taken]) / count

    def requests(self, kind: str, count: int) -> list[bytes]:
        """Requests of a kind; what has to come before them is sent here."""
        made: dict[str, Callable[[], list[bytes]]] = {
            "launch_13": lambda: self._launches13(count),
            "launch_11": lambda: self._launches11(0, count),
            "launch_11_13": lambda: self._launches11(2, count),
            "authorize": lambda: [self.tool.authorize(page) for page in self._opened(count)],
            "token": lambda: self.tool.tokens(count),
            "score": lambda: self._scores(count),
            "outcome": lambda: self._outcomes(count),
        }
        return made[kind]()

    def answer(self, environ: Environ) -> bytes:
        """What the app answers, head and body; raises when it is not what was wanted."""
        head: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *_rest: object) -> None:
            head.append(status)
            head.extend(f"{name}: {value}" for name, value in headers)

        parts = self.app(environ, start)
        body = b"".join(parts)
        if close := getattr(parts, "close", None):
            close()
        if head[0][:3] not in ("200", "204", "302") or b"codeMajor>failure" in body:
            raise SystemExit(f"{environ['PATH_INFO']}: {head[0]} {body[:500]!r}")
        return "\r\n".join((*head, "", "")).encode() + body

    def _outcomes(self, count: int) -> list[bytes]:
        """Messages for so many different learners, of links that nobody else clicks."""
        numbers = random.sample(range(ROWS // 8, ROWS // 4), count)
        return [self.traffic.outcome(number * 4) for number in numbers]

    def _clicks(self, offset: int, count: int) -> list[Any]:
        """Clicks on links of one LMS and one tool; every second one is a learner's first."""
        from lti_bridge.bench.fill import user_of
        from lti_bridge.bench.traffic import Click

        numbers = [random.randrange(ROWS // 8) * 4 + offset for _ in range(count)]
        new = (f"new-{secrets.token_hex(8)}" for _ in numbers)
        return [
            Click(number, user_of(number) if at % 2 else next(new))
            for at, number in enumerate(numbers)
        ]

    def _launches11(self, offset: int, count: int) -> list[bytes]:
        return [self.traffic.launch11(click) for click in self._clicks(offset, count)]

    def _launches13(self, count: int) -> list[bytes]:
        clicks = self._clicks(1, count)
        logins = [self.answer(_environ(self.traffic.login(click))) for click in clicks]
        return self.traffic.launches13(clicks, list(enumerate(logins)))

    def _opened(self, count: int) -> list[bytes]:
        """Pages of launches at the LTI 1.3 tool."""
        return [self.answer(_environ(one)) for one in self._launches11(2, count)]

    def _scores(self, count: int) -> list[bytes]:
        """For learners who are new: who has a grade is asked before the next test."""
        opened = self._opened(2 * count)[::2]
        issued = [self.answer(_environ(self.tool.authorize(page))) for page in opened]
        (asked,) = self.tool.tokens(1)
        return self.tool.scores(count, issued, self.answer(_environ(asked)))


def _assembled() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """How a bridge and its web app are made; older builds have it in one module."""
    try:
        from lti_bridge.assembly.bridge import build
        from lti_bridge.assembly.web import web_app
    except ModuleNotFoundError:
        from importlib import import_module

        older = import_module("lti_bridge.app")
        return older.build, older.web_app
    return build, web_app


def _environ(request: bytes) -> Environ:
    """A prepared request as a WSGI server gives it to an app."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = dict(line.split(": ", 1) for line in lines)
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "bench",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": headers.pop("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


def _used(work: Callable[[], object]) -> float:
    """Microseconds of processor time that this process takes meanwhile, all threads together."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1e6


def serve() -> None:
    """Be one build: prepare what a line names by kind and count, or tell what a count costs."""
    with tempfile.TemporaryDirectory(prefix="lti-bridge-turns-") as folder:
        build = Build(Path(folder))
        try:
            for line in sys.stdin:
                *kind, count = line.split()
                if kind:
                    build.prepare(kind[0], int(count))
                print(0.0 if kind else build.cost(int(count)), flush=True)
        finally:
            build.close()


@contextmanager
def running(checkout: Path) -> Iterator[Callable[[str], float]]:
    """A process with the build of a checkout, and how it is told a line of `serve`."""
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, "--serve"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    asked, said = cast(Any, process.stdin), cast(Any, process.stdout)

    def tell(line: str) -> float:
        print(line, file=asked, flush=True)
        answer = said.readline()
        if not answer:
            raise SystemExit(f"{checkout}: no answer to {line!r}")
        return float(answer)

    try:
        yield tell
    finally:
        asked.close()
        process.wait()
        said.close()


def compare(other: Path, kinds: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """What each kind costs here and there, in microseconds, and the ratios, as `main` says them."""
    found: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        builds = [stack.enter_context(running(one)) for one in (ROOT, other)]
        for kind in kinds:
            count, turns = (DELIVERED, 1) if kind == DELIVERY else (BATCH, TURNS)
            pairs: list[list[float]] = []
            for _ in range(-(-rounds // turns) + 1):
                for tell in builds:
                    tell(f"{kind} {count * turns}")
                for turn in range(turns):  # whoever is second in one is first in the next
                    order = (0, 1) if (len(pairs) + turn) % 2 else (1, 0)
                    costs = {at: builds[at](str(count)) for at in order}
                    pairs.append([costs[0], costs[1]])
            found[kind] = _compared(pairs[turns:])  # those before were to get warm
    return found


def _compared(pairs: list[list[float]]) -> dict[str, float]:
    ours, theirs = (sorted(one) for one in zip(*pairs, strict=True))
    tenth = len(pairs) // 10
    return {
        "us": median(ours),
        "other_us": median(theirs),
        "ratio": median(mine / other for mine, other in pairs),
        "quick_ratio": ours[tenth] / theirs[tenth],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare two builds and say what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.turns", description=__doc__)
    parser.add_argument("checkout", type=Path, help="folder of the other build")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join((*KINDS, DELIVERY))}; none: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(arguments)
    if not (asked.checkout / "lti_bridge").is_dir():
        parser.error(f"there is no lti_bridge in {asked.checkout}")
    if unknown := set(asked.kinds) - {*KINDS, DELIVERY}:
        parser.error(f"{', '.join(sorted(unknown))}: there is no such kind")
    found = compare(asked.checkout.resolve(), asked.kinds or [*KINDS, DELIVERY], asked.rounds)
    print(f"{'':14}{'µs':>8}{'other':>8}{'ratio':>8}{'quickest':>10}")
    for kind, one in found.items():
        costs = f"{one['us']:8.0f}{one['other_us']:8.0f}"
        print(f"{kind:14}{costs}{one['ratio']:8.2f}{one['quick_ratio']:10.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main()
