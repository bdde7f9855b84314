"""Which hosts are an LMS's own: real LMSs as they name themselves, and who would like to be one."""

from __future__ import annotations

import pytest

from lti_bridge.lms import belonging
from lti_bridge.lms.registration13 import Registration13

CANVAS = "https://canvas.instructure.com"
SSO = "https://sso.canvaslms.com"
MOODLE = "https://moodle.example.edu"
EVIL = "https://evil.example.org"


def lms(
    issuer: str, base: str = "", name: str = "one", *, by_address: bool = True, **more: object
) -> Registration13:
    """One whose addresses are all below `base`, or its issuer."""
    at = base or issuer
    token, keys = str(more.pop("token", f"{at}/token")), str(more.pop("keys", f"{at}/jwks"))
    return Registration13(
        name,
        issuer,
        f"client-{name}",
        f"{at}/auth",
        token,
        keys,
        by_address=by_address,
        **more,  # type: ignore[arg-type]
    )


BLACKBOARD = lms("https://blackboard.com", "https://developer.blackboard.com")
SCHOOLOGY = lms("https://schoology.schoology.com", "https://lti-service.svc.schoology.com")
BRIGHTSPACE = lms(
    "https://campus.brightspace.com", token="https://auth.brightspace.com/core/connect/token"
)
VANITY = lms("https://learn.example.edu", token="https://auth.brightspace.com/core/connect/token")
REAL = [
    (lms(MOODLE), f"{MOODLE}/mod/lti/services.php/2/lineitems"),
    (lms("https://example.edu/moodle"), "https://example.edu/moodle/mod/lti/services.php"),
    (lms("https://example.edu"), "https://grades.example.edu/scores"),
    (lms(CANVAS, SSO), "https://campus.instructure.com/api/lti/courses/1/line_items"),
    (lms(CANVAS, SSO), "https://canvas.example.edu/api/lti/courses/1/line_items"),
    (lms("https://canvas.beta.instructure.com", "https://sso.beta.canvaslms.com"),
     "https://canvas.example.edu/api/lti/courses/1/line_items"),
    (lms(CANVAS, "https://canvas.example.edu", by_address=False),
     "https://canvas.example.edu/api/lti/courses/1/line_items"),
    (BRIGHTSPACE, "https://campus.brightspace.com/d2l/api/lti/ags/2.0/lineitems"),
    (BLACKBOARD, "https://learn.example.edu/learn/api/v1/lti/courses/_1_1/lineItems"),
    (SCHOOLOGY, "https://lti-service.svc.schoology.com/lti-service/tool/1/services"),
    (lms("http://127.0.0.1:8700", by_address=False), "http://127.0.0.1:8700/items"),
]  # fmt: skip
FOREIGN = [
    (lms(MOODLE), EVIL),
    (lms(MOODLE), "https://moodle.example.edu.evil.example.org/"),
    (lms(MOODLE), "https://other-moodle.example.edu/"),
    (lms(MOODLE), "https://example.edu/"),
    (lms(MOODLE, by_address=False), EVIL),
    (lms(EVIL, token="https://moodle.example.edu/token"), f"{MOODLE}/items"),
    (lms(EVIL, SSO), "https://campus.instructure.com/"),
    (lms(CANVAS, SSO, keys=f"{EVIL}/jwks"), EVIL),  # somebody else's keys sign its launches
    (lms(CANVAS, EVIL), EVIL),
    (lms(CANVAS, SSO), MOODLE),  # another LMS's
    (BRIGHTSPACE, "https://other.brightspace.com/"),
    (SCHOOLOGY, EVIL),
    (lms("http://127.0.0.1:8700", by_address=False), "http://127.0.0.1:8701/items"),
    (lms("http://localhost:8700", by_address=False), "http://localhost/items"),
    (lms(MOODLE), "https://["),
    (lms(MOODLE), ""),
]
OTHERS = (lms(MOODLE, name="moodle", by_address=False), lms(CANVAS, SSO, "canvas"))


@pytest.mark.parametrize(("one", "address"), REAL)
def test_services_of_real_lmss_get_their_token(one: Registration13, address: str) -> None:
    assert belonging.may_receive(one, address, lambda: OTHERS[1:])
    assert belonging.may_be_meant(one)


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize(("one", "address"), FOREIGN)
def test_nobody_else_gets_it(one: Registration13, address: str) -> None:
    assert not belonging.may_receive(one, address, lambda: OTHERS)


@pytest.mark.parametrize(
    ("one", "meant"),
    [
        (lms(CANVAS, SSO, auth_audience="sso.canvaslms.com"), f"{SSO}/token"),
        (lms(CANVAS, SSO, auth_audience=f"{SSO}/other"), f"{SSO}/other"),
        (lms(MOODLE, auth_audience="moodle.example.edu"), "moodle.example.edu"),
        (lms(MOODLE, auth_audience=f"{MOODLE}/x"), f"{MOODLE}/x"),
        (lms(MOODLE), f"{MOODLE}/token"),
        (BRIGHTSPACE, "https://api.brightspace.com/auth/token"),
    ],
)
def test_the_audience_is_what_the_lms_takes(one: Registration13, meant: str) -> None:
    assert belonging.audience(one) == meant
    assert belonging.may_be_meant(one)


def test_a_foreign_audience_is_an_administrator_s_word_only() -> None:
    for audience in (f"{EVIL}/token", "evil.example.org", "urn:evil"):
        assert not belonging.may_be_meant(lms(MOODLE, auth_audience=audience))
        assert belonging.may_be_meant(lms(MOODLE, auth_audience=audience, by_address=False))
        said = frozenset({belonging.host(audience)})
        assert belonging.may_be_meant(lms(MOODLE, auth_audience=audience, service_hosts=said))


@pytest.mark.parametrize(
    ("one", "odd"),
    [
        (lms(MOODLE), []),
        (lms(CANVAS, SSO, auth_audience="sso.canvaslms.com"), []),
        (BRIGHTSPACE, []),
        (BLACKBOARD, []),
        (SCHOOLOGY, []),
        (VANITY, ["token", "audience"]),
        (lms("https://a.example.edu", token="https://auth.example.edu/t"), ["token", "audience"]),
        (lms(EVIL, keys="https://keys.example.org/j"), ["key set"]),
        (lms("https://a.example.edu", service_hosts=frozenset({"auth.example.edu"}),
             token="https://auth.example.edu/t"), []),
    ],
)  # fmt: skip
def test_what_an_administrator_sees_first(one: Registration13, odd: list[str]) -> None:
    assert [named.what for named in belonging.look(one, OTHERS) if named.problem] == odd
    assert not belonging.taken(one, OTHERS)


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize(
    "one",
    [
        lms(EVIL, token=f"{MOODLE}/mod/lti/token.php"),
        lms(EVIL, token=f"{MOODLE}/token"),
        lms(EVIL, token="https://MOODLE.example.edu:443/token/?a=b"),
        lms(EVIL, token="https://a.moodle.example.edu/token"),
        lms(EVIL, auth_audience=f"{MOODLE}/token"),
        lms(EVIL, auth_audience="moodle.example.edu"),
        lms(EVIL, token=f"{MOODLE}/token", service_hosts=frozenset({"moodle.example.edu"})),
        lms(EVIL, token=f"{MOODLE}/other", service_hosts=frozenset({"moodle.example.edu"})),
    ],
)
def test_who_names_another_lms_is_never_trusted(one: Registration13) -> None:
    assert "'moodle'" in belonging.taken(one, OTHERS)


def test_two_sites_of_one_host_and_two_clients_of_one_issuer_are_two_lmss() -> None:
    first = lms("https://example.edu/a", name="a", by_address=False)
    for second in (lms("https://example.edu/b"), lms("https://example.edu/a")):
        assert belonging.taken(second, [first]) == ""
        assert belonging.doubled([first, second]) == []


def test_two_clients_of_one_issuer_share_it_wherever_they_are_registered() -> None:
    """One stands in the file, the other is read from the database."""
    named = "https://example.edu/a"
    at = "https://auth.example.org"
    first = lms(named, at, name="a", by_address=False)
    assert belonging.taken(lms("/".join(named.split("/")), at), [first]) == ""
    assert "'a'" in belonging.taken(lms(EVIL, at), [first])
