"""What a provider learns about people, roles and courses, and what it is not told."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_plus

import pytest

from tests.flow.browser import Browser
from tests.flow.scene import Scene, launch13, refusal, way_back

PERSON = {
    "user_id": "zoe-4711",
    "lis_person_name_given": "Zoë",
    "lis_person_name_family": "Exämpleton",
    "lis_person_name_middle": "Middleton",
    "lis_person_name_full": "Zoë M. Exämpleton",
    "lis_person_contact_email_primary": "zoe@campus.example.edu",
    "lis_person_sourcedid": "SIS-zoe",
    "user_image": "https://campus.example.edu/zoe.png",
    "ext_user_username": "zoe.login",
}
HIDDEN = (*PERSON.values(), "cell-of-ann", "lms.example.edu", "course-1", "link-1", "campus-key")
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
ASSISTANT = f"{MEMBERSHIP}/Instructor#TeachingAssistant"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"
CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"
URN = "urn:lti:role:ims/lis/"


def personal(form: dict[str, str]) -> dict[str, str]:
    return {name: form[name] for name in form if name.startswith(("lis_person", "user_image"))}


@pytest.mark.spec("P11L-09", "P11L-05")
def test_without_a_privacy_key_nothing_personal_leaves(scene: Scene) -> None:
    arrived = scene.open(scene.campus, **PERSON)
    body = unquote_plus(arrived.body)
    assert [text for text in HIDDEN if text in body] == []
    assert personal(arrived.form) == {}
    staff = scene.carry(Browser().submit(scene.campus.launch(**PERSON, roles="Instructor")))
    assert [text for text in HIDDEN if text in unquote_plus(staff.body)] == []


@pytest.mark.spec("P11L-09", "P11L-08", "P11L-02")
def test_with_a_privacy_key_exactly_that_leaves(scene: Scene) -> None:
    form = scene.open(scene.campus, **PERSON, custom_activity="named").form
    assert personal(form) == {
        "lis_person_name_given": "Zoë",
        "lis_person_contact_email_primary": "zoe@campus.example.edu",
    }
    customs = {name: value for name, value in form.items() if name.startswith("custom_")}
    assert customs == {
        "custom_review_chapter": "1.2.56",
        "custom_empty": "",
        "custom_who": "Zoë",
        "custom_family": "",
        "custom_login": "zoe.login",
        "custom_unvalued": "",
        "custom_unknown": "$Foo.bar",
        "custom_user_id": "root",
    }
    assert form["user_id"] not in ("root", PERSON["user_id"])


@pytest.mark.spec("P11L-08")
def test_the_instructor_sees_which_variable_nobody_knows(scene: Scene) -> None:
    page = scene.campus.launch(roles="Instructor", custom_activity="named")
    assert (
        "$Foo.bar is not known to this LMS or to the bridge; it is sent as it stands." in page.text
    )
    assert page.text.count("is not known to this LMS") == 1


@pytest.mark.spec("P11L-09")
def test_isograd_gets_names_and_email_and_no_more(scene: Scene) -> None:
    page = scene.campus.launch(**PERSON, custom_activity="best")
    assert Browser().submit(page).status == 200
    sent = scene.launches()[-1]["parameters"]
    told = personal(sent)
    address = told.pop("lis_person_contact_email_primary")
    assert re.fullmatch(r"zoe\+[a-z0-9]{12}@campus\.example\.edu", address)  # addresses = "plus"
    assert told == {"lis_person_name_given": "Zoë", "lis_person_name_family": "Exämpleton"}
    customs = {name: value for name, value in sent.items() if name.startswith("custom_")}
    assert customs == {
        "custom_act_id": "8",
        "custom_tst_frm_id": "363",
        "custom_gen_id": "3",
        "custom_redirect": "1",
    }


@pytest.mark.spec("BR-09")
@pytest.mark.parametrize(
    "missing",
    ["lis_person_contact_email_primary", "lis_person_name_given", "lis_person_name_family"],
)
def test_what_isograd_needs_is_asked_for(scene: Scene, missing: str) -> None:
    assert scene.campus.launch(custom_activity="best").status == 200  # known from another launch
    page = scene.campus.launch(custom_activity="best", **{missing: None})
    assert (page.status, refusal(page)[0]) == (409, "no-personal-data")
    assert way_back(page)["lti_errormsg"]


@pytest.mark.spec("P11L-05", "BR-02")
def test_ids_are_opaque_stable_and_different_for_each_provider(scene: Scene) -> None:
    forms = {
        activity: [scene.open(scene.campus, custom_activity=activity).form for _ in range(2)]
        for activity in ("plain", "named", "query")
    }
    for name in ("user_id", "context_id"):
        assert all(first[name] == second[name] for first, second in forms.values())
        assert len({first[name] for first, _ in forms.values()}) == 3
    other = scene.open(scene.campus, user_id="somebody else").form
    assert other["user_id"] not in {first["user_id"] for first, _ in forms.values()}


@pytest.mark.spec("P11L-10", "BR-05", "ROLE-05", "ROLE-09")
@pytest.mark.parametrize(
    ("held", "sent"),
    [
        ([f"{MEMBERSHIP}#Learner", f"{INSTITUTION}#Instructor"], "Learner"),
        ([f"{MEMBERSHIP}/Learner#Instructor"], f"{URN}Learner/Instructor,Learner"),
        ([f"{MEMBERSHIP}#Instructor", ASSISTANT], f"{URN}TeachingAssistant"),
        ([f"{MEMBERSHIP}#Instructor"], "Instructor"),
        ([f"{MEMBERSHIP}#Learner", "https://example.org/roles#Dean"], "Learner"),
        ([f"{INSTITUTION}#Alumni"], "Learner"),  # graded by the LMS, which says nothing else
    ],
)
def test_roles_are_translated_and_never_widened(
    scene: Scene, held: list[str], sent: str | None
) -> None:
    browser, claims = Browser(), {ROLES: held, CUSTOM: {"activity": "plain"}}
    page = launch13(scene, scene.second, claims=claims, browser=browser)
    if page.form().action == "/course/go-on":
        page = browser.submit(page)
    assert scene.carry(page).form.get("roles") == sent


@pytest.mark.spec("P11L-10")
@pytest.mark.parametrize(
    ("held", "sent"),
    [
        ("urn:lti:role:ims/lis/TeachingAssistant", f"{URN}TeachingAssistant"),
        ("learner,urn:lti:sysrole:ims/lis/SysAdmin,Boss", "Learner"),
    ],
)
def test_roles_of_lti11_arrive_as_they_were(scene: Scene, held: str, sent: str) -> None:
    page = scene.campus.launch(roles=held)
    if page.form().action == "/course/go-on":
        page = Browser().submit(page)
    assert scene.carry(page).form["roles"] == sent


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("act_id = 8", "act_id = 13", "13 would log the learner in as an administrator"),
        ('kind = "isograd"', 'kind = "isograd"\nprivacy = ["email"]', "cannot do without"),
        ('privacy = ["given_name"', 'privacy = ["shoe_size"', "privacy[0]"),
    ],
)
def test_the_configuration_is_refused(
    scene: Scene, check: Callable[[str], tuple[int, str]], old: str, new: str, sentence: str
) -> None:
    config = scene.world.bridge.config.read_text(encoding="utf-8")
    assert check(config)[0] == 0
    status, said = check(config.replace(old, new, 1))
    assert status == 1
    assert sentence in said
    assert "bridge-secret" not in said
