"""Who a learner is towards a provider: opaque ids, and what else may leave."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Literal

from lti_bridge.core.launch.message import Person
from lti_bridge.errors import ConfigurationError

PERSON_FIELDS = frozenset(
    {
        "given_name",
        "family_name",
        "middle_name",
        "full_name",
        "email",
        "username",
        "sourced_id",
        "image",
    }
)

NameOrder = Literal["given-first", "family-first", "whole"]

TAG_LENGTH = 12  # 60 bits tell all learners with one address apart
_KEY_BYTES = 16
_ID_BYTES = 20  # 160 bits, 32 characters: no two learners meet, every id column holds it


def pairwise(key: bytes, connection: str, learner_id: str) -> str:
    """The id of a learner towards one connection: stable, opaque, 32 characters.

    The same person has unrelated ids at two connections. A learner id belongs to one LMS, so
    equal user ids of two LMSs stay two people.
    """
    return opaque(key, "user", connection, learner_id)


def opaque(key: bytes, purpose: str, *parts: str) -> str:
    """A stable id for `parts` that tells nothing about them, one per purpose (HMAC-SHA256).

    Raises ConfigurationError when the key is too short to protect anything.
    """
    if len(key) < _KEY_BYTES:
        raise ConfigurationError(f"the identity key needs at least {_KEY_BYTES} bytes")
    digest = hmac.digest(key, _joined(purpose, *parts), hashlib.sha256)
    return base64.b32encode(digest[:_ID_BYTES]).decode("ascii").lower()


def pseudonym_address(pairwise_id: str, domain: str) -> str:
    """An e-mail address that stands for a learner where the real one may not leave."""
    return f"{pairwise_id}@{domain}"


def address_of(person: Person, pairwise_id: str, addresses: str, domain: str) -> str:
    """The e-mail address by which a provider knows a person whom the privacy rule has filtered.

    `addresses` is `real`, `plus` (the own one with a tag of this learner's) or `pseudonym`; with a
    `domain` those without an address get a pseudonym too.
    """
    if domain and (addresses == "pseudonym" or not person.email):
        return pseudonym_address(pairwise_id, domain)
    if addresses == "plus" and "@" in person.email:
        local, _, host = person.email.rpartition("@")
        return f"{local}+{pairwise_id[:TAG_LENGTH]}@{host}"
    return person.email


def parted(person: Person, order: NameOrder) -> Person:
    """The person with a given and a family name, where the LMS sent the name in one text only.

    Before a comma stands the family name. Else `given-first`: it is the last word, with the words
    in lower case right before it; `family-first`: the first one. One word stands for both;
    `whole`: nothing is split. What the LMS says in parts stays as it is.
    """
    text = " ".join(person.full_name.split())
    if person.given_name or person.family_name or not text or order == "whole":
        return person
    family, comma, given = (part.strip() for part in text.partition(","))
    if not (comma and family and given):
        given, family = _halves(text.replace(",", " ").split() or [text], order)
    return replace(person, given_name=given, family_name=family)


def _halves(words: list[str], order: NameOrder) -> tuple[str, str]:
    if len(words) == 1:
        return words[0], words[0]
    if order == "family-first":
        return " ".join(words[1:]), words[0]
    begin = len(words) - 1
    while begin > 1 and words[begin - 1].islower():
        begin -= 1
    return " ".join(words[:begin]), " ".join(words[begin:])


@dataclass(frozen=True, slots=True)
class PrivacyRule:
    """What a connection may learn about a person; nothing by default.

    Raises ConfigurationError for a field that does not exist.
    """

    allowed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if unknown := self.allowed - PERSON_FIELDS:
            names, known = ", ".join(sorted(unknown)), ", ".join(sorted(PERSON_FIELDS))
            raise ConfigurationError(f"privacy: {names} is not known; possible are {known}")

    def apply(self, person: Person) -> Person:
        """The person without what may not leave.

        `id` stays, because the bridge itself needs it; towards a provider `pairwise` replaces it.
        """
        return replace(person, **dict.fromkeys(PERSON_FIELDS - self.allowed, ""))


def _joined(*parts: str) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart; surrogates can arrive in JSON.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
