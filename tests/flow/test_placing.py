"""Instructors place, set up, change and copy tests from inside their LMS, by both versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.tool.launches import digest
from tests.flow.browser import Browser, Page
from tests.flow.campus11 import send
from tests.flow.scene import Scene, launch13, refusal, way_back
from tests.flow.test_launch_core import refused
from tests.flow.test_launch_to_gradebook import USERS
from tests.flow.world import eventually

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
EXCEL = {"way": "0 tosa", "set.tst_frm_id": "363", "set.gen_id": "3", "set.redirect": "true"}
TEACHER: dict[str, str | None] = {
    "user_id": "tess",
    "roles": "Instructor",
    "custom_activity": None,
    "lis_result_sourcedid": None,
}


@pytest.fixture(scope="module", autouse=True)
def worker(scene: Scene) -> Iterator[None]:
    """Grades are delivered beside the scene's web processes."""
    process = scene.world.bridge.run("worker")
    yield
    scene.world.bridge.kill(process)


def picker(scene: Scene, lti: str, user: str = "teacher", query: str = "") -> tuple[Browser, Page]:
    """The first page that the LMS's "Add a test" leads to."""
    browser = Browser()
    browser.get(f"{scene.world.lms.url}/as/{user}")
    page = browser.submit(browser.get(f"{scene.world.lms.url}/add/{lti}?{query}"))
    return browser, browser.submit(page) if lti == "1.3" else page


def fill(browser: Browser, page: Page, do: str = "save", **values: str) -> Page:
    """Choose the connection on the first page, then fill its form in."""
    way = values.pop("way", "0 plain")
    form = browser.submit(page, do="form", way=way)
    return browser.submit(form, do=do, **values)


def columns(scene: Scene, link: str) -> dict[str, object]:
    """The gradebook column of a link."""
    found = scene.world.gradebook()["columns"]
    return next(column for column in found if column["link"] == link)


def link_of(scene: Scene, title: str) -> str:
    """The id of the link with this title that was placed last."""
    found = scene.world.gradebook()["columns"]
    return [column["link"] for column in found if column["title"] == title][-1]


@pytest.mark.spec("T13DL-04", "T13DL-06", "T13DL-07", "T13DL-08", "T13DL-11", "CERTV-14")
@pytest.mark.spec("T11C-02", "T11C-03", "T11C-04", "T11C-05")
@pytest.mark.parametrize("lti", ["1.3", "1.1"])
def test_a_test_is_placed_and_its_grade_comes_back(scene: Scene, lti: str) -> None:
    browser, page = picker(scene, lti)
    assert "told" in page.text
    assert "twins-only" not in page.text  # a connection of another LMS
    title = f"Excel “<b>” by {lti}"
    chosen = fill(browser, page, title=title, maximum="50", **EXCEL)
    answer = browser.submit(chosen, do="finish")
    assert (answer.form().method, answer.headers["Cache-Control"]) == ("post", "no-store")
    if lti == "1.3":
        assert [name for name, _ in answer.form().fields] == ["JWT"]
    done = browser.submit(answer)
    assert "Added to the course" in done.text, done.text
    assert browser.submit(answer).status == 400  # the LMS takes an answer once

    link = link_of(scene, title)
    assert columns(scene, link)["maximum"] == 50
    student = Browser()
    student.get(f"{scene.world.lms.url}/as/student1")
    test = student.through(
        student.get(f"{scene.world.lms.url}/launch/{link}"), scene.world.isograd.url
    )
    student.submit(test, score="0.85")
    cell = lambda: columns(scene, link)["cells"].get(USERS["student1"], {}).get("score")  # noqa: E731
    eventually(cell, 42.5)


@pytest.mark.spec("T13DL-05")
@pytest.mark.parametrize("lti", ["1.3", "1.1"])
def test_choosing_nothing_leads_back(scene: Scene, lti: str) -> None:
    browser, page = picker(scene, lti)
    done = browser.submit(browser.submit(page, do="cancel"))
    assert done.url.startswith(f"{scene.world.lms.url}/lti/picked")
    assert (done.status, "Nothing was added" in done.text) == (200, True)


@pytest.mark.spec("T13DL-09", "T11C-06")
@pytest.mark.parametrize("lti", ["1.3", "1.1"])
def test_several_at_once_only_where_the_lms_takes_them(scene: Scene, lti: str) -> None:
    browser, page = picker(scene, lti)
    chosen = fill(browser, page, title=f"One {lti}")
    chosen = fill(browser, browser.submit(chosen, do="start"), title=f"Two {lti}")
    done = browser.submit(browser.submit(chosen, do="finish"))
    assert re.findall(r"<li>(.*?)</li>", done.text) == [f"One {lti}", f"Two {lti}"]

    browser, page = picker(scene, lti, query="single=1")
    answer = fill(browser, page, title=f"Only {lti}")
    assert "/lti/picked" in answer.form().action
    assert re.findall(r"<li>(.*?)</li>", browser.submit(answer).text) == [f"Only {lti}"]

    browser, page = picker(scene, lti, query="single=1")
    again = re.search(r'value="([\w-]+)"[^>]*> Only', page.text)
    assert again, page.text
    done = browser.submit(browser.submit(page, 1, do="use", use=again[1]))
    assert re.findall(r"<li>(.*?)</li>", done.text) == [f"Only {lti}"]


@pytest.mark.spec("SECP-08")
def test_problems_stand_beside_their_fields_and_nothing_typed_is_lost(scene: Scene) -> None:
    before = scene.count("activities")
    browser, page = picker(scene, "1.3")
    typed = {"title": "  ", "maximum": "many", "set.tst_frm_id": '"><b>', "set.gen_id": "3"}
    answer = fill(browser, page, way="0 tosa", attempts="-1", **typed)
    assert answer.status == 200
    for field in ("title", "maximum", "attempts", "set-tst_frm_id"):
        assert f'id="in-{field}-error"' in answer.text, field
        assert f'aria-describedby="in-{field}-help in-{field}-error"' in answer.text
    assert 'id="in-set-gen_id-error"' not in answer.text
    kept = dict(answer.form().fields)
    assert (kept["maximum"], kept["set.tst_frm_id"], kept["attempts"]) == ("many", '"><b>', "-1")
    assert '<option value="3" selected>' in answer.text
    assert "<b>" not in answer.text
    closed = {"title": "x", "opens_at": "2030-01-02T00:00", "closes_at": "2030-01-01T00:00"}
    answer = browser.submit(
        answer, do="save", **typed | closed | {"maximum": "10", "attempts": "0"}
    )
    assert "the test closes before it opens" in answer.text
    assert scene.count("activities") == before


def test_a_preview_shows_what_a_sample_student_sends(scene: Scene) -> None:
    browser, page = picker(scene, "1.3")
    pairs = "who = $Person.name.given\nbad = $Foo.bar\nlogin = $User.username\nfix = a=b"
    shown = fill(browser, page, "preview", way="0 named", title="x", **{"set.custom": pairs})
    for name, value in (("who", "Sam"), ("bad", "$Foo.bar"), ("login", "sam.sample")):
        assert f"<code>{name}</code></dt><dd><code>{value}</code>" in shown.text, name
    assert "$Foo.bar is not known" in shown.text
    assert pairs in shown.text
    assert "Nothing was saved yet" in shown.text


@pytest.mark.parametrize("lti", ["1.3", "1.1"])
def test_learners_never_pick(scene: Scene, lti: str) -> None:
    _, page = picker(scene, lti, "student1")
    assert refused(page, 403, "staff-only")


@pytest.mark.parametrize(
    ("roles", "picks", "sets_up"),
    [
        ("Instructor", True, True),
        ("urn:lti:role:ims/lis/Administrator", True, True),
        ("ContentDeveloper", True, True),
        ("urn:lti:role:ims/lis/TeachingAssistant", True, False),
        ("Learner,urn:lti:sysrole:ims/lis/SysAdmin", False, False),
        ("urn:lti:instrole:ims/lis/Instructor", False, False),
        ("urn:lti:role:ims/lis/Learner/Instructor", False, False),
        ("Mentor", False, False),
        ("urn:lti:role:ims/lis/Manager/Observer", False, False),
        ("xInstructorx", False, False),
        ("", True, False),  # nothing is said: whom the LMS sends to choose may, and no more
    ],
)
@pytest.mark.spec("ROLE-08", "ROLE-09", "SECP-46")
def test_nobody_may_more_than_the_lms_said(
    scene: Scene, roles: str, picks: bool, sets_up: bool
) -> None:
    who = TEACHER | {"roles": roles}
    asks = scene.campus.launch(**SELECTION | who)
    assert asks.status == (200 if picks else 403)
    opened = scene.campus.launch(**who | {"resource_link_id": "roles"})
    assert opened.status == (200 if sets_up else 404), opened.text


SELECTION: dict[str, str | None] = {
    **TEACHER,
    "lti_message_type": "ContentItemSelectionRequest",
    "resource_link_id": None,
    "accept_media_types": "application/vnd.ims.lti.v1.ltilink",
    "accept_presentation_document_targets": "frame,window",
    "content_item_return_url": "https://lms.example.edu/picked",
}


@pytest.mark.spec("T11C-01", "T11C-05", "SECP-26")
@pytest.mark.parametrize(
    "changes",
    [
        {"accept_media_types": None},
        {"accept_presentation_document_targets": None},
        {"content_item_return_url": None},
        {"content_item_return_url": "javascript:alert(1)"},
        {"accept_media_types": "image/png"},
    ],
)
def test_an_incomplete_selection_request_is_refused(
    scene: Scene, changes: dict[str, str | None]
) -> None:
    assert scene.campus.launch(**SELECTION).status == 200
    page = scene.campus.launch(**SELECTION | changes)
    assert refused(page, 400, "message")


@pytest.mark.parametrize("roles", [None, ""])
def test_a_selection_request_needs_no_roles_either(scene: Scene, roles: str | None) -> None:
    """LTI 1.1 only recommends them; who has some is judged by them."""
    page = scene.campus.launch(**SELECTION | {"roles": roles})
    assert page.status == 200
    assert "Set up a new test" in page.text
    student = scene.campus.launch(**SELECTION | {"roles": "Learner"})
    assert refused(student, 403, "staff-only")


DL = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
ASKS = {
    f"{CLAIM}message_type": "LtiDeepLinkingRequest",
    f"{CLAIM}roles": [f"{MEMBERSHIP}#Instructor"],
    f"{CLAIM}target_link_uri": None,
    f"{CLAIM}resource_link": None,
    DL: {
        "deep_link_return_url": "https://lms.example.edu/picked",
        "accept_types": ["link", "ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe"],
    },
}


@pytest.mark.spec("T13DL-01", "T13DL-03")
def test_a_request_without_link_target_and_user_is_served(scene: Scene) -> None:
    browser, claims = Browser(), {**ASKS, "sub": None}
    page = launch13(scene, scene.world.lms, "teacher", claims=claims, browser=browser)
    assert page.status == 200, page.text
    saved = fill(browser, page, title="By nobody")
    assert "https://lms.example.edu/picked" in saved.form().action


@pytest.mark.spec("T13DL-02", "SECP-05")
@pytest.mark.parametrize(
    "changes",
    [
        {"deep_link_return_url": None},
        {"deep_link_return_url": "javascript:alert(1)"},
        {"accept_types": None},
        {"accept_types": "ltiResourceLink"},
        {"accept_types": ["html"]},
        {"accept_presentation_document_targets": None},
    ],
)
def test_an_incomplete_deep_linking_request_is_refused(
    scene: Scene, changes: dict[str, object]
) -> None:
    claims = {**ASKS, DL: {**ASKS[DL], **changes}}
    assert refused(launch13(scene, scene.world.lms, "teacher", claims=claims), 400, "message")


@pytest.mark.parametrize(("way", "attempts"), [("0 tosa", "1"), ("0 plain", "0")])
def test_a_new_test_that_costs_begins_with_one_attempt(
    scene: Scene, way: str, attempts: str
) -> None:
    browser, page = picker(scene, "1.1")
    form = browser.submit(page, do="form", way=way)
    assert dict(form.form().fields)["attempts"] == attempts


def place(scene: Scene, **fields: str) -> Page:
    """Post to the pages that set tests up."""
    return send(f"{scene.world.bridge.url}/course/place", list(fields.items()))


def token_of(page: Page) -> str:
    """The token in the first form of a page."""
    return dict(page.form().fields)["token"]


@pytest.mark.spec("SECP-28")
def test_only_the_token_of_a_launch_by_staff_goes_on(scene: Scene) -> None:
    before = scene.count("activities"), scene.count("links")
    url = f"{scene.world.bridge.url}/course/place"
    assert refused(place(scene, do="start"), 403, "page-expired")
    assert refused(place(scene, do="start", token="x" * 22), 403, "page-expired")
    page = scene.campus.launch(**TEACHER, resource_link_id="guard")
    token = token_of(page)
    assert Browser().get(f"{url}?token={token}&do=start").status == 405
    for broken in ({"do": "no-such"}, {"do": "form", "way": "x"}, {"do": "finish"}):
        assert 400 <= place(scene, token=token, **broken).status < 500, broken
    for broken in ({"way": "9 plain"}, {"way": "0 twins-only"}, {"way": "0 no-such"}):
        assert place(scene, token=token, do="form", **broken).status == 404, broken
    assert place(scene, token=token, do="save", title="x" * 2_000_000).status == 413
    for number in ("x", "9" * 5000):
        assert place(scene, token=token, do="save", connection="plain", form=number).status == 404
    assert place(scene, token=token, do="save", connection="plain", title="a\0b").status == 400
    assert (scene.count("activities"), scene.count("links")) == before


def test_a_students_token_sets_nothing_up(scene: Scene) -> None:
    who = {"roles": "urn:lti:role:ims/lis/TeachingAssistant", "resource_link_id": "assistant"}
    page = scene.campus.launch(**who)  # may look at a link that is set up, and preview it
    assert page.status == 200
    assert "Change this activity" not in page.text
    assert refused(place(scene, do="start", token=token_of(page)), 403, "staff-only")


@pytest.mark.spec("SECP-17")
def test_a_request_for_links_is_good_once(scene: Scene) -> None:
    fields = scene.campus.signed(scene.campus.fields(**SELECTION))
    assert send(scene.campus.url, fields).status == 200
    assert refused(send(scene.campus.url, fields), 401, "opened-already")


def test_a_token_expires(scene: Scene) -> None:
    old = str(int((datetime.now(UTC) - timedelta(hours=1, minutes=25)).timestamp()))
    page = scene.campus.launch(**TEACHER, resource_link_id="old", oauth_timestamp=old)
    token = token_of(page)
    assert place(scene, token=token, do="start").status == 200
    scene.write("UPDATE held_launches SET until = 1000 WHERE token = :token", token=digest(token))
    assert refused(place(scene, token=token, do="start"), 403, "page-expired")


def set_up(scene: Scene, link: str, pairs: str, campus: str = "campus", **changes: str) -> Page:
    """A teacher opens a link that opens nothing yet, and fills the form in."""
    launch = {**TEACHER, "resource_link_id": link, **changes}
    page = getattr(scene, campus).launch(**launch)
    assert page.status == 200, page.text
    return fill(Browser(), page, title=f"Set up: {link}", **{"set.custom": pairs})


def student(scene: Scene, link: str, **changes: str | None) -> Page:
    """A student opens a link."""
    return scene.campus.launch(**{"resource_link_id": link, "custom_activity": None} | changes)


def chapter(scene: Scene, page: Page) -> str:
    """What the tool is told of the setting `chapter`."""
    assert page.status == 200, page.text
    return scene.carry(page).form["custom_chapter"]


def test_a_link_is_set_up_when_a_teacher_first_opens_it(scene: Scene) -> None:
    early = student(scene, "first")
    assert refused(early, 404, "not-configured")
    assert way_back(early)["lti_errormsg"]
    overview = set_up(scene, "first", "chapter = 1")
    assert "Set up: first" in overview.text
    assert "Open the test as a preview" in overview.text
    assert chapter(scene, student(scene, "first")) == "1"
    again = scene.campus.launch(**TEACHER, resource_link_id="first")
    assert "1 attempt has been made" in again.text


def test_changes_apply_to_later_attempts_and_the_page_says_how_many_there_are(scene: Scene) -> None:
    overview = set_up(scene, "edit", "chapter = 1")
    assert chapter(scene, student(scene, "edit", user_id="early")) == "1"
    browser = Browser()
    manage = next(n for n, one in enumerate(overview.forms()) if "use" in dict(one.fields))
    form = browser.submit(overview, manage, do="edit")
    assert "1 attempt has been made" in form.text
    assert "chapter = 1" in form.text
    saved = browser.submit(form, do="save", **{"set.custom": "chapter = 2"})
    assert "<h1>Saved</h1>" in saved.text
    assert chapter(scene, student(scene, "edit", user_id="early")) == "1"
    assert chapter(scene, student(scene, "edit", user_id="late")) == "2"
    who = scene.rows(
        "SELECT v.number, l.user_id FROM activity_versions v JOIN learners l"
        " ON l.id = v.changed_by JOIN activities a ON a.id = v.activity_id"
        " WHERE a.title = 'Set up: edit' ORDER BY v.number"
    )
    assert [tuple(row) for row in who] == [(1, "tess"), (2, "tess")]


def test_an_activity_is_copied_and_retired(scene: Scene) -> None:
    overview = set_up(scene, "retire", "chapter = 5")
    browser = Browser()
    manage = next(n for n, one in enumerate(overview.forms()) if "use" in dict(one.fields))
    copy = browser.submit(overview, manage, do="copy")
    assert "Set up: retire (copy)" in copy.text
    saved = browser.submit(copy, do="save", **{"set.custom": "chapter = 5"})
    assert "No link opens it yet." in saved.text
    asked = browser.submit(overview, manage, do="retire")
    assert chapter(scene, student(scene, "retire")) == "5"  # asking changes nothing
    assert "<h1>Retired</h1>" in browser.submit(asked, do="retire-now").text
    assert refused(student(scene, "retire"), 404, "not-configured")
    anew = scene.campus.launch(**TEACHER, resource_link_id="retire")
    taken = re.search(r'value="([\w-]+)"[^>]*> Set up: retire \(copy\)', anew.text)
    assert taken, anew.text
    assert "Set up: retire <" not in anew.text
    browser.submit(anew, 1, do="use", use=taken[1])
    assert chapter(scene, student(scene, "retire")) == "5"


def activity_id(scene: Scene, title: str) -> str:
    """The id of the first activity with this title."""
    sql = "SELECT id FROM activities WHERE title = :title ORDER BY created_at LIMIT 1"
    return str(scene.rows(sql, title=title)[0][0])


@pytest.mark.spec("SECP-38")
def test_another_courses_or_lmss_activity_is_never_used_or_changed(scene: Scene) -> None:
    set_up(scene, "mine", "chapter = 7")
    ours = activity_id(scene, "Set up: mine")
    deep = {"custom_lti_bridge_activity": ours}
    assert chapter(scene, student(scene, "mine-2", **deep)) == "7"
    for campus in (scene.twin, scene.strict):
        page = campus.launch(**TEACHER, **deep, resource_link_id="other")
        assert "Set up: mine" not in page.text
        learner = campus.launch(custom_activity=None, resource_link_id="other", **deep)
        assert refused(learner, 404, "not-configured")
        assert campus.launch(custom_activity=ours, resource_link_id="o").status == 404
    elsewhere = {"context_id": "course-9", "resource_link_id": "other"}
    assert refused(student(scene, "other", **deep | elsewhere), 404, "not-configured")
    assert refused(
        student(scene, "other", custom_activity=ours, context_id="course-9"), 404, "not-configured"
    )
    token = token_of(scene.campus.launch(**TEACHER | elsewhere))
    for do in ("use", "edit", "copy", "retire", "retire-now", "adopt"):
        answer = place(scene, token=token, do=do, use=ours)
        assert refused(answer, 403, "page-expired"), do
    form = {"connection": "plain", "form": "0", "title": "Stolen"}
    for taken in (ours, "x", "best", ""):
        answer = place(scene, token=token, do="save", activity=taken, **form)
        assert refused(answer, 403, "page-expired"), taken
    assert not scene.rows("SELECT 1 FROM activities WHERE title = 'Stolen'")


@pytest.mark.parametrize(
    "history",
    [
        {"custom_context_id_history": "course-1"},
        {"custom_context_id_history": "unknown%2C1,course-1"},
        {"custom_resource_link_id_history": "{link}"},
        {"ext_d2l_resource_link_id_history": "{link}"},
        {"ext_d2l_context_id_history": "course-1"},
        {"resource_link_id_history": "x,{link}"},
    ],
)
def test_a_copied_link_finds_its_activity_by_history(
    scene: Scene, history: dict[str, str], request: pytest.FixtureRequest
) -> None:
    name = "copied-" + "-".join(history)
    course = f"{name}-{len(str(history))}"
    set_up(scene, name, "chapter = 8")
    assert chapter(scene, student(scene, name)) == "8"
    deep = {"custom_lti_bridge_activity": activity_id(scene, f"Set up: {name}")}
    told = {key: value.format(link=name) for key, value in history.items()}
    before = scene.count("attempts")
    first = scene.carry(student(scene, name, **deep)).form
    copied = scene.carry(student(scene, f"{name}-2", context_id=course, **deep, **told)).form
    assert copied["custom_chapter"] == "8"
    assert copied["resource_link_id"] != first["resource_link_id"]
    assert copied["lis_result_sourcedid"] != first["lis_result_sourcedid"]
    assert scene.count("attempts") == before + 1  # a fresh one
    copies = scene.rows(
        "SELECT id, origin FROM activities WHERE context_id = :course", course=course
    )
    assert [row.origin for row in copies] == [deep["custom_lti_bridge_activity"]]
    again = student(scene, f"{name}-3", context_id=course, **deep)  # proven once is enough
    assert chapter(scene, again) == "8"
    assert len(scene.rows("SELECT 1 FROM activities WHERE context_id = :c", c=course)) == 1


def test_generations_of_copies_start_from_the_nearest(scene: Scene) -> None:
    set_up(scene, "gen", "chapter = 1")
    deep = {"custom_lti_bridge_activity": activity_id(scene, "Set up: gen")}
    second = {"context_id": "gen-2", **deep, "custom_context_id_history": "course-1"}
    assert chapter(scene, student(scene, "gen-l2", **second)) == "1"
    overview = scene.campus.launch(**TEACHER, resource_link_id="gen-l2", **second)
    manage = next(n for n, one in enumerate(overview.forms()) if "use" in dict(one.fields))
    form = Browser().submit(overview, manage, do="edit")
    Browser().submit(form, do="save", **{"set.custom": "chapter = 2"})
    third = {"context_id": "gen-3", **deep, "custom_context_id_history": "gen-2,course-1"}
    assert chapter(scene, student(scene, "gen-l3", **third)) == "2"
    late = {"context_id": "gen-4", **deep, "custom_context_id_history": "gone,course-1"}
    assert chapter(scene, student(scene, "gen-l4", **late)) == "1"
    assert chapter(scene, student(scene, "gen", user_id="fresh", **deep)) == "1"


def test_without_history_the_teacher_is_asked_once(scene: Scene) -> None:
    set_up(scene, "ask", "chapter = 9")
    deep = {"custom_lti_bridge_activity": activity_id(scene, "Set up: ask")}
    where = {"context_id": "asked", **deep}
    assert refused(student(scene, "ask-2", **where), 404, "not-configured")
    asked = scene.campus.launch(**TEACHER, resource_link_id="ask-2", **where)
    assert "“Set up: ask”" in asked.text
    overview = Browser().submit(asked, do="adopt")
    assert "What students get from this link" in overview.text
    assert chapter(scene, student(scene, "ask-2", **where)) == "9"
    assert (
        "“Set up: ask”"
        not in scene.campus.launch(**TEACHER, resource_link_id="ask-2", **where).text
    )


def test_a_link_set_up_by_hand_is_found_by_what_the_lms_itself_tells(scene: Scene) -> None:
    set_up(scene, "hand", "chapter = 4")
    written = {"context_id": "hand-2", "custom_resource_link_id_history": "hand"}
    assert refused(student(scene, "hand-w", **written), 404, "not-configured")
    asked = scene.campus.launch(**TEACHER, resource_link_id="hand-w", **written)
    assert "“Set up: hand”" in asked.text  # anybody can write this: a teacher is asked
    told = {"context_id": "hand-3", "ext_d2l_resource_link_id_history": "hand"}
    assert chapter(scene, student(scene, "hand-t", **told)) == "4"
    assert refused(
        scene.twin.launch(custom_activity=None, resource_link_id="hand-t", **told),
        404,
        "not-configured",
    )


@pytest.mark.parametrize("deep", [False, True])
def test_a_teacher_chooses_anew_when_a_connection_is_gone(scene: Scene, deep: bool) -> None:
    name = f"gone-{deep}"
    set_up(scene, name, "chapter = 1")
    gone = activity_id(scene, f"Set up: {name}")
    link = {"custom_lti_bridge_activity": gone} if deep else {}
    scene.write("UPDATE activities SET connection = 'gone' WHERE id = :id", id=gone)
    assert refused(student(scene, name, **link), 404, "not-configured")
    assert "What students get" in set_up(scene, name, "chapter = 2", **link).text
    assert chapter(scene, student(scene, name, **link)) == "2"


def test_refusals_after_a_verified_launch_lead_back(scene: Scene) -> None:
    page = scene.campus.launch(**SELECTION | {"roles": "Learner"})
    assert refusal(page)[0] == "staff-only"
    assert "lti_errormsg" in way_back(page)
