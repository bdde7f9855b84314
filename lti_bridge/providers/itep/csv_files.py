"""Results that staff bring by hand: a CSV file with the columns OID, Overall_Level, Status."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field

from lti_bridge.core.scoring import Score
from lti_bridge.providers.itep.results import COMPLETE, score_of

OID, LEVEL, STATUS = "OID", "Overall_Level", "Status"


@dataclass(frozen=True, slots=True)
class Imported:
    """Scores by attempt id, and one sentence for each row that gives none."""

    results: list[tuple[str, Score]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def import_results(text: str, attempt_of: Callable[[str], str]) -> Imported:
    """Read the rows. `attempt_of` gives the attempt id of an OID, empty for a foreign one.

    Commas, semicolons and tabs separate columns; other columns are left alone.
    """
    imported = Imported()
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    header = lines[0] if lines else ""
    table = csv.DictReader(
        io.StringIO("".join(lines), newline=""), delimiter=max(",;\t", key=header.count)
    )
    missing = [name for name in (OID, LEVEL, STATUS) if name not in (table.fieldnames or ())]
    if missing:
        imported.problems.append(f"line 1: there is no column {', '.join(missing)}")
        return imported
    seen: set[str] = set()
    for row in table:
        cells = {name: (row[name] or "").strip() for name in (OID, LEVEL, STATUS)}
        attempt_id, score, problem = _read(cells, attempt_of, seen)
        if score is None:
            imported.problems.append(f"line {table.line_num}, {problem}")
        else:
            seen.add(attempt_id)
            imported.results.append((attempt_id, score))
    return imported


def _read(
    cells: dict[str, str], attempt_of: Callable[[str], str], seen: set[str]
) -> tuple[str, Score | None, str]:
    """Attempt id, score, and the problem when there is no score."""
    attempt_id = attempt_of(cells[OID])
    if not attempt_id:
        return "", None, f"{OID}: is none that this connection has given out"
    if attempt_id in seen:
        return "", None, f"{OID}: stands in an earlier line too"
    if cells[STATUS] not in COMPLETE:
        return "", None, f"{STATUS}: only Complete or Completed brings a grade"
    score = score_of(cells[LEVEL].replace(",", "."))
    return attempt_id, score, f"{LEVEL}: must be a number from 0 to 6"
