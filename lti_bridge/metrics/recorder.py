"""What is counted, by which labels, and how all processes' counts become one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from lti_bridge.metrics.folder import Folder

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
DELIVERED = ("delivered", "pending", "refused", "waiting")
ASKED = ("answered", "failed", "broke")
WAYS, TOLD = ("outcome", "score", "hook"), ("taken", "refused", "failed")
LEFT_OUT = ("refused", "queue-full", "unfit")
Figures = Mapping[str, Mapping[Any, float]]
"""By the name of a gauge its values, by those of its labels, a tuple of texts."""

COUNTERS = {
    "launches": (
        "Launches, by how they ended: opened, sent-on, or an error's code.",
        ("registration", "lti", "message", "outcome"),
    ),
    "grade_messages": (
        "Grade messages of tools and providers, by way and how they ended.",
        ("way", "outcome"),
    ),
    "deliveries": (
        "Tries to bring a grade to an LMS, by how they ended.",
        ("registration", "outcome"),
    ),
    "polls": (
        "Questions to providers about attempts, by how they ended.",
        ("connection", "outcome"),
    ),
    "hops_left_out": (
        "Hops that the journal does not have, by why: refused, queue-full, unfit.",
        ("why",),
    ),
    "starts": (
        "Calls that start or resume a test, by how they ended: opened, or an error's code.",
        ("connection", "outcome"),
    ),
}
HISTOGRAMS = {
    "launch": ("How long launches took.", ("lti",)),
    "grade_message": ("How long grade messages took.", ("way",)),
    "delivery": ("How long tries to bring a grade to an LMS took.", ("outcome",)),
    "start": ("How long calls took that start or resume a test.", ("connection",)),
}
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "lti_bridge_database_writable": ("1 when the database can be written, else 0.", ()),
    "lti_bridge_grades_pending": (
        "Grades that are on their way to an LMS, as far as 20,000.",
        ("registration",),
    ),
    "lti_bridge_oldest_pending_grade_seconds": (
        "How long the oldest grade has been on its way.",
        ("registration",),
    ),
    "lti_bridge_grades_for_people": (
        "Grades that an LMS refused, or that wait for a person.",
        ("registration", "state"),
    ),
    "lti_bridge_attempts_for_people": ("Attempts that need a person, by why.", ("why",)),
    "lti_bridge_lane_troubled_seconds": (
        "For how long a party is away or busy, as any process sees it; none: no sample.",
        ("work", "party", "state"),
    ),
    "lti_bridge_questions_due": (
        "Attempts that a provider is to be asked about now, as far as 20,000.",
        ("connection",),
    ),
    "lti_bridge_key_set_age_seconds": (
        "How old the keys of an LMS are that the process knows which answers.",
        ("registration",),
    ),
    "lti_bridge_queue_hints": ("Hints to workers that nobody has taken yet.", ()),
}


class Recorder:
    """Counts for one process; a `core.observer.Observer`. Times are in seconds.

    A folder that is gone or full costs counts and nothing else.

    `export` is called with the name and the value of the variable by which the library learns its
    folder.
    """

    def __init__(self, path: Path, export: Callable[[str, str], None]) -> None:
        """Raises OSError for a folder that cannot be written."""
        self._folder = Folder(path)
        export("PROMETHEUS_MULTIPROC_DIR", str(path))
        values.ValueClass = values.MultiProcessValue(lambda: self._folder.name)
        own = CollectorRegistry()
        self._count = {
            name: Counter(f"lti_bridge_{name}", meaning, labels, registry=own)
            for name, (meaning, labels) in COUNTERS.items()
        }
        self._time = {
            name: Histogram(
                f"lti_bridge_{name}_seconds", meaning, labels, buckets=SECONDS, registry=own
            )
            for name, (meaning, labels) in HISTOGRAMS.items()
        }

    def expect(self, registrations: Iterable[str], connections: Iterable[str]) -> None:
        """Begin what these will be counted by at zero, so that the first one is an increase."""
        for label in ((name, end) for name in registrations for end in DELIVERED):
            self._count["deliveries"].labels(*label)
        connections = list(connections)
        for label in ((name, end) for name in connections for end in ASKED):
            self._count["polls"].labels(*label)
        for name in connections:
            self._count["starts"].labels(name, "opened")
            self._time["start"].labels(name)
        for label in ((way, end) for way in WAYS for end in TOLD):
            self._count["grade_messages"].labels(*label)
        for why in LEFT_OUT:
            self._count["hops_left_out"].labels(why)

    def launched(self, labels: tuple[str, str, str, str], seconds: float) -> None:
        """A launch was answered: registration, LTI version, message, outcome."""
        with suppress(OSError):
            self._count["launches"].labels(*labels).inc()
            self._time["launch"].labels(labels[1]).observe(seconds)

    def told(self, way: str, outcome: str, seconds: float) -> None:
        """A grade message was answered."""
        with suppress(OSError):
            self._count["grade_messages"].labels(way, outcome).inc()
            self._time["grade_message"].labels(way).observe(seconds)

    def delivered(self, registration: str, outcome: str, seconds: float) -> None:
        """A grade was tried to be brought to its LMS."""
        with suppress(OSError):
            self._count["deliveries"].labels(registration, outcome).inc()
            self._time["delivery"].labels(outcome).observe(seconds)

    def asked(self, connection: str, outcome: str) -> None:
        """A provider was asked about an attempt."""
        with suppress(OSError):
            self._count["polls"].labels(connection, outcome).inc()

    def started(self, connection: str, outcome: str, seconds: float) -> None:
        """A provider was called for a click."""
        with suppress(OSError):
            self._count["starts"].labels(connection, outcome).inc()
            self._time["start"].labels(connection).observe(seconds)

    def left_out(self, why: str, count: int) -> None:
        """Hops were not kept."""
        with suppress(OSError):
            self._count["hops_left_out"].labels(why).inc(count)

    def page(self, figures: Figures) -> bytes:
        """All processes' counts, and these figures, as Prometheus reads them.

        Raises OSError or ValueError when the folder is not there any more.
        """
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder.path))
        registry.register(_Gauges(figures))
        with self._folder.turn():
            return generate_latest(registry)


class _Gauges(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering collects nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Those that are known."""
        for name, found in self._figures.items():
            meaning, labels = GAUGES[name]
            family = GaugeMetricFamily(name, meaning, labels=labels)
            for of, value in found.items():
                family.add_metric(of, value)
            yield family
