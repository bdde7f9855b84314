"""The authentication request and origins."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from lti_bridge.lti.oidc import authentication_request, origin, same_origin


def request(address: str = "https://lms.example.edu/auth", **changes: str | None) -> str:
    values = {
        "client_id": "c",
        "redirect_uri": "https://bridge.example.edu/lti/launch",
        "login_hint": "h",
        "lti_message_hint": None,
        "state": "s",
        "nonce": "n",
    }
    return authentication_request(address, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.spec("T13LI-07", "T13LI-09")
def test_the_parameters_are_exactly_those_of_the_specification() -> None:
    assert sorted(parse_qsl(urlsplit(request()).query)) == [
        ("client_id", "c"),
        ("login_hint", "h"),
        ("nonce", "n"),
        ("prompt", "none"),
        ("redirect_uri", "https://bridge.example.edu/lti/launch"),
        ("response_mode", "form_post"),
        ("response_type", "id_token"),
        ("scope", "openid"),
        ("state", "s"),
    ]


@pytest.mark.spec("T13LI-08")
@pytest.mark.parametrize(
    "hint", ["a+b&c=d", "%2F", "ä €", '{"cmid":3,"launchid":"l"}' * 80, "a b\tc", "#?/"]
)
def test_hints_pass_unchanged(hint: str) -> None:
    query = urlsplit(request(login_hint=hint, lti_message_hint=hint)).query
    sent = dict(parse_qsl(query, strict_parsing=True))
    assert (sent["login_hint"], sent["lti_message_hint"]) == (hint, hint)
    assert "+" not in query  # %20 means a space to everyone, + only to form decoders


def test_a_query_of_the_registered_address_is_kept_and_a_fragment_is_not() -> None:
    url = request("https://lms.example.edu/auth?tenant=a%2Fb#top")
    assert url.startswith("https://lms.example.edu/auth?tenant=a%2Fb&scope=openid&")
    assert "#" not in url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.example.edu/x?y#z", "https://a.example.edu"),
        ("https://a.example.edu:443/", "https://a.example.edu"),
        ("https://a.example.edu:8443", "https://a.example.edu:8443"),
        ("http://127.0.0.1:8600/x", "http://127.0.0.1:8600"),
        ("http://[::1]:80/", "http://[::1]"),
        ("javascript:alert(1)", ""),
        ("//evil.example.org", ""),
        ("https://a@evil.example.org/", ""),
        ("https://a.example.edu\\@evil.example.org/", ""),
        ("https:///x", ""),
        ("https://a.example.edu:no/", ""),
        ("https://[::1/", ""),
        ("https://a.example.edu/ x", ""),
        ("https://ä.example.edu/", ""),
        ("https://a.example.edu;script-src/", ""),
        ("", ""),
    ],
)
def test_origins(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_nothing_is_at_no_origin() -> None:
    assert not same_origin("", "")
    assert not same_origin("javascript:1", "javascript:1")
    assert same_origin("https://bridge.example.edu/a", "https://BRIDGE.example.edu:443/b")
