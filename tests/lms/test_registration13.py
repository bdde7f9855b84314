"""Finding the registration an LMS means."""

from __future__ import annotations

import pytest

from lti_bridge.errors import BrowserRefused, ConfigurationError, UnknownIssuer
from lti_bridge.lms.registration13 import Registrations
from tests.lms.platform13 import ISSUER, Platform

A = Platform("a", client_id="client-a").registration()
B = Platform("b", client_id="client-b").registration()
OTHER = Platform("c", issuer="https://other.example.org", client_id="client-a").registration()


@pytest.mark.spec("T13LI-04", "SECP-39")
def test_a_client_is_found_and_never_guessed() -> None:
    known = Registrations([A, B, OTHER])
    assert known.find(ISSUER, "client-b") is B
    assert known.find("https://other.example.org") is OTHER
    assert known.find("https://other.example.org", "client-a") is OTHER
    with pytest.raises(UnknownIssuer, match="2 clients"):
        known.find(ISSUER)
    with pytest.raises(UnknownIssuer):
        known.find("https://other.example.org", "client-b")


@pytest.mark.parametrize("issuer", ["", "https://lms.example.edu/", "HTTPS://lms.example.edu"])
def test_an_issuer_is_compared_exactly(issuer: str) -> None:
    with pytest.raises(UnknownIssuer):
        Registrations([A]).find(issuer, "client-a")


def test_the_same_twice_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="'a'"):
        Registrations([A, Platform("a", client_id="else").registration()])
    with pytest.raises(ConfigurationError, match="'again'"):
        Registrations([A, Platform("again", client_id="client-a").registration()])


def test_a_registration_that_is_gone_ends_its_logins() -> None:
    assert Registrations([A]).named("a") is A
    with pytest.raises(BrowserRefused):
        Registrations([A]).named("b")
