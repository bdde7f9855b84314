"""The list of conformance items is complete, and what tests say they prove is on it."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.collect import junit_name, load_items
from tests.conformance.report import (
    COVERED,
    build_rows,
    complaints,
    missing,
    read_outcomes,
    render,
    state_of,
)

ROOT = Path(__file__).parents[2]
# fmt: off
COUNTS = {
    "GEN": 14, "OA1": 23, "T11L": 15, "T11S": 4, "T11O": 11, "T11C": 6, "T13LI": 15, "T13ST": 10,
    "T13ID": 24, "T13RL": 24, "T13DL": 14, "T13TK": 9, "T13AG": 18, "T13NR": 7, "T13MX": 11,
    "T13DR": 7, "T13PN": 8, "P11L": 16, "P11O": 21, "P11C": 5, "P13LI": 8, "P13AZ": 14,
    "P13ID": 18, "P13K": 4, "P13TK": 17, "P13RS": 6, "P13AL": 24, "P13AS": 20, "P13AR": 6,
    "P13NR": 12, "P13DL": 17, "P13BO": 6, "P13DR": 10, "P13OT": 7, "P13PM": 9, "BR": 22,
    "ROLE": 10, "CERTT": 13,
    "CERTV": 16, "CERTP": 9, "SECP": 56, "AMB": 16,
}
# fmt: on
LEVELS = {"MUST": 397, "SHOULD": 57, "MAY": 24, "POLICY": 104}


def marked_ids(source: str) -> Iterator[str]:
    """The ids written out in spec(...) calls of a test file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "spec":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))


def run_marked(folder: Path, item_id: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the plugin on tests that carry this id: one passes, one fails in teardown."""
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.fixture\n"
        "def broken():\n    yield\n    raise OSError\n"
        f"@pytest.mark.spec('{item_id}')\n"
        "@pytest.mark.parametrize('a', ['x::y', 'b[c]'])\n"
        "def test_good(a): pass\n"
        "@pytest.mark.spec('OA1-02')\n"
        "def test_broken(broken): pass\n"
        "@pytest.mark.spec('OA1-03')\n"
        "def test_skipped(): pytest.skip('today')\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = spec: ids\n")
    plugin = ["-p", "tests.conformance.collect", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-c", str(folder / "pytest.ini")]
    return subprocess.run(
        [*command, *options, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_item_of_every_group_is_listed() -> None:
    listed = load_items()
    in_order = [f"{group}-{n:02}" for group, count in COUNTS.items() for n in range(1, count + 1)]
    assert list(listed["items"]) == in_order
    assert len(in_order) == 582
    assert list(listed["groups"]) == list(COUNTS)
    assert set(COVERED) <= set(COUNTS)


def test_every_item_has_level_section_and_sentence() -> None:
    items = load_items()["items"]
    assert Counter(item["level"] for item in items.values()) == LEVELS
    for item_id, item in items.items():
        assert {"level", "section", "asks"} <= set(item) <= {"level", "section", "asks", "left_out"}
        assert all(isinstance(text, str) and text.strip() for text in item.values()), item_id
        assert 8 <= len(item["asks"].split()) <= 25, item_id
    sentences = Counter(item["asks"] for item in items.values())
    assert sentences.most_common(1)[0][1] == 1


def test_every_marker_in_the_suite_names_a_known_item() -> None:
    known = load_items()["items"]
    files = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    wrong = [
        (path.name, i) for path in files for i in marked_ids(path.read_text()) if i not in known
    ]
    assert wrong == []


def test_markers_are_found_where_tests_write_them() -> None:
    source = (
        "@pytest.mark.spec('A-1', 'A-2')\ndef test_it(): ...\n"
        "cases = [pytest.param(1, marks=pytest.mark.spec('A-3'))]\n"
        "pytestmark = pytest.mark.spec('A-4')\n"
    )
    assert sorted(marked_ids(source)) == ["A-1", "A-2", "A-3", "A-4"]


def test_unknown_id_stops_the_collection(tmp_path: Path) -> None:
    run = run_marked(tmp_path, "OA1-99")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_it.py::test_good[x::y]: OA1-99" in run.stdout + run.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_outcomes_of_a_run_reach_the_report(tmp_path: Path, workers: tuple[str, ...]) -> None:
    results, junit = tmp_path / "results.json", tmp_path / "junit.xml"
    run_marked(tmp_path, "OA1-01", f"--spec-json={results}", f"--junitxml={junit}", *workers)
    run_marked(tmp_path, "OA1-01", f"--spec-json={tmp_path / 'ids.json'}", "--collect-only")
    ids = json.loads((tmp_path / "ids.json").read_text())["ids"]
    for outcomes in (read_outcomes(results, None), read_outcomes(None, junit)):
        states = {row.id: row.state for row in build_rows(ids, outcomes)}
        assert [states[f"OA1-0{n}"] for n in (1, 2, 3, 4)] == [
            *("passed", "failed", "not run", "no test")
        ]


def test_junit_name_keeps_parameters_whole() -> None:
    assert junit_name("tests/a/test_b.py::C::test_d[x::y/z.py]") == (
        "tests.a.test_b.C.test_d[x::y/z.py]"
    )


def test_check_wants_tests_for_covered_must_items_only() -> None:
    rows = build_rows({"tests/test_a.py::test_b": ["GEN-01"]}, {})
    open_ids = {row.id for row in missing(rows)}
    assert "GEN-03" in open_ids
    assert not open_ids & {"GEN-01", "GEN-11", "GEN-13", "P13OT-03"}


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({"a.py::test_b": "passed", "a.py::test_c[x]": "passed"}, ""),
        ({"a.py::test_b": "passed", "a.py::test_c[x]": "skipped"}, "a.py::test_c[x]  P13OT-03"),
        ({"a.py::test_b": "passed"}, "a.py::test_c[x]  P13OT-03"),
        ({}, "a.py::test_b  P13OT-03"),
        ({"a.py::test_b": "failed", "a.py::test_c[x]": "passed"}, "failed:\nP13OT-03"),
    ],
    ids=["all ran", "one was skipped", "one was not chosen", "none ran", "one failed"],
)
def test_check_wants_every_test_of_an_item_to_have_run(outcomes: dict[str, str], said: str) -> None:
    ids = {"a.py::test_b": ["P13OT-03"], "a.py::test_c[x]": ["P13OT-03"]}
    row = next(row for row in build_rows(ids, outcomes) if row.id == "P13OT-03")
    problems = "\n".join(complaints([row]))
    assert said in problems
    assert bool(problems) == bool(said)


def test_a_reason_replaces_a_missing_test_and_no_more() -> None:
    assert state_of([], {}, "no such service") == "left out"
    assert state_of(["a.py::test_b"], {"a.py::test_b": "failed"}, "no such service") == "failed"


def test_page_names_three_tests_and_counts_the_others() -> None:
    nodes = [f"tests/test_a.py::test_{n}[{p}]" for n in range(5) for p in "xy"]
    page = render(build_rows({node: ["GEN-01"] for node in nodes}, {}))
    line = next(line for line in page.splitlines() if line.startswith("| GEN-01 |"))
    tests = "<br>".join(f"`tests/test_a.py::test_{n}`" for n in range(3))
    assert line.endswith(f"| {tests}<br>+2 | not run |")
    assert re.search(r"\| total \| 582 \| 397 \| 0 \| 0 \| 1 \| \d+ \| \d+ \|", page)
