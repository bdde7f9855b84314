"""Claims: table G4 both ways, context types, custom names, and nothing bent on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.lti import claims
from lti_bridge.lti.custom_names import custom_collisions

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
BASIC_OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
COURSE = "http://purl.imsglobal.org/vocab/lis/v2/course#"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
LAUNCH = {"lti_message_type": "basic-lti-launch-request", "lti_version": "LTI-1p0"}
SELECT = {"lti_message_type": "ContentItemSelectionRequest", "lti_version": "LTI-1p0"}
MESSAGE = {
    LTI + "message_type": "LtiResourceLinkRequest",
    LTI + "roles": [],
}
# One row of table G4 each: the parameter, its claim and member.
ROWS = [
    ("user_id", "sub", ""),
    ("lis_person_name_full", "name", ""),
    ("lis_person_name_given", "given_name", ""),
    ("lis_person_name_family", "family_name", ""),
    ("lis_person_name_middle", "middle_name", ""),
    ("lis_person_contact_email_primary", "email", ""),
    ("user_image", "picture", ""),
    ("lis_person_sourcedid", LTI + "lis", "person_sourcedid"),
    ("lis_course_offering_sourcedid", LTI + "lis", "course_offering_sourcedid"),
    ("lis_course_section_sourcedid", LTI + "lis", "course_section_sourcedid"),
    ("context_id", LTI + "context", "id"),
    ("context_label", LTI + "context", "label"),
    ("context_title", LTI + "context", "title"),
    ("resource_link_id", LTI + "resource_link", "id"),
    ("resource_link_title", LTI + "resource_link", "title"),
    ("resource_link_description", LTI + "resource_link", "description"),
    ("launch_presentation_locale", LTI + "launch_presentation", "locale"),
    ("launch_presentation_return_url", LTI + "launch_presentation", "return_url"),
    ("launch_presentation_css_url", LTI + "launch_presentation", "css_url"),
    ("tool_consumer_instance_guid", LTI + "tool_platform", "guid"),
    ("tool_consumer_instance_name", LTI + "tool_platform", "name"),
    ("tool_consumer_instance_description", LTI + "tool_platform", "description"),
    ("tool_consumer_instance_url", LTI + "tool_platform", "url"),
    ("tool_consumer_instance_contact_email", LTI + "tool_platform", "contact_email"),
    ("tool_consumer_info_product_family_code", LTI + "tool_platform", "product_family_code"),
    ("tool_consumer_info_version", LTI + "tool_platform", "version"),
    ("lis_outcome_service_url", BASIC_OUTCOME, "lis_outcome_service_url"),
    ("lis_result_sourcedid", BASIC_OUTCOME, "lis_result_sourcedid"),
    ("lti_msg", DL + "msg", ""),
    ("lti_log", DL + "log", ""),
    ("lti_errormsg", DL + "errormsg", ""),
    ("lti_errorlog", DL + "errorlog", ""),
]


def back(found: dict[str, object]) -> dict[str, str]:
    pairs = claims.parameters_from_claims(found)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.spec("BR-07")
@pytest.mark.parametrize(("parameter", "claim", "member"), ROWS)
def test_every_text_row_both_ways(parameter: str, claim: str, member: str) -> None:
    value = 'ä "<x>" & 1'
    found = claims.claims_from_parameters(LAUNCH | {parameter: value})
    assert found == MESSAGE | {claim: {member: value} if member else value}
    assert back(found) == LAUNCH | {parameter: value}
    assert claims.claims_from_parameters(LAUNCH | {parameter: ""}) == MESSAGE


@pytest.mark.spec("BR-07")
@pytest.mark.parametrize(
    ("parameters", "more", "again"),
    [
        ({"roles": "Learner"}, {LTI + "roles": [LEARNER]}, None),
        (
            {"role_scope_mentor": "a%2Cb%20%C3%A4,7"},
            {LTI + "role_scope_mentor": ["a,b ä", "7"]},
            None,
        ),
        ({"context_type": "Group"}, {LTI + "context": {"type": [COURSE + "Group"]}}, None),
        (
            {"launch_presentation_width": "320", "launch_presentation_height": "40"},
            {LTI + "launch_presentation": {"width": 320, "height": 40}},
            None,
        ),
        (
            {"launch_presentation_document_target": "iframe"},
            {LTI + "launch_presentation": {"document_target": "iframe"}},
            None,
        ),
        (
            {"custom_a_b": "x", "custom_empty": "", "ext_lms": "moodle-2"},
            {LTI + "custom": {"a_b": "x", "empty": ""}, "ext": {"lms": "moodle-2"}},
            None,
        ),
        ({"custom_": "x", "ext_": "y", "unknown": "z", "oauth_nonce": "n"}, {}, {}),
    ],
)
def test_every_other_row_both_ways(
    parameters: dict[str, str], more: dict[str, object], again: dict[str, str] | None
) -> None:
    found = claims.claims_from_parameters(LAUNCH | parameters)
    assert found == MESSAGE | more
    assert back(found) == LAUNCH | (parameters if again is None else again)


@pytest.mark.spec("T11L-09")
@pytest.mark.parametrize(
    "parameters",
    [
        {"launch_presentation_document_target": "popup"},
        {"launch_presentation_width": "0"},
        {"launch_presentation_width": "-1"},
        {"launch_presentation_width": "100%"},
        {"launch_presentation_width": "1e3"},
        {"launch_presentation_height": "٣"},
        {"launch_presentation_height": "9" * 5000},
        {"context_type": "Foo,urn:lti:context-type:ims/lis/Foo"},
        {"role_scope_mentor": " , "},
        {"roles": "Nobody"},
    ],
)
def test_what_the_other_version_cannot_say_is_dropped(parameters: dict[str, str]) -> None:
    assert claims.claims_from_parameters(LAUNCH | parameters) == MESSAGE


@pytest.mark.spec("BR-07")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("basic-lti-launch-request", "LtiResourceLinkRequest"),
        ("ContentItemSelectionRequest", "LtiDeepLinkingRequest"),
        ("ContentItemSelection", "LtiDeepLinkingResponse"),
    ],
)
def test_message_types(old: str, new: str) -> None:
    found = claims.claims_from_parameters({"lti_message_type": old})
    assert found[LTI + "message_type"] == new
    assert back(found)["lti_message_type"] == old


def test_an_unknown_message_type_stays_unknown() -> None:
    found = claims.claims_from_parameters({"lti_message_type": "X"})
    assert found[LTI + "message_type"] == "X"
    assert "lti_message_type" not in back(found)
    assert claims.claims_from_parameters({})[LTI + "message_type"] == ""


@pytest.mark.spec("T11L-06")
@pytest.mark.parametrize("name", ["CourseTemplate", "CourseOffering", "CourseSection", "Group"])
def test_context_types_in_every_spelling(name: str) -> None:
    spellings = [name, f" {name.lower()} ", f"urn:lti:context-type:ims/lis/{name}", COURSE + name]
    assert claims.context_types(spellings) == (COURSE + name,)
    text = ",".join([*spellings[:3], "Unknown", ""])
    found = claims.claims_from_parameters({"context_type": text})
    assert found[LTI + "context"] == {"type": [COURSE + name]}


def test_unknown_context_types_stay_in_13_only() -> None:
    values = ["https://v.example/type", "", None, 3, "Group"]
    assert claims.context_types(values) == ("https://v.example/type", COURSE + "Group")
    assert back({LTI + "context": {"type": values}})["context_type"] == "Group"


@pytest.mark.spec("T11L-07")
def test_custom_parameters_lose_their_prefix() -> None:
    found = claims.claims_from_parameters({"custom_review_chapter": "1.2.56", "customer": "x"})
    assert found[LTI + "custom"] == {"review_chapter": "1.2.56"}


@pytest.mark.spec("P11L-07")
@pytest.mark.parametrize(
    ("name", "mapped"),
    [
        ("Review:Chapter", "review_chapter"),
        ("a-b.c d", "a_b_c_d"),
        ("Größe", "gr__e"),
        ("ok_9", "ok_9"),
        ("٣", "_"),
    ],
)
def test_custom_names_are_mapped_for_lti_11(name: str, mapped: str) -> None:
    assert ("custom_" + mapped, "v") in claims.parameters_from_claims({LTI + "custom": {name: "v"}})


@pytest.mark.spec("P11L-07")
def test_colliding_custom_names_are_named() -> None:
    names = ["Level", "a.b", "level", "a-b", "a_b", "c"]
    assert custom_collisions(names) == [("Level", "level"), ("a.b", "a-b"), ("a.b", "a_b")]
    assert custom_collisions(["a", "b", "a"]) == []
    custom = {LTI + "custom": dict.fromkeys(names, "x") | {"Level": "first"}}
    assert back(custom)["custom_level"] == "first"


SELECTION = {
    "content_item_return_url": "https://lms.example/return",
    "accept_media_types": "application/vnd.ims.lti.v1.ltilink,text/html,image/*",
    "accept_presentation_document_targets": "embed,iframe,window",
    "accept_multiple": "true",
    "auto_create": "false",
    "title": "T",
    "text": "t",
    "data": "opaque",
}
SETTINGS = {
    "deep_link_return_url": "https://lms.example/return",
    "accept_types": ["ltiResourceLink", "html", "link", "image"],
    "accept_media_types": "application/vnd.ims.lti.v1.ltilink,text/html,image/*",
    "accept_presentation_document_targets": ["embed", "iframe", "window"],
    "accept_multiple": True,
    "auto_create": False,
    "title": "T",
    "text": "t",
    "data": "opaque",
}


@pytest.mark.spec("BR-07")
def test_a_selection_request_both_ways() -> None:
    found = claims.claims_from_parameters(SELECT | SELECTION)
    assert found[DL + "deep_linking_settings"] == SETTINGS
    assert DL + "data" not in found
    assert back(found) == SELECT | SELECTION
    assert DL + "deep_linking_settings" not in claims.claims_from_parameters(LAUNCH | SELECTION)


@pytest.mark.parametrize(
    ("media_types", "copy_advice", "accepted"),
    [
        ("application/vnd.ims.lti.v1.ltiassignment", "", ["ltiResourceLink"]),
        ("image/png, image/gif", "", ["image"]),
        ("application/pdf", "", ["link"]),
        ("application/pdf", "true", ["link", "file"]),
        ("*/*", "", ["ltiResourceLink", "link", "html", "image"]),
        ("", "true", []),
    ],
)
def test_accepted_types(media_types: str, copy_advice: str, accepted: list[str]) -> None:
    more = {"accept_media_types": media_types, "accept_copy_advice": copy_advice}
    found = claims.claims_from_parameters(SELECT | more)
    assert found[DL + "deep_linking_settings"]["accept_types"] == accepted


@pytest.mark.parametrize(
    ("sent", "targets", "returned"),
    [
        ("frame,popup,overlay", ["window", "iframe"], "window,iframe"),
        ("none", [], "none"),
        ("x", [], "none"),
    ],
)
def test_accepted_targets(sent: str, targets: list[str], returned: str) -> None:
    found = claims.claims_from_parameters(SELECT | {"accept_presentation_document_targets": sent})
    settings = found[DL + "deep_linking_settings"]
    assert settings["accept_presentation_document_targets"] == targets
    assert back(found)["accept_presentation_document_targets"] == returned


def test_returned_data_is_a_claim_of_its_own() -> None:
    sent = {"lti_message_type": "ContentItemSelection", "lti_version": "LTI-1p0", "data": "d"}
    found = claims.claims_from_parameters(sent)
    assert found[DL + "data"] == "d"
    assert back(found) == sent


@pytest.mark.spec("BR-07")
def test_the_oidc_locale_counts_when_the_launch_has_none() -> None:
    assert back({"locale": "de-CH"})["launch_presentation_locale"] == "de-CH"
    presentation = {LTI + "launch_presentation": {"locale": "fr"}}
    assert back({"locale": "de-CH"} | presentation)["launch_presentation_locale"] == "fr"


@pytest.mark.spec("BR-07")
@pytest.mark.parametrize(
    "found",
    [
        {"sub": 7},
        {"name": None},
        {"name": "\ud83d"},
        {LTI + "context": ["id"]},
        {LTI + "context": {"id": {"x": 1}, "type": "CourseSection", "title": True}},
        {LTI + "roles": "Learner"},
        {LTI + "roles": [None, 5, "https://v.example/role"]},
        {LTI + "role_scope_mentor": [None, "\ud83d"]},
        {LTI + "role_scope_mentor": "ab"},
        {LTI + "custom": {"a": 1, "b": None, "c": ["x"], "": "x", "\ud83d": "x", "d": "\ud83d"}},
        {LTI + "custom": "x"},
        {LTI + "launch_presentation": {"width": "5", "height": True, "document_target": "x"}},
        {LTI + "launch_presentation": {"width": -5, "height": 1.5}},
        {"https://v.example/claim": "x", "iss": "x", "aud": "x"},
    ],
)
def test_claims_of_a_wrong_shape_become_nothing(found: dict[str, object]) -> None:
    assert back(found) == {"lti_version": "LTI-1p0"}


@pytest.mark.spec("BR-07")
@given(
    st.dictionaries(
        st.sampled_from([name for name, _, _ in ROWS] + ["custom_a", "custom_b_2", "ext_z"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    )
)
def test_any_launch_round_trips(parameters: dict[str, str]) -> None:
    assert back(claims.claims_from_parameters(LAUNCH | parameters)) == LAUNCH | parameters


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = [value for name, value in vars(claims).items() if name.isupper() and type(value) is str]


@given(st.dictionaries(st.sampled_from([*NAMES, "sub", "name", "locale"]), ANY_JSON))
def test_no_claims_break_the_writer(found: dict[str, object]) -> None:
    for name, value in claims.parameters_from_claims(found):
        assert f"{name}={value}".encode()
