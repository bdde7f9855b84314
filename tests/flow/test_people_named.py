"""What names another person in a push or an answer grades nobody; on each engine, at every kind.

For tools by LTI the name is the sourcedid or the pairwise user id: tests/flow/test_outcomes.py and
tests/platform/services/test_scores.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.flow.people import AGREED, Pair, People, code_of, running_people
from tests.flow.world import HTTP, eventually


@pytest.fixture(scope="module")
def people(each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Everybody, on each engine; each test has learners of its own."""
    with running_people(tmp_path_factory.mktemp("named"), each_database) as made:
        yield made


def two_sit(people: People, activity: str) -> tuple[Pair, Any, Any]:
    """Two learners with addresses of their own who have started, and their attempts."""
    two = people.pair()
    for user in (two.ann, two.bob):
        page = people.click(user, f"{user}@example.edu", activity)
        assert page.status in (200, 302, 303), page.text
    return two, people.attempt(two.ann), people.attempt(two.bob)


def nothing_counts(people: People, two: Pair, event: str = "callback.other-person") -> None:
    """Neither learner has a score or a result; staff see why, once, and the log names nobody."""
    ids = [people.attempt(user).id for user in (two.ann, two.bob)]

    def refused() -> list[str]:
        rows = people.rows(
            "SELECT detail FROM attempt_changes WHERE source = 'refused'"
            " AND attempt_id IN (:a, :b)",
            a=ids[0],
            b=ids[1],
        )
        return [row.detail for row in rows]

    eventually(lambda: len(refused()), 1)
    assert "another" in refused()[0]
    for user in (two.ann, two.bob):
        assert people.score(user) == ""
    assert event in people.bridge.log()
    assert f"{two.ann}@" not in people.bridge.log()


# Prov: what is pushed, with ann's event


@pytest.mark.parametrize(
    "candidate",
    [
        pytest.param(lambda ann, bob: bob.data["candidate_id"], id="a-classmate"),
        pytest.param(lambda ann, bob: "nobody-here", id="nobody-here"),
        pytest.param(lambda ann, bob: "", id="none-where-one-is-configured"),
        pytest.param(lambda ann, bob: ann.id, id="the-attempt"),
    ],
)
def test_prov_pushes(people: People, candidate: Any) -> None:
    two, ann, bob = two_sit(people, "prov")
    pushed = {"eventId": ann.reference, "examCode": "NB1", "overallScore": 80}
    named = candidate(_with_data(ann), _with_data(bob))
    for _ in range(2):
        assert people.hook("prov", {**pushed, "candidateId": named}) == 200
    nothing_counts(people, two)
    right = _with_data(ann).data["candidate_id"]
    assert people.hook("prov", {**pushed, "candidateId": right}) == 200
    assert (people.score(two.ann), people.score(two.bob)) == ("80/100", "")


def test_prov_answers_about_another_candidate(people: People) -> None:
    two, ann, bob = two_sit(people, "prov-asked")
    told = {"eventId": ann.reference, "examCode": "NB1", "overallScore": 80}
    other = json.dumps({**told, "candidateId": _with_data(bob).data["candidate_id"]})
    people.pull("prov", "fault", path=f"/api/results/{ann.reference}", body=other, times=-1)
    _ask(people, ann)
    nothing_counts(people, two, "poll.failed")
    people.pull("prov", "clear")


# iTEP: whose OID and whose test ID stand in one result


@pytest.mark.parametrize("whose", ["ann's OID, bob's test", "bob's OID, ann's test"])
def test_itep_pushes(people: People, whose: str) -> None:
    two, ann, bob = two_sit(people, "itep")
    tests = {one["test_id"]: one for one in people.state("itep")["tests"]}
    oids = {row.id: tests[row.reference]["registration"]["trExternal_ID"] for row in (ann, bob)}
    first, second = (ann, bob) if whose.startswith("ann") else (bob, ann)
    result = {"OID": oids[first.id], "Status": "Complete", "Overall_Level": 6}
    for _ in range(2):
        data = json.dumps({**result, "TestID": second.reference})
        assert people.hook("itep", urlencode({"data": data}), AGREED) == 200
    nothing_counts(people, two)
    data = json.dumps({**result, "TestID": first.reference})
    assert people.hook("itep", urlencode({"data": data}), AGREED) == 200
    assert sorted([people.score(two.ann), people.score(two.bob)]) == ["", "6/6"]


# Mettl: a web-hook is a hint; about whom is compared before anybody is asked


@pytest.mark.parametrize("wrong", ["email", "invitation_key"])
def test_mettl_pushes(people: People, wrong: str) -> None:
    two, ann, _ = two_sit(people, "mettl")
    found = next(one for one in people.state("mettl")["candidates"] if two.ann in one["email"])
    instance = found["candidate_instance_id"]
    people.pull("mettl", "finish", candidate_instance_id=instance, total_marks=9, silent=True)
    told = {
        "EVENT_TYPE": "gradedAssessment",
        "invitation_key": "open1001",
        "email": found["email"],
        "context_data": found["optional"]["context_data"],
    }
    other = {"email": f"{two.bob}@example.edu", "invitation_key": "open1002"}[wrong]
    before = people.state("mettl")["calls"]
    for _ in range(2):
        assert people.hook("mettl", {**told, wrong: other}) == 200
    nothing_counts(people, two)
    assert people.state("mettl")["calls"] == before
    assert people.hook("mettl", told) == 200
    eventually(lambda: people.score(two.ann), "9/10")
    assert ann.id == people.attempt(two.ann).id


def test_mettl_answers_about_another_candidate(people: People) -> None:
    two, ann, _ = two_sit(people, "mettl")
    result = {"totalMarks": 9, "maxMarks": 10}
    told = {"email": f"{two.bob}@example.edu", "testStatus": {"status": "Completed"}}
    told["testStatus"]["result"] = result  # type: ignore[index]
    said = json.dumps({"status": "SUCCESS", "candidate": told})
    path = f"/v2/schedules/open1001/candidates/{two.ann}@example.edu"
    people.pull("mettl", "fault", path=path, body=said, times=-1)
    _ask(people, ann)
    nothing_counts(people, two, "poll.failed")
    people.pull("mettl", "clear")


def test_mettl_registers_another_candidate(people: People) -> None:
    two = people.pair()
    row = {"email": "somebody@else.example", "status": "ToBeTaken", "url": "https://x.example/t"}
    said = json.dumps({"status": "SUCCESS", "registrationStatus": [row]})
    path = "/v2/schedules/open1001/candidates"
    people.pull("mettl", "fault", path=path, body=said)
    page = people.click(two.ann, two.mail, "mettl")
    assert code_of(page) == "mettl-other-candidate"
    assert people.attempt(two.ann).state == "created"
    assert people.place(two.ann, two.mail, "mettl")


# Isograd: the call at completion, and every answer


@pytest.mark.parametrize("named", ["pla_tst_id", "ema"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_isograd_calls(people: People, named: str, method: str) -> None:
    two, ann, bob = two_sit(people, "tosa")
    test = next(
        one for one in people.state("isograd")["tests"] if str(one["pla_tst_id"]) == ann.reference
    )
    value = {"pla_tst_id": bob.reference, "ema": f"{two.bob}@example.edu"}[named]
    before = people.state("isograd")["calls"].get("10")
    fields = {named: value, "sta_id": "3"}
    for _ in range(2):
        answer = HTTP.request_encode_url("GET", test["cal_bac_pag"], fields=fields)
        if method == "POST":
            answer = HTTP.request_encode_body(
                "POST", test["cal_bac_pag"], fields=fields, encode_multipart=False
            )
        assert answer.status == 200
    nothing_counts(people, two)
    assert people.state("isograd")["calls"].get("10") == before


@pytest.mark.parametrize(
    ("act_id", "said"),
    [
        (10, {"sta_id": 3, "pla_tst_id": 1}),
        (4, {"num_val": 640, "max_val": 1000, "gra_typ_id": 2, "ema": "bob@example.edu"}),
        (4, {"num_val": 640, "max_val": 1000, "gra_typ_id": 2, "pla_tst_id": 1}),
    ],
)
def test_isograd_answers(people: People, act_id: int, said: dict[str, Any]) -> None:
    two, ann, _ = two_sit(people, "tosa")
    body = json.dumps({"success": True, **said})
    if act_id == 4:
        done = json.dumps({"success": True, "sta_id": 3})
        people.pull("isograd", "fault", act_id=10, body=done, times=-1)
    people.pull("isograd", "fault", act_id=act_id, body=body, times=-1)
    _ask(people, ann)
    nothing_counts(people, two, "poll.failed")
    people.pull("isograd", "clear")


def test_isograd_gives_a_test_to_another_candidate(people: People) -> None:
    """It may have cost a credit, so it waits for a person; nobody is sent there."""
    two = people.pair()
    made = {"tst_url": "https://x.example/test", "pla_tst_id": 7, "ema": "bob@example.edu"}
    people.pull("isograd", "fault", act_id=2, body=json.dumps({"success": True, **made}))
    assert code_of(people.click(two.ann, two.mail, "tosa")) == "start-unclear"
    assert people.attempt(two.ann).reference == ""


def _with_data(row: Any) -> Any:
    values = dict(row._mapping)
    return type("Row", (), {**values, "data": json.loads(values["data"])})


def _ask(people: People, attempt: Any) -> None:
    """Let the provider be asked about this attempt now, and forget what was logged."""
    people.rows("UPDATE attempts SET poll_at = NULL")
    people.rows("UPDATE attempts SET poll_at = 1 WHERE id = :id", id=attempt.id)
