"""OAuth 1.0a: published vectors, a captured LMS launch, and that every change is refused."""

import base64
import hashlib
import hmac
from random import Random
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849 import signature as rfc5849

from lti_bridge import errors
from lti_bridge.lti import oauth1

SHA1 = "HMAC-SHA1"
SHA256 = "HMAC-SHA256"
NOW = 1251600739
SECRET = "secret"
TOOL = "http://dr-chuck.com/ims/php-simple/tool.php"


def pairs(text: str) -> list[tuple[str, str]]:
    """`name=value` lines, taken literally."""
    return [tuple(line.strip().split("=", 1)) for line in text.strip().splitlines()]


GUIDE = pairs("""
    basiclti_submit=Launch Endpoint with BasicLTI Data
    context_id=456434513
    context_label=SI182
    context_title=Design of Personal Environments
    lis_person_contact_email_primary=user@school.edu
    lis_person_name_full=Jane Q. Public
    lis_person_sourced_id=school.edu:user
    lti_message_type=basic-lti-launch-request
    lti_version=LTI-1p0
    oauth_consumer_key=12345
    oauth_nonce=c8350c0e47782d16d2fa48b2090c1d8f
    oauth_signature_method=HMAC-SHA1
    oauth_timestamp=1251600739
    oauth_version=1.0
    resource_link_id=120988f929-274612
    roles=Instructor
    tool_consumer_instance_description=University of School (LMSng)
    tool_consumer_instance_guid=lmsng.school.edu
    user_id=292832126
""")
GEM = [(name, "instructor" if name == "roles" else value) for name, value in GUIDE]
PORTS = pairs("""
    lti_message_type=basic-lti-launch-request
    lti_version=LTI-1p0
    resource_link_id=1
    oauth_consumer_key=12345
    oauth_nonce=c8350c0e47782d16d2fa48b2090c1d8f
    oauth_signature_method=HMAC-SHA1
    oauth_timestamp=1251600739
    oauth_version=1.0
""")
IMS = pairs("""
    context_id=456434513
    context_label=SI182
    context_title=Design of Personal Environments
    launch_presentation_css_url=http://www.imsglobal.org/developers/LTI/test/v1p1/lms.css
    launch_presentation_document_target=frame
    launch_presentation_locale=en-US
    launch_presentation_return_url=http://www.imsglobal.org/developers/LTI/test/v1p1/lms_return.php
    lis_outcome_service_url=http://www.imsglobal.org/developers/LTI/test/v1p1/common/tool_consumer_outcome.php?b64=MTIzNDU6OjpzZWNyZXQ=
    lis_person_contact_email_primary=user@school.edu
    lis_person_name_family=Public
    lis_person_name_full=Jane Q. Public
    lis_person_name_given=Given
    lis_person_sourcedid=school.edu:user
    lis_result_sourcedid=feb-123-456-2929::28883
    lti_message_type=basic-lti-launch-request
    lti_version=LTI-1p0
    oauth_callback=about:blank
    oauth_consumer_key=12345
    oauth_nonce=93ac608e18a7d41dec8f7219e1bf6a17
    oauth_signature_method=HMAC-SHA1
    oauth_timestamp=1348093590
    oauth_version=1.0
    resource_link_description=A weekly blog.
    resource_link_id=120988f929-274612
    resource_link_title=Weekly Blog
    roles=Instructor
    tool_consumer_info_product_family_code=ims
    tool_consumer_info_version=1.1
    tool_consumer_instance_description=University of School (LMSng)
    tool_consumer_instance_guid=lmsng.school.edu
    user_id=292832126
""")
DUPLICATES = pairs("""
    foo_bar=AAABBBCC
    foo_bar=BBBCCCC
    lti_message_type=basic-lti-launch-request
    lti_version=LTI-1p0
    context_id=987654321
    oauth_consumer_key=A12345
    oauth_timestamp=1395781965
    oauth_nonce=5331f10db00f7
    oauth_signature_method=HMAC-SHA1
    oauth_version=1.0
    user_id=14312
    resource_link_id=ZYXWVUT9
""")
LYRICS = "I hear / the secrets that you keep / when you're talking in your sleep"
CACCL_URL = "https://localhost:8080/launch"
CACCL_SECRET = "c64d84750dcb21febd995058588f019f"


def caccl(
    stamp: str,
    nonce: str,
    context: tuple[str, str],
    back: str,
    link: str,
    name: str,
    roles: str,
    lms: str,
    user: str,
) -> list[tuple[str, str]]:
    return pairs(f"""
        oauth_consumer_key=5b6ee40cc9fcdaede550654a93307dcd
        oauth_signature_method=HMAC-SHA1
        oauth_timestamp={stamp}
        oauth_nonce={nonce}
        oauth_version=1.0
        context_id={context[0]}
        context_title={context[1]}
        launch_presentation_return_url=https://learn-lti.herokuapp.com/tool_return/signature_check/2/{back}
        lis_person_name_full={name}
        lti_message_type=basic-lti-launch-request
        lti_version=LTI-1p0
        resource_link_id={link}
        roles={roles}
        tool_consumer_instance_name={lms}
        user_id={user}
    """)


CACCL_EMPTY_ROLES = caccl(
    "1536162928",
    "1rC2NGlkEacq5jD0u7msfCT0mRfOaFMz4jJyvHM4MsQ",
    ("e05c24be1e", "Section 955"),
    "6862",
    "30fd061cfe",
    "Dong Miller",
    "",
    "Organization 738",
    "b029d74d0a",
)
CACCL_ADMIN = caccl(
    "1536162929",
    "gF0HZHJPGyeicNv8eW0NFlhLyv0l60mkT7albdBaws",
    ("b716c3bf45", "Course 517"),
    "628",
    "ca96a54273",
    "Dong Jones",
    "urn:lti:instrole:ims/lis/administrator",
    "Class 465",
    "b0a13934a8",
)
CACCL_INVALID = caccl(
    "1536163129",
    "8Xv2PewI5z8gGxsdoGJKTaFwkafSZ7d1WJKxsPiU8",
    ("ba2b1ad824", "Semester 357"),
    "8152",
    "f2370dcc14",
    "Suha Abel",
    "instructor",
    "Lesson 758",
    "9bf47b284d",
)
ENCODING = pairs("""
    custom_note=a b+c~d*e
    custom_empty=
    roles=
    oauth_consumer_key=12345
    oauth_nonce=n
    oauth_timestamp=1251600739
    oauth_signature_method=HMAC-SHA1
    oauth_version=1.0
""")
ENCODING_URL = "https://bridge.example/lti11/launch"
# A Moodle 4.5 launch as Chromium posted it.
MOODLE_URL = "http://127.0.0.1:8700/lti11/launch"
MOODLE_SECRET = "secret11-äöü&x"
MOODLE_BODY = (
    b"oauth_version=1.0&oauth_nonce=7b1e17018948a7e17888b346246c50c8"
    b"&oauth_timestamp=1795360419&oauth_consumer_key=key11&user_id=4"
    b"&lis_person_sourcedid=SIS-S1&roles=Learner&context_id=2&context_label=LTI101"
    b"&context_title=LTI+Course+One&lti_message_type=basic-lti-launch-request"
    b"&resource_link_title=Echo+1.1+aktivit%C3%A4t"
    b"&resource_link_description=Intro+line+1%0D%0A%0D%0AZeile+2+%C3%BC+%26+BOLD"
    b"&resource_link_id=1&context_type=CourseSection&lis_course_section_sourcedid=SIS-LTI101"
    b"&lis_result_sourcedid=%7B%22data%22%3A%7B%22instanceid%22%3A%221%22%2C%22userid%22%3A%22"
    b"4%22%2C%22typeid%22%3A%221%22%2C%22launchid%22%3A901649433%7D%2C%22hash%22%3A%227e68c5f1"
    b"b1b0a38d7c2204c622d8bd5e9081f7b55bf51e86028c25e1603aa1ff%22%7D"
    b"&lis_outcome_service_url=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Fservice.php"
    b"&lis_person_name_given=Stu&lis_person_name_family=Dent&lis_person_name_full=Stu+Dent"
    b"&ext_user_username=student1&lis_person_contact_email_primary=student1%40example.invalid"
    b"&launch_presentation_locale=en&ext_lms=moodle-2"
    b"&tool_consumer_info_product_family_code=moodle&tool_consumer_info_version=2024100706"
    b"&oauth_callback=about%3Ablank&lti_version=LTI-1p0"
    b"&tool_consumer_instance_guid=3b8e6324ee9a02374982deabf8953a75"
    b"&tool_consumer_instance_name=ltilab&tool_consumer_instance_description=Moodle+LTI+lab"
    b"&custom_inst=fromteacher&custom_simple=hello&custom_upper_case=Yes&custom_uid=4"
    b"&custom_uname=student1&custom_full=Stu+Dent&custom_email=student1%40example.invalid"
    b"&custom_ctx=2&custom_section=SIS-LTI101&custom_rl=1"
    b"&custom_rltitle=Echo+1.1+aktivit%C3%A4t&custom_role=Learner&custom_hist=&custom_groups="
    b"&custom_begin=2026-11-22T15%3A01%3A36%2B00%3A00&custom_end="
    b"&custom_longdesc=Kurs+f%C3%BCr+LTI"
    b"&custom_lineitem=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Fservices.php%2F2%2Flineitem"
    b"s%2F2%2Flineitem%3Ftype_id%3D1"
    b"&custom_lineitems=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Fservices.php%2F2%2Flineite"
    b"ms%3Ftype_id%3D1&custom_outcome=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Fservice.php"
    b"&custom_srcid=%7B%22data%22%3A%7B%22instanceid%22%3A%221%22%2C%22userid%22%3A%224%22%2C%"
    b"22typeid%22%3A%221%22%2C%22launchid%22%3A901649433%7D%2C%22hash%22%3A%227e68c5f1b1b0a38d"
    b"7c2204c622d8bd5e9081f7b55bf51e86028c25e1603aa1ff%22%7D&custom_city=X&custom_tz=99"
    b"&custom_unsup=%24ResourceLink.available.endDateTime&custom_unsup2=%24Foo.bar"
    b"&custom_member=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Fservices.php%2FCourseSection%"
    b"2F2%2Fbindings%2F1%2Fmemberships&custom_escaped=%24User.id"
    b"&launch_presentation_document_target=window"
    b"&launch_presentation_return_url=http%3A%2F%2F127.0.0.1%3A8600%2Fmod%2Flti%2Freturn.php%3"
    b"Fcourse%3D2%26launch_container%3D4%26instanceid%3D1%26sesskey%3DM6lQ3Z8cxY"
    b"&oauth_signature_method=HMAC-SHA1&oauth_signature=FIE5AxFSe6g4Ea%2FFUqYGBi9dYsk%3D"
)


def received(url: str, params: list[tuple[str, str]], signature: str) -> oauth1.SignedRequest:
    """The form as it arrives: encoded as a browser does, then read."""
    body = urlencode([*params, ("oauth_signature", signature)]).encode()
    return oauth1.read_form("POST", url, oauth1.parse_form(body))


def check(request: oauth1.SignedRequest, secret: str = SECRET, method: str = SHA1) -> None:
    oauth1.verify(request, secret, method=method, now=request.timestamp, window_s=300)


VECTORS = [
    pytest.param(TOOL, GUIDE, "secret", "TPFPK4u3NwmtLt0nDMP1G1zG30U=", id="V-01"),
    pytest.param(TOOL, GEM, "secret", "Eh+W+ZMn4CB9momDqyJXf5yMfTc=", id="V-01 gem"),
    pytest.param(
        "http://www.imsglobal.org/developers/LTI/test/v1p1/tool.php",
        IMS,
        "secret",
        "QWgJfKpJNDrpncgO9oXxJb8vHiE=",
        id="V-03",
    ),
    pytest.param(
        TOOL + "?a=1&b=2&c=3%20%26a", GEM, "secret", "iN1kwF7CYLWi0BJCo3G7rlGHTm8=", id="V-03b"
    ),
    pytest.param(
        TOOL + "?a=1&b=2&c=3%20%26a",
        GUIDE,
        "secret",
        "uF7LooyefQN5aocx7UlYQ4tQM5k=",
        id="V-03b Instructor",
    ),
    pytest.param(
        "http://example.com/resource", DUPLICATES, LYRICS, "rb59fNtXW5aREe4nPK1KVAzFCVw=", id="V-04"
    ),
    pytest.param(
        CACCL_URL, CACCL_EMPTY_ROLES, CACCL_SECRET, "/tuo1sYQB8oKiKfbR7xB7ayuv0s=", id="V-05[0]"
    ),
    pytest.param(
        CACCL_URL, CACCL_ADMIN, CACCL_SECRET, "s182wI2czmouKeqG5Bj7aX7N5BQ=", id="V-05[1]"
    ),
    pytest.param(
        CACCL_URL,
        CACCL_INVALID,
        CACCL_SECRET,
        "CLsED+HB7R7J908o0t8xF7SN6IE=",
        id="V-05 invalid[0] put right",
    ),
    pytest.param(ENCODING_URL, ENCODING, "secret", "ykMdXSXrpg2qynA1cmBcoGi7WoI=", id="V-09d"),
]


@pytest.mark.spec("OA1-04", "OA1-05", "OA1-06", "OA1-07", "OA1-08", "OA1-09", "OA1-10", "OA1-11")
@pytest.mark.spec("OA1-21")
@pytest.mark.parametrize(("url", "params", "secret", "signature"), VECTORS)
def test_published_launches_verify_and_altered_ones_do_not(
    url: str, params: list[tuple[str, str]], secret: str, signature: str
) -> None:
    check(received(url, params, signature), secret)
    with pytest.raises(errors.SignatureRefused, match="does not match"):
        check(received(url, [*params, ("custom_more", "")], signature), secret)
    with pytest.raises(errors.SignatureRefused, match="does not match"):
        check(received(url, params, signature), secret + " ")


def test_the_guide_signature_is_refused_when_oauth_callback_is_posted_too() -> None:
    params = [*GUIDE, ("oauth_callback", "about:blank")]
    with pytest.raises(errors.SignatureRefused):
        check(received(TOOL, params, "TPFPK4u3NwmtLt0nDMP1G1zG30U="))
    check(received(TOOL, params, "ygcxvTl4YWwq555U3+MBHKjskxc="))


def test_a_published_wrong_signature_is_refused() -> None:
    with pytest.raises(errors.SignatureRefused):
        check(received(CACCL_URL, CACCL_INVALID, "d1jzpAFfTqf5qrXCmT+O1lwXiQs="), CACCL_SECRET)


@pytest.mark.spec("OA1-02")
@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("http://dr-chuck.com:123/ims/php-simple/tool.php", "dG1tuMWpQw2Tg/aM1RLL/+o11rE="),
        ("http://dr-chuck.com/ims/php-simple/tool.php", "5/m7IyWjp5mzc98CtyagO4lZj2A="),
        ("HTTP://DR-Chuck.com:80/ims/php-simple/tool.php#x", "5/m7IyWjp5mzc98CtyagO4lZj2A="),
        ("http://dr-chuck.com:443/ims/php-simple/tool.php", "3UGVtB8kHe3O0A9cW1XSNhYcG/E="),
        ("https://dr-chuck.com/ims/php-simple/tool.php", "ZoR3mXQgkd5JNY6T47CeNdvIgy8="),
        ("https://dr-chuck.com:443/ims/php-simple/tool.php", "ZoR3mXQgkd5JNY6T47CeNdvIgy8="),
        ("https://dr-chuck.com:80/ims/php-simple/tool.php", "dLmHNc5t74KTIr5uqQ85E2O3N9w="),
        ("https://dr-chuck.com:80/ims/php-simple/tool.php?oi=hoyt", "3gwTnBk87PzT8GWIJFxvnCxZNmU="),
    ],
)
def test_the_base_uri_is_normalised(url: str, signature: str) -> None:
    check(received(url, PORTS, signature))


@pytest.mark.spec("OA1-02")
def test_an_empty_path_is_a_slash() -> None:
    assert oauth1.base_string("GET", "https://a.example", []) == "GET&https%3A%2F%2Fa.example%2F&"


@pytest.mark.spec("OA1-01", "OA1-03", "OA1-05", "OA1-06")
def test_the_base_string_of_rfc_5849() -> None:
    url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    header = pairs("""
        oauth_consumer_key=9djdj82h48djs9d2
        oauth_token=kkk9d7dh3k39sjv7
        oauth_signature_method=HMAC-SHA1
        oauth_timestamp=137131201
        oauth_nonce=7d8f3e4a
    """)
    query = oauth1.parse_form(url.partition("?")[2].encode())
    params = [*query, *header, *oauth1.parse_form(b"c2&a3=2+q")]
    assert oauth1.base_string("post", url, params) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D"
        "%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3"
        "e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkk"
        "k9d7dh3k39sjv7"
    )


@pytest.mark.spec("OA1-08")
@pytest.mark.parametrize(
    ("method", "url", "stamp", "more", "signature"),
    [
        ("GET", "http://example.com", "1234567890", [], "hH5BWYVqo7QI4EmPBUUe9owRUUQ="),
        ("POST", "http://i.b/path", "abc", [("status", "啦啦")], "yrtSqp88m/c5UDaucI8BXK4oEtk="),
        ("POST", "http://i.b/path", "abc", [("status", "æåø")], "oG5t3Eg/XO5FfQgUUlTtUeeZzvk="),
    ],
)
def test_small_signatures(
    method: str, url: str, stamp: str, more: list[tuple[str, str]], signature: str
) -> None:
    params = [
        ("oauth_nonce", "abc"),
        ("oauth_timestamp", stamp),
        ("oauth_version", "1.0"),
        ("oauth_signature_method", SHA1),
        ("oauth_consumer_key", "client_key"),
        *more,
    ]
    assert oauth1.signature(method, url, params, "", SHA1) == signature


@pytest.mark.spec("OA1-12")
def test_sha256_is_the_standard_hmac() -> None:
    text = oauth1.base_string("POST", ENCODING_URL, ENCODING)
    key = quote(LYRICS, safe="-._~") + "&"
    expected = base64.b64encode(hmac.new(key.encode(), text.encode(), "sha256").digest()).decode()
    assert oauth1.signature("POST", ENCODING_URL, ENCODING, LYRICS, SHA256) == expected


@pytest.mark.spec("OA1-12")
@pytest.mark.parametrize(("used", "configured"), [(SHA1, SHA256), (SHA256, SHA1)])
def test_a_key_for_one_method_refuses_the_other(used: str, configured: str) -> None:
    form = oauth1.sign_form(TOOL, [], "k", "s", nonce="n", timestamp=NOW, method=used)
    request = oauth1.read_form("POST", TOOL, form)
    check(request, "s", used)
    with pytest.raises(errors.SignatureRefused, match="the key is for"):
        check(request, "s", configured)


@pytest.mark.spec("OA1-09", "OA1-10")
def test_a_captured_moodle_launch_verifies() -> None:
    request = oauth1.read_form("POST", MOODLE_URL, oauth1.parse_form(MOODLE_BODY))
    check(request, MOODLE_SECRET)
    assert request.consumer_key == "key11"
    assert ("resource_link_description", "Intro line 1\r\n\r\nZeile 2 ü & BOLD") in request.params
    with pytest.raises(errors.SignatureRefused):
        check(request, "secret11-aou&x")
    altered = MOODLE_BODY.replace(b"user_id=4", b"user_id=5")
    with pytest.raises(errors.SignatureRefused):
        check(oauth1.read_form("POST", MOODLE_URL, oauth1.parse_form(altered)), MOODLE_SECRET)


def launch(**changes: str | None) -> list[tuple[str, str]]:
    """A signed form with oauth_ parameters replaced, or removed by None, after signing."""
    form = dict(oauth1.sign_form(TOOL, [("a", "b")], "k", "s", nonce="n", timestamp=NOW))
    return [(name, value) for name, value in (form | changes).items() if value is not None]


@pytest.mark.spec("OA1-13")
@pytest.mark.parametrize("method", ["PLAINTEXT", "RSA-SHA1", "HMAC-SHA512", "hmac-sha1", "x"])
def test_other_signature_methods_are_malformed(method: str) -> None:
    with pytest.raises(errors.BadRequest, match="oauth_signature_method"):
        oauth1.read_form("POST", TOOL, launch(oauth_signature_method=method))


@pytest.mark.spec("OA1-14")
@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(
    "name", ["consumer_key", "nonce", "timestamp", "signature", "signature_method"]
)
def test_a_missing_protocol_parameter_is_malformed(name: str, value: str | None) -> None:
    with pytest.raises(errors.BadRequest, match=f"oauth_{name} is missing"):
        oauth1.read_form("POST", TOOL, launch(**{f"oauth_{name}": value}))


@pytest.mark.spec("OA1-14")
def test_a_repeated_protocol_parameter_is_malformed_wherever_it_travels() -> None:
    with pytest.raises(errors.BadRequest, match="repeated"):
        oauth1.read_form("POST", TOOL, [*launch(), ("oauth_nonce", "n")])
    with pytest.raises(errors.BadRequest, match="repeated"):
        oauth1.read_form("POST", TOOL + "?oauth_nonce=n", launch())
    header = oauth1.sign_body("POST", TOOL, b"", "k", "s", nonce="n", timestamp=NOW)
    with pytest.raises(errors.BadRequest, match="repeated"):
        oauth1.read_header("POST", TOOL, header + ', oauth_nonce="n"', b"", "application/xml")


@pytest.mark.spec("OA1-14")
@pytest.mark.parametrize("version", ["1.0a", "2.0", "1", ""])
def test_another_version_is_malformed(version: str) -> None:
    with pytest.raises(errors.BadRequest, match="oauth_version"):
        oauth1.read_form("POST", TOOL, launch(oauth_version=version))


@pytest.mark.spec("OA1-16")
@pytest.mark.parametrize(
    "stamp", ["-1", "1e9", "12.5", "", "0", "+1", " 1", "1\n", "١٢٣", "１２", "9" * 16, "9" * 5000]
)
def test_a_timestamp_is_a_positive_ascii_integer(stamp: str) -> None:
    with pytest.raises(errors.BadRequest, match="oauth_timestamp"):
        oauth1.read_form("POST", TOOL, launch(oauth_timestamp=stamp))


@pytest.mark.spec("OA1-21")
def test_a_token_must_be_absent_or_empty_and_is_signed() -> None:
    with pytest.raises(errors.BadRequest, match="oauth_token"):
        oauth1.read_form("POST", TOOL, launch(oauth_token="t"))
    unsigned = oauth1.read_form("POST", TOOL, launch(oauth_token=""))
    with pytest.raises(errors.SignatureRefused):
        check(unsigned, "s")
    params = [*ENCODING, ("oauth_token", "")]
    signature = oauth1.signature("POST", TOOL, params, "s", SHA1)
    check(received(TOOL, params, signature), "s")


@pytest.mark.spec("OA1-04", "OA1-21")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("oauth_callback", None),
        ("oauth_callback", "about:blank#"),
        ("oauth_nonce", "n2"),
        ("oauth_consumer_key", "k2"),
        ("oauth_timestamp", f"{NOW + 1}"),
        ("oauth_version", None),
    ],
)
def test_every_protocol_parameter_is_signed(name: str, value: str | None) -> None:
    with pytest.raises(errors.SignatureRefused, match="does not match"):
        check(oauth1.read_form("POST", TOOL, launch(**{name: value})), "s")


@pytest.mark.parametrize("age", [-301, 301])
def test_the_clock_window_counts_both_ways(age: int) -> None:
    request = oauth1.read_form("POST", TOOL, launch())
    inside = NOW + age - (1 if age > 0 else -1)
    oauth1.verify(request, "s", method=SHA1, now=inside, window_s=300)
    with pytest.raises(errors.SignatureRefused, match="timestamp"):
        oauth1.verify(request, "s", method=SHA1, now=NOW + age, window_s=300)


@pytest.mark.spec("OA1-23")
@pytest.mark.parametrize("spoil", ["altérer", "{}=", "{} ", " {}", "{}\n", "😀", "%", "="])
def test_a_strange_signature_is_refused_and_nothing_breaks(spoil: str) -> None:
    good = dict(launch())["oauth_signature"]
    for strange in (spoil.format(good), good.rstrip("=")):
        with pytest.raises(errors.SignatureRefused, match="does not match"):
            check(oauth1.read_form("POST", TOOL, launch(oauth_signature=strange)), "s")


def test_details_and_reprs_hold_no_secret_and_no_learner() -> None:
    request = oauth1.read_form("POST", MOODLE_URL, oauth1.parse_form(MOODLE_BODY))
    with pytest.raises(errors.SignatureRefused) as caught:
        check(request, "wrong-secret")
    assert "wrong-secret" not in caught.value.detail
    assert "Stu" not in repr(request)


@pytest.mark.parametrize(
    "body", [b"a=\xff", b"a=%ff", b"a=%C3", b"a=b%00", b"a=\0", b"&".join([b"a=b"] * 1001)]
)
def test_an_undecodable_form_is_malformed(body: bytes) -> None:
    with pytest.raises(errors.BadRequest):
        oauth1.parse_form(body)


@pytest.mark.parametrize("value", ["%00", "a%00b", "%FF", "%ED%A0%80"])
def test_a_header_that_no_database_can_hold_is_malformed(value: str) -> None:
    header = f'OAuth oauth_nonce="{value}"'
    with pytest.raises(errors.BadRequest, match=r"NUL|UTF-8"):
        oauth1.read_header("POST", TOOL, header, b"<x/>", "application/xml")


@pytest.mark.spec("OA1-05", "OA1-09")
def test_a_form_keeps_everything() -> None:
    body = b"a=1+2%2B3&a=&b&=c&d=%0D%0A&e=%C3%A4=%3D&&%20"
    assert oauth1.parse_form(body) == [
        ("a", "1 2+3"),
        ("a", ""),
        ("b", ""),
        ("", "c"),
        ("d", "\r\n"),
        ("e", "ä=="),
        (" ", ""),
    ]


@pytest.mark.parametrize("url", ["", "tool.php", "//host/x", "https:///x", "https://[::1/x"])
def test_a_url_that_is_not_absolute_is_malformed(url: str) -> None:
    with pytest.raises(errors.BadRequest):
        oauth1.sign_form(url, [], "k", "s", nonce="n", timestamp=NOW)


def test_half_a_surrogate_pair_is_malformed() -> None:
    with pytest.raises(errors.BadRequest):
        oauth1.sign_form(TOOL, [("title", "\ud83d")], "k", "s", nonce="n", timestamp=NOW)


def test_an_unsupported_configured_method_is_a_configuration_error() -> None:
    with pytest.raises(errors.ConfigurationError, match="PLAINTEXT"):
        oauth1.sign_form(TOOL, [], "k", "s", nonce="n", timestamp=NOW, method="PLAINTEXT")


def test_a_signed_form_carries_every_protocol_parameter() -> None:
    form = oauth1.sign_form(TOOL, [("a", "b")], "k", "s", nonce="n", timestamp=NOW)
    assert form[:-1] == [
        ("a", "b"),
        ("oauth_callback", "about:blank"),
        ("oauth_consumer_key", "k"),
        ("oauth_nonce", "n"),
        ("oauth_signature_method", SHA1),
        ("oauth_timestamp", str(NOW)),
        ("oauth_version", "1.0"),
    ]
    assert form[-1][0] == "oauth_signature"


@pytest.mark.spec("OA1-07", "P11L-02", "P11L-03")
def test_the_query_of_a_launch_url_is_signed_once_and_travels_in_the_url() -> None:
    url = TOOL + "?user_id=123&lti_message_type=1234"
    fields = [("user_id", "7"), ("lti_message_type", "basic-lti-launch-request")]
    form = oauth1.sign_form(url, fields, "k", "s", nonce="n", timestamp=NOW)
    assert form[:2] == fields
    assert [value for name, value in form if name == "user_id"] == ["7"]
    request = oauth1.read_form("POST", url, form)
    check(request, "s")
    assert [value for name, value in request.params if name == "user_id"] == ["123", "7"]
    with pytest.raises(errors.SignatureRefused):
        check(oauth1.read_form("POST", TOOL, form), "s")


def test_line_ends_are_signed_as_a_browser_sends_them() -> None:
    fields = [("d", "a\nb\rc\r\nd\n\re")]
    form = oauth1.sign_form(TOOL, fields, "k", "s", nonce="n", timestamp=NOW)
    assert form[0] == ("d", "a\r\nb\r\nc\r\nd\r\n\r\ne")
    check(oauth1.read_form("POST", TOOL, form), "s")


# The body of V-09: Figure 3 of LTI 1.1.1 on one line.
FIGURE_3 = (
    b'<?xml version="1.0" encoding="UTF-8"?><imsx_POXEnvelopeRequest xmlns='
    b'"http://www.imsglobal.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader>'
    b"<imsx_POXRequestHeaderInfo><imsx_version>V1.0</imsx_version><imsx_messageIdentifier>"
    b"999999123</imsx_messageIdentifier></imsx_POXRequestHeaderInfo></imsx_POXHeader>"
    b"<imsx_POXBody><replaceResultRequest><resultRecord><sourcedGUID><sourcedId>3124567"
    b"</sourcedId></sourcedGUID><result><resultScore><language>en</language><textString>0.92"
    b"</textString></resultScore></result></resultRecord></replaceResultRequest></imsx_POXBody>"
    b"</imsx_POXEnvelopeRequest>"
)
OUTCOMES = "https://bridge.example/lti11/outcomes"
NONCE_9 = "29f90c047a44b2ece73d00a09364d49b"
HEADER_9 = (
    'OAuth oauth_body_hash="T4%2BNuWGBvKwDMzCJE00B3%2FXnWYk%3D", oauth_consumer_key="12345", '
    f'oauth_nonce="{NONCE_9}", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1313350943", '
    'oauth_version="1.0", oauth_signature="L6PsA22dOPaFl%2BYPGd0%2FoOAQXW8%3D"'
)
XML = "application/xml"


@pytest.mark.spec("T11O-02", "P11O-02")
def test_v09_is_what_we_sign() -> None:
    header = oauth1.sign_body(
        "POST", OUTCOMES, FIGURE_3, "12345", "secret", nonce=NONCE_9, timestamp=1313350943
    )
    assert header == HEADER_9.replace(", ", ",")  # as the worst reader takes it (docs/lms.md)


@pytest.mark.spec("P11O-02")
def test_v09_verifies_and_a_tampered_score_does_not() -> None:
    check(oauth1.read_header("POST", OUTCOMES, HEADER_9, FIGURE_3, XML))
    better = FIGURE_3.replace(b"0.92", b"1.00")
    with pytest.raises(errors.SignatureRefused, match="oauth_body_hash"):
        oauth1.read_header("POST", OUTCOMES, HEADER_9, better, XML)
    rehashed = HEADER_9.replace("T4%2BNuWGBvKwDMzCJE00B3%2FXnWYk", "7SAtlR2BQ5R5djhsWwV%2BBDA6mmQ")
    with pytest.raises(errors.SignatureRefused, match="does not match"):
        check(oauth1.read_header("POST", OUTCOMES, rehashed, better, XML))


@pytest.mark.spec("P11O-03", "OA1-03")
def test_method_url_query_and_header_are_signed_and_realm_is_not() -> None:
    url = OUTCOMES + "?b64=MTIzNDU6OjpzZWNyZXQ="
    signed = oauth1.sign_body("POST", url, b"<x/>", "k", "s", nonce="n", timestamp=NOW)
    with_realm = signed.replace("OAuth ", 'oauth realm="a, b" ,', 1)
    check(oauth1.read_header("POST", url, with_realm, b"<x/>", XML), "s")
    for method, address in (("PUT", url), ("POST", OUTCOMES), ("POST", url.replace("/lti11", ""))):
        with pytest.raises(errors.SignatureRefused):
            check(oauth1.read_header(method, address, signed, b"<x/>", XML), "s")


@pytest.mark.spec("P11O-02")
def test_a_body_hash_is_required() -> None:
    without = HEADER_9.replace("oauth_body_hash=", "oauth_other=")
    with pytest.raises(errors.BadRequest, match="oauth_body_hash is missing"):
        oauth1.read_header("POST", OUTCOMES, without, FIGURE_3, XML)


@pytest.mark.spec("P11O-04")
@pytest.mark.parametrize("content_type", [oauth1.FORM_TYPE, f"{oauth1.FORM_TYPE.upper()} ; a=b"])
def test_a_form_with_a_body_hash_is_refused(content_type: str) -> None:
    with pytest.raises(errors.BadRequest, match="form body"):
        oauth1.read_header("POST", OUTCOMES, HEADER_9, FIGURE_3, content_type)


@pytest.mark.parametrize("authorization", ["", "Basic abc", "OAuthoauth_nonce=1", "Bearer x"])
def test_other_credentials_are_refused(authorization: str) -> None:
    with pytest.raises(errors.SignatureRefused, match="no OAuth"):
        oauth1.read_header("POST", OUTCOMES, authorization, b"", XML)


@pytest.mark.parametrize("rest", ["oauth_nonce=n", 'oauth_nonce="n" x', '="n"', '"', 'a="b" c="d"'])
def test_a_malformed_header_is_malformed(rest: str) -> None:
    with pytest.raises(errors.BadRequest, match="malformed"):
        oauth1.read_header("POST", OUTCOMES, f"OAuth {rest}", b"", XML)


def test_a_header_that_is_not_utf_8_is_malformed() -> None:
    with pytest.raises(errors.BadRequest, match="UTF-8"):
        oauth1.read_header("POST", OUTCOMES, HEADER_9.replace(NONCE_9, "%ff"), FIGURE_3, XML)


def test_the_header_sample_of_the_guide_is_read() -> None:
    header = (
        'OAuth realm="",oauth_version="1.0",oauth_nonce="29f90c047a44b2ece73d00a09364d49b",'
        'oauth_timestamp="1313350943",oauth_consumer_key="lmsng.school.edu",'
        'oauth_body_hash="T4+NuWGBvKwDMzCJE00B3/XnWYk=",oauth_signature_method="HMAC-SHA1",'
        'oauth_signature="8auRpRdPY2KRXUrOyz3HKCs92y8%3D"'
    )
    request = oauth1.read_header("POST", OUTCOMES, header, FIGURE_3, XML)
    assert request.consumer_key == "lmsng.school.edu"
    assert request.signature == "8auRpRdPY2KRXUrOyz3HKCs92y8="
    assert request.timestamp == 1313350943


@pytest.mark.spec("T11O-02", "OA1-12")
@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        (SHA1, b"Hello World!", "Lve95gjOVATpfV8EL5X4nxwjKHE="),
        (SHA1, b"", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        (SHA256, b"x", base64.b64encode(hashlib.sha256(b"x").digest()).decode()),
    ],
)
def test_the_body_hash_uses_the_hash_of_the_signature(
    method: str, body: bytes, expected: str
) -> None:
    header = oauth1.sign_body(
        "PUT", OUTCOMES, body, "k", "s", nonce="n", timestamp=NOW, method=method
    )
    request = oauth1.read_header("PUT", OUTCOMES, header, body, XML)
    assert dict(request.params)["oauth_body_hash"] == expected
    check(request, "s", method)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FIELDS = st.lists(
    st.tuples(TEXT.filter(lambda name: not name.startswith("oauth_")), TEXT), max_size=8
)


def posted(url: str, form: list[tuple[str, str]]) -> oauth1.SignedRequest:
    return oauth1.read_form("POST", url, oauth1.parse_form(urlencode(form).encode()))


@pytest.mark.spec("OA1-04", "OA1-05", "OA1-06", "OA1-07", "OA1-08")
@given(FIELDS, FIELDS, TEXT, TEXT, st.sampled_from([SHA1, SHA256]), st.data())
def test_any_form_round_trips_and_any_single_change_is_refused(
    fields: list[tuple[str, str]],
    query: list[tuple[str, str]],
    key: str,
    secret: str,
    method: str,
    data: st.DataObject,
) -> None:
    url = f"{TOOL}?{urlencode(query)}"
    form = oauth1.sign_form(url, fields, key + "k", secret, nonce="n", timestamp=NOW, method=method)
    check(posted(url, form), secret, method)
    plain = [i for i, (name, _) in enumerate(form) if not name.startswith("oauth_")]
    if plain:
        index = data.draw(st.sampled_from(plain))
        name, value = form[index]
        other = data.draw(TEXT.filter(lambda text: text != value))
        altered = [*form[:index], (name, other), *form[index + 1 :]]
        with pytest.raises(errors.SignatureRefused):
            check(posted(url, altered), secret, method)
    with pytest.raises(errors.SignatureRefused):
        check(posted(f"{url}&extra=", form), secret, method)


@given(st.binary(max_size=40), TEXT, TEXT)
def test_any_body_round_trips(body: bytes, key: str, secret: str) -> None:
    header = oauth1.sign_body("POST", OUTCOMES, body, key + "k", secret, nonce="n", timestamp=NOW)
    check(oauth1.read_header("POST", OUTCOMES, header, body, XML), secret)
    with pytest.raises(errors.SignatureRefused):
        oauth1.read_header("POST", OUTCOMES, header, body + b" ", XML)


@given(st.text(max_size=60))
def test_no_header_breaks_the_reader(rest: str) -> None:
    with pytest.raises(errors.BridgeError):
        oauth1.read_header("POST", OUTCOMES, f"OAuth {rest}", b"", XML)


@given(st.binary(max_size=60))
def test_no_body_breaks_the_form_reader(body: bytes) -> None:
    try:
        pairs_ = oauth1.parse_form(body)
    except errors.BadRequest:
        return
    assert oauth1.parse_form(urlencode(pairs_).encode()) == pairs_


CHARACTERS = [*map(chr, range(1, 256)), *"aeiou &=%+~-._'\"\r\n", "€", "中", "\U0001f600"]
ADDRESSES = [
    TOOL,
    "HTTPS://Tool.Example.org:443/a%20b/ü?x=1",
    "http://tool.example.org:8080",
    "https://tool.example.org/lti;v=1/?course=2&view",
]


def generated(random: Random) -> tuple[str, list[tuple[str, str]], str]:
    """An address, the fields of a form and a secret, of whatever characters forms may hold."""

    def text(most: int) -> str:
        return "".join(random.choices(CHARACTERS, k=random.randrange(most)))

    fields = [(text(4), text(7)) for _ in range(random.randrange(4))]
    return random.choice(ADDRESSES), [*fields, *fields[1:2]], text(5)


@pytest.mark.parametrize("part", range(10))
def test_100_000_generated_forms_are_signed_and_read_as_by_others(part: int) -> None:
    random = Random(part)  # the same ones in every run
    for _ in range(10_000):
        url, fields, secret = generated(random)
        theirs = rfc5849.signature_base_string(
            "POST", rfc5849.base_string_uri(url), rfc5849.normalize_parameters(fields)
        )
        assert oauth1.base_string("post", url, fields) == theirs
        keys = SimpleNamespace(client_secret=secret, resource_owner_secret="")
        signed = rfc5849.sign_hmac_sha256_with_client(theirs, keys)
        assert oauth1.signature("POST", url, fields, secret, "HMAC-SHA256") == signed
        assert oauth1.parse_form(urlencode(fields).encode()) == fields
