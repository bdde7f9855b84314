"""Breaks the bridge at every place of faults.toml, and expects the tests named there to fail.

`make mutants`, or `python -m tests.mutants WORD` for the faults whose place, promise or tests
hold that word. Nothing of the project is changed: faults are made in copies of it. The exit
status is 0 when the tests pass without a fault and every fault makes all of its tests fail.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from tests.mutants.places import Change, Fault, Moved, broken, read_table
from tests.mutants.trees import Trees, Verdict, each


def main() -> int:
    """The command line; prints a line per fault, and at the end what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("word", nargs="*", help="only faults that hold one of these words")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--list", action="store_true", help="look for the places, and run nothing")
    arguments = parser.parse_args()
    faults = [fault for fault in read_table() if _wanted(fault, arguments.word)]
    changes, moved = _places(faults)
    for line in moved:
        print(line)
    if arguments.list:
        for fault, change in changes.items():
            print(f"{change.path}:{change.line}  {fault}")
        return 1 if moved else 0
    if not changes:
        print("There is no such fault.")
        return 1
    trees = Trees(max(arguments.jobs, 1))
    try:
        return _run(trees, changes) or (1 if moved else 0)
    finally:
        trees.close()


def _run(trees: Trees, changes: dict[Fault, Change]) -> int:
    tests = sorted({test for fault in changes for test in fault.tests})
    print(f"{len(changes)} faults. Without one, their {len(tests)} tests have to pass:", flush=True)
    whole = trees.judge(None, tests, "-n", str(trees.count), "--dist", "worksteal")
    broken_anyway = [test for test in tests if any(one.startswith(test) for one in whole.failed)]
    if whole.word == "ERROR":
        print(f"they cannot be run.\n{whole.said}")
        return 2
    print("they do." if not broken_anyway else "these do not, and prove nothing:", flush=True)
    print("".join(f"  {test}\n" for test in broken_anyway), end="", flush=True)

    def judge(fault: Fault) -> Verdict:
        if any(test in broken_anyway for test in fault.tests):
            return Verdict("ERROR", "a test of it fails without a fault")
        return trees.judge(changes[fault], fault.tests)

    began, wrong = time.monotonic(), []
    judged = each(trees, list(changes), judge)
    for done, (fault, verdict) in enumerate(judged, 1):
        print(f"{done:4}/{len(changes)}  {verdict.word:10}  {fault}", flush=True)
        if verdict.word != "caught":
            wrong.append((fault, verdict))
    _report(changes, wrong)
    print(f"{len(changes) - len(wrong)} of {len(changes)} caught, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def _report(changes: dict[Fault, Change], wrong: Sequence[tuple[Fault, Verdict]]) -> None:
    for fault, verdict in wrong:
        change = changes[fault]
        print(f"\n{verdict.word}: {fault}\n  {change.path}:{change.line}")
        print("  " + "\n  ".join(fault.tests))
        print(verdict.said)


def _places(faults: Sequence[Fault]) -> tuple[dict[Fault, Change], list[str]]:
    changes, moved = {}, []
    for fault in faults:
        try:
            changes[fault] = broken(fault)
        except Moved as error:
            moved.append(f"MOVED: {fault.promise}: {error}")
    return changes, moved


def _wanted(fault: Fault, words: Sequence[str]) -> bool:
    said = " ".join((fault.promise, fault.place, *fault.tests))
    return not words or any(word in said for word in words)


if __name__ == "__main__":
    sys.exit(main())
