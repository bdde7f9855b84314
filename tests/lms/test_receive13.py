"""The LTI 1.3 login and launch, with real tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from lti_bridge.core.launch.message import DEEP_LINKING, SUBMISSION_REVIEW, Once
from lti_bridge.errors import (
    AnonymousRefused,
    BridgeError,
    BrowserRefused,
    ConfigurationError,
    LaunchRefused,
    LoginFailed,
    MessageRefused,
    NetworkFailed,
    SignatureRefused,
    UnknownDeployment,
    UnknownIssuer,
)
from lti_bridge.lms.receive13 import KEPT, Lms13
from lti_bridge.lms.registration13 import Registrations
from lti_bridge.lti.keysets import KeySets
from tests.lms.platform13 import (
    ISSUER,
    LTI,
    NOW,
    PUBLIC,
    REMOVED,
    TARGET,
    Endpoint,
    Login,
    Platform,
    World,
    b64,
    jwk,
    random_bytes,
    rsa_key,
)

FOREIGN = [
    "https://evil.example.org/lti/launch",
    "//evil.example.org/lti/launch",
    "https://bridge.example.edu.evil.example.org/",
    "https://bridge.example.edu@evil.example.org/",
    "https://evil.example.org\\@bridge.example.edu/",
    "\\\\evil.example.org",
    "/%2f%2fevil.example.org",
    "/lti/launch",
    "javascript:alert(1)",
    "http://bridge.example.edu/lti/launch",
    "https://bridge.example.edu:8443/lti/launch",
    "https://bridge.example.edu\n.evil.example.org/",
    " https://bridge.example.edu/",
]


# login


@pytest.mark.spec("T13LI-06", "T13LI-07", "T13LI-10", "AMB-04", "AMB-13")
def test_a_login_goes_to_the_registered_address_with_the_registered_values() -> None:
    login = World().login()
    url = urlsplit(login.going.url)
    assert (url.scheme, url.netloc, url.path) == ("https", "lms.example.edu", "/auth")
    assert login.sent.pop("tenant") == "7"
    state, nonce = login.sent.pop("state"), login.sent.pop("nonce")
    assert state
    assert nonce
    assert login.sent == {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": "client-1",
        "redirect_uri": TARGET,
        "login_hint": "hint",
    }


@pytest.mark.spec("T13LI-10")
def test_the_redirect_uri_does_not_follow_the_target() -> None:
    assert World().login(target_link_uri=f"{PUBLIC}/else?x=1").sent["redirect_uri"] == TARGET


@pytest.mark.spec("T13LI-08", "T13LI-09")
@pytest.mark.parametrize("hint", ["a+b&c", "%2F", "ü", json.dumps({"launchid": "x" * 2000}), ""])
def test_hints_are_passed_on(hint: str) -> None:
    login = World().login(login_hint=f"h{hint}", lti_message_hint=hint)
    assert (login.sent["login_hint"], login.sent["lti_message_hint"]) == (f"h{hint}", hint)


@pytest.mark.spec("T13LI-02")
@pytest.mark.parametrize("name", ["iss", "login_hint", "target_link_uri"])
@pytest.mark.parametrize("value", [REMOVED, ""])
def test_a_login_without_a_required_parameter_is_refused(name: str, value: Any) -> None:
    with pytest.raises(LaunchRefused) as refusal:
        World().login(**{name: value})
    assert refusal.value.status == 400


@pytest.mark.spec("T13LI-03")
@pytest.mark.parametrize(
    "change",
    [{"iss": "https://evil.example.org"}, {"iss": f"{ISSUER}/"}, {"client_id": "someone"}],
)
def test_an_unknown_lms_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(UnknownIssuer) as refusal:
        World().login(**change)
    assert refusal.value.status == 400


@pytest.mark.spec("T13LI-04", "SECP-39")
def test_a_client_id_is_needed_only_when_there_is_a_choice() -> None:
    assert World().login(client_id=REMOVED).sent["client_id"] == "client-1"
    two = World(Platform("a", client_id="client-a"), Platform("b", client_id="client-b"))
    assert two.login(two.platforms[1]).sent["client_id"] == "client-b"
    with pytest.raises(UnknownIssuer):
        two.login(client_id=REMOVED)


@pytest.mark.spec("T13LI-13", "SECP-24")
@pytest.mark.parametrize("target", FOREIGN)
def test_a_foreign_target_is_refused_unsigned_and_signed(target: str) -> None:
    with pytest.raises(MessageRefused):
        World().login(target_link_uri=target)
    with pytest.raises(MessageRefused):
        World().launch(target_link_uri=target)


@pytest.mark.spec("SECP-06")
@pytest.mark.parametrize(
    "name", ["iss", "login_hint", "target_link_uri", "client_id", "lti_message_hint"]
)
def test_a_repeated_login_parameter_is_refused(name: str) -> None:
    values = {
        "iss": [ISSUER],
        "login_hint": ["h"],
        "target_link_uri": [TARGET],
        "client_id": ["client-1"],
    }
    door = World().door
    assert door.login(values)
    with pytest.raises(MessageRefused):
        door.login(values | {name: [values.get(name, ["x"])[0]] * 2})


def test_oversized_login_parameters_are_refused() -> None:
    with pytest.raises(MessageRefused):
        World().login(login_hint="h" * 8193)
    with pytest.raises(MessageRefused):
        World().login(lti_deployment_id="d" * 256)


def test_half_a_character_in_a_login_is_refused() -> None:
    with pytest.raises(MessageRefused):
        World().login(login_hint="\ud800")


@pytest.mark.spec("T13LI-11")
def test_state_and_nonce_are_new_long_and_different() -> None:
    sizes: list[int] = []

    def counting(size: int) -> bytes:
        sizes.append(size)
        return give(size)

    give, world = random_bytes(), World()
    world.door.logins.random = counting
    first, second = world.login(), world.login()
    assert len({first.state, first.nonce, second.state, second.nonce}) == 4
    assert first.going.cookie_value != second.going.cookie_value
    assert min(sizes) * 8 >= 128
    assert len(sizes) == 4
    assert first.going.cookie_value not in first.going.url


def test_a_short_key_cannot_seal_logins() -> None:
    with pytest.raises(ConfigurationError):
        Lms13(
            Registrations([]),
            KeySets(Endpoint(), lambda: NOW),
            b"k" * 31,
            f"{PUBLIC}/lti/login",
            TARGET,
            PUBLIC,
            lambda: NOW,
            random_bytes(),
        )


# the browser


@pytest.mark.spec("T13LI-15")
def test_two_tabs_may_log_in_at_once_in_any_order() -> None:
    world = World()
    first, second = world.login(), world.login()
    first.cookies = second.cookies = first.cookies | second.cookies
    assert len(first.cookies) == 2
    assert second.launch().once != first.launch().once


@pytest.mark.spec("T13LI-12", "SECP-22")
@pytest.mark.parametrize("cookies", ["none", "another login's", "wrong", "renamed"])
def test_a_launch_in_another_browser_is_refused(cookies: str) -> None:
    world = World()
    login, other = world.login(), world.login()
    login.cookies = {
        "none": {},
        "another login's": other.cookies,
        "wrong": {login.going.cookie_name: other.going.cookie_value},
        "renamed": {"lti": login.going.cookie_value},
    }[cookies]
    with pytest.raises(BrowserRefused) as refusal:
        login.launch()
    assert refusal.value.status == 401


@pytest.mark.spec("T13LI-12")
@pytest.mark.parametrize("state", ["", "x", "a.b", "é", "." * 5000])
def test_a_state_that_is_not_ours_is_refused(state: str) -> None:
    login = World().login()
    token = login.token()
    login.state = state
    with pytest.raises(BrowserRefused):
        login.post(token)


@pytest.mark.spec("AMB-04")
def test_a_missing_state_is_refused() -> None:
    login = World().login()
    with pytest.raises(BrowserRefused):
        login.world.door.launch({"id_token": [login.token()]}, login.cookies)


@pytest.mark.spec("T13LI-12", "T13LI-14")
def test_a_login_ends_after_ten_minutes() -> None:
    world = World()
    early, late = world.login(), world.login()
    assert early.going.max_age_s == 600
    world.clock.forward(seconds=599)
    assert early.launch()
    world.clock.forward(seconds=1)
    with pytest.raises(BrowserRefused):
        late.launch()


@pytest.mark.spec("T13ID-20", "T13ID-21", "CERTT-13")
def test_a_token_does_not_fit_another_login() -> None:
    world = World()
    login = world.login()
    token = login.token()
    login.post(token)
    with pytest.raises(BrowserRefused):
        world.login().post(token)


@pytest.mark.spec("T13ID-20", "SECP-05")
@pytest.mark.parametrize("nonce", [REMOVED, None, "", "other", 7, ["x"], {}, True, "\ud800"])
def test_a_nonce_that_is_not_the_login_s_is_refused(nonce: object) -> None:
    with pytest.raises(LaunchRefused):
        World().launch(nonce=nonce)


def test_a_launch_says_what_makes_it_usable_once() -> None:
    login = World().login()
    token = login.token(exp=int(NOW.timestamp()) + 60)
    launch = login.post(token)
    expires = NOW + timedelta(seconds=60 + 60 + 1)
    [secret] = login.cookies.values()
    browser = b64(hashlib.sha256(secret.encode()).digest())
    assert launch.once == Once("lti13:lms", login.nonce, expires, browser, at=NOW)
    assert login.post(token).once == launch.once


def test_a_far_expiry_is_not_remembered_longer_than_the_token_is_taken() -> None:
    world = World()
    login = world.login()
    token = login.token(exp=10**300)
    expires = login.post(token).once.expires_at
    assert expires == NOW + timedelta(seconds=600 + 60 + 1)
    world.clock.now = expires - timedelta(seconds=1)
    again = world.login()
    world.clock.forward(seconds=1)
    assert again.nonce
    with pytest.raises(LaunchRefused):
        again.launch(iat=int(NOW.timestamp()), exp=10**300)


def test_an_error_from_the_lms_is_a_failed_login() -> None:
    login = World().login()
    form = {"error": ["login_required\r\n"], "error_description": ["x"], "state": [login.state]}
    with pytest.raises(LoginFailed) as failure:
        login.world.door.launch(form, login.cookies)
    assert "login_required" in failure.value.detail
    assert "\n" not in failure.value.detail


def test_the_cookie_of_a_login_can_be_cleared_afterwards() -> None:
    login = World().login()
    door = login.world.door
    assert door.used_cookie({"state": [login.state]}) == login.going.cookie_name
    assert door.used_cookie({"state": ["x.<script>"]}) == ""
    assert door.used_cookie({"state": []}) == door.used_cookie({}) == ""


# no cookies


def without_cookies(world: World, **parameters: Any) -> tuple[Login, str]:
    """A login whose proof the LMS keeps, and the proof."""
    stored = {"lti_storage_target": "_parent"} | parameters
    login = world.login(again=True, refused=True, **stored)
    login.cookies = {}
    storage = login.going.new_window.storage
    assert storage is not None
    return login, storage.value


def posted(login: Login, kept: str, *, own_page: bool = True) -> Any:
    form = {"id_token": [login.token()], "state": [login.state], KEPT: [kept]}
    return login.world.door.launch(form, login.cookies, own_page=own_page)


@pytest.mark.spec("T13ST-03", "T13ST-05")
def test_state_and_nonce_are_kept_with_the_lms_where_cookies_are_refused() -> None:
    world = World()
    login, kept = without_cookies(world)
    storage = login.going.new_window.storage
    assert storage is not None
    assert (storage.origin, storage.frame) == ("https://lms.example.edu", "_parent")
    assert storage.onward == login.going.url
    state, nonce, secret = kept.split(" ")
    assert (state, nonce) == (login.state.rpartition(".")[2], login.nonce)
    assert secret not in login.going.url
    assert posted(login, kept).person.id == "user-7"


def test_many_proofs_have_room_in_the_least_storage() -> None:
    """Canvas and Brightspace hold 4096 characters of one tool, in all."""
    login, kept = without_cookies(World(), lti_message_hint="m" * 900)
    storage = login.going.new_window.storage
    assert storage is not None
    assert len(storage.key) + len(kept) < 200


@pytest.mark.parametrize("given", [{"refused": False}, {"lti_storage_target": REMOVED}])
def test_where_cookies_are_kept_or_nothing_is_offered_there_is_no_storage(given: Any) -> None:
    login = World().login(**{"refused": True, "lti_storage_target": "_parent"} | given)
    assert login.going.new_window.storage is None
    with pytest.raises(BrowserRefused):
        posted(login_without(login), f"{login.state} {login.nonce} {login.going.cookie_value}")


def login_without(login: Login) -> Login:
    login.cookies = {}
    return login


@pytest.mark.spec("T13ST-09", "SECP-22")
def test_the_proof_counts_from_a_page_of_ours_only() -> None:
    login, kept = without_cookies(World())
    with pytest.raises(BrowserRefused):
        posted(login, kept, own_page=False)


@pytest.mark.spec("T13ST-09", "SECP-22")
@pytest.mark.parametrize(
    "kept", ["", "another login's", "swapped", "only state", "other state", "\ud800", "x" * 9]
)
def test_another_proof_is_refused(kept: str) -> None:
    world = World()
    (login, own), (_, other) = without_cookies(world), without_cookies(world)
    secret = other.rpartition(" ")[2]
    given = {
        "another login's": other,
        "swapped": f"{own.rpartition(' ')[0]} {secret}",
        "only state": own.rpartition(" ")[0],
        "other state": f"x{own}",
    }.get(kept, kept)
    with pytest.raises((BrowserRefused, MessageRefused)):
        posted(login, given)


def test_a_proof_ends_with_its_login() -> None:
    world = World()
    login, kept = without_cookies(world)
    world.clock.forward(seconds=600)
    with pytest.raises(BrowserRefused):
        posted(login, kept)


@pytest.mark.spec("T13ST-09")
def test_a_good_launch_without_proof_may_begin_anew_or_ask_the_storage() -> None:
    login, _ = without_cookies(World(), lti_message_hint="m")
    form = {"id_token": [login.token()], "state": [login.state]}
    found = login.world.door.unproved(form)
    assert found.launch.person.id == "user-7"
    assert found.new_window.again is not None
    assert found.new_window.again.action == f"{PUBLIC}/lti/login"
    assert dict(found.new_window.again.fields) == {
        "iss": ISSUER,
        "login_hint": "hint",
        "target_link_uri": TARGET,
        "client_id": "client-1",
        "lti_message_hint": "m",
    }
    storage = found.new_window.storage
    assert storage is not None
    assert storage.value == ""
    assert storage.form is not None
    assert dict(storage.form.fields) == {
        "id_token": form["id_token"][0],
        "state": login.state,
        KEPT: "",
    }
    # the storage is asked once; what came back did not prove anything
    assert login.world.door.unproved(form | {KEPT: [""]}).new_window.storage is None


def test_a_bad_launch_without_proof_leads_nowhere() -> None:
    login, _ = without_cookies(World())
    other = without_cookies(login.world)[0]
    for token in (login.token(iss="https://evil.example.org"), other.token(), "x"):
        with pytest.raises(LaunchRefused):
            login.world.door.unproved({"id_token": [token], "state": [login.state]})


def test_an_unconfirmed_login_begins_anew_only_by_a_state_of_ours_that_still_counts() -> None:
    world = World()
    login = world.login(again=True)
    form = {"error": ["login_required"], "state": [login.state]}
    found = world.door.unconfirmed(form)
    assert found is not None
    assert found.registration == "lms"
    assert found.new_window.again is not None
    assert found.new_window.again.action == f"{PUBLIC}/lti/login"
    body, _, seal = login.state.partition(".")
    other_seal = world.login(again=True).state.partition(".")[2]
    other_body = World(Platform("other")).login(again=True).state.partition(".")[0]
    for state in ("", body, f"{body}.", f"{body}.{other_seal}", f"{other_body}.{seal}"):
        assert world.door.unconfirmed(form | {"state": [state]}) is None
    assert world.door.unconfirmed({"error": form["error"]}) is None
    other = world.door.unconfirmed(form | {"error": ["access_denied"]})
    assert other is not None
    assert (other.new_window.again, other.home) == (None, "https://lms.example.edu/")
    world.clock.forward(seconds=600)
    assert world.door.unconfirmed(form) is None


def test_a_long_login_does_not_travel_in_the_state() -> None:
    login = World().login(again=True, lti_message_hint="m" * 1100)
    form = {"id_token": [login.token()], "state": [login.state]}
    assert login.world.door.unproved(form).new_window.again is None
    assert login.going.new_window.again is not None
    assert ("lti_message_hint", "m" * 1100) in login.going.new_window.again.fields
    assert len(World().login(again=False).state) < len(World().login(again=True).state)


def test_a_long_frame_name_is_refused() -> None:
    with pytest.raises(MessageRefused):
        World().login(lti_storage_target="f" * 256)


# the token


@pytest.mark.spec("SECP-06")
@pytest.mark.parametrize("name", ["id_token", "state"])
def test_a_repeated_launch_parameter_is_refused(name: str) -> None:
    login = World().login()
    form = {"id_token": [login.token()], "state": [login.state]}
    assert login.world.door.launch(form, login.cookies)
    with pytest.raises(MessageRefused):
        login.world.door.launch(form | {name: form[name] * 2}, login.cookies)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b.c.d.e"])
@pytest.mark.spec("T13ID-11")
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(LaunchRefused) as refusal:
        World().login().post(token)
    assert refusal.value.status in (400, 401)


@pytest.mark.spec("T13ID-04", "T13ID-07")
def test_a_token_signed_by_someone_else_is_refused() -> None:
    login = World().login()
    stranger = Platform("stranger")
    with pytest.raises(SignatureRefused):
        login.post(stranger.sign(login.claims(), kid=login.platform.kid))


@pytest.mark.spec("T13ID-04")
def test_no_claim_matters_before_the_signature() -> None:
    """Whatever else is wrong, a wrong signature is the answer."""
    login = World().login()
    claims = login.claims(version="1.1", sub="", nonce="other", deployment_id=7, iss="x", exp=1)
    with pytest.raises(SignatureRefused, match="does not fit the key"):
        login.post(Platform("stranger").sign(claims, kid=login.platform.kid))


@pytest.mark.spec("T13ID-06", "SECP-14")
def test_unknown_keys_are_looked_up_within_a_small_budget() -> None:
    world = World()
    world.launch()
    for number in range(100):
        login = world.login()
        with pytest.raises(SignatureRefused):
            login.post(login.platform.sign(login.claims(), kid=f"random-{number}"))
    assert len(world.endpoint.asked) == 4


@pytest.mark.parametrize("seconds", [0, 3, 31])
def test_a_platform_may_rotate_its_key(seconds: int) -> None:
    world = World()
    world.launch()
    world.clock.forward(seconds=seconds)
    platform = world.platform
    platform.kid, platform.key = "key-2", rsa_key("rotated")
    world.endpoint.documents["https://lms.example.edu/jwks"] = {
        "keys": [jwk("key-2", platform.key)]
    }
    world.launch()
    world.launch()
    assert len(world.endpoint.asked) == 2


def test_without_any_keys_the_network_is_to_blame() -> None:
    world = World()
    world.endpoint.down = True
    with pytest.raises(NetworkFailed):
        world.launch()


@pytest.mark.spec("SECP-10", "T13ID-24")
def test_a_key_of_another_registration_does_not_count() -> None:
    one, other = Platform("one", client_id="a"), Platform("other", client_id="b")
    world = World(one, other)
    world.login(other).launch()
    login = world.login(one)
    with pytest.raises(SignatureRefused):
        login.post(other.sign(login.claims()))


@pytest.mark.spec("SECP-11", "T13ID-10")
def test_an_embedded_key_is_refused_and_its_address_never_asked() -> None:
    world = World()
    login, thief = world.login(), Platform("thief")
    for header in (
        {"jwk": jwk(login.platform.kid, thief.key)},
        {"jku": "https://evil.example.org/jwks"},
        {"x5u": "https://evil.example.org/x"},
    ):
        with pytest.raises(SignatureRefused):
            login.post(thief.sign(login.claims(), **header, kid=login.platform.kid))
    assert world.endpoint.asked == []


@pytest.mark.spec("SECP-39")
def test_a_token_of_one_client_does_not_fit_the_state_of_another() -> None:
    a, b = Platform("a", client_id="client-a"), Platform("b", client_id="client-b")
    b.key, b.kid = a.key, a.kid  # one LMS signs for all its clients
    world = World(a, b)
    login = world.login(b)
    with pytest.raises(SignatureRefused):
        login.post(a.sign(a.claims(login.nonce)))
    assert login.launch().registration == "b"


@pytest.mark.spec("SECP-41", "T13ID-24")
def test_an_answer_of_another_lms_does_not_fit() -> None:
    a, b = Platform("a"), Platform("b", issuer="https://other.example.org")
    world = World(a, b)
    login = world.login(b)
    with pytest.raises(SignatureRefused):
        login.post(a.sign(a.claims(login.nonce)))
    with pytest.raises(SignatureRefused):
        login.post(a.sign(b.claims(login.nonce)))
    with pytest.raises(SignatureRefused):
        login.post(b.sign(a.claims(login.nonce)))


@pytest.mark.spec("T13ID-12", "T13ID-13", "T13ID-14", "T13ID-15", "T13ID-16", "CERTT-13")
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://lms.example.edu/"},
        {"iss": "https://LMS.example.edu"},
        {"iss": "https://other.example.org"},
        {"iss": REMOVED},
        {"aud": "client-2"},
        {"aud": ["client-1", "client-2"], "azp": "client-1"},
        {"aud": ["client-1", "client-1"]},
        {"aud": {}},
        {"aud": REMOVED},
        {"azp": "client-2"},
    ],
)
def test_a_token_of_or_for_others_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SignatureRefused) as refusal:
        World().launch(**change)
    assert refusal.value.status == 401


@pytest.mark.spec("T13ID-13")
def test_the_audience_may_be_a_list_and_azp_ours() -> None:
    assert World().launch(aud=["client-1"], azp="client-1")


@pytest.mark.spec("T13ID-11")
def test_other_tokens_of_the_same_lms_are_no_launch() -> None:
    login = World().login()
    now = int(NOW.timestamp())
    common = {"iss": ISSUER, "aud": "client-1", "iat": now, "exp": now + 60}
    bearer = common | {"sub": "client-1", "jti": "1", "scope": "x"}
    assertion = common | {"iss": "client-1", "sub": "client-1", "aud": "https://x/token"}
    answer = login.claims(message_type="LtiDeepLinkingResponse")
    for claims in (bearer, assertion, answer, common | {"nonce": login.nonce}, {}):
        with pytest.raises(LaunchRefused):
            login.post(login.platform.sign(claims))


# the message


@pytest.mark.spec("GEN-05", "T13ID-23", "AMB-15")
def test_deployments() -> None:
    assert World().launch(deployment_id="2").deployment_id == "2"
    with pytest.raises(UnknownDeployment) as refusal:
        World().launch(deployment_id="3")
    assert refusal.value.status == 403
    assert World(deployment_ids=None).launch(deployment_id="3").deployment_id == "3"


@pytest.mark.spec("GEN-05")
def test_a_deployment_belongs_to_its_lms() -> None:
    world = World(Platform("a"), Platform("b", issuer="https://other.example.org"))
    launches = [world.login(platform).launch() for platform in world.platforms]
    assert [launch.deployment_id for launch in launches] == ["1", "1"]
    assert [launch.registration for launch in launches] == ["a", "b"]
    assert launches[0].once.scope != launches[1].once.scope


@pytest.mark.spec("T13ID-22", "SECP-05")
@pytest.mark.parametrize("value", [REMOVED, None, "", 1.0, True, ["1"], {"1": 1}, {}, []])
def test_a_deployment_id_is_a_text(value: object) -> None:
    with pytest.raises(MessageRefused):
        World(deployment_ids=None).launch(deployment_id=value)
    assert World().launch(deployment_id=1).deployment_id == "1"


@pytest.mark.spec("T13LI-05", "SECP-40")
def test_the_deployment_is_that_of_the_login() -> None:
    world = World()
    assert world.login(lti_deployment_id="1").launch()
    with pytest.raises(MessageRefused):
        world.login(lti_deployment_id="2").launch()


@pytest.mark.spec("T13RL-09")
@pytest.mark.parametrize("target", [REMOVED, None, "", 7, [TARGET], "https://evil.example.org/"])
def test_the_target_is_an_address_of_ours(target: object) -> None:
    with pytest.raises(MessageRefused):
        World().launch(target_link_uri=target)


@pytest.mark.spec("T13RL-09")
@pytest.mark.parametrize("target", [f"{TARGET}?a=1", f"{TARGET}/", f"{PUBLIC}/lti/launch/one"])
def test_a_target_of_ours_need_not_be_that_of_the_login(target: str) -> None:
    assert World().launch(target_link_uri=target).extra[f"{LTI}target_link_uri"] == target


def test_a_deep_target_is_kept() -> None:
    deep = f"{PUBLIC}/lti/launch?activity=excel"
    launch = World().login(target_link_uri=deep).launch(target_link_uri=deep)
    assert launch.extra[f"{LTI}target_link_uri"] == deep


@pytest.mark.spec("T13RL-01", "T13RL-24")
@pytest.mark.parametrize(
    "version", ["11.3", "1.3", "1.1", "1.3.0 ", "", None, 1.3, REMOVED, ["1.3.0"]]
)
def test_the_version_is_1_3_0(version: object) -> None:
    with pytest.raises(MessageRefused):
        World().launch(version=version)


@pytest.mark.spec("T13RL-02", "T13RL-24", "SECP-05")
@pytest.mark.parametrize(
    "message",
    [
        *(REMOVED, None, "", "ltiResourceLinkRequest", "LtiResourceLinkRequest ", 7, {}),
        *("DataPrivacyLaunchRequest", "LtiDeepLinkingResponse", ["LtiResourceLinkRequest"]),
    ],
)
def test_other_messages_are_refused(message: object) -> None:
    with pytest.raises(MessageRefused):
        World().launch(message_type=message)


@pytest.mark.spec("T13RL-02")
def test_a_complete_message_of_a_kind_we_do_not_serve_is_refused() -> None:
    changes = {"resource_link": REMOVED, "context": REMOVED, "for_user": {"user_id": "4"}}
    with pytest.raises(MessageRefused, match="not supported"):
        World().launch(message_type="DataPrivacyLaunchRequest", **changes)


@pytest.mark.spec("T13RL-11", "AMB-01")
def test_a_user_without_id_is_refused_unless_the_registration_lets_it_in() -> None:
    for sub in (REMOVED, None):
        with pytest.raises(AnonymousRefused):
            World().launch(sub=sub)
        assert World(allow_anonymous=True).launch(sub=sub).person.id == ""
    assert World().launch(sub=7).person.id == "7"
    for sub in ("", [], {}, 7.5, True, ["user-7"]):
        with pytest.raises(MessageRefused):
            World(allow_anonymous=True).launch(sub=sub)


@pytest.mark.spec("T13RL-08", "SECP-05")
@pytest.mark.parametrize(
    "link", [REMOVED, None, {}, {"id": ""}, {"id": None}, {"id": True}, {"title": "x"}, [], "x", 7]
)
def test_a_resource_link_has_an_id(link: object) -> None:
    with pytest.raises(MessageRefused):
        World().launch(resource_link=link)
    assert World().launch(resource_link={"id": 0}).resource_link.id == "0"


@pytest.mark.spec("GEN-03", "P13OT-07")
def test_unknown_claims_and_form_fields_do_not_matter() -> None:
    login = World().login()
    notices = {
        "platform_notification_service_url": "https://lms.example.edu/notices",
        "scope": ["https://purl.imsglobal.org/spec/lti/scope/noticehandlers"],
        "notice_types_supported": ["LtiContextCopyNotice"],
    }
    token = login.token(
        **{"https://vendor.example.org/claim": {"deep": [1, None, {}]}, "x:y": 1},
        **{f"{LTI}platformnotificationservice": notices},
    )
    form = {"id_token": [token], "state": [login.state], "lti_storage_target": ["_parent"]}
    assert login.world.door.launch(form, login.cookies)


@pytest.mark.spec("T13DL-01", "AMB-05")
def test_a_deep_linking_request_needs_no_link_and_no_target() -> None:
    settings = {
        "deep_link_return_url": "https://lms.example.edu/return",
        "accept_types": ["ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe"],
    }
    claim = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
    changes = {"resource_link": REMOVED, "target_link_uri": REMOVED, "message_type": DEEP_LINKING}
    launch = World().launch(**changes, **{claim: settings})
    assert launch.message == DEEP_LINKING
    assert launch.extra[claim] == settings
    with pytest.raises(MessageRefused):
        World().launch(**changes)
    with pytest.raises(MessageRefused):
        World().launch(**(changes | {"target_link_uri": "https://a.example/"}), **{claim: settings})


def test_a_submission_review_says_for_whom() -> None:
    ags = {"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {"lineitem": "https://l/1"}}
    launch = World().launch(message_type=SUBMISSION_REVIEW, for_user={"user_id": "4"}, **ags)
    assert launch.message == SUBMISSION_REVIEW
    assert launch.extra[f"{LTI}for_user"] == {"user_id": "4"}
    for bad in ({}, {"for_user": {}} | ags, {"for_user": {"user_id": "4"}}, {"for_user": []} | ags):
        with pytest.raises(MessageRefused):
            World().launch(message_type=SUBMISSION_REVIEW, **bad)


def test_pages_may_be_framed_by_the_registered_lms_only() -> None:
    world = World(
        Platform("lms", issuer="urn:lms"), Platform("b", issuer="https://b.example.edu/x")
    )
    assert world.door.frame_ancestors("lms") == ("https://lms.example.edu",)
    assert world.door.frame_ancestors("b") == ("https://b.example.edu",)


# every claim with every wrong type: refused or read, never another kind of failure


LTI_NAMES = (
    *("custom", "lis", "tool_platform", "launch_presentation", "ext", "role_scope_mentor"),
    *("for_user", "lti1p1"),
)
NAMES = [
    *sorted(Platform("lms").claims("n")),
    *(LTI + name for name in LTI_NAMES),
    "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint",
    "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome",
    "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice",
    "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings",
    *("name", "email", "locale", "azp", "nbf"),
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    10**400,
    "",
    "\0",
    "\ud800",
    "x" * 300,
    [],
    [7],
    [[]],
    [None],
    {},
    {"id": []},
    {"id": {"id": 1}, "lineitem": 7, "scope": "x", "user_id": []},
    [{}],
    json.loads("[" * 100 + "]" * 100),
]


@pytest.mark.spec("SECP-05")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("message", ["LtiResourceLinkRequest", DEEP_LINKING, SUBMISSION_REVIEW])
def test_confused_types_are_refused_or_read(name: str, message: str) -> None:
    world = World()
    for value in VALUES:
        login = world.login()
        changes = {f"{LTI}message_type": message, name: value}
        try:
            launch = login.launch(**changes)
        except BridgeError as refusal:
            assert 400 <= refusal.status < 500  # noqa: PT017
        else:
            assert launch.person.id == ("0" if name == "sub" else "user-7")
            assert launch.deployment_id == "1"


@pytest.mark.spec("SECP-05")
@pytest.mark.parametrize("extra", ['"sub":"admin",', '"aud":"client-1",', '"a":1,"a":1,'])
def test_a_repeated_claim_is_refused(extra: str) -> None:
    login = World().login()
    text = json.dumps(login.claims())
    with pytest.raises(SignatureRefused):
        login.post(login.platform.sign("{" + extra + text[1:]))


def test_a_login_writes_nothing_down_and_its_state_holds_no_secret() -> None:
    login = World().login(login_hint="learner-4711")
    body = login.state.partition(".")[0]
    content = base64.urlsafe_b64decode(body + "==").decode()
    assert login.going.cookie_value not in content
    assert "4711" not in content
    assert "lms" in content
