"""Each family's habits, as an LMS that behaves so shows them over HTTP (docs/lms.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lti_bridge.lms import dialects
from lti_bridge.lti import ags
from tests.lms.grading import Gradebook, bridge_before


@pytest.fixture
def lms() -> Iterator[Gradebook]:
    made = Gradebook()
    yield made
    made.running.stop()


@pytest.mark.parametrize(
    ("family", "address", "name"),
    [
        ("moodle", "", "Moodle"),
        ("Canvas", "https://lms.example.edu", "Canvas"),
        ("", "https://canvas.instructure.com", "Canvas"),
        ("", "https://sso.canvaslms.com/login/oauth2/token", "Canvas"),
        ("desire2learn", "", "Brightspace"),
        ("", "https://school.brightspace.com", "Brightspace"),
        ("BlackboardLearn", "", "Blackboard"),
        ("", "https://blackboard.com", "Blackboard"),
        ("sakai", "", "Sakai"),
        ("openedx", "", "Open edX"),
        ("schoology", "", "Schoology"),
        ("something", "https://lms.example.edu", "plain"),
        ("", "", "plain"),
        ("", "https://notblackboard.com", "plain"),
        ("", "https://blackboard.com.example.edu", "plain"),
        ("", "http://[broken", "plain"),
    ],
)
def test_the_family_is_known_by_its_name_or_its_addresses(
    family: str, address: str, name: str
) -> None:
    assert dialects.of(family, address).name == name


def test_no_two_families_share_a_code() -> None:
    codes = [code for dialect in dialects.DIALECTS for code in dialect.codes]
    assert len(codes) == len(set(codes))
    assert all(code == code.lower() for code in codes)


CANVAS = "https://canvas.instructure.com/lti/submission"


@pytest.mark.spec("T13AG-11")
def test_canvas_learns_when_the_work_was_handed_in(lms: Gradebook, tmp_path: Path) -> None:
    with bridge_before(tmp_path, lms, "canvas") as bridge:
        bridge.keep = False
        handed_in = bridge.clock()
        bridge.report("80")
        bridge.deliver(seconds=3600)
        bridge.report("85")  # the same attempt, corrected: not late, no new submission
        bridge.deliver(seconds=3600)
        again = bridge.clock()
        bridge.report("90", number=2)
        bridge.deliver()
    told = [datetime.fromisoformat(one["submission"]["submittedAt"]) for one in lms.scores]
    before = timedelta(seconds=60)  # Canvas refuses a time that it takes for the future
    assert told == [handed_in - before, handed_in - before, again - before]
    assert all(moment.tzinfo == UTC or moment.utcoffset() == timedelta(0) for moment in told)
    assert [one.get(CANVAS) for one in lms.scores] == [None, {"new_submission": False}, None]


def test_canvas_is_never_asked_to_keep_any_score(lms: Gradebook, tmp_path: Path) -> None:
    with bridge_before(tmp_path, lms, "canvas") as bridge:
        bridge.report("80")
        bridge.deliver()
        bridge.report("90", number=2)
        bridge.deliver()
        bridge.report(None)
        bridge.report(None, number=2)
        bridge.deliver()
    assert [one.get(CANVAS) for one in lms.scores] == [None, None, {"new_submission": False}]
    assert "submission" not in lms.scores[2]


def test_canvas_gets_no_comment_twice(lms: Gradebook, tmp_path: Path) -> None:
    with bridge_before(tmp_path, lms, "canvas") as bridge:
        bridge.report("80")
        bridge.deliver()
        lms.cells["u1"]["comment"] = "see me"
        bridge.report("90", number=2)
        bridge.deliver()
    assert "comment" not in lms.scores[-1]


@pytest.mark.parametrize(("family", "columns"), [("canvas", 1), ("sakai", 0)])
def test_a_link_that_canvas_does_not_know_gets_a_column_of_its_own(
    lms: Gradebook, tmp_path: Path, family: str, columns: int
) -> None:
    lms.unknown_links = True
    lms.items.clear()
    with bridge_before(tmp_path, lms, family) as bridge:
        bridge.report("80", line_item="", line_items=lms.container)
        row = bridge.deliver()
    assert len(lms.items) == columns
    assert row["delivery"] == ("delivered" if columns else "refused")
    assert [("resourceLinkId" in sent) for sent in lms.created] == [True, False][: columns + 1]


def test_others_get_neither_extension_nor_submission(lms: Gradebook, tmp_path: Path) -> None:
    with bridge_before(tmp_path, lms, "moodle") as bridge:
        bridge.report("80")
        bridge.deliver()
    assert set(lms.scores[0]) == {
        "userId",
        "scoreGiven",
        "scoreMaximum",
        "timestamp",
        "activityProgress",
        "gradingProgress",
    }


@pytest.mark.spec("T13TK-02", "AMB-06")
@pytest.mark.parametrize(
    ("issuer", "configured", "audience"),
    [
        ("https://school.brightspace.com", "", "https://api.brightspace.com/auth/token"),
        ("https://school.brightspace.com", "https://own.example.edu", "https://own.example.edu"),
        ("https://lms.example.edu", "", "{url}/token"),
    ],
)
def test_brightspace_wants_an_audience_of_its_own(
    lms: Gradebook, tmp_path: Path, issuer: str, configured: str, audience: str
) -> None:
    values = {"issuer": issuer, "auth_audience": configured}
    with bridge_before(tmp_path, lms, "desire2learn", **values) as bridge:
        bridge.report("80")
        assert bridge.deliver()["delivery"] == "delivered"
    assert set(lms.audiences) == {audience.format(url=lms.url)}


@pytest.mark.spec("T13AG-06", "T13AG-12")
def test_moodle_takes_no_second_score_in_one_second(lms: Gradebook, tmp_path: Path) -> None:
    lms.strict_seconds = True
    with bridge_before(tmp_path, lms, "moodle") as bridge:
        for number, score in enumerate(("80", "81", "82"), 1):
            bridge.report(score, number=number)
            assert bridge.deliver(seconds=0.01)["delivery"] == "delivered"
    assert [one["scoreGiven"] for one in lms.scores] == [80, 81, 82]


def test_moodle_after_a_race_gets_a_later_time(lms: Gradebook, tmp_path: Path) -> None:
    lms.strict_seconds = True
    with bridge_before(tmp_path, lms, "moodle") as bridge:
        # somebody else wrote this user's grade in this very second
        lms.stamps["u1"] = int(bridge.clock().timestamp())
        bridge.report("80")
        assert bridge.deliver(seconds=0)["delivery"] == "pending"
        assert bridge.deliver()["delivery"] == "delivered"
    assert lms.cells["u1"]["score"] == 80


def test_moodle_gets_json_without_line_breaks_and_may_answer_in_html(
    lms: Gradebook, tmp_path: Path
) -> None:
    with bridge_before(tmp_path, lms, "moodle") as bridge:
        bridge.report("80")
        assert bridge.deliver()["delivery"] == "delivered"
    assert b"\n" not in lms.bodies[0]
    assert b": " not in lms.bodies[0]


def test_open_edx_may_answer_with_everybodys_results(lms: Gradebook, tmp_path: Path) -> None:
    lms.unfiltered = True
    with bridge_before(tmp_path, lms, "openedx") as bridge:
        lms.cells["another"] = {"score": 1, "maximum": 100}
        bridge.report("80")
        bridge.deliver()
        assert bridge.look()["shown"] == "80/100"


def test_schoology_gets_a_column_without_an_id(lms: Gradebook, tmp_path: Path) -> None:
    lms.items.clear()
    with bridge_before(tmp_path, lms, "schoology") as bridge:
        bridge.report("80", line_item="", line_items=lms.container)
        bridge.deliver()
    assert set(lms.created[0]) == {"label", "scoreMaximum", "resourceLinkId", "resourceId", "tag"}


def test_sakai_finds_a_column_that_it_binds_to_no_link(lms: Gradebook, tmp_path: Path) -> None:
    lms.items.clear()
    lms.add(resourceId="link-rl-7", tag="lti-bridge")
    with bridge_before(tmp_path, lms, "sakai") as bridge:
        bridge.report("80", line_item="", line_items=lms.container)
        assert bridge.deliver()["delivery"] == "delivered"
    assert lms.created == []


@pytest.mark.spec("T13AG-18")
def test_basic_outcome_words_become_scores(lms: Gradebook, tmp_path: Path) -> None:
    with bridge_before(tmp_path, lms) as bridge:
        bridge.report("0.8", maximum="1")
        bridge.deliver()
        bridge.report(None)
        bridge.deliver()
        shown = bridge.look()["shown"]
    replaced, deleted = lms.scores
    assert (str(replaced["scoreGiven"]), replaced["scoreMaximum"]) == ("0.8", 1)
    assert replaced["gradingProgress"] == "FullyGraded"
    assert "scoreGiven" not in deleted
    assert (deleted["activityProgress"], deleted["gradingProgress"]) == ("Initialized", "NotReady")
    assert shown == "-"  # readResult: GET results?user_id=
    assert ags.RESULT_READ in bridge.launch().grade_target.scopes
