"""What the LMS shows: looked at after a delivery, and a teacher's word kept, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lti import ags, outcomes
from lti_bridge.sandbox import serving
from lti_bridge.store import grades
from tests import claims
from tests.lms.grading import Bridge, Gradebook, bridge_before


@pytest.fixture
def lms() -> Iterator[Gradebook]:
    made = Gradebook()
    yield made
    made.running.stop()


@pytest.fixture
def bridge(tmp_path: Path, lms: Gradebook) -> Iterator[Bridge]:
    with bridge_before(tmp_path, lms) as made:
        yield made


@pytest.fixture
def either(database_url: str, lms: Gradebook) -> Iterator[Bridge]:
    """The bridge on each database."""
    with bridge_before(database_url, lms) as made:
        yield made


def delivered(bridge: Bridge, score: str = "80") -> None:
    """A grade that the LMS has taken."""
    bridge.report(score)
    assert bridge.deliver()["delivery"] == "delivered"


@pytest.mark.spec("T13AG-16", "T13AG-02", "T13TK-05")
def test_a_delivered_grade_is_looked_at_a_little_later(bridge: Bridge, lms: Gradebook) -> None:
    delivered(bridge)
    assert lms.count("GET", "results") == 0
    row = bridge.look()
    assert lms.accepted == ["application/vnd.ims.lis.v2.resultcontainer+json"]
    assert (row["shown"], row["overridden"], row["reads"]) == ("80/100", 0, 1)
    assert bridge.look(seconds=60)["reads"] == 1  # not all the time
    assert bridge.look(seconds=2 * 3600)["reads"] == 2
    for _ in range(5):
        row = bridge.look(seconds=40 * 86_400)
    assert (row["reads"], row["read_at"]) == (4, None)  # and not for ever


@pytest.mark.spec("T13AG-16")
@pytest.mark.parametrize(
    ("told", "there", "overridden"),
    [
        ("80/100", {"score": 8, "maximum": 10}, 0),
        ("1/3", {"score": 0.33, "maximum": 1}, 0),  # two decimals kept
        ("120/100", {"score": 100, "maximum": 100}, 0),  # capped
        ("120/100", {"score": 120, "maximum": 100}, 0),
        ("0/1", {"score": 0, "maximum": 100}, 0),
        ("80/100", {"score": None, "maximum": 100}, 0),
        ("80/100", {"score": 81, "maximum": 100}, 1),
        ("80/100", {"score": 0, "maximum": 100}, 1),
        ("0.8/1", {"score": 0.8, "maximum": 0}, 0),  # a missing maximum means 1
    ],
)
def test_what_counts_as_a_teachers_value(
    bridge: Bridge, lms: Gradebook, told: str, there: dict[str, float], overridden: int
) -> None:
    given, maximum = told.split("/")
    bridge.report(given, maximum=maximum)
    bridge.deliver()
    lms.cells["u1"].update(there)
    assert bridge.look()["overridden"] == overridden
    [listed] = grades.list_grades(bridge.database, stuck=False, limit=9)
    assert listed["overridden"] is bool(overridden)
    assert listed["shown_at"]


def test_a_teachers_grade_stays_and_ours_waits(either: Bridge, lms: Gradebook) -> None:
    bridge = either
    delivered(bridge)
    lms.cells["u1"]["score"] = 70
    bridge.report("90", number=2)
    row = bridge.deliver()
    assert (row["delivery"], row["overridden"], row["shown"]) == ("waiting", 1, "70/100")
    assert "not from here" in row["last_error"]
    assert "70" not in row["last_error"]  # it stands in the log, too
    assert [score["scoreGiven"] for score in lms.scores] == [80]
    assert claims.deliveries(bridge.store, bridge.clock(), 15, 9) == []
    # a resend by hand does not replace it either, unless the person says so
    grades.resend(bridge.database, ["grade-u1"], now=bridge.clock())
    assert bridge.deliver()["delivery"] == "waiting"
    grades.resend(bridge.database, ["grade-u1"], now=bridge.clock(), force=True)
    assert bridge.deliver()["delivery"] == "delivered"
    assert lms.cells["u1"]["score"] == 90
    lms.cells["u1"]["score"] = 60  # once forced is not forced for ever
    bridge.report("95", number=3)
    assert bridge.deliver()["delivery"] == "waiting"


@pytest.mark.parametrize("after", [None, 80, 90])
def test_when_the_teachers_value_is_gone_ours_follows(
    either: Bridge, lms: Gradebook, after: int | None
) -> None:
    bridge = either
    delivered(bridge)
    lms.cells["u1"]["score"] = 70
    bridge.report("90", number=2)
    bridge.deliver()
    assert bridge.look(seconds=2 * 86_400)["delivery"] == "waiting"
    lms.cells["u1"]["score"] = after
    assert bridge.look(seconds=2 * 86_400)["delivery"] == "pending"
    assert bridge.deliver()["delivery"] == "delivered"
    assert lms.cells["u1"]["score"] == 90


@pytest.mark.parametrize("status", [403, 503])
def test_who_cannot_see_any_more_does_not_take_it_for_gone(
    either: Bridge, lms: Gradebook, status: int
) -> None:
    bridge = either
    delivered(bridge)
    lms.cells["u1"]["score"] = 70
    bridge.report("90", number=2)
    bridge.deliver()
    lms.refuses = lambda path: Response(status=status) if path.endswith("results") else None
    row = bridge.look(seconds=2 * 86_400)
    assert (row["delivery"], row["overridden"], row["shown"]) == ("waiting", 1, "70/100")


def test_clearing_a_grade_leaves_a_teachers_too(bridge: Bridge, lms: Gradebook) -> None:
    delivered(bridge)
    lms.cells["u1"]["score"] = 70
    bridge.report(None)
    assert bridge.deliver()["delivery"] == "waiting"
    assert lms.cells["u1"]["score"] == 70


def test_by_setting_ours_replaces_a_teachers(bridge: Bridge, lms: Gradebook) -> None:
    bridge.keep = False
    delivered(bridge)
    lms.cells["u1"]["score"] = 70
    assert bridge.look()["overridden"] == 1  # noticed all the same
    bridge.report("90", number=2)
    assert bridge.deliver()["delivery"] == "delivered"
    assert bridge.look()["overridden"] == 0


def test_a_value_whose_answer_was_lost_is_ours(bridge: Bridge, lms: Gradebook) -> None:
    delivered(bridge)
    stored: list[str] = []

    def lose(path: str) -> Response | None:
        if path.endswith("/scores") and not stored:
            stored.append(path)
            lms.cells["u1"]["score"] = 85  # taken, and then the answer says otherwise
            return Response(status=502)
        return None

    lms.refuses = lose
    bridge.report("85", number=2)
    assert bridge.deliver()["delivery"] == "pending"
    bridge.report("90", number=3)
    assert bridge.deliver()["delivery"] == "delivered"


def test_while_nobody_can_see_ours_waits_an_hour(bridge: Bridge, lms: Gradebook) -> None:
    delivered(bridge)
    lms.refuses = lambda path: Response(status=503) if path.endswith("results") else None
    bridge.report("90", number=2)
    row = bridge.deliver(seconds=61)
    assert (row["delivery"], row["tries"]) == ("pending", 0)
    bridge.clock.forward(seconds=3600)
    assert bridge.deliver()["delivery"] == "delivered"
    assert [score["scoreGiven"] for score in lms.scores] == [80, 90]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_lms_that_shows_nothing_gets_its_grades(
    bridge: Bridge, lms: Gradebook, status: int
) -> None:
    lms.refuses = lambda path: Response(status=status) if path.endswith("results") else None
    delivered(bridge)
    row = bridge.look()
    assert (row["shown"] in ("", "-"), row["overridden"]) == (True, 0)
    bridge.report("90", number=2)
    assert bridge.deliver()["delivery"] == "delivered"


@pytest.mark.spec("T13TK-05")
def test_without_the_scope_nothing_is_read(bridge: Bridge, lms: Gradebook) -> None:
    for number, score in enumerate(("80", "90"), 1):
        bridge.report(score, number=number, scopes=(ags.SCORE,))
        bridge.deliver()
    assert bridge.look()["read_at"] is None
    assert lms.count("GET", "results") == 0


@pytest.mark.spec("T13AG-10")
def test_a_comment_of_the_lms_is_sent_again_so_that_it_stays(
    bridge: Bridge, lms: Gradebook
) -> None:
    lms.wipes = True
    delivered(bridge)
    assert "comment" not in lms.scores[0]
    lms.cells["u1"]["comment"] = "<p>Well done &amp; on time</p>"
    bridge.report("90", number=2)
    bridge.deliver()
    assert lms.cells["u1"]["comment"] == "Well done & on time"  # plain text (AGS §3.4.11)


def test_two_readers_share_the_work_and_never_while_grades_are_due(
    bridge: Bridge, lms: Gradebook
) -> None:
    for user in ("u1", "u2", "u3"):
        bridge.report("80", user=user)
    bridge.deliver()
    bridge.clock.forward(seconds=10)
    bridge.report("70", user="u4")  # due now
    with ThreadPoolExecutor(2) as pool:
        assert bridge.readback.read_due(pool) == 0
        bridge.deliver()
        assert bridge.readback.read_due(pool) == 3
    assert lms.count("GET", "results") == 3


def test_a_look_that_is_overtaken_changes_nothing(bridge: Bridge, lms: Gradebook) -> None:
    delivered(bridge)
    bridge.clock.forward(seconds=10)
    [claimed] = claims.reads(bridge.store, bridge.clock(), 60, 9)
    bridge.report("90", number=2)
    bridge.deliver()
    lms.cells["u1"]["score"] = 10
    bridge.readback.look(claimed)
    assert bridge.row()["overridden"] == 0


def test_when_the_column_is_made_again_all_its_grades_come_again(
    either: Bridge, lms: Gradebook
) -> None:
    bridge = either
    own: dict[str, Any] = {"line_item": "", "line_items": lms.container}
    for user in ("u1", "u2", "u3"):
        bridge.report("80", user=user, **own)
        bridge.deliver()
    assert len(lms.created) == 1
    lms.items = {"1": lms.items["1"]}  # a teacher deleted it, with its grades
    lms.cells.clear()
    bridge.report("90", number=2, **own)
    bridge.deliver()
    bridge.deliver()
    assert {user: cell["score"] for user, cell in lms.cells.items()} == {
        "u1": 90,
        "u2": 80,
        "u3": 80,
    }
    assert len(lms.created) == 2
    assert {bridge.row(user)["delivery"] for user in ("u1", "u2", "u3")} == {"delivered"}


def test_when_the_launchs_column_is_gone_the_others_grades_move_too(
    bridge: Bridge, lms: Gradebook
) -> None:
    for user in ("u1", "u2"):
        bridge.report("80", user=user, line_items=lms.container)
    bridge.deliver()
    lms.items.clear()
    lms.cells.clear()
    bridge.report("90", number=2, line_items=lms.container)
    bridge.deliver()
    bridge.deliver()
    assert {user: cell["score"] for user, cell in lms.cells.items()} == {"u1": 90, "u2": 80}
    assert len(lms.created) == 1


def test_where_each_section_has_a_column_only_those_of_the_lost_one_move(
    either: Bridge, lms: Gradebook
) -> None:
    """Schoology: linked sections have one link, and a column each."""
    bridge, section = either, lms.add()
    for user, item in (("u1", lms.item), ("u2", lms.item), ("u3", section)):
        bridge.report("80", user=user, line_item=item, line_items=lms.container)
    bridge.deliver()
    del lms.items["1"]
    bridge.report("90", number=2, line_items=lms.container)
    bridge.deliver()
    bridge.deliver()
    assert [bridge.row(user)["version"] for user in ("u1", "u2", "u3")] == [2, 2, 1]
    assert [score["userId"] for score in lms.scores].count("u3") == 1


@pytest.mark.spec("T11O-07", "T11O-08")
def test_an_outcome_service_that_cannot_read_is_not_asked_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def outcomes_app(base_url: str) -> Flask:
        app = Flask("outcomes")

        @app.post("/outcomes")
        def answer() -> Response:
            request_ = outcomes.parse_request(request.get_data())
            asked.append(request_.operation)
            can = request_.operation != outcomes.READ or "can" in request_.sourced_id
            said = (
                "success" if can else "unsupported",
                "status",
                "",
                "m",
                request_.message_id,
                request_.operation,
            )
            score = "" if request_.operation == outcomes.READ else None
            return Response(outcomes.build_response(*said, score=score))

        return app

    running, lms = serving.start(outcomes_app), Gradebook()
    try:
        with bridge_before(tmp_path, lms) as bridge:
            registration = Registration11("lms", "key", "secret")
            bridge.registrations["lms"] = registration  # type: ignore[assignment]
            place = {"outcome_url": f"{running.url}/outcomes", "line_item": "", "scopes": ()}
            for number, score in enumerate(("80", "90", "95"), 1):
                bridge.report(score, number=number, sourced_id="cell", **place)  # type: ignore[arg-type]
                assert bridge.deliver()["delivery"] == "delivered"
                bridge.look()
            assert asked == ["replaceResult", "readResult", "replaceResult", "replaceResult"]
            bridge.clock.forward(seconds=86_401)
            bridge.report("99", sourced_id="cell that can", **place)  # type: ignore[arg-type]
            bridge.deliver()
            assert bridge.look()["shown"] == "-"  # an empty text is no grade, never 0
    finally:
        running.stop()
        lms.running.stop()


def test_when_the_lms_made_the_column_again_itself_the_others_grades_move_too(
    bridge: Bridge, lms: Gradebook
) -> None:
    for user in ("u1", "u2"):
        bridge.report("80", user=user, line_items=lms.container)
    bridge.deliver()
    lms.items = {"9": {"id": lms.item.replace("/1/", "/9/"), "resourceLinkId": "rl-7"}}
    lms.cells.clear()
    bridge.report("90", number=2, line_items=lms.container)
    bridge.deliver()
    bridge.deliver()
    assert {user: cell["score"] for user, cell in lms.cells.items()} == {"u1": 90, "u2": 80}
    assert lms.created == []


def test_a_teachers_value_in_our_own_column_stays(bridge: Bridge, lms: Gradebook) -> None:
    own = {"line_item": "", "line_items": lms.container}
    bridge.report("80", **own)  # type: ignore[arg-type]
    assert bridge.deliver()["delivery"] == "delivered"
    assert len(lms.created) == 1
    assert bridge.look()["shown"] == "80/100"
    lms.cells["u1"]["score"] = 70
    bridge.report("90", number=2, **own)  # type: ignore[arg-type]
    row = bridge.deliver()
    assert (row["delivery"], row["overridden"], row["shown"]) == ("waiting", 1, "70/100")
    assert lms.cells["u1"]["score"] == 70
