"""Registering exams over real HTTP: what is sent, what is reserved, and every way to fail."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_bridge.core.launch.handoff import InfoPage, Redirect
from lti_bridge.errors import AnswerLost, BridgeError, NetworkRefused, ProviderBusy, ProviderDown
from lti_bridge.providers.prov import KIND, errors
from lti_bridge.providers.prov.kind import Prov
from tests.providers.prov.customer import (
    ANN,
    HALL,
    HOOK,
    PAT,
    WHEN,
    WIRE,
    Customer,
    limit_of,
    session,
    sitting,
)

PRIVATE = ("Änn", "O’Neil", "ann@example.org", "Main Street", WIRE["auth_value"])


def at_hall(customer: Customer, **settings: Any) -> Prov:
    return customer.provider(centres=[HALL], proctors=[PAT], remote_locations=["HOME"], **settings)


# What is sent and shown


def test_candidate_and_event_go_out_and_the_page_comes_back(
    customer: Customer, provider: Prov
) -> None:
    asked = session(provider, address="$Addr", location_code="HOME", resolved={"Addr": '1 "M" St'})
    started = provider.start(asked)
    (event,) = customer.state()["events"]
    assert customer.state()["candidates"] == [
        {"candidateId": "learner-1", "candidateName": 'Änn O’Neil "A"', "address": '1 "M" St'}
    ]
    assert event["sent"] == {
        "candidateId": "learner-1",
        "examName": "Nursing basics",
        "examCode": "NB1",
        "where": {"code": "HOME", "label": " / "},
        "dateTime": WHEN,
        "count": 1,
    }
    assert started.reference == event["event_id"]
    assert started.handoff == Redirect(f"{customer.running.url}/exam/{event['token']}")
    assert started.expects_result
    assert provider.resume(session(provider, started=started)) == started.handoff
    assert len(customer.state()["events"]) == 1
    for private in PRIVATE:
        assert private not in json.dumps(dict(started.data), ensure_ascii=False)


def test_an_exam_of_an_own_centre_is_an_appointment(customer: Customer) -> None:
    words = {"appointment_title": "Angemeldet", "appointment_text": "Eins.\nZwei."}
    provider = at_hall(customer, event_url_path="", **words)
    started = provider.start(session(provider, location_code="H1"))
    assert started.handoff == InfoPage(
        "Angemeldet",
        ("Eins.", "Zwei."),
        (
            ("Exam", "Nursing basics"),
            ("Time", "Sunday, 01 February 2026, 10:00 (UTC+01:00)"),
            ("Place", "Hall, 2 Main Street"),
        ),
    )
    assert (
        provider.resume(session(provider, location_code="H1", started=started)) == started.handoff
    )
    assert customer.state()["events"][0]["sent"]["where"]["label"] == "Hall / 2 Main Street"


def test_own_centres_and_their_proctors_go_before(customer: Customer) -> None:
    other = {**PAT, "user_name": "sam", "centre_codes": ["H2"]}
    provider = customer.provider(
        centres=[HALL, {**HALL, "code": "H2"}], proctors=[PAT, other], remote_locations=["HOME"]
    )
    provider.start(session(provider, "l0", "a0", location_code="HOME"))
    provider.start(session(provider, "l1", "a1", location_code="H1"))
    provider.start(session(provider, "l2", "a2", location_code="H1"))
    assert customer.state()["centres"] == [{"centerCode": "H1", "name": "Hall, 2 Main Street"}]
    assert customer.state()["proctors"] == [
        {"userName": "pat", "name": "Pat", "password": "pat's", "centers": ["H1"]}
    ]
    order = ["candidates", "events", "centers", "proctors", *["candidates", "events"] * 2]
    assert customer.paths() == [f"/api/{name}" for name in order]


@pytest.mark.parametrize(
    ("style", "name"), [("header", "X-K"), ("basic", "user"), ("bearer", ""), ("body", "apiKey")]
)
def test_every_way_to_prove_who_calls(
    make_customer: Callable[..., Customer], style: str, name: str
) -> None:
    customer = make_customer(auth_style=style, auth_name=name)
    provider = customer.provider(auth_style=style, auth_name=name)
    started = provider.start(session(provider))
    assert started.reference
    assert WIRE["auth_value"] not in "".join(customer.paths())
    wrong = customer.provider(auth_style=style, auth_name=name, auth_value="other")
    with pytest.raises(errors.AccountRefused):
        wrong.start(session(wrong, "l2", "a2"))


def test_all_placeholders(customer: Customer) -> None:
    body = json.dumps(
        {
            "candidateId": "{candidate_id}",
            "examCode": "{exam_code}",
            "all": "{given_name}|{family_name}|{email}|{starts_at_utc}|{date}|{time}|"
            "{extra_time_percent}|{attempt_id}|{callback_url}|{return_url}",
        }
    )
    provider = customer.provider(
        candidate_id="attempt",
        event_body=body,
        event_path="/api/events",
        candidate_path="",
        candidate_body="",
    )
    provider.start(session(provider, extra_time=25))
    (event,) = customer.state()["events"]
    assert event["candidate_id"] == "attempt-1"
    assert event["sent"]["all"].split("|") == [
        ANN.given_name,
        ANN.family_name,
        ANN.email,
        "2026-02-01T09:00:00Z",
        "2026-02-01",
        "10:00",
        "25",
        "attempt-1",
        HOOK,
        "https://bridge.example.edu/platform/return/h",
    ]


def test_values_stay_inside_paths(customer: Customer, provider: Prov) -> None:
    customer.fault(status=200, body='{"eventId": "../x?y#/z"}')
    started = provider.start(session(provider))
    assert provider.fetch(sitting(started)).state is None
    assert customer.paths()[-1] == "/api/results/..%2Fx%3Fy%23%2Fz"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://prov.example.org/", "", 7, None])
def test_only_a_safe_page_is_opened(customer: Customer, provider: Prov, url: Any) -> None:
    customer.fault(status=200, body=json.dumps({"eventId": 5, "examUrl": url}))
    started = provider.start(session(provider))
    assert isinstance(started.handoff, InfoPage)
    assert started.reference == "5"


def test_an_exam_without_a_time_is_now(customer: Customer, provider: Prov) -> None:
    provider.start(session(provider, starts_at=""))
    provider.start(session(provider, attempt_id="a2", starts_at=""))
    times = [event["sent"]["dateTime"] for event in customer.state()["events"]]
    assert times == ["2026-01-05T12:00:00+00:00"] * 2


def test_without_an_address_nothing_is_sent(customer: Customer) -> None:
    provider = customer.provider(base_url="")
    started = provider.start(session(provider))
    assert isinstance(started.handoff, InfoPage)
    assert (customer.sent, started.expects_result) == ([], False)
    assert KIND.repeatable(None) is False


def test_extra_time_that_no_document_tells_is_for_a_person(
    provider: Prov, caplog: pytest.LogCaptureFixture
) -> None:
    provider.start(session(provider))
    assert not caplog.records
    provider.start(session(provider, "l2", "a2", extra_time=50))
    assert [one.message for one in caplog.records] == ["prov.extra-time-by-hand"]


# Seats, double bookings, retakes


def test_seats_run_out(customer: Customer) -> None:
    provider = at_hall(customer)
    for number in (1, 2):
        provider.start(session(provider, f"l{number}", f"a{number}", location_code="H1"))
    with pytest.raises(errors.NoSeats):
        provider.start(session(provider, "l3", "a3", location_code="H1", exam_code="OTHER"))
    assert customer.seats.held("a3") == []
    assert len(customer.state()["candidates"]) == 2
    later = "2026-02-01T14:00:00+01:00"
    provider.start(session(provider, "l3", "a3", location_code="H1", starts_at=later))
    for number in range(4, 9):  # elsewhere there is room for all
        provider.start(session(provider, f"l{number}", f"a{number}", location_code="HOME"))


def test_the_last_seat_is_taken_once(customer: Customer) -> None:
    provider = at_hall(customer)

    def start(number: int) -> str:
        try:
            provider.start(session(provider, f"l{number}", f"a{number}", location_code="H1"))
        except errors.NoSeats:
            return "full"
        return "seat"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(start, range(8))) == ["full"] * 6 + ["seat"] * 2


def test_nobody_is_at_two_exams_at_once(customer: Customer) -> None:
    provider = at_hall(customer)
    provider.start(session(provider, location_code="H1"))
    same_moment = "2026-02-01T09:00:00Z"
    with pytest.raises(errors.DoubleBooked):
        provider.start(
            session(provider, attempt_id="a2", location_code="HOME", starts_at=same_moment)
        )
    assert customer.seats.held("a2") == []
    assert len(customer.seats.held("attempt-1")) == 2
    other = "2026-02-01T09:30:00Z"
    provider.start(session(provider, attempt_id="a2", location_code="HOME", starts_at=other))


def test_sittings_are_counted_at_all_links(provider: Prov, customer: Customer) -> None:
    def sit(number: int, **more: Any) -> None:
        when = f"2026-02-0{number}T10:00:00Z"
        provider.start(session(provider, attempt_id=f"a{number}", starts_at=when, **more))

    sit(1, max_sittings=2)
    sit(2, max_sittings=2)
    with pytest.raises(errors.SittingsUsedUp):
        sit(3, max_sittings=2)
    assert customer.seats.held("a3") == []
    sit(4, max_sittings=2, exam_code="OTHER")
    sit(5)  # where nothing is said, nothing is counted
    sit(6, max_sittings=3)


def test_an_exam_that_has_begun_is_over(provider: Prov, customer: Customer) -> None:
    with pytest.raises(errors.TooLate):
        provider.start(session(provider, starts_at="2026-01-05T13:00:00+01:00"))
    assert (customer.sent, customer.seats.held("attempt-1")) == ([], [])


@pytest.mark.parametrize("value", ["", "soon", "2026-02-01T10:00:00", "$When"])
def test_a_variable_that_gives_no_time(provider: Prov, customer: Customer, value: str) -> None:
    with pytest.raises(errors.NoAppointment):
        provider.start(session(provider, starts_at="$When", resolved={"When": value}))
    assert customer.sent == []


# Refusals and lost answers


@pytest.mark.parametrize("path", ["/api/candidates", "/api/events"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, errors.AccountRefused),
        (403, errors.AccountRefused),
        (400, errors.Refused),
        (404, errors.Refused),
        (302, errors.Refused),
        (429, ProviderBusy),
    ],
)
def test_a_refusal_gives_the_seat_back(
    customer: Customer, path: str, status: int, error: type[BridgeError]
) -> None:
    provider = at_hall(customer)
    customer.fault(path, status=status, body='{"error": "Änn is unknown"}')
    with pytest.raises(error) as caught:
        provider.start(session(provider, location_code="H1"))
    assert not isinstance(caught.value, AnswerLost)
    assert "Änn" not in caught.value.detail
    assert customer.seats.held("attempt-1") == []
    assert provider.start(session(provider, location_code="H1")).reference


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"delay_s": 3},
        {"status": 500},
        {"status": 408},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": "{}"},
        {"status": 200, "body": '{"eventId": ""}'},
        {"status": 200, "body": '{"eventId": "\\ud800"}'},
        {"status": 200, "body": "[" * 100_000},
    ],
)
def test_an_event_whose_answer_is_lost_stays_open(
    customer: Customer, fault: dict[str, Any]
) -> None:
    provider = customer.provider(timeout_s=limit_of(fault))
    customer.fault(**fault)
    with pytest.raises(AnswerLost):
        provider.start(session(provider))
    assert customer.paths().count("/api/events") == 1
    assert customer.seats.held("attempt-1") == ["time 2026-02-01T09:00:00Z"]


@pytest.mark.parametrize("fault", [{"drop": True}, {"delay_s": 3}, {"status": 500}])
@pytest.mark.parametrize("path", ["/api/candidates", "/api/centers", "/api/proctors"])
def test_what_may_be_sent_again_leaves_nothing_open(
    customer: Customer, path: str, fault: dict[str, Any]
) -> None:
    provider = at_hall(customer, timeout_s=limit_of(fault))
    customer.fault(path, **fault)
    with pytest.raises(ProviderDown):
        provider.start(session(provider, location_code="H1"))
    assert customer.seats.held("attempt-1") == []
    assert customer.state()["events"] == []
    provider = at_hall(customer)
    assert provider.start(session(provider, location_code="H1")).reference


def test_an_api_that_names_no_event_needs_no_answer(customer: Customer) -> None:
    wire = {"event_id_path": "", "event_url_path": "", "result_event_id_path": ""}
    provider = customer.provider(result_path="/api/results/{candidate_id}/{exam_code}", **wire)
    customer.fault(status=204)
    started = provider.start(session(provider))
    assert started.reference == ""


def test_what_was_certainly_not_sent_is_said(customer: Customer) -> None:
    customer.running.stop()
    provider = customer.provider(candidate_path="", candidate_body="")
    with pytest.raises(ProviderDown):
        provider.start(session(provider))
    inside = customer.provider(base_url="https://10.0.0.1/")
    with pytest.raises(NetworkRefused):
        inside.start(session(inside))
    assert customer.seats.held("attempt-1") == []


def test_the_check(customer: Customer) -> None:
    provider = customer.provider(check_path="/control/state")
    assert "answers" in provider.check()
    with pytest.raises(errors.Refused):
        customer.provider(check_path="/nothing").check()


def test_nothing_private_is_logged(
    customer: Customer, provider: Prov, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.start(session(provider, address="2 Main Street"))
    customer.fault(status=500)
    with pytest.raises(AnswerLost) as caught:
        provider.start(session(provider, "l2", "a2", address="2 Main Street"))
    said = caught.value.detail + "".join(str(vars(record)) for record in caplog.records)
    for private in PRIVATE:
        assert private not in said


@pytest.mark.parametrize("status", [200, 201, 299])
def test_every_status_of_success_makes_an_exam(
    customer: Customer, provider: Prov, status: int
) -> None:
    customer.fault(status=status, body='{"eventId": "exam-1"}')
    assert provider.start(session(provider)).reference == "exam-1"
