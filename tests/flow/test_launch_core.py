"""What a click leads to: activities, links, people, attempts, and who gets which page."""

from __future__ import annotations

import pytest

from tests.flow.browser import Browser, Page
from tests.flow.campus11 import Arrival
from tests.flow.scene import TOOL_SECRET, Scene, launch13, refusal, way_back

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
INLINE = {"custom_connection": "plain", "custom_tool_chapter": "1"}
EXCEL = {"custom_activity": None, "custom_connection": "tosa", "custom_tst_frm_id": "363"}


def where(arrived: Arrival) -> str:
    return arrived.url.partition("?")[0].rpartition("/")[2]


def refused(page: Page, status: int, code: str) -> bool:
    return (page.status, refusal(page)[0]) == (status, code)


def take_test(scene: Scene, user: str, score: str = "", **changes: str | None) -> dict[str, str]:
    """Open the pretend Isograd's test, hand it in if there is a score; what Isograd got."""
    page = scene.campus.launch(user_id=user, **changes)
    assert page.status == 200, page.text
    browser = Browser()
    test = browser.submit(browser.anew(page))
    assert test.status == 200, test.text
    if score:
        browser.submit(test, score=score)
    found: dict[str, str] = scene.launches()[-1]["parameters"]
    return found


def test_four_ways_to_an_activity_in_their_order(scene: Scene) -> None:
    link: dict[str, str | None] = {"resource_link_id": "ways", "custom_activity": None}
    deep = {"custom_lti_bridge_activity": "query"}
    assert refused(scene.twin.launch(**link), 404, "not-configured")
    everything = link | INLINE | deep | {"custom_activity": "named"}
    assert where(scene.open(scene.twin, **everything)) == "query"
    assert (
        where(scene.open(scene.twin, **everything | {"custom_lti_bridge_activity": ""})) == "named"
    )
    assert where(scene.open(scene.twin, **link)) == "named"
    inline = scene.open(scene.twin, **link | INLINE)
    assert (where(inline), inline.form["custom_chapter"]) == ("plain", "1")
    corrected = scene.open(scene.twin, **link | INLINE | {"custom_tool_chapter": "2"})
    assert corrected.form["custom_chapter"] == "2"
    remembered = scene.open(scene.twin, **link)
    assert (where(remembered), remembered.form["custom_chapter"]) == ("plain", "2")


@pytest.mark.parametrize("name", ["custom_activity", "custom_lti_bridge_activity"])
def test_an_unknown_activity_is_a_page_with_a_way_back(scene: Scene, name: str) -> None:
    page = scene.campus.launch(**{name: "<b>no-such</b>"})
    assert refused(page, 404, "not-configured")
    assert "no test has been chosen" in page.text
    assert "no-such" not in page.text
    assert way_back(page)["lti_errormsg"]
    assert "no-such" in scene.log_of(refusal(page)[1])


@pytest.mark.spec("BR-01", "BR-02", "GEN-07", "P11L-05", "SECP-38")
def test_two_lms_with_equal_ids_stay_apart(scene: Scene) -> None:
    same = {"user_id": "equal", "context_id": "101", "resource_link_id": "7"}
    ours, theirs = (scene.open(campus, **same).form for campus in (scene.campus, scene.twin))
    for name in ("user_id", "context_id", "resource_link_id", "lis_result_sourcedid"):
        assert ours[name] != theirs[name]
        assert ours[name] not in ("equal", "101", "7", "cell-of-ann")
    assert scene.attempts("equal") == [(1, "created"), (1, "created")]
    new = {**same, "resource_link_id": "8"}
    scene.open(scene.twin, **new)
    assert refused(scene.campus.launch(**new, custom_activity=None), 404, "not-configured")


@pytest.mark.spec("GEN-05", "GEN-03", "GEN-07", "BR-01")
def test_deployments_of_one_client_stay_apart(scene: Scene) -> None:
    got = {}
    for party in (scene.second, scene.world.lms):
        for deployment in ("1", "2"):
            extra = {"https://lms.example.edu/claim/new": {"deep": [1, None]}, "zoneinfo": "x"}
            custom = {f"{CLAIM}custom": {"activity": "plain"}}
            page = launch13(scene, party, deployment=deployment, claims=extra | custom)
            if page.status == 200:
                Browser().submit(page)
                got[party.url, deployment] = scene.tool.last.form
            else:
                assert refused(page, 403, "unknown-deployment")
    assert len(got) == 3  # the first LMS has one deployment
    for name in ("context_id", "resource_link_id", "lis_result_sourcedid"):
        assert len({form[name] for form in got.values()}) == 3, name
    assert len({form["user_id"] for form in got.values()}) == 2
    assert refused(launch13(scene, scene.second, deployment="3"), 403, "unknown-deployment")


@pytest.mark.spec("P11L-04", "P11L-05", "P11L-14")
def test_a_relaunch_is_the_same_attempt(scene: Scene) -> None:
    kept = ("user_id", "resource_link_id", "context_id", "lis_result_sourcedid")
    first, again = (scene.open(scene.campus, user_id="again").form for _ in range(2))
    assert [first[name] for name in kept] == [again[name] for name in kept]
    copied = scene.open(scene.campus, user_id="again", resource_link_id="copy").form
    assert copied["resource_link_id"] != first["resource_link_id"]
    assert copied["lis_result_sourcedid"] != first["lis_result_sourcedid"]
    # a course with another id is the same place, until the old one turns out to be alive
    elsewhere = {"user_id": "again", "context_id": "course-again"}
    moved, back = scene.open(scene.campus, **elsewhere), scene.open(scene.campus, user_id="again")
    for same in (moved.form, back.form):
        assert [same[name] for name in kept] == [first[name] for name in kept]
    apart = scene.open(scene.campus, **elsewhere).form
    assert apart["user_id"] == first["user_id"]
    for name in kept[1:]:
        assert apart[name] not in (first[name], copied[name]), name


@pytest.mark.spec("BR-17", "P11L-13", "BR-19")
def test_an_instructor_sees_a_page_and_a_preview(scene: Scene) -> None:
    before = scene.count("attempts"), scene.count("grades")
    page = scene.campus.launch(roles="Instructor", user_id="tess", custom_activity="named")
    assert page.status == 200
    for shown in ("A test that knows names", "Digital Skills", "best", "never graded"):
        assert shown in page.text
    browser = Browser()
    for _ in range(2):
        tool = browser.submit(page)
        assert browser.submit(tool).text == "hello"
        arrived = scene.tool.last
        assert arrived.verifies(TOOL_SECRET)
        assert arrived.form["roles"] == "Instructor"
        assert "lis_result_sourcedid" not in arrived.form
        back = browser.get(arrived.form["launch_presentation_return_url"])
        assert back.status == 200
        assert "https://lms.example.edu/back?course=1" in back.text
    assert (scene.count("attempts"), scene.count("grades")) == before


@pytest.mark.parametrize("token", ["", "guess", "x" * 5000])
def test_a_preview_needs_its_token(scene: Scene, token: str) -> None:
    scene.campus.launch(roles="Instructor")
    page = Browser().post(f"{scene.world.bridge.url}/course/go-on", {"token": token})
    assert refused(page, 403, "page-expired")


@pytest.mark.spec("SECP-20")
def test_whoever_reads_the_database_finds_no_token_of_a_page(scene: Scene) -> None:
    page = scene.campus.launch(roles="Instructor", user_id="tess")
    tokens = {value for form in page.forms() for name, value in form.fields if name == "token"}
    kept = {row.token for row in scene.rows("SELECT token FROM held_launches")}
    assert tokens
    assert kept
    assert not tokens & kept
    assert Browser().submit(page).status == 200


def test_a_preview_lasts_two_hours(scene: Scene) -> None:
    scene.campus.launch(roles="Instructor")
    sql = "SELECT h.until - l.received_at FROM held_launches h, launches l"
    spans = scene.rows(f"{sql} ORDER BY h.until DESC, l.received_at DESC LIMIT 1")
    assert 7_190_000 < spans[0][0] < 7_210_000
    page = scene.campus.launch(roles="Instructor")
    scene.write("UPDATE held_launches SET until = until - 7210000")
    assert refused(Browser().submit(page), 403, "page-expired")


def test_a_preview_that_cannot_open_knows_the_way_back(scene: Scene) -> None:
    page = scene.campus.launch(
        roles="Instructor", custom_activity="best", lis_person_contact_email_primary=None
    )
    assert page.status == 200
    failed = Browser().submit(page)
    assert refused(failed, 409, "no-personal-data")
    assert way_back(failed)["lti_errormsg"]


@pytest.mark.spec("BR-05", "BR-17")
def test_a_test_user_opens_the_test_without_an_attempt(scene: Scene) -> None:
    before = scene.count("attempts")
    claims = {f"{CLAIM}roles": [f"{MEMBERSHIP}#Learner", TEST_USER]}
    page = launch13(scene, scene.second, claims=claims)
    fields = dict(page.form().fields)
    assert page.form().action == f"{scene.tool.running.url}/plain"
    assert "lis_result_sourcedid" not in fields
    assert fields["roles"] == "Learner"
    assert scene.count("attempts") == before


@pytest.mark.spec("AMB-02", "BR-05")
@pytest.mark.parametrize(
    ("roles", "attempts"),
    [("Mentor", 0), ("urn:lti:role:ims/lis/Manager/Observer", 0), ("", 1), ("Stranger", 1)],
)
def test_who_is_no_learner_gets_no_grade(scene: Scene, roles: str, attempts: int) -> None:
    user = f"no learner {roles}"
    page = scene.campus.launch(roles=roles, user_id=user, lis_result_sourcedid=None)
    assert page.status == 200
    assert len(scene.attempts(user)) == attempts
    assert "lis_result_sourcedid" not in page.text
    if not attempts:
        assert "This link opens a test for students" in page.text
        assert page.forms() == []


def test_a_grade_ends_an_attempt_and_a_limit_ends_them_all(scene: Scene) -> None:
    first = take_test(scene, "repeats", "0.5", custom_activity="best")
    assert scene.attempts("repeats") == [(1, "graded")]
    second = take_test(scene, "repeats", custom_activity="best")
    again = take_test(scene, "repeats", custom_activity="best")
    assert scene.attempts("repeats") == [(1, "graded"), (2, "created")]
    names = ("lis_result_sourcedid", "user_id", "resource_link_id")
    assert second["lis_result_sourcedid"] != first["lis_result_sourcedid"]
    assert [second[name] for name in names] == [again[name] for name in names]
    assert [first[name] for name in names[1:]] == [again[name] for name in names[1:]]

    limited = {"custom_activity": "once", "resource_link_id": "limited"}
    limited["lis_person_contact_email_primary"] = "limited@example.edu"
    scene.campus.launch(user_id="limited", **limited)  # opened and left
    take_test(scene, "limited", "0.5", **limited)
    page = scene.campus.launch(user_id="limited", **limited)
    assert refused(page, 403, "no-attempts-left")
    assert "You have used all your attempts at this test." in page.text
    assert scene.attempts("limited") == [(1, "graded")]
    assert scene.campus.launch(user_id="not yet", **limited).status == 200


@pytest.mark.parametrize("activity", ["for-twins", "closed"])
def test_what_is_for_one_lms_is_closed_to_others(scene: Scene, activity: str) -> None:
    assert scene.twin.launch(custom_activity=activity).status == 200
    for name in ("custom_activity", "custom_lti_bridge_activity"):
        page = scene.campus.launch(**{name: activity}, resource_link_id="closed")
        assert refused(page, 404, "not-configured")
        assert "is not open to" in scene.log_of(refusal(page)[1])


def test_inline_activities_only_where_they_are_allowed(scene: Scene) -> None:
    link: dict[str, str | None] = {"custom_activity": None, "resource_link_id": "inline"}
    assert scene.twin.launch(**link | INLINE).status == 200
    assert refused(scene.campus.launch(**link | INLINE), 404, "not-configured")
    assert refused(scene.twin.launch(**link | {"custom_connection": "?"}), 404, "not-configured")
    closed = link | {"custom_connection": "twins-only"}
    assert scene.twin.launch(**closed).status == 200
    # the id of an activity that another LMS wrote out opens nothing here
    (row,) = scene.rows("SELECT id FROM activities WHERE connection = 'twins-only'")
    assert refused(scene.campus.launch(custom_activity=row.id), 404, "not-configured")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"custom_act_id": "13"}, "administrator"),
        ({"custom_act_id": "8", "custom_gen_id": "9"}, "gen_id"),
        ({"custom_act_id": "8", "custom_gen_id": "3", "custom_ema": "x@example.edu"}, "ema"),
    ],
)
def test_inline_settings_are_checked(scene: Scene, wrong: dict[str, str], reason: str) -> None:
    page = scene.twin.launch(**EXCEL | wrong)
    assert refused(page, 404, "link-settings")
    assert reason in scene.log_of(refusal(page)[1])
    assert not [one for one in scene.launches() if one["parameters"].get("custom_act_id") == "13"]


@pytest.mark.spec("T11L-04", "BR-09")
@pytest.mark.parametrize("user", [None, ""])
def test_nobody_takes_a_test_without_a_name_for_the_grade(scene: Scene, user: str | None) -> None:
    before = scene.count("attempts"), scene.count("launches")
    page = scene.campus.launch(user_id=user)
    assert refused(page, 403, "anonymous")
    assert way_back(page)
    assert (scene.count("attempts"), scene.count("launches")) == before
    assert scene.campus.launch(user_id=user, roles="Instructor").status == 200
