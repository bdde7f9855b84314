"""Every documented answer has its own words, and every text that may hold a variable is filled in.

Over running servers: iTEP's refusals with status 200, Mettl's SUCCESS without url, Prov's texts,
and what an LMS fills in for each learner in a link that writes its activity out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flow.people import People, code_of, running_people

MORE = {
    "prov-texts": (
        "prov",
        "exam_code = '$Context.label', exam_name = '$Context.title', score_min = 0, score_max = 9,"
        " address = '$CourseSection.timeFrame.begin'",
    ),
    "itep-track": ("itep", "product_code = 'GTX-Academic-Plus', track = '$Context.label'"),
}


@pytest.fixture(scope="module")
def people(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Everybody; each test has learners of its own."""
    folder = tmp_path_factory.mktemp("answers")
    with running_people(folder, shared_database, activities=MORE) as made:
        yield made


def taken(people: People) -> int:
    """How many of iTEP's test IDs the bridge has counted off."""
    rows = people.rows("SELECT value FROM counters WHERE name = 'itep:taken:Academic-Plus'")
    return int(rows[0].value) if rows else 0


@pytest.mark.parametrize(
    "body",
    [
        '{"error": "Your account is suspended."}',
        '{"status": "error", "message": "No."}',
        '{"success": false, "reason": "track RC is not yours"}',
        '{"errors": [{"detail": "Please call us", "code": 4011}]}',
        "This product code is closed.",
        '"Not today, please."',
    ],
)
def test_itep_refuses_with_status_200(people: People, body: str) -> None:
    two, before = people.pair(), taken(people)
    people.pull("itep", "fault", path="/api/fulfillment", status=200, body=body)
    page = people.click(two.ann, two.mail, "itep")
    assert (page.status, code_of(page)) == (503, "itep-refused")
    assert people.attempt(two.ann).state == "created"
    assert taken(people) == before
    assert people.click(two.ann, two.mail, "itep").status == 200
    assert taken(people) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>Service temporarily busy</body></html>",
        '{"data": {"id": "123982B8AP"}}',
        '{"message": "Test assigned", "test": "123982B8AP"}',
        "123982B8AP",
        '{"test-id": "123982B8AP", "password": "x", "OID": "somebody-else"}',
    ],
)
def test_where_an_id_may_have_been_taken_a_person_looks(people: People, body: str) -> None:
    two, before = people.pair(), taken(people)
    people.pull("itep", "fault", path="/api/fulfillment", status=200, body=body)
    assert code_of(people.click(two.ann, two.mail, "itep")) == "attempt-unclear"
    assert taken(people) == before + 1


@pytest.mark.parametrize("status", ["ToBeTaken", "InProgress"])
def test_mettl_says_success_and_no_link(people: People, status: str) -> None:
    two = people.pair()
    row = {"email": two.mail, "status": status, "message": f"Candidate ('{two.mail}') is in"}
    said = json.dumps({"status": "SUCCESS", "registrationStatus": [row]})
    people.pull("mettl", "fault", path="/v2/schedules/open1001/candidates", body=said)
    page = people.click(two.ann, two.mail, "mettl")
    assert (page.status, code_of(page)) == (503, "mettl-no-link")
    assert "You are registered for the test" in page.text
    assert people.attempt(two.ann).state == "created"
    assert people.place(two.ann, two.mail, "mettl")
    assert two.mail not in people.bridge.log()


def test_mettl_says_completed_and_no_link(people: People) -> None:
    """Nobody needs a link to what is over; its marks are asked for."""
    two = people.pair()
    row = {"email": two.mail, "status": "Completed", "message": "taken"}
    said = json.dumps({"status": "SUCCESS", "registrationStatus": [row]})
    people.pull("mettl", "fault", path="/v2/schedules/open1001/candidates", body=said)
    page = people.click(two.ann, two.mail, "mettl")
    assert (page.status, "being marked" in page.text) == (200, True)


def test_prov_gets_no_variable(people: People) -> None:
    two = people.pair()
    where = {"context_label": "NB-7", "context_title": "Nursing & more"}
    people.place(two.ann, two.mail, "prov-texts", **where)
    sent = people.state("prov")["events"]
    sent = (list(sent.values()) if isinstance(sent, dict) else sent)[-1]["sent"]
    assert (sent["examCode"], sent["examName"]) == ("NB-7", "Nursing & more")
    assert sent["address"] == ""
    assert "$" not in json.dumps(sent)
    reference = people.attempt(two.ann).reference
    candidate = json.loads(people.attempt(two.ann).data)["candidate_id"]
    pushed = {"eventId": reference, "candidateId": candidate, "overallScore": 6}
    people.hook("prov", {**pushed, "examCode": "$Context.label"})
    assert people.score(two.ann) == ""
    people.hook("prov", {**pushed, "examCode": "NB-7"})
    assert people.score(two.ann) == "6/9"


def test_a_push_to_a_former_address_counts(people: People) -> None:
    """A program is answered where it comes: many follow no redirect with a body."""
    two = people.pair()
    people.place(two.ann, two.mail, "prov")
    attempt = people.attempt(two.ann)
    candidate = json.loads(attempt.data)["candidate_id"]
    pushed = {"eventId": attempt.reference, "candidateId": candidate, "examCode": "NB1"}
    former = people.bridge.url.replace("127.0.0.1", "localhost")
    assert people.hook("prov", {**pushed, "overallScore": 61}, at=former) == 200
    assert people.score(two.ann) == "61/100"


@pytest.mark.parametrize("label", ["two words", None])
def test_a_code_that_is_none_has_its_own_words(people: People, label: str | None) -> None:
    two = people.pair()
    page = people.click(two.ann, two.mail, "prov-texts", context_label=label)
    assert (page.status, code_of(page)) == (503, "prov-no-exam")


def test_itep_gets_no_variable_as_track(people: People) -> None:
    two = people.pair()
    page = people.click(two.ann, two.mail, "itep-track", context_label="RC")
    assert page.status == 200, page.text
    assert people.attempt(two.ann).reference


@pytest.mark.parametrize(
    ("connection", "settings"),
    [
        ("prov", "exam_code = 'X', exam_name = '$Foo.bar', score_min = 0, score_max = 9"),
        ("itep", "product_code = 'GTX-A', registration = { City = '$Foo.bar' }"),
        ("mettl", "access_key = 'a', registration = { City = '$Foo.bar' }"),
        ("tosa", "act_id = 2, tst_frm_id = '$Foo.bar'"),
    ],
)
def test_a_variable_that_nobody_fills_in_is_refused(
    people: People, tmp_path_factory: pytest.TempPathFactory, connection: str, settings: str
) -> None:
    path = tmp_path_factory.mktemp("checked") / "config.toml"
    activity = f'\n[[activity]]\nid = "no"\ntitle = "No"\nconnection = "{connection}"\n'
    text = people.bridge.config.read_text(encoding="utf-8")
    path.write_text(f"{text}{activity}settings = {{ {settings} }}\n", encoding="utf-8")
    before, people.bridge.config = people.bridge.config, path
    try:
        result = people.run("config", "check")
    finally:
        people.bridge.config = before
    said = "activity 'no': settings: $Foo.bar is no variable that a launch fills in"
    assert (result.exit_code, said in result.output) == (1, True), result.output


# What the LMS fills in for each learner, in a link that writes its activity out

LINK: dict[str, str | None] = {
    "resource_link_id": "link-written",
    "custom_activity": None,
    "custom_connection": "itep",
    "custom_product_code": "GTX-Academic-Plus",
    "custom_track": "RC",
}


def written(people: People, user: str, mail: str, **fields: str) -> Any:
    """A click on a link that writes an iTEP test out, with what the LMS has filled in."""
    own = {f"custom_{name}": value for name, value in fields.items()}
    return people.click(user, mail, "", **{**LINK, **own})


def test_itep_takes_each_learners_own_values_from_a_link(people: People) -> None:
    two = people.pair()
    values = {two.ann: ("2", "29", "1996"), two.bob: ("12", "31", "2001")}
    for user, (month, day, year) in values.items():
        page = written(
            people, user, two.mail, dob_month=month, dob_day=day, dob_year=year, city=f"Of {user}"
        )
        assert page.status == 200, page.text
        sent = [t for t in people.state("itep")["tests"] if t["registration"].get("City")]
        mine = next(t for t in sent if t["registration"]["City"] == f"Of {user}")["registration"]
        assert (mine["DOB_Month"], mine["DOB_Day"], mine["DOB_Year"]) == (month, day, year)
        again = written(
            people, user, two.mail, dob_month=month, dob_day=day, dob_year=year, city="Moved"
        )
        assert re.findall(r'class="copy">([^<]+)', again.text) == re.findall(
            r'class="copy">([^<]+)', page.text
        )  # the same test ID, whatever has changed in the LMS since
    one = {people.attempt(user).activity_id for user in values}
    assert len(one) == 1
    kept = str(people.rows("SELECT * FROM activities"))
    assert f"Of {two.ann}" not in kept + people.bridge.log()
    assert "1996" not in kept


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("dob_month", "1387", "itep-birth-month"),
        ("dob_day", "4711", "itep-birth-day"),
        ("dob_year", "1817", "itep-birth-year"),
        ("birthday", "the 3rd of May 1987", "itep-birth-date"),
        ("birthday", "1817-05-03", "itep-birth-year"),
    ],
)
def test_a_value_that_itep_would_refuse_is_named_and_not_repeated(
    people: People, field: str, value: str, code: str
) -> None:
    two = people.pair()
    page = written(people, two.ann, two.mail, **{field: value})
    assert (page.status, code_of(page)) == (409, code)
    assert "no test has been chosen" not in page.text
    assert value not in page.text + people.bridge.log()
    assert value not in str(people.rows("SELECT * FROM activities"))
    assert value not in str(people.rows("SELECT detail FROM attempt_changes"))


def test_a_value_that_the_lms_did_not_fill_in_is_left_out(people: People) -> None:
    two = people.pair()
    page = written(people, two.ann, two.mail, city="$Person.address.locality", last_name="")
    assert page.status == 200, page.text
    sent = people.state("itep")["tests"]
    mine = next(t for t in sent if t["test_id"] == people.attempt(two.ann).reference)
    assert "City" not in mine["registration"]
    assert mine["registration"]["Last_Name"] == "Exampleton"
