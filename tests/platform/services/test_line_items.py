"""Line items: made, read, changed and deleted by the tool that they belong to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from werkzeug.test import TestResponse

from lti_bridge.platform.grade_services import MAX_ITEMS
from tests.platform.services.platform import (
    ITEM_TYPE,
    LINE_ITEM,
    READ_ONLY,
    RESULT,
    SCORE,
    SCORE_TYPE,
    URL,
    Learner,
    Platform,
    next_page,
    query_of,
)

CONTAINER = "application/vnd.ims.lis.v2.lineitemcontainer+json"


@pytest.fixture(scope="module")
def ann(platform: Platform) -> Learner:
    return platform.open(context_id="items")


def listed(platform: Platform, learner: Learner, query: str = "") -> list[dict[str, Any]]:
    """The line items that the quiz sees in this course."""
    answer = platform.quiz.call("GET", learner.line_items + query, READ_ONLY)
    assert answer.status_code == 200, answer.data
    assert answer.content_type == CONTAINER
    return list(answer.json)


def put(platform: Platform, url: str, **members: Any) -> TestResponse:
    return platform.quiz.call("PUT", url, LINE_ITEM, members, ITEM_TYPE)


@pytest.mark.spec("P13AL-09", "P13AL-12", "P13AL-13")
def test_a_line_item_is_made_and_read_at_its_id(platform: Platform, ann: Learner) -> None:
    resource_id, tag = "ü/" + "x" * 254, "a b&c\"'<"
    made = platform.quiz.create(
        ann, label=" Quiz 1 ", scoreMaximum=12.50, resourceId=resource_id, tag=tag
    )
    assert made.status_code == 201
    assert made.content_type == ITEM_TYPE
    assert made.json["id"].startswith(f"{ann.line_items}/")
    assert made.json == {
        "id": made.json["id"],
        "label": "Quiz 1",
        "scoreMaximum": 12.5,
        "resourceId": resource_id,
        "tag": tag,
    }
    for scope in (LINE_ITEM, READ_ONLY):
        read = platform.quiz.call("GET", made.json["id"], scope)
        assert (read.status_code, read.json) == (200, made.json)
        assert read.content_type == ITEM_TYPE
    score = platform.quiz.score(ann, item=made.json["id"], scoreGiven=1, scoreMaximum=2)
    assert score.status_code == 200
    (result,) = platform.quiz.results(made.json["id"])
    assert (result["scoreOf"], result["resultScore"]) == (made.json["id"], 6.25)


@pytest.mark.spec("P13AL-10")
@pytest.mark.parametrize(
    "wrong",
    [
        *({"label": label} for label in (..., None, "", "  ", 7, ["x"], "x" * 1001, "a\0b")),
        *(
            {"scoreMaximum": maximum}
            for maximum in (..., None, 0, -1, "60", True, [], 1e60, 1e-60, -0.0)
        ),
        {"resourceId": "x" * 257},
        {"tag": 5},
        {"tag": "\0"},
        {"resourceLinkId": 5},
    ],
    ids=str,
)
def test_a_wrong_line_item_makes_nothing(
    platform: Platform, ann: Learner, wrong: dict[str, Any]
) -> None:
    before = platform.snapshot()
    assert platform.quiz.create(ann, **wrong).status_code == 400
    assert platform.snapshot() == before


@pytest.mark.spec("P13AL-10")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"label":"a","scoreMaximum":1,"label":"b"}',
        b'{"label":"a","scoreMaximum":NaN}',
        b'{"label":"a","scoreMaximum":Infinity}',
        b'{"label":"a","scoreMaximum":1e999999999}',
        b'{"label":"\xff","scoreMaximum":1}',
        b'{"label":"\\ud800","scoreMaximum":1}',
        b'{"label":"a","scoreMaximum":1' + b"0" * 5000 + b"}",
        b'{"label":"a","scoreMaximum":1,"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
    ids=range(13),
)
def test_what_is_no_clean_json_makes_nothing(platform: Platform, ann: Learner, body: bytes) -> None:
    before = platform.snapshot()
    answer = platform.quiz.call("POST", ann.line_items, LINE_ITEM, body, ITEM_TYPE)
    assert answer.status_code == 400
    answer = platform.quiz.call("PUT", ann.line_item, LINE_ITEM, body, ITEM_TYPE)
    assert answer.status_code == 400
    assert platform.snapshot() == before


@pytest.mark.spec("P13AL-11")
def test_a_resource_link_is_one_of_this_course_and_tool(platform: Platform, ann: Learner) -> None:
    good = platform.quiz.create(ann, resourceLinkId=ann.link)
    assert (good.status_code, good.json["resourceLinkId"]) == (201, ann.link)
    of_other_tool = platform.open("other", context_id="items")
    elsewhere = platform.open(context_id="another", resource_link_id="elsewhere")
    before = platform.snapshot()
    for link in ("nothing", of_other_tool.link, elsewhere.link, "link-quiz", "' OR 1=1 --"):
        assert platform.quiz.create(ann, resourceLinkId=link).status_code == 404, link
    assert platform.snapshot() == before


@pytest.mark.spec("P13AL-18", "P13AL-19", "P13AL-20")
def test_times_and_hints_and_extensions(platform: Platform, ann: Learner) -> None:
    more = {
        "startDateTime": "2026-09-01T08:00:00+02:00",
        "endDateTime": "2026-09-02T08:00:00.000Z",
        "gradesReleased": False,
    }
    extension = {"https://example.org/extension": {"a": [1, 2.5, None]}, "unknown": "x"}
    made = platform.quiz.create(ann, **more, **extension)
    assert made.status_code == 201
    assert {name: made.json[name] for name in more} == more
    assert "unknown" not in made.json
    for wrong in (
        {"startDateTime": "2026-09-01T08:00:00"},
        {"endDateTime": "2026-09-01"},
        {"endDateTime": "tomorrow"},
        {"endDateTime": 1789000000},
        {"gradesReleased": "yes"},
    ):
        assert platform.quiz.create(ann, **wrong).status_code == 400, wrong


@pytest.mark.spec("P13AL-04", "P13AL-05", "P13AL-08", "P13AL-24")
def test_lists_are_filtered_and_hold_only_the_tools_own(platform: Platform) -> None:
    ann = platform.open(context_id="filters", resource_link_id="filtered")
    there = platform.open(context_id="filters-2", resource_link_id="filtered-2")
    for number in range(4):
        members = {"resourceId": f"r{number % 2}", "tag": f"t{number // 2}"}
        assert platform.quiz.create(ann, label=str(number), **members).status_code == 201
    stranger = platform.open("other", context_id="filters", resource_link_id="o")
    platform.other.create(stranger, label="stranger", tag="t0")
    names = {item["label"] for item in listed(platform, ann)}
    assert names == {"Test quiz", "0", "1", "2", "3"}
    assert [item["label"] for item in listed(platform, there)] == ["Test quiz"]

    def found(query: str) -> set[str]:
        return {item["label"] for item in listed(platform, ann, query)}

    assert found("?tag=t0") == {"0", "1"}
    assert found("?resource_id=r1") == {"1", "3"}
    assert found("?resource_id=r1&tag=t1") == {"3"}
    assert found(f"?resource_link_id={ann.link}") == {"Test quiz"}
    assert found(f"?resource_link_id={ann.link}&tag=t1") == set()
    assert found(f"?resource_link_id={there.link}") == set()
    assert listed(platform, ann, "?tag=nothing") == []
    for bad in ("?tag=a&tag=b", "?tag=%00", "?resource_id=%00"):
        assert platform.quiz.call("GET", ann.line_items + bad, READ_ONLY).status_code == 400


@pytest.mark.spec("P13AL-06", "P13AL-07")
def test_pages_lead_to_each_other_with_the_same_filter(platform: Platform) -> None:
    ann = platform.open(context_id="pages", resource_link_id="paged")
    for number in range(7):
        platform.quiz.create(ann, label=str(number), tag="a&b" if number % 2 else "other")
    url, seen, pages = f"{ann.line_items}?tag=a%26b&limit=2", [], 0
    while url:
        answer = platform.quiz.call("GET", url, READ_ONLY)
        assert len(answer.json) <= 2
        seen += [item["label"] for item in answer.json]
        url, pages = next_page(answer), pages + 1
        assert not url or (url.startswith(URL) and query_of(url)["tag"] == "a&b")
    assert (sorted(seen), pages) == (["1", "3", "5"], 2)
    whole = platform.quiz.call("GET", f"{ann.line_items}?limit=8", READ_ONLY)
    assert (len(whole.json), next_page(whole)) == (8, "")
    assert next_page(platform.quiz.call("GET", f"{ann.line_items}?limit=7", READ_ONLY))
    for bad in ("0", "-1", "x", "1.5", "", "1&limit=2", "%00", "9" * 30):
        answer = platform.quiz.call("GET", f"{ann.line_items}?limit={bad}", READ_ONLY)
        assert answer.status_code == 400, bad


@pytest.mark.spec("P13AL-14")
def test_a_put_replaces_the_definition_but_not_id_and_link(platform: Platform) -> None:
    ann = platform.open(context_id="puts", resource_link_id="put")
    made = platform.quiz.create(
        ann, resourceId="r", tag="t", endDateTime="2026-09-02T08:00:00Z", resourceLinkId=ann.link
    ).json
    changed = put(
        platform,
        made["id"],
        id=f"{ann.line_items}/other",
        resourceLinkId="other",
        label="New",
        scoreMaximum=7,
        tag="u",
    )
    wanted = {
        "id": made["id"],
        "label": "New",
        "scoreMaximum": 7,
        "resourceLinkId": ann.link,
        "tag": "u",
    }
    assert (changed.status_code, changed.json) == (200, wanted)
    assert platform.quiz.call("GET", made["id"], READ_ONLY).json == wanted
    before = platform.snapshot()
    assert put(platform, made["id"], label="", scoreMaximum=7).status_code == 400
    assert put(platform, made["id"], label="x").status_code == 400
    assert platform.snapshot() == before


@pytest.mark.spec("P13AL-15")
def test_a_new_maximum_rescales_the_results(platform: Platform) -> None:
    ann = platform.open(context_id="rescale", resource_link_id="rescale")
    url = platform.quiz.create(ann, scoreMaximum=6).json["id"]
    platform.quiz.score(ann, item=url, scoreGiven=1, scoreMaximum=3)
    assert [one["resultScore"] for one in platform.quiz.results(url)] == [2]
    put(platform, url, label="x", scoreMaximum=60)
    (result,) = platform.quiz.results(url)
    assert (result["resultScore"], result["resultMaximum"]) == (20, 60)


@pytest.mark.spec("P13AL-16")
def test_a_deleted_line_item_is_gone_and_the_declared_one_stays(platform: Platform) -> None:
    ann = platform.open(context_id="deletes", resource_link_id="delete")
    url = platform.quiz.create(ann).json["id"]
    platform.quiz.score(ann, item=url)
    assert platform.quiz.call("DELETE", url, LINE_ITEM).status_code == 204
    assert platform.quiz.call("GET", url, READ_ONLY).status_code == 404
    assert platform.quiz.call("GET", f"{url}/results", RESULT).status_code == 404
    assert platform.quiz.score(ann, item=url).status_code == 404
    assert put(platform, url, label="x", scoreMaximum=1).status_code == 404
    assert platform.quiz.call("DELETE", url, LINE_ITEM).status_code == 404
    kept = platform.quiz.call("DELETE", ann.line_item, LINE_ITEM)
    assert (kept.status_code, kept.json["error"]) == (403, "line-item-kept")
    assert platform.quiz.call("GET", ann.line_item, READ_ONLY).status_code == 200


@pytest.mark.spec("P13AL-03", "SECP-18")
def test_each_scope_allows_its_methods_only(platform: Platform, ann: Learner) -> None:
    body = {"label": "x", "scoreMaximum": 1}
    before = platform.snapshot()
    for scope in (READ_ONLY, SCORE, RESULT):
        for method, url in (
            ("POST", ann.line_items),
            ("PUT", ann.line_item),
            ("DELETE", ann.line_item),
        ):
            answer = platform.quiz.call(method, url, scope, body, ITEM_TYPE)
            assert answer.status_code == 403, (scope, method)
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    for scope in (SCORE, RESULT):
        for url in (ann.line_items, ann.line_item):
            assert platform.quiz.call("GET", url, scope).status_code == 403
    for scope in (LINE_ITEM, READ_ONLY, RESULT):
        scores = platform.quiz.call("POST", f"{ann.line_item}/scores", scope, {}, SCORE_TYPE)
        assert scores.status_code == 403
    for scope in (LINE_ITEM, READ_ONLY, SCORE):
        assert platform.quiz.call("GET", f"{ann.line_item}/results", scope).status_code == 403
    assert platform.snapshot() == before


@pytest.mark.spec("P13AL-23")
def test_addresses_work_on_after_a_restart(fresh: Platform) -> None:
    ann = fresh.open()
    made = fresh.quiz.create(ann).json
    fresh.stop()
    fresh.start()
    assert fresh.quiz.call("GET", made["id"], READ_ONLY).json == made
    assert {item["id"] for item in listed(fresh, ann)} == {made["id"], ann.line_item}
    assert put(fresh, made["id"], label="x", scoreMaximum=0.1).json["scoreMaximum"] == 0.1
    assert fresh.quiz.score(ann).status_code == 200
    assert fresh.quiz.call("DELETE", made["id"], LINE_ITEM).status_code == 204


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = ("label", "scoreMaximum", "resourceId", "tag", "resourceLinkId", "startDateTime")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)), JSON, st.binary(max_size=40))
def test_no_body_breaks_anything(
    platform: Platform, ann: Learner, members: dict[str, Any], other: Any, raw: bytes
) -> None:
    token = platform.quiz.token(LINE_ITEM)
    for body in (json.dumps(members).encode(), json.dumps(other).encode(), raw):
        made = platform.quiz.send("POST", ann.line_items, token, body, ITEM_TYPE)
        assert made.status_code in (201, 400, 404), made.data


@pytest.mark.spec("P13AL-01", "P13AL-02")
def test_a_launch_names_the_line_item_of_its_link_if_it_is_the_only_one(
    platform: Platform,
) -> None:
    place = {"context_id": "several", "resource_link_id": "several"}
    first = platform.open(**place)
    endpoint = first.claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert set(endpoint) == {"scope", "lineitems", "lineitem"}
    assert platform.open(**place).line_item == first.line_item
    made = platform.quiz.create(first, label="Bonus", resourceLinkId=first.link)
    assert made.status_code == 201
    later = platform.open(**place)
    assert "lineitem" not in later.claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert later.line_items == first.line_items
    platform.quiz.call("DELETE", made.get_json()["id"], LINE_ITEM)
    assert platform.open(**place).line_item == first.line_item


@pytest.mark.spec("CERTP-07", "CERTP-08", "P13AL-24")
def test_the_two_grade_parts_of_the_certification(platform: Platform) -> None:
    here = platform.open(context_id="part-1", resource_link_id="part-1", user="part")
    items = [platform.quiz.create(here, label=label).get_json()["id"] for label in ("1", "2")]
    read = platform.quiz.call("GET", items[0], LINE_ITEM)
    assert (read.status_code, read.get_json()["label"]) == (200, "1")
    there = platform.open(context_id="part-2", resource_link_id="part-2", user="part")
    items.append(platform.quiz.create(there, label="3").get_json()["id"])
    for learner, item in ((there, items[2]), (here, items[0])):
        assert platform.quiz.score(learner, item=item, scoreGiven=5).status_code == 200
        [result] = platform.quiz.results(item)
        assert (result["userId"], result["scoreOf"]) == (learner.user_id, item)


@pytest.mark.spec("P13AL-22", "P13AL-21")
def test_a_chosen_items_line_item_is_listed_and_a_copy_has_one_of_its_own(
    platform: Platform,
) -> None:
    # tests/platform/test_deep_link.py: an answer becomes an activity of these settings
    place = {"context_id": "chosen", "resource_link_id": "chosen"}
    learner = platform.open("chosen", **place)
    told = {"label": "Chapter 3", "resourceId": "chapter-3", "tag": "final", "scoreMaximum": 40}
    item = {**told, "id": learner.line_item, "resourceLinkId": learner.link}
    assert listed(platform, learner) == [item]
    platform.quiz.create(learner, label="For no link that is copied")
    copy = platform.open("chosen", context_id="the copy", resource_link_id="the copy")
    assert copy.link != learner.link
    assert listed(platform, copy) == [{**told, "id": copy.line_item, "resourceLinkId": copy.link}]


FILL = """
INSERT INTO tool_line_items (id, context_id, label, maximum, resource_id, tag, more, by_tool,
  created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT 'filled-' || i, :context_id, 'x', '1', '', '', '{}', 1, 0 FROM n
"""


def test_a_tool_cannot_fill_a_course_with_line_items(platform: Platform) -> None:
    full = platform.open(context_id="full course", resource_link_id="in the full course")
    context_id = full.line_items.split("/")[-2]
    made = len(listed(platform, full))
    with platform.bridge.store.database.writing() as connection:
        connection.execute(text(FILL), {"count": MAX_ITEMS - made - 1, "context_id": context_id})
    last = platform.quiz.create(full)
    assert last.status_code == 201
    before = platform.snapshot()
    refused = platform.quiz.create(full)
    assert refused.status_code == 400
    assert refused.json["error"] == "service-refused"
    assert str(MAX_ITEMS) in refused.json["error_description"]
    assert platform.snapshot() == before
    assert put(platform, last.json["id"], label="changed", scoreMaximum=1).status_code == 200
    another = platform.open(context_id="another course", resource_link_id="in another course")
    assert another.line_items != full.line_items
    assert platform.quiz.create(another).status_code == 201
    platform.quiz.call("DELETE", last.json["id"], LINE_ITEM)
    assert platform.quiz.create(full).status_code == 201
