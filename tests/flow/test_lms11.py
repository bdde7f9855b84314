"""LTI 1.1 launches into the running bridge: what they may hold, and what that does."""

from __future__ import annotations

import pytest

from tests.flow.browser import Browser
from tests.flow.campus11 import Pairs, changed, send, sign
from tests.flow.scene import Scene, refusal, way_back

MINIMAL = ("lti_message_type", "lti_version", "resource_link_id", "custom_activity")
STAFF_PAGE = "What students get from this link"
FOR_LEARNERS = "This link opens a test for students"


@pytest.mark.spec("T11L-01", "T11L-04")
def test_a_launch_needs_four_fields_and_somebody(scene: Scene) -> None:
    campus = scene.campus
    for changes, seen in (
        ({"user_id": "few"}, "Your test is ready"),
        ({"roles": "Instructor"}, STAFF_PAGE),
    ):
        few = [pair for pair in campus.fields() if pair[0].startswith(("oauth_", *MINIMAL))]
        page = send(campus.url, campus.signed([*few, *changes.items()]))
        assert page.status == 200
        assert seen in page.text


@pytest.mark.spec("T11L-04")
@pytest.mark.parametrize(
    "missing",
    [
        "roles",
        "context_id",
        "context_title",
        "lis_person_name_given",
        "lis_person_contact_email_primary",
        "lis_result_sourcedid",
        "launch_presentation_return_url",
    ],
)
@pytest.mark.parametrize("value", [None, ""])
def test_optional_fields_may_be_missing(scene: Scene, missing: str, value: str | None) -> None:
    arrived = scene.open(scene.campus, **{missing: value}, user_id=f"without {missing}").form
    assert arrived["lti_message_type"] == "basic-lti-launch-request"
    graded = missing != "lis_result_sourcedid"
    assert ("lis_result_sourcedid" in arrived) == graded


@pytest.mark.spec("T11L-02")
@pytest.mark.parametrize(
    "change",
    [
        {"lti_message_type": None},
        {"lti_message_type": ""},
        {"lti_message_type": "LtiResourceLinkRequest"},
        {"lti_message_type": "ToolProxyRegistrationRequest"},
        {"lti_version": None},
        {"lti_version": "LTI-2p0"},
        {"lti_version": "1.3.0"},
        {"resource_link_id": None},
        {"resource_link_id": ""},
        {"resource_link_id": " "},
    ],
)
def test_wrong_content_is_no_signature_error(scene: Scene, change: dict[str, str | None]) -> None:
    page = scene.campus.launch(**change)
    assert (page.status, refusal(page)[0]) == (400, "message")


@pytest.mark.spec("T11L-02", "SECP-06")
@pytest.mark.parametrize(
    "again", [("resource_link_id", "link-1"), ("resource_link_id", "2"), ("user_id", "ben")]
)
def test_repeated_fields_are_refused(scene: Scene, again: tuple[str, str]) -> None:
    campus = scene.campus
    page = send(campus.url, campus.signed([*campus.fields(), again]))
    assert (page.status, refusal(page)[0]) == (400, "message")
    query = "=".join(again)
    page = send(f"{campus.url}?{query}", campus.signed(campus.fields(), query))
    assert (page.status, refusal(page)[0]) == (400, "message")


@pytest.mark.spec("T11L-03", "T11L-11")
def test_the_signature_is_checked_first(scene: Scene) -> None:
    bad: list[Pairs] = [
        scene.campus.fields(resource_link_id=None),
        scene.campus.fields(lti_version="x", lti_message_type="y"),
        scene.campus.fields(user_id="u" * 300),
        scene.campus.fields(custom_activity="no-such-activity"),
        [*scene.campus.fields(), ("user_id", "ben")],
    ]
    for fields in bad:
        page = send(scene.campus.url, [*fields, ("oauth_signature", sign("http://a/", [], "x"))])
        assert (page.status, refusal(page)[0]) == (401, "signature")
        assert "lms.example.edu" not in page.text
        assert "campus11" not in scene.log_of(refusal(page)[1])


@pytest.mark.spec("T11L-05", "ROLE-08", "ROLE-09", "SECP-46", "AMB-02")
@pytest.mark.parametrize(
    ("roles", "seen"),
    [
        ("Learner", "test"),
        (" ,lEARNER ,, no:such/role,", "test"),
        ("urn:lti:role:ims/lis/Learner", "test"),
        ("urn:lti:role:ims/lis/Learner/Instructor", "test"),
        ("Instructor", STAFF_PAGE),
        ("learner , instructor", STAFF_PAGE),
        ("urn:lti:role:ims/lis/Instructor/PrimaryInstructor", STAFF_PAGE),
        ("urn:lti:role:ims/lis/TeachingAssistant", STAFF_PAGE),
        ("Administrator", STAFF_PAGE),
        ("ContentDeveloper", STAFF_PAGE),
        ("urn:lti:instrole:ims/lis/Instructor,Learner", "test"),
        ("urn:lti:sysrole:ims/lis/SysAdmin,urn:lti:role:ims/lis/Learner", "test"),
        ("NotAnInstructor", "test"),
        ("", "test"),
        ("Mentor", FOR_LEARNERS),
        ("urn:lti:sysrole:ims/lis/SysAdmin", FOR_LEARNERS),
        ("urn:lti:instrole:ims/lis/Administrator,no:such/role", FOR_LEARNERS),
        ("urn:lti:instrole:ims/lis/Student", "test"),
        ("urn:lti:role:ims/lis/Manager/Observer", FOR_LEARNERS),
    ],
)
def test_roles_decide_what_one_sees(scene: Scene, roles: str, seen: str) -> None:
    page = scene.campus.launch(roles=roles, user_id=f"as {roles}")
    assert page.status == 200
    assert (f"{scene.tool.running.url}/plain" in page.text) == (seen == "test")
    assert seen == "test" or seen in page.text


@pytest.mark.spec("T11L-06")
@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("CourseSection", "CourseSection"),
        ("urn:lti:context-type:ims/lis/CourseOffering, group", "CourseOffering,Group"),
        ("courseTemplate,,NoSuchType", "CourseTemplate"),
        ("NoSuchType", None),
    ],
)
def test_course_types(scene: Scene, sent: str, arrives: str | None) -> None:
    assert scene.open(scene.campus, context_type=sent).form.get("context_type") == arrives


@pytest.mark.spec("T11L-07")
def test_custom_fields_lose_their_prefix(scene: Scene) -> None:
    arrived = scene.open(
        scene.twin,
        resource_link_id="customs",
        custom_activity=None,
        custom_connection="plain",
        custom_tool_review_chapter="1.2.56",
        custom_tool_custom_x="y",
        custom_tool_empty="",
        ext_activity="query",
    ).form
    customs = {name: value for name, value in arrived.items() if name.startswith("custom_")}
    assert customs == {
        "custom_review_chapter": "1.2.56",
        "custom_custom_x": "y",
        "custom_empty": "",
    }


@pytest.mark.spec("GEN-04", "T11L-08")
def test_extension_fields_are_signed_kept_and_optional(scene: Scene) -> None:
    named = {"custom_activity": "named", "resource_link_id": "names"}
    login = "ann+é ®"
    with_ext = scene.open(scene.campus, **named, ext_user_username=login, ext_x="", later_field="?")
    assert with_ext.form["custom_login"] == login
    assert scene.open(scene.campus, **named).form["custom_login"] == ""
    late = scene.campus.signed(scene.campus.fields(ext_user_username="ann"))
    assert send(scene.campus.url, changed(late, {"ext_user_username": "ben"})).status == 401


@pytest.mark.spec("T11L-09")
@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("frame", "frame"),
        ("iframe", "iframe"),
        ("window", "window"),
        ("popup", "window"),
        ("", "window"),
    ],
)
def test_document_targets(scene: Scene, sent: str, arrives: str) -> None:
    arrived = scene.open(scene.campus, launch_presentation_document_target=sent).form
    assert arrived["launch_presentation_document_target"] == arrives


@pytest.mark.spec("T11L-10", "T11L-11")
def test_the_way_back_says_what_is_wrong(scene: Scene) -> None:
    page = scene.campus.launch(custom_activity="none")
    back = way_back(page)
    assert back["course"] == ["1"]
    assert back["lti_errormsg"] == ["This link is not ready yet: no test has been chosen for it."]
    assert back["lti_errorlog"] == [f"not-configured {refusal(page)[1]}"]


@pytest.mark.spec("T11L-11")
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)//x", "//evil.example/", "data:,x", "ftp://a/"]
)
def test_the_way_back_is_a_web_address_or_nothing(scene: Scene, url: str) -> None:
    page = scene.campus.launch(custom_activity="none", launch_presentation_return_url=url)
    assert page.status == 404
    assert url not in page.text
    assert "Back to your course" not in page.text


@pytest.mark.spec("P11L-14", "T11L-12")
def test_newer_grade_targets_replace_older_ones(scene: Scene) -> None:
    def target() -> tuple[str, str]:
        sql = "SELECT outcome_url, sourced_id FROM grades WHERE user_id = 'moving'"
        (row,) = scene.rows(sql)
        return row.outcome_url, row.sourced_id

    first = scene.open(scene.campus, user_id="moving").form["lis_result_sourcedid"]
    assert target() == ("https://lms.example.edu/outcomes", "cell-of-ann")
    new = "https://new.example.edu/outcomes"
    again = scene.open(
        scene.campus, user_id="moving", lis_result_sourcedid="cell-2", lis_outcome_service_url=new
    )
    assert target() == (new, "cell-2")
    assert again.form["lis_result_sourcedid"] == first


@pytest.mark.spec("T11L-13")
@pytest.mark.parametrize("roles", ["Instructor", "Learner"])
def test_an_outcome_address_alone_is_no_error(scene: Scene, roles: str) -> None:
    user = f"ungraded {roles}"
    page = scene.campus.launch(roles=roles, user_id=user, lis_result_sourcedid=None)
    assert page.status == 200
    if roles == "Instructor":
        page = Browser().submit(page)
    fields = dict(page.form().fields)
    assert "lis_result_sourcedid" not in fields
    assert "lis_outcome_service_url" in fields


@pytest.mark.spec("T11L-14", "GEN-06")
def test_user_ids_are_taken_as_they_stand(scene: Scene) -> None:
    ids = ["ж" * 255, "a@example.edu", "A@example.edu", "a@example.edu ", "../é?&=%00", "0", "00"]
    seen = {scene.open(scene.campus, user_id=user).form["user_id"] for user in ids}
    assert len(seen) == len(ids)
    stored = {row.user_id for row in scene.rows("SELECT user_id FROM learners")}
    assert set(ids) <= stored
    page = scene.campus.launch(user_id="u" * 256)
    assert (page.status, refusal(page)[0]) == (400, "message")


@pytest.mark.spec("GEN-06")
@pytest.mark.parametrize("name", ["resource_link_id", "context_id"])
def test_other_ids_keep_case_and_have_a_length(scene: Scene, name: str) -> None:
    sent = {f"{name[0]}" * 255, "Same", "same", "SAME"}
    seen = {  # each by a learner of its own: one learner goes on where a course's id changes
        scene.open(scene.campus, user_id=value[:9], **{name: value}).form["resource_link_id"]
        for value in sent
    }
    assert len(seen) == 4
    for too_long in (name, "tool_consumer_instance_guid"):
        page = scene.campus.launch(**{too_long: "x" * 256})
        assert (page.status, refusal(page)[0]) == (400, "message")


@pytest.mark.spec("GEN-07")
def test_a_person_is_an_id_and_nothing_else(scene: Scene) -> None:
    first = scene.open(scene.campus, user_id="one", lis_person_sourcedid="SIS-1").form["user_id"]
    namesake = scene.open(scene.campus, user_id="two", lis_person_sourcedid="SIS-1")
    assert namesake.form["user_id"] != first
    renamed = scene.open(
        scene.campus,
        user_id="one",
        lis_person_name_given="Anna",
        lis_person_name_full="Anna Married",
        lis_person_contact_email_primary="anna@example.org",
        lis_person_sourcedid="SIS-2",
    )
    assert renamed.form["user_id"] == first
    assert scene.attempts("one") == [(1, "created")]


@pytest.mark.spec("T11L-15")
def test_nothing_a_browser_brings_survives_a_launch(scene: Scene) -> None:
    stolen = {"Cookie": "session=fixed; lti_bridge=fixed; attempt=fixed"}
    seen = []
    for user in ("eve", "ann", "ann"):
        fields = scene.campus.signed(scene.campus.fields(user_id=user))
        page = send(scene.campus.url, fields, stolen)
        assert "fixed" not in page.text + str(dict(page.headers))
        ours = page.headers.getlist("Set-Cookie")
        assert [one.partition("=")[0] for one in ours] == ["__Host-lti-browser"]
        seen.append(dict(page.form().fields)["launch_presentation_return_url"])
    assert len(set(seen)) == 3
    for url in seen:
        handle = url.rpartition("/")[2]
        assert scene.rows("SELECT id FROM launches WHERE id = :id", id=handle)
