"""Pseudonyms and the privacy rule."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_bridge.core.launch.identity import (
    PERSON_FIELDS,
    PrivacyRule,
    address_of,
    opaque,
    pairwise,
    pseudonym_address,
)
from lti_bridge.core.launch.message import Person
from lti_bridge.errors import ConfigurationError

KEY = b"k" * 32
PERSON = Person(
    id="4",
    given_name="Ada",
    family_name="Example",
    middle_name="M.",
    full_name="Ada M. Example",
    email="ada@example.edu",
    username="ada1",
    sourced_id="SIS-4",
    image="https://lms.example.edu/ada.png",
)

texts = st.text(max_size=8)


@pytest.mark.spec("P11L-05")
def test_pairwise_ids_are_stable_and_differ_by_lms_provider_and_user() -> None:
    one = pairwise(KEY, "tosa", "campus-4")
    assert one == pairwise(KEY, "tosa", "campus-4")
    others = {
        pairwise(KEY, "tosa", "other-4"),
        pairwise(KEY, "mettl", "campus-4"),
        pairwise(KEY, "tosa", "campus-5"),
        pairwise(b"z" * 32, "tosa", "campus-4"),
    }
    assert len(others | {one}) == 5


@pytest.mark.spec("P11L-05")
@given(user_id=texts.filter(bool))
def test_pairwise_ids_are_short_plain_text(user_id: str) -> None:
    assert re.fullmatch(r"[a-z2-7]{32}", pairwise(KEY, "tosa", user_id))


def test_pairwise_ids_never_change_between_releases() -> None:
    # Providers know people by these: a new value would make everybody a stranger.
    # sha256 HMAC over 8-byte lengths and UTF-8 parts, computed with openssl.
    assert pairwise(KEY, "tosa", "campus-4") == "b5f4627b3ewhzd4uath2ovy4aswcg6ro"


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    assert (opaque(KEY, "context", *one) == opaque(KEY, "context", *other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("a",)),
        (("a", "b"), ("a/b",)),
        (("1:a",), ("1", "a")),
    ],
)
def test_moving_a_border_between_parts_gives_another_id(one: tuple, other: tuple) -> None:
    assert opaque(KEY, "context", *one) != opaque(KEY, "context", *other)


def test_half_a_character_from_json_has_an_id_of_its_own() -> None:
    ids = {opaque(KEY, "context", text) for text in ("\ud800", "\udc00", "?", "")}
    assert len(ids) == 4


def test_purposes_do_not_meet() -> None:
    assert opaque(KEY, "context", "4") != opaque(KEY, "resource-link", "4")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        opaque(b"short", "context", "4")


def test_pseudonym_address() -> None:
    assert pseudonym_address("abc", "people.example.org") == "abc@people.example.org"


@given(st.frozensets(st.sampled_from(sorted(PERSON_FIELDS))))
def test_the_rule_blanks_exactly_what_it_does_not_allow(allowed: frozenset[str]) -> None:
    before, after = asdict(PERSON), asdict(PrivacyRule(allowed).apply(PERSON))
    assert after.pop("id") == before.pop("id")
    assert after == {key: value if key in allowed else "" for key, value in before.items()}


def test_the_fields_of_a_rule_are_all_that_a_person_has() -> None:
    assert asdict(Person()).keys() - {"id"} == PERSON_FIELDS


def test_what_the_lms_did_not_send_is_not_invented() -> None:
    assert PrivacyRule(PERSON_FIELDS).apply(Person(id="4")) == Person(id="4")


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"e_mail is not known; possible are email, "):
        PrivacyRule(frozenset({"e_mail", "email"}))


@pytest.mark.parametrize(
    ("addresses", "domain", "address"),
    [
        ("real", "", "ada@example.edu"),
        ("real", "people.example.org", "ada@example.edu"),
        ("plus", "", "ada+abcdefghijkl@example.edu"),
        ("pseudonym", "people.example.org", "abcdefghijklmnop@people.example.org"),
    ],
)
def test_which_address_a_provider_knows(addresses: str, domain: str, address: str) -> None:
    assert address_of(PERSON, "abcdefghijklmnop", addresses, domain) == address


@pytest.mark.parametrize("addresses", ["real", "plus", "pseudonym"])
def test_who_has_no_address_gets_one_of_the_domain(addresses: str) -> None:
    nobody = Person(id="4")
    assert address_of(nobody, "abc", addresses, "people.example.org") == "abc@people.example.org"
    assert address_of(nobody, "abc", addresses, "") == ""
