"""Results: web-hooks in both vocabularies, resets, invalidations, forgeries, files by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from lti_bridge.core.attempt.provider import Report
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.errors import AccessRefused, BadRequest
from lti_bridge.providers.itep import oids
from lti_bridge.providers.itep.kind import Itep
from tests.providers.itep.account import ATTEMPT, Account, attempt, callback, session

SIX = Decimal(6)
FOUR_AND_A_HALF = Score(Decimal("4.5"), SIX)


def data(provider: Itep, status: str = "Complete", **more: Any) -> dict[str, Any]:
    oid = oids.issue(provider.tools.sign, ATTEMPT)
    return {"OID": oid, "TestID": "1AP", "Status": status, **more}


def read(provider: Itep, told: Any, **more: Any) -> Report:
    (report,) = provider.read_callback(callback(told, **more))
    return report


def judged(provider: Itep, told: Any, state: str = "started", score: Any = None) -> Report:
    return provider.judge(attempt(state, score), None, read(provider, told))


@pytest.mark.parametrize("old_words", [True, False])
def test_the_life_of_a_test(make_account: Callable[..., Account], old_words: bool) -> None:
    account = make_account(old_words=old_words, graded_later=True)
    provider = account.provider()
    test_id = provider.start(session(provider)).reference
    account.control("finish", **{"test-id": test_id})
    account.control("finish", **{"test-id": test_id, "level": 4.5})
    for act in ("technical", "invalidate", "reset"):
        account.control(act, **{"test-id": test_id})
    reports = [provider.read_callback(one)[0] for one in account.told()]
    assert {report.attempt_id for report in reports} == {ATTEMPT}
    assert [report.state for report in reports] == [
        "finished",
        "graded",
        "awaiting-marks",
        "invalidated",
        "started",
    ]
    assert [report.score for report in reports] == [None, FOUR_AND_A_HALF, None, None, None]
    assert len({report.event for report in reports}) == 5
    assert all("report" not in str(report.raw) for report in reports)


@pytest.mark.parametrize(
    ("level", "given"),
    [(4.5, "4.5"), ("4.5", "4.5"), (0, "0"), ("0.0", "0.0"), (6, "6"), ("6.0", "6.0")],
)
def test_levels_are_out_of_six(provider: Itep, level: Any, given: str) -> None:
    report = read(provider, data(provider, Overall_Level=level))
    assert (report.state, report.score) == ("graded", Score(Decimal(given), SIX))
    assert not report.hint  # nobody else can be asked


@pytest.mark.parametrize(
    "level", [None, "", "B2", "NaN", "Infinity", 6.1, -1, True, [4], "1E-999", "9" * 5000]
)
def test_a_level_that_is_none_waits_for_a_person(
    provider: Itep, caplog: pytest.LogCaptureFixture, level: Any
) -> None:
    report = read(provider, data(provider, Overall_Level=level))
    assert (report.state, report.score) == ("awaiting-marks", None)
    assert [one.message for one in caplog.records] == ["itep.grade-unusable"]


@pytest.mark.parametrize("status", ["", "complete", "Paused", "\ud800", None])
def test_an_unknown_state_is_never_final(
    provider: Itep, caplog: pytest.LogCaptureFixture, status: Any
) -> None:
    report = read(provider, data(provider, status, Overall_Level=5))
    assert (report.state, report.score) == (None, None)
    assert [one.message for one in caplog.records] == ["itep.unknown-status"]


@pytest.mark.parametrize("status", ["Problem", "Technical Difficulty"])
def test_a_technical_problem_is_said(
    provider: Itep, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    assert read(provider, data(provider, status)).state == "awaiting-marks"
    assert [one.message for one in caplog.records] == ["itep.technical-problem"]


@pytest.mark.parametrize(("old", "new"), [("Started", "Incomplete"), ("Disabled", "Invalidated")])
def test_words_that_no_hook_of_the_sandbox_uses(provider: Itep, old: str, new: str) -> None:
    assert read(provider, data(provider, old)).state == read(provider, data(provider, new)).state
    assert read(provider, data(provider, "Review")).state == "awaiting-marks"


def test_only_marks_are_kept(provider: Itep) -> None:
    told = data(
        provider,
        Overall_Level=4.5,
        Overall_cefr="B2",
        Grammar_Level="4.0",
        Grammar_Score=70,
        First_Name="Ann",
        Email="ann@example.org",
        score_report_url="https://x.example/secret",
    )
    raw = read(provider, told).raw
    assert raw == {
        "TestID": "1AP",
        "Status": "Complete",
        "Overall_Level": "4.5",
        "Overall_cefr": "B2",
        "Grammar_Level": "4.0",
        "Grammar_Score": "70",
    }


# Forgeries


def test_an_oid_must_be_ours(provider: Itep) -> None:
    good = data(provider, Overall_Level=6)
    mac = good["OID"].rpartition(".")[2]
    other = "att-9999999999-abcdefg"
    for oid in ("", None, ATTEMPT, f"{ATTEMPT}.", f"{other}.{mac}", f".{mac}", "ä.ö", "\ud800", 7):
        with pytest.raises(AccessRefused):
            provider.read_callback(callback({**good, "OID": oid}))
    with pytest.raises(AccessRefused):  # an address made for another attempt
        provider.read_callback(callback(good, attempt_id=other))
    assert read(provider, good, attempt_id=ATTEMPT).attempt_id == ATTEMPT


def test_the_agreed_header(account: Account) -> None:
    provider = account.provider(hook_header_name="X-Auth", hook_header_value="Basic abc=")
    told = data(provider, "Finished")
    for headers in ({}, {"X-Auth": ""}, {"X-Auth": "basic abc="}, {"X-Auth": "ä"}):
        with pytest.raises(AccessRefused):
            provider.read_callback(callback(told, **headers))
    assert read(provider, told, **{"x-AUTH": "Basic abc="}).state == "finished"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', "[" * 100_000, "9" * 5000, '{"OID":1e9999999999999999999}'],
)
def test_garbage_is_refused(provider: Itep, text: str) -> None:
    with pytest.raises(BadRequest):
        provider.read_callback(callback(text))


def test_a_hook_without_its_field(provider: Itep) -> None:
    told = callback({})
    told.form.clear()  # type: ignore[attr-defined]
    with pytest.raises(BadRequest):
        provider.read_callback(told)


# What it means for the grade


def test_a_repeated_message_is_the_same_event(provider: Itep) -> None:
    told = data(provider, Overall_Level=4.5)
    first = judged(provider, told)
    assert judged(provider, told, "graded", first.score).event == first.event
    corrected = judged(provider, {**told, "Overall_Level": 5}, "graded", first.score)
    assert corrected.event != first.event


@pytest.mark.parametrize("status", ["Finished", "Review", "Problem"])
def test_a_late_message_takes_no_grade_away(provider: Itep, status: str) -> None:
    report = judged(provider, data(provider, status), "graded", FOUR_AND_A_HALF)
    assert report.state is None


@pytest.mark.parametrize("status", ["Ready", "Incomplete", "Started"])
def test_a_reset_opens_the_attempt_and_keeps_its_grade(
    provider: Itep, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    told = data(provider, Overall_Level=4.5)
    first = judged(provider, told)
    report = judged(provider, data(provider, status), "graded", FOUR_AND_A_HALF)
    assert (report.state, report.score) == ("started", FOUR_AND_A_HALF)
    assert "itep.reset" in caplog.text
    # handed in again: the grade stands until the new one comes, even if that is the same
    waiting = judged(provider, data(provider, "Finished"), "started", FOUR_AND_A_HALF)
    assert (waiting.state, waiting.score) == ("finished", FOUR_AND_A_HALF)
    again = judged(provider, told, "finished", FOUR_AND_A_HALF)
    assert again.event != first.event
    second = judged(provider, data(provider, status), "graded", FOUR_AND_A_HALF)
    assert second.event != report.event


def test_ready_of_a_test_that_nobody_took_is_no_reset(
    provider: Itep, caplog: pytest.LogCaptureFixture
) -> None:
    assert judged(provider, data(provider, "Ready")).state == "started"
    assert not caplog.records


def test_an_invalidated_test_sends_nothing(provider: Itep) -> None:
    report = judged(provider, data(provider, "Invalidated"), "finished")
    assert (report.state, report.score) == ("invalidated", None)


@pytest.mark.parametrize("clears", [True, False])
def test_an_invalidated_grade(
    account: Account, caplog: pytest.LogCaptureFixture, clears: bool
) -> None:
    provider = account.provider(clear_on_invalidation=clears)
    report = judged(provider, data(provider, "Invalidated"), "graded", FOUR_AND_A_HALF)
    assert report.state == "invalidated"
    assert report.score == (None if clears else FOUR_AND_A_HALF)
    said = [(one.levelname, one.message) for one in caplog.records]
    assert said == ([] if clears else [("ERROR", "itep.invalidated-after-grade")])


# By hand


def test_a_file_brings_results(provider: Itep) -> None:
    good = oids.issue(provider.tools.sign, ATTEMPT)
    other = oids.issue(provider.tools.sign, "other")
    rows = [
        f"{good},4.5,Complete,x",
        f"{good},5,Complete,x",
        f"{other},7,Completed,x",
        f"{other},,Completed,x",
        f"{other},4,Finished,x",
        "forged.aaaaaaaaaaaa,4,Complete,x",
        f"{other}",
        f'{other},"3,5",Completed,"two\nlines"',
    ]
    text = "\ufeffOID,Overall_Level,Status,Note\r\n" + "\r\n".join(rows) + "\r\n"
    found = provider.import_results(text, [])
    assert [(one.number, one.attempt_id, one.score) for one in found if one.score] == [
        (2, ATTEMPT, FOUR_AND_A_HALF),
        (10, "other", Score(Decimal("3.5"), SIX)),
    ]
    assert [(one.number, one.problem.split(":")[0]) for one in found if one.problem] == [
        (3, "OID"),
        (4, "Overall_Level"),
        (5, "Overall_Level"),
        (6, "Status"),
        (7, "OID"),
        (8, "Status"),
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_files_of_other_offices(provider: Itep, delimiter: str) -> None:
    good = oids.issue(provider.tools.sign, ATTEMPT)
    lines = [["Status", "OID", "Overall_Level"], ["Complete", good, "4,5"]]
    text = "\n".join(delimiter.join(cells) for cells in lines)
    assert provider.import_results(text, []) == [ImportedLine(2, ATTEMPT, FOUR_AND_A_HALF)]


@pytest.mark.parametrize("text", ["", "OID,Status\n", "Overall_Level\n1\n", "\x00"])
def test_a_file_without_the_columns(provider: Itep, text: str) -> None:
    (found,) = provider.import_results(text, [])
    assert found.number == 1
    assert found.problem.startswith("there is no column ")


def test_a_cell_beyond_all_sense_loses_no_line_before_it(provider: Itep) -> None:
    good = oids.issue(provider.tools.sign, ATTEMPT)
    text = f"OID,Overall_Level,Status\n{good},4.5,Complete\n{'x' * 200_000},1,Complete\n"
    found = provider.import_results(text, [])
    assert found[0] == ImportedLine(2, ATTEMPT, FOUR_AND_A_HALF)
    assert found[1].problem.startswith("unreadable from here on")
