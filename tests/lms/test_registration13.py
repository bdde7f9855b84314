"""Finding the registration an LMS means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lti_bridge.errors import (
    BrowserRefused,
    ConfigurationError,
    LmsAmbiguous,
    UnknownDeployment,
    UnknownIssuer,
)
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
    with pytest.raises(LmsAmbiguous, match="any of a, b; the login has no client_id"):
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


def test_of_one_issuer_and_client_the_deployment_decides() -> None:
    """Two Canvases of schools' own may be called alike."""
    first = replace(A, deployment_ids=frozenset({"1:a", "2:a"}))
    second = replace(A, name="second", deployment_ids=frozenset({"1:b"}))
    known = Registrations([first, second])
    assert known.find(ISSUER, "client-a", "2:a") is first
    assert known.find(ISSUER, "client-a", "1:b") is second
    with pytest.raises(UnknownDeployment, match="'1:c' is none of a, second"):
        known.find(ISSUER, "client-a", "1:c")
    for client in ("client-a", ""):
        with pytest.raises(LmsAmbiguous):
            known.find(ISSUER, client)
    for ids in (None, frozenset({"1:b", "2:a"})):
        with pytest.raises(ConfigurationError, match="'third'"):
            Registrations([first, replace(A, name="third", deployment_ids=ids)])


def test_a_registration_that_is_gone_ends_its_logins() -> None:
    assert Registrations([A]).named("a") is A
    with pytest.raises(BrowserRefused):
        Registrations([A]).named("b")
