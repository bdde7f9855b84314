"""What a long run has found so far, so that it can go on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutants.places import ROOT

FILE = ROOT / "build" / "mutants-random.jsonl"  # one line for each thing that was found
JUDGED_BY = ("lti_bridge", "tests", "pyproject.toml")


class Record:
    """The verdicts of one state of the code, by place; of another state nothing counts any more."""

    def __init__(self, file: Path, state: str) -> None:
        self._file = file
        self.verdicts: dict[str, dict[str, str]] = {}
        self.whole: dict[str, list[str]] = {}  # by what is run without a fault: the tests that fail
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        found = [one for line in lines if (one := _object(line))]
        if found[:1] != [{"state": state}]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"state": state}) + "\n", encoding="utf-8")
            return
        for one in found[1:]:
            self._take(one)

    def judged(self, place: str, word: str, by: str) -> None:
        """Keep a verdict, and which test or step it is from."""
        self._keep({"place": place, "word": word, "by": by})

    def ran(self, steps: Iterable[str], failed: Iterable[str]) -> None:
        """Keep which tests of these steps fail without a fault."""
        broken = [*failed]
        for step in steps:
            self._keep({"step": step, "failed": [one for one in broken if is_in(one, step)]})

    def failing(self, step: str) -> list[str] | None:
        """The tests of a step that fail without a fault; None when it was not run so yet."""
        if step in self.whole:
            return self.whole[step]
        outer = [failed for one, failed in self.whole.items() if is_in(step, one)]
        return [one for one in outer[0] if is_in(one, step)] if outer else None

    def _keep(self, one: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
        self._take(one)

    def _take(self, one: dict[str, Any]) -> None:
        if "step" in one:
            self.whole[one["step"]] = one["failed"]
        else:
            self.verdicts[one["place"]] = {"word": one["word"], "by": one["by"]}


def is_in(test: str, step: str) -> bool:
    """Whether a test is that of a step: a folder, or a file."""
    return test == step or test.startswith((f"{step}/", f"{step}::"))


def state_of(files: Iterable[Path], *more: object, root: Path = ROOT) -> str:
    """A digest of everything that a verdict depends on; paths are relative to the project."""
    digest = hashlib.sha256(repr(more).encode())
    for file in sorted(one for one in files if one.parts[0] in JUDGED_BY):
        digest.update(f"\0{file}\0".encode() + (root / file).read_bytes())
    return digest.hexdigest()


def _object(line: str) -> dict[str, Any]:
    """One line; nothing for the half of one, where a run was stopped as it wrote."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
