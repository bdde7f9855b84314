"""Results: asked for, pushed, forged, out of scale; and the files that staff exchange."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import urllib3

from lti_bridge.core.attempt.provider import Report, Started
from lti_bridge.core.grade.scores import Score
from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.errors import BadRequest, ProviderDown, ProviderError
from lti_bridge.providers.prov import KIND, errors, registrations
from lti_bridge.providers.prov.csv_files import export_registrations, import_results
from lti_bridge.providers.prov.kind import Prov
from lti_bridge.sandbox.prov import Names
from tests.providers.prov.customer import (
    Customer,
    attempt,
    callback,
    data_of,
    limit_of,
    session,
    sitting,
)

HUNDRED = Decimal(100)


def score(given: object, maximum: object = 100) -> Score:
    return Score(Decimal(str(given)), Decimal(str(maximum)))


# Asked for


def test_a_result_is_asked_for(customer: Customer, provider: Prov) -> None:
    started = provider.start(session(provider))
    assert provider.fetch(sitting(started)) == replace(
        provider.fetch(sitting(started)), state=None, score=None
    )
    domains = {"Hygiene": 50, "Safety": 100}
    customer.control("finish", event_id=started.reference, score=85.5, domains=domains)
    report = provider.fetch(sitting(started))
    assert (report.state, report.score) == ("graded", score("85.5"))
    assert report.attempt_id == "attempt-1"
    assert report.raw == {
        "event_id": started.reference,
        "exam_code": "NB1",
        "overall_score": "85.5",
        "domain_0": "Hygiene: 50",
        "domain_1": "Safety: 100",
    }
    customer.control("finish", event_id=started.reference, score=0)
    again = provider.fetch(sitting(started, state="graded"))
    assert (again.score, again.event == report.event) == (score(0), False)


def test_the_page_of_the_exam_brings_a_result(customer: Customer, provider: Prov) -> None:
    started = provider.start(session(provider))
    urllib3.request("POST", started.handoff.url, fields={"score": "70"})  # type: ignore[union-attr]
    assert provider.fetch(sitting(started)).state == "graded"


@pytest.mark.parametrize(
    ("overall", "expected"), [(200, score(0, 600)), (500, score(300, 600)), (800, score(600, 600))]
)
def test_a_scale_has_a_lowest_score(
    customer: Customer, provider: Prov, overall: int, expected: Score
) -> None:
    started = provider.start(session(provider, score_min=200, score_max=800))
    customer.control("finish", event_id=started.reference, score=overall)
    assert provider.fetch(sitting(started)).score == expected


def test_the_scale_is_that_of_the_activity_now(customer: Customer, provider: Prov) -> None:
    started = provider.start(session(provider))
    customer.control("finish", event_id=started.reference, score=85)
    corrected = session(provider, score_max=500).settings
    assert provider.fetch(sitting(started, corrected)).score == score(85, 500)


@pytest.mark.parametrize("overall", [101, -1, 1e30, "high", True, [1]])
def test_a_score_outside_its_scale_waits_for_a_person(
    customer: Customer, provider: Prov, caplog: pytest.LogCaptureFixture, overall: Any
) -> None:
    started = provider.start(session(provider))
    body = json.dumps({"eventId": started.reference, "overallScore": overall})
    customer.fault(f"/api/results/{started.reference}", times=2, body=body)
    report = provider.fetch(sitting(started))
    assert (report.state, report.score) in (("awaiting-marks", None), (None, None))
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    assert provider.fetch(sitting(started, state="graded")).state is None  # keeps what it has


@pytest.mark.parametrize("written", ["85.50", "85,5"])
def test_numbers_as_text(customer: Customer, provider: Prov, written: str) -> None:
    started = provider.start(session(provider))
    body = json.dumps({"eventId": started.reference, "overallScore": written})
    customer.fault(f"/api/results/{started.reference}", body=body)
    expected = score("85.50") if "." in written else None
    assert provider.fetch(sitting(started)).score == expected


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, errors.AccountRefused),
        ({"status": 500}, ProviderDown),
        ({"drop": True}, ProviderDown),
        ({"delay_s": 3}, ProviderDown),
        ({"status": 200, "body": "<html>"}, ProviderError),
        ({"status": 200, "body": '{"eventId": "other", "overallScore": 1}'}, errors.OtherResult),
        ({"status": 200, "body": '{"examCode": "other", "overallScore": 1}'}, errors.OtherResult),
        ({"status": 200, "body": '{"candidateId": "x", "overallScore": 1}'}, errors.OtherResult),
    ],
)
def test_a_result_that_cannot_be_had(
    customer: Customer, fault: dict[str, Any], error: type[Exception]
) -> None:
    provider = customer.provider(timeout_s=limit_of(fault))
    started = provider.start(session(provider))
    customer.fault(f"/api/results/{started.reference}", **fault)
    with pytest.raises(error):
        provider.fetch(sitting(started))


@pytest.mark.parametrize("fault", [{"status": 404}, {"body": "[]"}, {"body": "{}"}])
def test_no_result_yet(customer: Customer, provider: Prov, fault: dict[str, Any]) -> None:
    started = provider.start(session(provider))
    customer.fault(f"/api/results/{started.reference}", **fault)
    assert provider.fetch(sitting(started)).state is None


def test_a_list_of_results(customer: Customer) -> None:
    provider = customer.provider(result_list_path="data.results")
    started = provider.start(session(provider))
    rows = [{"eventId": "x", "overallScore": 1}, {"eventId": started.reference, "overallScore": 2}]
    body = json.dumps({"data": {"results": [*rows, 7]}})
    customer.fault(f"/api/results/{started.reference}", body=body)
    assert provider.fetch(sitting(started)).score == score(2)


def test_the_secret_in_the_body_asks_by_post(make_customer: Callable[..., Customer]) -> None:
    customer = make_customer(auth_style="body", auth_name="apiKey")
    provider = customer.provider(auth_style="body", auth_name="apiKey")
    started = provider.start(session(provider))
    customer.control("finish", event_id=started.reference, score=3)
    assert provider.fetch(sitting(started)).score == score(3)


# Pushed


def pushed(provider: Prov, document: Any, attempt_id: str = "") -> Report:
    (report,) = provider.read_callback(callback(document, attempt_id))
    return report


def judged(provider: Prov, started: Started, document: Any, **more: Any) -> Report:
    return provider.judge(attempt(started, **more), None, pushed(provider, document))


@pytest.fixture
def listener(customer: Customer) -> Prov:
    """A provider whose Prov cannot be asked."""
    return customer.provider(result_path="")


def test_where_prov_can_be_asked_a_message_is_a_hint(customer: Customer, provider: Prov) -> None:
    report = pushed(provider, {"eventId": "EV1", "overallScore": 100})
    assert (report.hint, report.reference) == (True, "EV1")


def test_a_message_is_judged_by_its_attempt(customer: Customer, listener: Prov) -> None:
    started = listener.start(session(listener, score_min=200, score_max=800))
    document = customer.control("finish", event_id=started.reference, score=650.5)
    report = pushed(listener, document)
    assert (report.hint, report.reference, report.score) == (False, started.reference, None)
    assert judged(listener, started, document).score == score("450.5", 600)
    settings = session(listener, score_max=1000).settings
    later = listener.judge(attempt(started), settings, report)
    assert (later.state, later.score) == ("graded", score("650.5", 1000))
    assert pushed(listener, document).event == report.event
    assert pushed(listener, {**document, "overallScore": 651}).event != report.event
    assert "Änn" not in str(report.raw)


def test_a_message_about_another_event_changes_nothing(
    listener: Prov, caplog: pytest.LogCaptureFixture
) -> None:
    started = listener.start(session(listener))
    for wrong in ({"eventId": "other"}, {"eventId": started.reference, "examCode": "other"}):
        assert judged(listener, started, {**wrong, "overallScore": 9}).state is None
    assert [one.message for one in caplog.records] == ["prov.other-result"] * 2


def test_a_message_without_a_usable_score_takes_no_grade_away(listener: Prov) -> None:
    started = listener.start(session(listener))
    outside = {"eventId": started.reference, "overallScore": 101}
    assert judged(listener, started, outside).state == "awaiting-marks"
    kept = judged(listener, started, outside, state="graded", score=score(5))
    assert kept.state is None
    assert pushed(listener, {"eventId": started.reference}).state is None


def test_results_that_name_no_event(make_customer: Callable[..., Customer]) -> None:
    customer = make_customer(names=Names(event_id=""))
    provider = customer.provider(
        candidate_id="attempt", result_path="", event_id_path="", result_event_id_path=""
    )
    started = provider.start(session(provider))
    document = customer.control("finish", candidate_id="attempt-1", score=7)
    report = pushed(provider, document)
    assert (report.attempt_id, report.reference) == ("attempt-1", "")
    assert judged(provider, started, document).score == score(7)


def test_an_address_of_one_attempt_names_it(customer: Customer) -> None:
    body = '{"candidateId": "{candidate_id}", "examCode": "{exam_code}", "u": "{callback_url}"}'
    provider = customer.provider(result_path="", result_event_id_path="", event_body=body)
    assert pushed(provider, {"overallScore": 7}, "attempt-1").attempt_id == "attempt-1"
    with pytest.raises(BadRequest):
        pushed(provider, {"overallScore": 7})


def test_several_results_in_a_message(listener: Prov) -> None:
    rows = [{"eventId": "EV1", "overallScore": 1}, {"eventId": 2}, {"overallScore": 3}, None]
    found = listener.read_callback(callback(rows))
    assert [(one.reference, one.state) for one in found] == [("EV1", "graded"), ("2", None)]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "{}", "[" * 100_000, '{"eventId": true}', '{"eventId": "\\ud800"}']
)
def test_garbage_is_refused(listener: Prov, text: str) -> None:
    with pytest.raises(BadRequest):
        listener.read_callback(callback(text))


# Files


def registered(provider: Prov, number: int, **more: Any) -> Any:
    asked = session(
        provider, f"l{number}", f"a{number}", starts_at=f"2026-02-0{number}T10:00:00Z", **more
    )
    started = provider.start(asked)
    return registrations.of_data(f"a{number}", data_of(started), asked.settings)


def test_registrations_become_a_file(customer: Customer) -> None:
    provider = customer.provider(base_url="")
    made = registered(provider, 1, address="$A", location_code="H1", resolved={"A": "=cmd()"})
    text = export_registrations([made])
    assert list(csv.DictReader(text.splitlines())) == [
        {
            "attempt_id": "a1",
            "candidate_id": "l1",
            "candidate_name": 'Änn O’Neil "A"',
            "address": "'=cmd()",
            "exam_name": "Nursing basics",
            "exam_code": "NB1",
            "location_code": "H1",
            "starts_at": "2026-02-01T10:00:00+00:00",
        }
    ]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "＋", "－", "＠"])
def test_no_cell_becomes_a_formula_and_the_file_comes_back(customer: Customer, begin: str) -> None:
    made = registered(customer.provider(base_url=""), 1)
    formula = f"{begin}HYPERLINK(1)"
    named = {"given_name": formula, "address": formula}
    # as pydantic would not make them: the export must not rely on how they were made
    candidate = made.candidate.model_copy(update={**named, "candidate_id": formula})
    codes = dict.fromkeys(("exam_name", "exam_code", "location_code"), formula)
    event = made.event.model_copy(update=codes)
    kept = {"attempt_id": formula, "candidate": candidate, "event": event}
    made = made.model_copy(update=kept)
    (cells,) = csv.DictReader(io.StringIO(export_registrations([made]), newline=""))
    assert [name for name, cell in cells.items() if cell[:1] != "'"] == ["starts_at"]
    if len(begin) == 1:  # codes hold no white space
        row = {**cells, "overall_score": "4.5"}
        text = io.StringIO()
        table = csv.DictWriter(text, row)
        table.writeheader()
        table.writerow(row)
        assert import_results(text.getvalue(), [made]) == [ImportedLine(2, formula, score("4.5"))]


def test_where_there_is_an_api_no_name_is_kept(provider: Prov) -> None:
    made = registered(provider, 1)
    assert made.candidate.name == ""
    kept = provider.start(session(provider, "l9", "a9"))
    assert "candidate" not in data_of(kept)


def test_results_come_back_as_a_file(customer: Customer) -> None:
    provider = customer.provider(base_url="")
    known = [registered(provider, n, score_min=200, score_max=800) for n in (1, 2, 3)]
    twice = session(provider, "l3", "a4", starts_at="2026-02-04T10:00:00Z")
    known.append(registrations.of_data("a4", data_of(provider.start(twice)), None))
    rows = [
        "l1,NB1,500,",
        "l1,NB1,501,",
        "l9,NB1,500,",
        "l2,NB2,500,",
        "l2,NB1,900,",
        "l2,NB1,x,",
        'l2,NB1,"650,5",',
        "l3,NB1,500,",
        "l3,NB1,500,a1",
        "l3,NB1,50,a4",
        "l3",
    ]
    text = "\ufeffCandidate ID,Exam Code,Overall Score,Attempt ID\r\n" + "\r\n".join(rows)
    found = import_results(text, known)
    assert [one for one in found if one.score] == [
        ImportedLine(2, "a1", score(300, 600)),
        ImportedLine(8, "a2", score("450.5", 600)),
        ImportedLine(11, "a4", score(50)),
    ]
    refused = {one.number: one.problem for one in found if one.problem}
    assert {number: problem.split(":")[0] for number, problem in refused.items()} == {
        3: "candidate_id",
        4: "candidate_id",
        5: "exam_code",
        6: "overall_score",
        7: "overall_score",
        9: "attempt_id",
        10: "attempt_id",
        12: "exam_code",
    }
    assert "200 to 800" in refused[6]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_files_of_other_offices(customer: Customer, delimiter: str) -> None:
    provider = customer.provider(base_url="")
    known = [registered(provider, 1)]
    lines = [["overall_score", "candidate_id", "exam_code"], ["4,5", "l1", "NB1"]]
    text = "\n".join(delimiter.join(cells) for cells in lines)
    assert import_results(text, known) == [ImportedLine(2, "a1", score("4.5"))]


@pytest.mark.parametrize("text", ["", "candidate_id,exam_code\n", "\x00"])
def test_a_file_without_the_columns(text: str) -> None:
    (found,) = import_results(text, [])
    assert found.number == 1
    assert found.problem.startswith("there is no column ")


def test_its_name() -> None:
    assert (KIND.name, KIND.needs) == ("prov", {"given_name", "family_name"})
