"""The same measurement of another checkout's build, in turns with this one's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from lti_bridge.bench.run import Options, measure
from lti_bridge.errors import BridgeError, ConfigurationError

FIGURES = ("per_second", "cpu_us")


def compare(options: Options, checkout: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """The figures of this build, each with those of the other one and the ratio to them.

    Round by round, first this build is measured and then the other, by its own `bench` with its
    own schema, so that a machine that gets slower is slower for both. Raises BridgeError when
    one of them cannot be measured.
    """
    if not (checkout / "lti_bridge" / "__main__.py").is_file():
        raise ConfigurationError(f"--against {checkout}: there is no lti_bridge in this folder")
    if options.database:
        raise ConfigurationError("--against: two builds cannot share one --database")
    once = replace(options, rounds=1, size=0)
    ours, theirs = [], []
    for number in range(1, options.rounds + 1):
        tell(f"turn {number} of {options.rounds}: this build")
        ours.append(measure(once, tell))
        tell(f"turn {number} of {options.rounds}: {checkout}")
        theirs.append(_measured_there(once, checkout))
    found = ours[-1]
    found["machine"] |= {"rounds": options.rounds, "against": str(checkout)}
    for name, figure in found["measurements"][0].items():
        if isinstance(figure, dict) and "bridge" in figure:
            _join(
                figure, [_figure(one, name) for one in ours], [_figure(one, name) for one in theirs]
            )
    return found


def _measured_there(options: Options, checkout: Path) -> dict[str, Any]:
    own = checkout / ".venv" / "bin" / "python"
    command = [str(own) if own.exists() else sys.executable, "-m", "lti_bridge", "bench", "--json"]
    command += ["--rounds", "1", "--seconds", str(options.seconds)]
    command += ["--connections", str(options.connections)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ran = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise BridgeError(f"{checkout} could not be measured: {ran.stderr[-500:]}")
    return dict(json.loads(ran.stdout))


def _figure(found: dict[str, Any], name: str) -> dict[str, Any]:
    """One row of a measurement; empty where that build does not measure it."""
    figure: dict[str, Any] = found["measurements"][0].get(name, {})
    return figure


def _join(figure: dict[str, Any], ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Let a row hold the medians of all rounds, and what the other build reached."""
    for party in ("bridge", "floor"):
        for kind in figure.get(party, {}):
            figure[party][kind] = _median(ours, party, kind)
    if figure.get("floor"):
        figure["ratio"] = figure["bridge"]["per_second"] / figure["floor"]["per_second"]
        figure["cpu_ratio"] = figure["floor"]["cpu_us"] / figure["bridge"]["cpu_us"]
    if all(theirs):
        figure["against"] = {kind: _median(theirs, "bridge", kind) for kind in FIGURES}
        figure["against_ratio"] = figure["bridge"]["per_second"] / figure["against"]["per_second"]
        figure["against_cpu_ratio"] = figure["against"]["cpu_us"] / figure["bridge"]["cpu_us"]


def _median(rounds: list[dict[str, Any]], party: str, kind: str) -> float:
    return float(round(median(one[party][kind] for one in rounds), 3))
