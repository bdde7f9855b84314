"""The proof that an LTI 1.3 launch and an LTI 1.1 registration are of one LMS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lti_bridge.core.launch.message import Context, Former, Launch, Once, Person, ResourceLink
from lti_bridge.lms.directory import Directory
from lti_bridge.lms.migration import with_former
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti.claims import DEPLOYMENT_ID, LTI1P1
from lti_bridge.lti.migration import key_sign
from lti_bridge.store.registrations import Stored

NOW = datetime(2019, 2, 27, 18, 6, 36, tzinfo=UTC)
SIGN = "lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps="
OLD = Registration11("old", "179248902", "my-lti11-secret")
TWIN = Registration11("twin", "twin-key", "my-lti11-secret")
NEW = Registration13(
    "new", "https://lmsvendor.com", "PM48OJSfGDTAzAo", *(["https://lmsvendor.com/x"] * 3)
)
LAUNCH = Launch(
    "new",
    "1.3",
    Once("s", "v", NOW),
    NOW,
    deployment_id="689302",
    person=Person("3"),
    context=Context("new-course"),
    resource_link=ResourceLink("new-link"),
)
CLAIM = {
    "user_id": "34212",
    "context_id": "old-course",
    "resource_link_id": "old-link",
    "oauth_consumer_key": "179248902",
    "oauth_consumer_key_sign": SIGN,
}
PROVED = Former("old", "34212", "old-course", "old-link")


class Saying:
    """A database that says who succeeds whom."""

    def __init__(self, **pairs: frozenset[tuple[str, str]]) -> None:
        self._stored = Stored(**pairs)

    def version(self) -> int:
        return 1

    def stored(self) -> Stored:
        return self._stored


def claims(claim: object = CLAIM, **changes: Any) -> dict[str, Any]:
    """Verified claims of vector V-10's token."""
    return {
        "iss": "https://lmsvendor.com",
        "aud": "PM48OJSfGDTAzAo",
        "exp": 1551290856,
        "nonce": "172we8671fd8z",
        DEPLOYMENT_ID: "689302",
        LTI1P1: claim,
        **changes,
    }


def former(found: dict[str, Any], ours: Registration13 = NEW, **pairs: Any) -> Former | None:
    """What a launch with these claims was known as."""
    directory = Directory([OLD, TWIN], [ours], Saying(**pairs), lambda: 0.0)
    return with_former(LAUNCH, found, ours, directory).former


@pytest.mark.spec("T13MX-04")
def test_the_published_example_is_signed_alike() -> None:
    values = ("179248902", "689302", "https://lmsvendor.com", "PM48OJSfGDTAzAo")
    assert key_sign("my-lti11-secret", *values, 1551290856, "172we8671fd8z") == SIGN


@pytest.mark.spec("T13MX-03", "T13MX-04")
def test_a_signed_claim_says_who_it_was() -> None:
    assert former(claims()) == PROVED


def test_what_the_claim_leaves_out_is_the_same_as_now() -> None:
    claim = {name: CLAIM[name] for name in ("oauth_consumer_key", "oauth_consumer_key_sign")}
    assert former(claims(claim)) == Former("old", "3", "new-course", "new-link")


@pytest.mark.spec("T13MX-04", "T13MX-05", "T13MX-07")
@pytest.mark.parametrize(
    "found",
    [
        claims(None),
        claims("179248902"),
        claims({**CLAIM, "oauth_consumer_key_sign": SIGN[:-2] + "8="}),
        claims({**CLAIM, "oauth_consumer_key_sign": ""}),
        claims({**CLAIM, "oauth_consumer_key_sign": [SIGN]}),
        claims({**CLAIM, "oauth_consumer_key_sign": "ä" * 44}),
        claims({name: value for name, value in CLAIM.items() if "sign" not in name}),
        claims({**CLAIM, "oauth_consumer_key": "179248903"}),
        claims({**CLAIM, "oauth_consumer_key": "twin-key"}),  # the same secret, another key
        claims({**CLAIM, "oauth_consumer_key": 179248902}),
        claims(exp=1551290857),
        claims(exp=1551290856.0),
        claims(nonce="172we8671fd8Z"),
        claims(**{DEPLOYMENT_ID: "689303"}),
    ],
)
def test_what_is_not_proved_moves_nothing(found: dict[str, Any]) -> None:
    assert former(found) is None


@pytest.mark.spec("T13MX-06")
def test_the_client_id_signed_is_our_own_whatever_the_audience() -> None:
    assert former(claims(aud=["someone-else", "PM48OJSfGDTAzAo"])) == PROVED
    assert former(claims(), replace(NEW, client_id="someone-else")) is None
    assert former(claims(), replace(NEW, issuer="https://lmsvendor.org")) is None


@pytest.mark.spec("T13MX-07")
def test_an_unsigned_claim_counts_once_an_admin_has_linked_the_two() -> None:
    unsigned = {name: value for name, value in CLAIM.items() if "sign" not in name}
    linked = frozenset({("new", "old")})
    assert former(claims(unsigned), linked=linked) == PROVED
    assert former(claims(None), linked=linked) == Former("old", "3", "new-course", "new-link")
    # a claim about another consumer key, or a link of another registration
    other = {**unsigned, "oauth_consumer_key": "twin-key"}
    assert former(claims(other), linked=linked) is None
    assert former(claims(unsigned), linked=frozenset({("else", "old")})) is None


def test_two_that_an_admin_parted_are_not_joined_by_any_proof() -> None:
    assert former(claims(), parted=frozenset({("new", "old")})) is None
