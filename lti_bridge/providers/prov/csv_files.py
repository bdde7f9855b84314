"""Files instead of calls: registrations for Prov, and results that staff bring back, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.providers.prov.model import Registration
from lti_bridge.providers.prov.results import number_of

COLUMNS = (
    "attempt_id",
    "candidate_id",
    "candidate_name",
    "address",
    "exam_name",
    "exam_code",
    "location_code",
    "starts_at",
)
CANDIDATE, EXAM, SCORE, ATTEMPT = "candidate_id", "exam_code", "overall_score", "attempt_id"
NEEDED = (CANDIDATE, EXAM, SCORE)
# What a spreadsheet takes for the beginning of a formula, in either width.
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def export_registrations(registrations: Iterable[Registration]) -> str:
    """One line for each registration, under the names of COLUMNS."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for one in registrations:
        candidate, event = one.candidate, one.event
        cells = (
            one.attempt_id,
            candidate.candidate_id,
            candidate.name,
            candidate.address,
            event.exam_name,
            event.exam_code,
            event.location_code,
            event.starts_at.isoformat(),
        )
        table.writerow([_harmless(text) for text in cells])
    return out.getvalue()


def import_results(text: str, registrations: Iterable[Registration]) -> list[ImportedLine]:
    """Read results: columns candidate_id, exam_code, overall_score and, if need be, attempt_id.

    `registrations` are the attempts that may get a result. Case, spaces and underscores in the
    names of columns do not count, and columns are separated by commas, semicolons or tabs.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)
    table = csv.DictReader(io.StringIO("".join(lines), newline=""), delimiter=delimiter)
    names = {_plain(name): name for name in table.fieldnames or ()}
    missing = [name for name in NEEDED if _plain(name) not in names]
    if missing:
        return [ImportedLine(1, problem=f"there is no column {', '.join(missing)}")]
    imported: list[ImportedLine] = []
    expected = list(registrations)
    seen: set[str] = set()
    try:
        for row in table:
            cells = {
                name: _as_it_was((row.get(names.get(_plain(name), "")) or "").strip())
                for name in (*NEEDED, ATTEMPT)
            }
            imported.append(_read(table.line_num, cells, expected, seen))
    except csv.Error as error:
        imported.append(ImportedLine(table.line_num, problem=f"unreadable from here on: {error}"))
    return imported


def _read(
    number: int, cells: Mapping[str, str], expected: list[Registration], seen: set[str]
) -> ImportedLine:
    def refused(problem: str) -> ImportedLine:
        return ImportedLine(number, problem=problem)

    found = [one for one in expected if one.candidate.candidate_id == cells[CANDIDATE]]
    if not found:
        return refused(f"{CANDIDATE}: nobody is registered under it")
    found = [one for one in found if one.event.exam_code == cells[EXAM]]
    if not found:
        return refused(f"{EXAM}: this candidate is not registered for it")
    if cells[ATTEMPT]:
        found = [one for one in found if one.attempt_id == cells[ATTEMPT]]
    if len(found) != 1:
        return refused(f"{ATTEMPT}: must say which of this candidate's attempts is meant")
    if found[0].attempt_id in seen:
        return refused(f"{CANDIDATE}: stands in an earlier line too")
    overall = number_of(cells[SCORE].replace(",", "."))
    score = found[0].scale.score(overall) if overall is not None else None
    if score is None:
        scale = found[0].scale
        return refused(f"{SCORE}: must be a number from {scale.score_min} to {scale.score_max}")
    seen.add(found[0].attempt_id)
    return ImportedLine(number, found[0].attempt_id, score)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "").replace("_", "")


def _harmless(text: str) -> str:
    """What learners, tests and attempts are called must not become a formula in a spreadsheet."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _as_it_was(text: str) -> str:
    """The opposite of `_harmless`, for a file that comes back."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
