"""The sealed state of a login."""

from __future__ import annotations

import dataclasses
import re

import pytest

from lti_bridge.errors import BrowserRefused
from lti_bridge.lms import state13
from lti_bridge.lms.state13 import State, seal, unseal

KEY = b"k" * 32
STATE = State("campus", "nonce", state13.digest("target"), "1", state13.digest("secret"), 1000)


def test_a_state_comes_back_as_it_was() -> None:
    assert unseal(seal(STATE, KEY), KEY, 999.9) == STATE


def test_its_alphabet_passes_every_lms() -> None:
    odd = dataclasses.replace(STATE, registration="Ünï <b>&", deployment_id='"></script>' * 20)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", seal(odd, KEY))
    assert unseal(seal(odd, KEY), KEY, 0) == odd


def test_it_ends() -> None:
    with pytest.raises(BrowserRefused, match="expired"):
        unseal(seal(STATE, KEY), KEY, 1000)


def test_no_character_of_it_can_be_changed() -> None:
    sealed = seal(STATE, KEY)
    for position in range(len(sealed)):
        changed = "A" if sealed[position] != "A" else "B"
        with pytest.raises(BrowserRefused):
            unseal(sealed[:position] + changed + sealed[position + 1 :], KEY, 0)


@pytest.mark.parametrize("sealed", ["", ".", "a.b", "..", "\ud800.\ud800", "é.é", "a" * 100_000])
def test_what_was_not_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(BrowserRefused):
        unseal(sealed, KEY, 0)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(BrowserRefused):
        unseal(seal(STATE, KEY), b"K" * 32, 0)


def test_every_login_has_its_own_cookie() -> None:
    name = state13.cookie_name(seal(STATE, KEY))
    assert re.fullmatch(r"__Host-lti-[A-Za-z0-9_-]{8}", name)
    assert name != state13.cookie_name(seal(dataclasses.replace(STATE, nonce="other"), KEY))
