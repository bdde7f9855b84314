"""Why LTI 1.3 logins and launches are refused, found out for operators: the true cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lti_bridge.errors import BridgeError, Finding, LmsWaiting
from lti_bridge.lms.registration13 import Registration13, Registrations
from lti_bridge.log import redact
from tests.lms.platform13 import (
    ISSUER,
    NOW,
    PUBLIC,
    REMOVED,
    Login,
    Platform,
    World,
    jwk,
    rsa_key,
)

Refusing = Callable[["Two"], Any]
SECONDS = int(NOW.timestamp())


class Two(World):
    """A bridge with two LMSs, of which the first is clicked in."""

    def __init__(self) -> None:
        super().__init__(Platform("lms"), Platform("next", "https://next.example.edu", "client-2"))

    def explained(self, click: Refusing) -> list[Finding]:
        """The findings for what is refused."""
        with pytest.raises(BridgeError) as refused:
            click(self)
        explain = refused.value.explain
        assert explain is not None
        asked = len(self.endpoint.asked)
        found = list(explain())
        assert len(self.endpoint.asked) == asked  # it calls nobody
        return found


def with_kid(kid: str, key: str = "lms") -> Refusing:
    """A launch whose token has this kid, signed by this key."""

    def click(world: Two) -> Any:
        login = world.login()
        signer = Platform("lms")
        signer.key = rsa_key(key)
        return login.post(signer.sign(login.claims(), kid=kid))

    return click


def header(**changes: Any) -> Refusing:
    """A launch whose token has another header."""

    def click(world: Two) -> Any:
        login = world.login()
        return login.post(world.platform.sign(login.claims(), **changes))

    return click


def claims(**changes: Any) -> Refusing:
    """A launch with other claims."""
    return lambda world: world.launch(**changes)


def login(**changes: Any) -> Refusing:
    """A login with other parameters."""
    return lambda world: world.login(**changes)


def elsewhere(world: Two) -> Any:
    """A launch that comes to another browser."""
    begun = world.login()
    begun.cookies = {f"{next(iter(begun.cookies))[:-1]}X": "a"}
    return begun.launch()


def in_another_login(world: Two) -> Any:
    """The token of one login with the state of another."""
    first, second = world.login(), world.login()
    return second.post(first.token())


def late(world: Two) -> Any:
    """A launch that comes eleven minutes after its login."""
    begun = world.login()
    world.clock.forward(minutes=11)
    return begun.launch()


def changed_state(world: Two) -> Any:
    """A launch with a state that the LMS has changed."""
    begun = world.login()
    begun.state = begun.state.lower()
    return begun.launch()


def without_state(world: Two) -> Any:
    """A launch that no login began."""
    token = world.login().token()
    return world.door.launch({"id_token": [token]}, {})


def of_next(world: Two) -> Any:
    """The token of another LMS, in answer to a login of the first."""
    begun = world.login()
    other = world.platforms[1]
    return begun.post(other.sign(other.claims(begun.nonce)))


def unreadable_keys(world: Two) -> Any:
    """A launch while the LMS's keys cannot be had."""
    world.endpoint.down = True
    return world.launch()


def wrong_form(token: str) -> Refusing:
    """A launch with something else for a token."""
    return lambda world: world.login().post(token)


def refusing(error: str) -> Refusing:
    """The LMS's answer that there is no launch."""
    return lambda world: world.door.launch({"error": [error], "state": [world.login().state]}, {})


def deployment_of_login(world: Two) -> Any:
    """A login for one deployment, which the LMS answers for another."""
    return Login(world, world.platform, world.login(lti_deployment_id="1").going).launch(
        deployment_id="2"
    )


# what is clicked; the first reason's check; what it says; the checks of further reasons
CAUSES: dict[str, tuple[Refusing, str, tuple[str, ...], tuple[str, ...]]] = {
    "unknown kid": (with_kid("gone"), "key id", ("'lms-key-1'", "'gone'"), ("signature",)),
    "other key": (with_kid("lms-key-1", "next"), "signature", ("fits none of 1",), ()),
    "algorithm": (header(alg="HS256"), "algorithm", ("RS256", "'HS256'"), ()),
    "no algorithm": (header(alg="none"), "algorithm", ("'none'",), ()),
    "key in the header": (header(jwk={"kty": "RSA"}), "header", ("jwk",), ()),
    "issuer's slash": (claims(iss=f"{ISSUER}/"), "issuer", (ISSUER, f"'{ISSUER}/'"), ()),
    "issuer of another": (
        of_next,
        "key id",
        ("'next-key-1'",),
        ("signature", "issuer", "audience"),
    ),
    "audience": (claims(aud="other"), "audience", ("'client-1'", "'other'"), ()),
    "audience of another": (claims(aud="client-2"), "audience", ("'client-2'",), ()),
    "audiences": (claims(aud=["client-1", "x"]), "audience", ("['client-1', 'x']",), ("azp",)),
    "azp": (claims(azp="x"), "azp", ("'client-1'", "'x'"), ()),
    "expired": (
        claims(iat=SECONDS - 300, exp=SECONDS - 240),
        "clock (exp)",
        ("60 s for clocks", "240 s ago"),
        (),
    ),
    "from the future": (
        claims(iat=SECONDS + 600, exp=SECONDS + 660),
        "clock (iat)",
        ("600 s ahead",),
        (),
    ),
    "made long ago": (claims(iat=SECONDS - 3600), "clock (iat)", ("600 s ago", "3600 s ago"), ()),
    "no number": (claims(exp="soon"), "clock (exp)", ("'soon'",), ()),
    "nonce": (in_another_login, "nonce", ("another one",), ()),
    "browser": (elsewhere, "browser", ("no cookie of this login, 1 of other logins",), ()),
    "state that expired": (late, "state", ("600 s", "expired 60 s ago"), ()),
    "state that was changed": (changed_state, "state", ("not made here, or was changed",), ()),
    "no state": (without_state, "state", ("none",), ()),
    "deployment": (claims(deployment_id="9"), "deployment", ("'1', '2'", "'9'"), ()),
    "no deployment": (claims(deployment_id=REMOVED), "deployment", ("none",), ()),
    "deployment of the login": (
        deployment_of_login,
        "deployment of the login",
        ("'1'", "'2'"),
        (),
    ),
    "message type": (claims(message_type="Other"), "message_type", ("'Other'",), ()),
    "version": (claims(version="1.2"), "version", ("1.3.0", "'1.2'"), ()),
    "target": (
        claims(target_link_uri="https://old.example.edu/x?user=ann"),
        "target_link_uri",
        (PUBLIC, "'https://old.example.edu/x'"),
        (),
    ),
    "no link": (claims(resource_link=REMOVED), "message", ("Link Id",), ()),
    "keys": (unreadable_keys, "key set", ("/jwks", "no trusted keys"), ()),
    "no signature": (wrong_form("e30.e30."), "token", ("3 parts",), ()),
    "cut token": (wrong_form("a.b"), "token", ("three parts", "2 parts"), ()),
    "encrypted token": (wrong_form("a.b.c.d.e"), "token", ("5 parts",), ()),
    "error": (refusing("login_required"), "answer of the LMS", ("'login_required'",), ()),
    "login: issuer": (
        login(iss=f"{ISSUER}/"),
        "issuer",
        (f"{ISSUER} 'https://lms.example.edu/'",),
        (),
    ),
    "login: nobody's issuer": (
        login(iss="https://other.example.org"),
        "issuer",
        ("LMS 'lms'", "LMS 'next'", "https://other.example.org"),
        (),
    ),
    "login: client": (login(client_id="client-2"), "client_id", ("'client-1'", "'client-2'"), ()),
    "login: target": (
        login(target_link_uri="https://old.example.edu/lti/launch"),
        "target_link_uri",
        (PUBLIC, "'https://old.example.edu/lti/launch'"),
        (),
    ),
    "login: no hint": (login(login_hint=REMOVED), "login_hint", ("none",), ()),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_true_cause_comes_first(name: str) -> None:
    click, check, says, also = CAUSES[name]
    first, *rest = Two().explained(click)
    assert first.check == check, first
    assert [one for one in says if one not in f"{first.configured} {first.came}"] == [], first
    assert first.remedy
    assert tuple(one.check for one in rest if not one.fits) == also


@pytest.mark.parametrize("name", CAUSES)
def test_no_finding_names_a_person_or_what_proves_one(name: str) -> None:
    world = Two()
    found = repr(world.explained(CAUSES[name][0]))
    for secret in ("user-7", "user=ann", "hint=", world.login().state[:20]):
        assert secret not in found
    for one in world.explained(CAUSES[name][0]):
        for text in (one.check, one.configured, one.came, one.remedy):
            assert redact(text, 500) == text  # as it is kept


def test_a_kid_that_changed_alone_is_told_from_another_key() -> None:
    found = Two().explained(with_kid("renamed"))
    assert [one.check for one in found if not one.fits] == ["key id", "signature"]
    assert "made by its key 'lms-key-1'" in found[1].came


def test_a_key_set_that_holds_many_keys_is_named_in_part() -> None:
    world = Two()
    keys = [jwk(f"old-{number}", rsa_key("many")) for number in range(40)]
    document = world.endpoint.documents[world.platform.registration().jwks_url]
    document["keys"] = [*keys, *document["keys"]]
    found = world.explained(with_kid("gone", "next"))
    assert "and 35 more" in found[0].configured
    assert "fits none of 16" in found[1].came


def test_an_lms_that_waits_or_was_retired_is_told_from_an_unknown_one() -> None:
    world = Two()
    world.door.explainer = _explaining(Waiting(world.platform.registration()))
    waits = world.explained(login(iss="https://waits.example.edu"))
    assert (waits[0].check, "'soon' waits" in waits[0].came) == ("registration", True)
    assert "registrations approve soon" in waits[0].remedy
    gone = world.explained(login(iss="https://gone.example.edu"))
    assert (gone[0].check, "'former' was retired" in gone[0].came) == ("registration", True)


def test_several_of_one_client_are_told_apart_by_the_deployment() -> None:
    world = Two()
    ours = world.platform.registration(deployment_ids=frozenset({"1"}))
    twin = replace(ours, name="twin", deployment_ids=frozenset({"2"}))
    world.door = World(Platform("lms"), Platform("next", "https://n.example.edu", "x")).door
    both = Registrations([ours, twin])
    world.door.explainer = _explaining(both)
    world.door.logins.registrations = both
    for deployment, came in ((REMOVED, "none"), ("7", "'7'")):
        first = world.explained(login(lti_deployment_id=deployment))[0]
        assert (first.check, first.came) == ("deployment of the login", came)
        assert "['1'] (lms), ['2'] (twin)" in first.configured


class Waiting(Registrations):
    """One LMS that is trusted, one that waits, and one that was."""

    def __init__(self, trusted: Registration13) -> None:
        super().__init__([trusted])

    def find(self, issuer: str, client_id: str = "", deployment_id: str = "") -> Registration13:
        if issuer == "https://waits.example.edu":
            raise LmsWaiting("soon")
        return super().find(issuer, client_id, deployment_id)

    def retired(self, issuer: str, client_id: str = "") -> str:
        return "former" if issuer == "https://gone.example.edu" else ""


def _explaining(registrations: Registrations) -> Any:
    return replace(Two().door.explainer, registrations=registrations)
