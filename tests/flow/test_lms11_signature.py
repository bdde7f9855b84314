"""Who sent an LTI 1.1 launch: signatures, times and nonces at the running bridge."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flow.browser import Page
from tests.flow.campus11 import Pairs, changed, send, sign
from tests.flow.scene import Scene, refusal

OAUTH = ("consumer_key", "nonce", "timestamp", "version", "callback", "signature_method")


def ago(seconds: int) -> str:
    return str(int(time.time()) - seconds)


def refused(page: Page, status: int, code: str) -> bool:
    return (page.status, refusal(page)[0]) == (status, code)


@pytest.mark.spec("OA1-12")
def test_a_key_may_use_its_own_method_only(scene: Scene) -> None:
    assert scene.strict.launch().status == 200
    assert refused(scene.strict.launch(oauth_signature_method="HMAC-SHA1"), 401, "signature")
    assert refused(scene.campus.launch(oauth_signature_method="HMAC-SHA256"), 401, "signature")


@pytest.mark.spec("OA1-13")
@pytest.mark.parametrize("method", ["PLAINTEXT", "RSA-SHA1", "HMAC-SHA512", "hmac-sha1", "none"])
def test_other_methods_get_400(scene: Scene, method: str) -> None:
    fields = scene.campus.fields(oauth_signature_method=method)
    for signature in (f"{scene.campus.secret}&", sign(scene.campus.url, fields, "x")):
        page = send(scene.campus.url, [*fields, ("oauth_signature", signature)])
        assert refused(page, 400, "bad-request")


@pytest.mark.spec("OA1-14")
@pytest.mark.parametrize("name", [f"oauth_{name}" for name in OAUTH])
def test_a_repeated_oauth_parameter_gets_400(scene: Scene, name: str) -> None:
    campus, fields = scene.campus, scene.campus.fields()
    value = dict(fields)[name]
    assert refused(send(campus.url, campus.signed([*fields, (name, value)])), 400, "bad-request")
    query = f"{name}={value}"
    twice = send(f"{campus.url}?{query}", campus.signed(fields, query))
    assert refused(twice, 400, "bad-request")


@pytest.mark.spec("OA1-14")
@pytest.mark.parametrize(
    "name", ["consumer_key", "nonce", "timestamp", "signature_method", "signature"]
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_oauth_parameter_gets_400(scene: Scene, name: str, value: str | None) -> None:
    change = {f"oauth_{name}": value}
    fields = changed(scene.campus.signed(scene.campus.fields(**change)), change)
    assert refused(send(scene.campus.url, fields), 400, "bad-request")


@pytest.mark.spec("OA1-14")
def test_the_version_is_1_0_or_left_out(scene: Scene) -> None:
    assert scene.campus.launch(oauth_version=None).status == 200
    assert refused(scene.campus.launch(oauth_version="2.0"), 400, "bad-request")


@pytest.mark.spec("OA1-15", "SECP-21")
def test_who_guesses_keys_learns_nothing(scene: Scene) -> None:
    fields = scene.campus.fields()
    wrong_secret = send(
        scene.campus.url, [*fields, ("oauth_signature", sign("http://a/b", [], ""))]
    )
    other = scene.campus.fields(oauth_consumer_key="nobody")
    unknown_key = send(scene.campus.url, scene.campus.signed(other))
    stand_in = [*other, ("oauth_signature", sign(scene.campus.url, other, "no-such-consumer"))]
    lucky = send(scene.campus.url, stand_in)
    pages = []
    for page in (wrong_secret, unknown_key, lucky):
        code, reference = refusal(page)
        assert (page.status, code) == (401, "signature")
        headers = {name: value for name, value in page.headers.items() if name.lower() != "date"}
        pages.append((page.text.replace(reference, ""), headers))
    assert pages[0] == pages[1] == pages[2]
    reasons = [scene.log_of(refusal(page)[1]) for page in (wrong_secret, unknown_key)]
    assert all(reasons)


@pytest.mark.spec("OA1-16")
@pytest.mark.parametrize("stamp", ["-1", "0", "1e9", "12.5", " ", "+1", "٣٣٣٣٣٣٣٣٣٣", "0x5f"])
def test_strange_timestamps_get_400(scene: Scene, stamp: str) -> None:
    assert refused(scene.campus.launch(oauth_timestamp=stamp), 400, "bad-request")


@pytest.mark.spec("OA1-15", "OA1-17", "AMB-16")
def test_timestamps_fit_the_window_of_their_key(scene: Scene) -> None:
    for seconds in (5300, -5300):
        assert scene.campus.launch(oauth_timestamp=ago(seconds)).status == 200
    for seconds in (5500, -5500):
        page = scene.campus.launch(oauth_timestamp=ago(seconds))
        assert refused(page, 401, "signature")
    for seconds in (250, -250):
        assert scene.strict.launch(oauth_timestamp=ago(seconds)).status == 200
    for seconds in (350, -350):
        page = scene.strict.launch(oauth_timestamp=ago(seconds))
        assert refused(page, 401, "signature")
        assert "the window is 300 s" in scene.log_of(refusal(page)[1])


@pytest.mark.spec("OA1-15", "OA1-18", "SECP-47")
def test_a_nonce_counts_once_per_key(scene: Scene) -> None:
    nonce = f"once-{time.time_ns()}"
    assert scene.campus.launch(oauth_nonce=nonce).status == 200
    assert scene.campus.launch(oauth_nonce=nonce).status == 401
    later = scene.campus.launch(oauth_nonce=nonce, oauth_timestamp=ago(-60))
    assert refused(later, 401, "signature")
    assert scene.twin.launch(oauth_nonce=nonce).status == 200


def test_a_nonce_that_no_database_key_can_hold_is_refused(scene: Scene) -> None:
    assert scene.campus.launch(oauth_nonce="n" * 255).status == 200
    assert refused(scene.campus.launch(oauth_nonce="n" * 256), 400, "message")


@pytest.mark.spec("OA1-19", "SECP-17", "AMB-16")
def test_of_two_processes_one_accepts(fresh_scene: Scene) -> None:
    campus, before = fresh_scene.campus, int(time.time())
    for _ in range(3):
        fields = campus.signed(campus.fields())
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _, form=fields: send(campus.url, form), range(8)))
        assert sorted(page.status for page in answers) == [200, *[401] * 7]
    expiries = fresh_scene.rows("SELECT expires_at FROM used_once WHERE scope = 'lti11:campus11'")
    assert len(expiries) == 3
    assert min(row[0] for row in expiries) >= (before + 5400) * 1000


@pytest.mark.spec("OA1-20", "GEN-04")
def test_only_a_good_signature_writes_anything(scene: Scene) -> None:
    campus, fields = scene.campus, scene.campus.fields()
    tables = ("used_once", "learners", "links", "attempts", "launches", "grades")
    before = [scene.count(table) for table in tables]
    forgeries: list[Pairs] = [
        fields,
        [*fields, ("oauth_signature", sign(campus.url, fields, "guess"))],
        [*campus.signed(fields), ("custom_added", "1")],
        changed(campus.signed(fields), {"user_id": "ben"}),
        changed(campus.signed([*fields, ("strange", "1")]), {"strange": "2"}),
        changed(campus.signed(fields), {"oauth_callback": "http://example.org/"}),
    ]
    for forgery in forgeries:
        assert send(campus.url, forgery).status in (400, 401)
    assert [scene.count(table) for table in tables] == before
    assert send(campus.url, campus.signed(fields)).status == 200


@pytest.mark.spec("OA1-21")
def test_no_token_and_any_callback(scene: Scene) -> None:
    assert scene.campus.launch(oauth_token="").status == 200
    assert refused(scene.campus.launch(oauth_token="token"), 400, "bad-request")
    assert scene.campus.launch(oauth_callback="https://example.org/?a=b&c=d").status == 200
    assert scene.campus.launch(oauth_callback=None).status == 200


@pytest.mark.spec("OA1-22", "SECP-37")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Forwarded-Prefix": "/evil.example", "X-Script-Name": "/evil.example"},
    ],
)
def test_forged_headers_change_nothing(scene: Scene, headers: dict[str, str]) -> None:
    campus = scene.campus
    page = send(campus.url, campus.signed(campus.fields()), headers)
    assert page.status == 200
    assert "evil.example" not in page.text
    assert dict(page.form().fields)["lis_outcome_service_url"].startswith(scene.world.bridge.url)
    for url in ("http://evil.example/lti/launch", "https://evil.example/lti/launch"):
        fields = campus.fields()
        foreign = [*fields, ("oauth_signature", sign(url, fields, campus.secret))]
        assert refused(send(campus.url, foreign, headers), 401, "signature")


@pytest.mark.spec("OA1-15", "OA1-23")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: "altérer",
        lambda good: good.rstrip("="),
        lambda good: good + "=",
        lambda good: good.swapcase(),
        lambda good: base64.urlsafe_b64encode(base64.b64decode(good)).decode() + "\n",
        lambda good: "a" * 5000,
        lambda good: "🦊\u202e",
    ],
)
def test_strange_signatures_get_401(scene: Scene, spoil: Callable[[str], str]) -> None:
    fields = scene.campus.fields()
    good = sign(scene.campus.url, fields, scene.campus.secret)
    page = send(scene.campus.url, [*fields, ("oauth_signature", spoil(good))])
    assert refused(page, 401, "signature")


@pytest.mark.spec("OA1-05", "OA1-06", "OA1-07", "OA1-08", "OA1-09")
def test_the_query_of_the_launch_address_is_signed_once(scene: Scene) -> None:
    campus = scene.campus
    query = "custom_activity=plain&b=&word=caf%C3%A9+%2B&custom_activity=plain&bare"
    text = "two\r\nlines + a*b~c"
    fields = campus.fields(custom_activity="plain", roles="", resource_link_description=text)
    page = send(f"{campus.url}?{query}", campus.signed(fields, query))
    assert page.status == 200, page.text
    for signed_as in ("", f"{query}&b="):
        fresh = campus.fields()
        page = send(f"{campus.url}?{query}", campus.signed(fresh, signed_as))
        assert refused(page, 401, "signature")


@pytest.mark.spec("OA1-17")
def test_the_window_has_a_ceiling(scene: Scene, check: Callable[[str], tuple[int, str]]) -> None:
    config = scene.world.bridge.config.read_text(encoding="utf-8")
    status, said = check(re.sub("timestamp_window_s = 300", "timestamp_window_s = 5401", config))
    assert status == 1
    assert "timestamp_window_s: must be less than or equal to 5400" in said
