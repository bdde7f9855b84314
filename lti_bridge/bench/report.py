"""The figures as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TITLES = {
    "login": "1.3 login hop",
    "launch_13": "1.3 → 1.1 launch",
    "launch_11": "1.1 → 1.1 launch",
    "launch_13_13": "1.3 → 1.3 launch",
    "launch_11_13": "1.1 → 1.3 launch",
    "id_token": "id_token made",
    "authorize": "id_token fetched",
    "token": "access token issued",
    "score": "AGS score accepted",
    "outcome": "outcome accepted",
    "delivery": "grade delivered",
}
HEADER = (
    f"{'':20}{'bridge/s':>9}{'floor/s':>9}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}"
    f"{'µs':>7}{'floor µs':>9}{'ratio':>7}"
)
OTHER = f"{'other/s':>9}{'ratio':>7}{'other µs':>9}{'ratio':>7}"
NOTES = """\
Launches: every second one is a learner's first. Ratio 1.00 is as fast as the floor: the same
bytes to a bare app on the same server, one check, one row committed (of a grade message the result
and the due grade), an empty page; for id_tokens, bare RS256 signatures of one core. Made: the
request checked, the token signed, its page rendered; fetched: the same through the server and the
database, as a tool does after a launch. µs is processor time of the server for each answer; its
ratio suffers less from a busy machine."""


def table(found: dict[str, Any]) -> str:
    """The whole report as text."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    placed = machine["server_core_and_client_core"]
    where = f"server on core {placed[0]}, client on core {placed[1]}" if placed else "not pinned"
    yield (
        f"{machine['database']}, Python {machine['python']}, {machine['cores']} cores ({where}), "
        f"{machine['connections']} connections, median of {machine['rounds']} rounds "
        f"of {machine['seconds']:g} s"
    )
    if machine.get("against"):
        yield f"in turns with the build in {machine['against']} (other: how fast that one was)"
    for one in found["measurements"]:
        yield f"\n{one['rows']} rows in each table"
        yield HEADER + (OTHER if machine.get("against") else "")
        yield from (_row(title, one[name]) for name, title in TITLES.items())
        yield from _rest(one)
    yield f"\n{NOTES}"


def _row(title: str, figure: dict[str, Any]) -> str:
    bridge, floor = figure["bridge"], figure.get("floor", {})
    cells: tuple[tuple[float | None, int, int], ...] = (
        (bridge.get("per_second"), 9, 0),
        (floor.get("per_second"), 9, 0),
        (figure.get("ratio"), 7, 2),
        (bridge.get("p50_ms"), 8, 1),
        (bridge.get("p99_ms"), 8, 1),
        (bridge.get("cpu_us"), 7, 0),
        (floor.get("cpu_us"), 9, 0),
        (figure.get("cpu_ratio"), 7, 2),
    )
    if other := figure.get("against"):
        cells += (
            (other["per_second"], 9, 0),
            (figure["against_ratio"], 7, 2),
            (other["cpu_us"], 9, 0),
            (figure["against_cpu_ratio"], 7, 2),
        )
    return f"{title:20}" + "".join(_cell(*cell) for cell in cells)


def _cell(value: float | None, width: int, digits: int) -> str:
    return f"{'' if value is None else f'{value:.{digits}f}':>{width}}"


def _rest(one: dict[str, Any]) -> Iterator[str]:
    for name, size in one["memory"].items():
        if size:
            yield f"memory of {name}: {size['rss_mb']:.0f} MB resident, {size['pss_mb']:.0f} MB PSS"
    if one["statements"]:
        counts = ", ".join(f"{name} {count}" for name, count in one["statements"].items())
        yield f"SQL statements: {counts}"
