"""Results that staff bring by hand: a CSV file with the columns OID, Overall_Level, Status."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.providers.itep.results import COMPLETE, score_of

OID, LEVEL, STATUS = "OID", "Overall_Level", "Status"


def import_results(text: str, attempt_of: Callable[[str], str]) -> list[ImportedLine]:
    """Read the rows. `attempt_of` gives the attempt id of an OID, empty for a foreign one.

    Commas, semicolons and tabs separate columns; other columns are left alone.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    header = lines[0] if lines else ""
    table = csv.DictReader(
        io.StringIO("".join(lines), newline=""), delimiter=max(",;\t", key=header.count)
    )
    missing = [name for name in (OID, LEVEL, STATUS) if name not in (table.fieldnames or ())]
    if missing:
        return [ImportedLine(1, problem=f"there is no column {', '.join(missing)}")]
    imported: list[ImportedLine] = []
    seen: set[str] = set()
    try:
        for row in table:
            cells = {name: (row[name] or "").strip() for name in (OID, LEVEL, STATUS)}
            imported.append(_read(table.line_num, cells, attempt_of(cells[OID]), seen))
    except csv.Error as error:
        imported.append(ImportedLine(table.line_num, problem=f"unreadable from here on: {error}"))
    return imported


def _read(number: int, cells: dict[str, str], attempt_id: str, seen: set[str]) -> ImportedLine:
    def refused(problem: str) -> ImportedLine:
        return ImportedLine(number, attempt_id, problem=problem)

    if not attempt_id:
        return refused(f"{OID}: is none that this connection has given out")
    if attempt_id in seen:
        return refused(f"{OID}: stands in an earlier line too")
    if cells[STATUS] not in COMPLETE:
        return refused(f"{STATUS}: only Complete or Completed brings a grade")
    score = score_of(cells[LEVEL].replace(",", "."))
    if score is None:
        return refused(f"{LEVEL}: must be a number from 0 to 6")
    seen.add(attempt_id)
    return ImportedLine(number, attempt_id, score)
