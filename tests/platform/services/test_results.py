"""Results: what counts at a line item now, whichever service said it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from lti_bridge.assembly.basics import now
from lti_bridge.core.grade.gradebook import View
from tests import claims
from tests.platform.services.platform import RESULT, Learner, Platform, next_page, query_of

TYPE = "application/vnd.ims.lis.v2.resultcontainer+json"


@pytest.fixture(scope="module")
def group(platform: Platform) -> list[Learner]:
    """Seven learners of one link; the first six have a score, the first a comment too."""
    learners = [platform.open(user=f"group-{number}") for number in range(7)]
    for number, learner in enumerate(learners[:6]):
        more = {} if number else {"comment": 'Good "work"', "scoringUserId": "teacher"}
        platform.quiz.score(learner, scoreGiven=number, scoreMaximum=8, **more)
    return learners


@pytest.mark.spec("P13AR-01", "P13AR-02")
def test_everybody_with_a_score_is_listed(platform: Platform, group: list[Learner]) -> None:
    item = group[0].line_item
    answer = platform.quiz.call("GET", f"{item}/results", RESULT)
    assert (answer.status_code, answer.content_type) == (200, TYPE)
    found = {one["userId"]: one for one in answer.json}
    assert found.keys() == {learner.user_id for learner in group[:6]}  # zero is a score
    assert found[group[0].user_id] == {
        "id": found[group[0].user_id]["id"],
        "scoreOf": item,
        "userId": group[0].user_id,
        "resultScore": 0,
        "resultMaximum": 100,
        "comment": 'Good "work"',
        "scoringUserId": "teacher",
    }
    assert found[group[5].user_id]["resultScore"] == 62.5
    assert found[group[5].user_id].keys().isdisjoint({"comment", "scoringUserId"})
    assert len({one["id"] for one in answer.json}) == 6
    (again,) = platform.quiz.call("GET", found[group[5].user_id]["id"], RESULT).json
    assert again == found[group[5].user_id]


@pytest.mark.spec("P13AR-02")
@pytest.mark.parametrize(
    ("share", "maximum", "shown"),
    [((1, 3), 3, "1"), ((1, 3), 6, "2"), ((2, 3), 6, "4"), ((1, 3), 60, "20"), ((1, 9), 9, "1")],
)
def test_a_result_is_exact_to_the_last_digit(
    platform: Platform, share: tuple[int, int], maximum: int, shown: str
) -> None:
    """A third of three is one, not 0.99…9, which readers of binary floats would not notice."""
    learner = platform.open(user=f"exact-{share[0]}-{share[1]}-{maximum}")
    item = platform.quiz.create(learner, scoreMaximum=maximum).json["id"]
    body = {"scoreGiven": share[0], "scoreMaximum": share[1]}
    assert platform.quiz.score(learner, item=item, **body).status_code == 200
    answer = platform.quiz.call("GET", f"{item}/results?user_id={learner.user_id}", RESULT)
    [found] = json.loads(answer.data, parse_float=Decimal, parse_int=Decimal)
    assert found["resultScore"] == Decimal(shown)


@pytest.mark.spec("P13AR-03")
def test_one_user_has_one_result_or_none(platform: Platform, group: list[Learner]) -> None:
    item = group[0].line_item
    for learner, scores in ((group[2], [25]), (group[6], [])):
        found = platform.quiz.results(item, f"?user_id={learner.user_id}")
        assert [one["resultScore"] for one in found] == scores
    for nobody in ("nobody", "group-2", "%27", "ü"):
        assert platform.quiz.results(item, f"?user_id={nobody}") == []
    for bad in ("?user_id=a&user_id=b", "?user_id=%00"):
        assert platform.quiz.call("GET", f"{item}/results{bad}", RESULT).status_code == 400


@pytest.mark.spec("P13AR-04")
def test_results_come_in_pages(platform: Platform, group: list[Learner]) -> None:
    item = group[0].line_item
    url, seen, pages = f"{item}/results?limit=4", [], 0
    while url:
        answer = platform.quiz.call("GET", url, RESULT)
        seen += [one["userId"] for one in answer.json]
        url, pages = next_page(answer), pages + 1
        if url:  # a learner has no other name in an address than the tool's own
            assert query_of(url)["after"] in {learner.user_id for learner in group}
    assert (len(seen), len(set(seen)), pages) == (6, 6, 2)
    one = f"{item}/results?user_id={group[3].user_id}&limit=1"
    assert next_page(platform.quiz.call("GET", one, RESULT)) == ""
    for bad in ("0", "-5", "many"):
        answer = platform.quiz.call("GET", f"{item}/results?limit={bad}", RESULT)
        assert answer.status_code == 400


@pytest.mark.spec("P13AR-05")
def test_what_a_teacher_wrote_into_the_gradebook_is_the_result(fresh: Platform) -> None:
    ann, ben = fresh.open(), fresh.open(user="ben")
    second = fresh.quiz.create(ann, resourceLinkId=ann.link).json["id"]
    for item in (ann.line_item, second):
        assert fresh.quiz.score(ann, item=item, scoreGiven=0.5, comment="mine").status_code == 200
    fresh.quiz.score(ben, scoreGiven=0.25)
    store = fresh.bridge.store
    for delivery in claims.deliveries(store, now(), 15, 32):
        if delivery.user_id == "ann":
            store.note_shown(delivery, now(), View("8/10", True, None))
    found = {one["userId"]: one for one in fresh.quiz.results(ann.line_item)}
    assert {user: one["resultScore"] for user, one in found.items()} == {
        ann.user_id: 80,
        ben.user_id: 25,
    }
    assert "comment" not in found[ann.user_id]  # which was about another score
    assert [one["resultScore"] for one in fresh.quiz.results(second)] == [30]
