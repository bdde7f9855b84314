"""Writes docs/conformance.md: each conformance item, the tests that prove it, how they ended."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from tests.conformance.collect import group_of, junit_name, load_items

# Groups whose MUST items need a test or a left_out reason. A finished feature adds its group here.
COVERED = (
    "GEN",
    "OA1",
    "T11L",
    "T11S",
    "T11O",
    "T11C",
    "T13LI",
    "T13ST",
    "T13ID",
    "T13RL",
    "T13DL",
    "T13TK",
    "T13AG",
    "T13NR",
    "T13MX",
    "T13DR",
    "T13PN",
    "P11L",
    "P11O",
    "P11C",
    "P13LI",
    "P13AZ",
    "P13ID",
    "P13K",
    "P13TK",
    "P13RS",
    "P13AL",
    "P13AS",
    "P13AR",
    "P13NR",
    "P13DL",
    "P13BO",
    "P13DR",
    "P13PM",
    "BR",
    "ROLE",
    "CERTT",
    "CERTV",
    "CERTP",
    "SECP",
    "AMB",
)
STATES = ("passed", "failed", "not run", "no test", "left out")
SHOWN_TESTS = 3

HEAD = """\
# Conformance

What the public LTI and OAuth documents, and our own policy, ask of the bridge, and the test
that proves each item. Written by `python -m tests.conformance.report` from
tests/conformance/items.toml and the `spec` markers of the tests; do not edit it by hand.
"""


@dataclass(frozen=True)
class Row:
    """One item with what is known about its tests; tests are file::name, without parameters."""

    id: str
    level: str
    section: str
    asks: str
    tests: tuple[str, ...]
    state: str
    idle: tuple[str, ...] = ()  # those of the tests, with parameters, that did not run
    left_out: str = ""


def collect_ids() -> dict[str, list[str]]:
    """Ask pytest which tests carry which ids; ends the program if the collection fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ids.json"
        options = ["--collect-only", "-q", "-p", "no:cacheprovider", f"--spec-json={out}"]
        command = [sys.executable, "-m", "pytest", "-p", "tests.conformance.collect", *options]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode not in (0, 5):  # 5: there are no tests
            sys.exit(f"{run.stdout}{run.stderr}The tests cannot be collected.")
        return dict(json.loads(out.read_text(encoding="utf-8"))["ids"])


def read_outcomes(results: Path | None, junit: Path | None) -> dict[str, str]:
    """How each test ended, by node id (--results) or by junit name (--junit)."""
    if results:
        return dict(json.loads(results.read_text(encoding="utf-8"))["outcomes"])
    outcomes = {}
    for case in etree.parse(junit).iter("testcase") if junit else ():
        bad = case.find("failure") is not None or case.find("error") is not None
        ended = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        outcomes[f"{case.get('classname')}.{case.get('name')}"] = ended
    return outcomes


def ended(node: str, outcomes: dict[str, str]) -> str | None:
    """How a test ended; None when nobody ran it."""
    return outcomes.get(node) or outcomes.get(junit_name(node))


def state_of(nodes: list[str], outcomes: dict[str, str], left_out: str) -> str:
    """One failed test fails the item; a skipped one proves nothing."""
    if not nodes:
        return "left out" if left_out else "no test"
    ends = {ended(node, outcomes) for node in nodes}
    return "failed" if "failed" in ends else "passed" if "passed" in ends else "not run"


def build_rows(ids: dict[str, list[str]], outcomes: dict[str, str]) -> list[Row]:
    """All items in their order, joined with the tests that carry their id."""
    nodes_of: dict[str, list[str]] = {}
    for node, marked in ids.items():
        for item_id in marked:
            nodes_of.setdefault(item_id, []).append(node)
    rows = []
    for item_id, item in load_items()["items"].items():
        nodes = nodes_of.get(item_id, [])
        tests = tuple(dict.fromkeys(node.partition("[")[0] for node in nodes))
        state = state_of(nodes, outcomes, item.get("left_out", ""))
        idle = tuple(node for node in nodes if ended(node, outcomes) in (None, "skipped"))
        rows.append(Row(item_id, tests=tests, state=state, idle=idle, **item))
    return rows


def missing(rows: list[Row]) -> list[Row]:
    """The MUST items of covered groups that have neither a test nor a reason for having none."""
    return [
        row
        for row in rows
        if group_of(row.id) in COVERED and row.level == "MUST" and row.state == "no test"
    ]


def not_run(rows: list[Row]) -> dict[str, list[str]]:
    """The tests that items rest on and that did not run, skipped or never chosen, with the items.

    What is not run today proves nothing today, whatever other tests the item has.
    """
    items: dict[str, list[str]] = {}
    for row in rows:
        for node in row.idle:
            items.setdefault(node, []).append(row.id)
    return items


def counts_table(rows: list[Row]) -> list[list[str]]:
    """Per group and in total: items, MUST items, and items in each state."""
    table = [["group", "items", "MUST", *STATES]]
    groups = dict.fromkeys(group_of(row.id) for row in rows)
    for group in [*groups, "total"]:
        chosen = [row for row in rows if group in ("total", group_of(row.id))]
        states = Counter(row.state for row in chosen)
        musts = sum(row.level == "MUST" for row in chosen)
        table.append([group, *(str(n) for n in (len(chosen), musts, *(states[s] for s in STATES)))])
    return table


def markdown_table(lines: list[list[str]]) -> str:
    """A table whose first line is its head."""
    safe = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    safe.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in safe)


def item_line(row: Row) -> list[str]:
    """The cells of one item in its group's table."""
    tests = [f"`{test}`" for test in row.tests[:SHOWN_TESTS]]
    if len(row.tests) > SHOWN_TESTS:
        tests.append(f"+{len(row.tests) - SHOWN_TESTS}")
    state = f"left out: {row.left_out}" if row.state == "left out" else row.state
    return [row.id, row.level, row.asks, row.section, "<br>".join(tests), state]


def render(rows: list[Row]) -> str:
    """The whole page: totals first, then one table per group."""
    counts = counts_table(rows)
    parts = [HEAD, markdown_table([counts[0], counts[-1], *counts[1:-1]])]
    head = ["item", "level", "what it asks", "section", "test", "state"]
    titles = load_items()["groups"]
    for group in dict.fromkeys(group_of(row.id) for row in rows):
        lines = [item_line(row) for row in rows if group_of(row.id) == group]
        parts.append(f"## {group}: {titles[group]}\n\n{markdown_table([head, *lines])}")
    return "\n".join(parts)


def parse_arguments() -> argparse.Namespace:
    """The command line; an unknown group is wrong usage."""
    groups = list(load_items()["groups"])
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.report", description=__doc__)
    parser.add_argument("--groups", default=",".join(groups), help="only these, as GEN,OA1")
    parser.add_argument(
        "--check",
        action="store_true",
        help="1 when a covered MUST has no test, or an item's test failed or did not run",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/conformance.md"))
    outcome = parser.add_mutually_exclusive_group()
    outcome.add_argument("--results", type=Path, help="file a run wrote with --spec-json")
    outcome.add_argument("--junit", type=Path, help="file a run wrote with --junitxml")
    arguments = parser.parse_args()
    arguments.groups = arguments.groups.split(",")
    if unknown := set(arguments.groups) - set(groups):
        parser.error(f"unknown groups: {', '.join(sorted(unknown))}")
    return arguments


def main() -> int:
    """Write the page, print the counts; 1 when --check finds an item that is not proved."""
    arguments = parse_arguments()
    rows = build_rows(collect_ids(), read_outcomes(arguments.results, arguments.junit))
    rows = [row for row in rows if group_of(row.id) in arguments.groups]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(render(rows), encoding="utf-8")
    for line in counts_table(rows):
        print(f"{line[0]:6}" + "".join(f"{cell:>10}" for cell in line[1:]))
    problems = complaints(rows) if arguments.check else []
    print("\n".join(problems))
    return 1 if problems else 0


def complaints(rows: list[Row]) -> list[str]:
    """What --check does not let pass, as lines."""
    lines = []
    if unproved := missing(rows):
        lines += ["", "MUST items of covered groups without a test:"]
        lines += [f"{row.id}  {row.asks}" for row in unproved]
    if failed := [row for row in rows if row.state == "failed"]:
        lines += ["", "Items with a test that failed:", *(row.id for row in failed)]
    if idle := not_run(rows):
        lines += ["", "Tests that did not run, and the items that rest on them:"]
        lines += [f"{node}  {', '.join(items)}" for node, items in idle.items()]
    return lines


if __name__ == "__main__":
    sys.exit(main())
