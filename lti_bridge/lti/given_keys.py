"""Public keys that an admin was given: a JWK set or one PEM key, instead of where to fetch them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lti_bridge.errors import NetworkFailed
from lti_bridge.lti.keys import MAX_BITS, MIN_BITS, parse_key_set
from lti_bridge.lti.keysets import KeySets

PREFIX = "data:,"
ANY = ""  # the id of a PEM key, which says none; no key of a set has it


def checked(text: str) -> str:
    """The text, if a key in it can verify a signature; raises ValueError saying what is wanted."""
    if not given_keys(text):
        raise ValueError(
            f"must be a JWK set with kids, or a PEM public key; RSA, {MIN_BITS} to {MAX_BITS} bits"
        )
    return text


def address(text: str) -> str:
    """What stands in the place of a key set's address where these keys were given instead."""
    return PREFIX + quote(text)


def given_keys(text: str) -> Mapping[str, RSAPublicKey]:
    """The keys that may verify, by `kid`; ANY for a key in PEM."""
    if not text.lstrip().startswith("-----BEGIN"):
        try:
            return parse_key_set(json.loads(text))
        except (ValueError, RecursionError, NetworkFailed):
            return {}
    try:
        key = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        return {}
    fit = isinstance(key, RSAPublicKey) and MIN_BITS <= key.key_size <= MAX_BITS
    return {ANY: key} if isinstance(key, RSAPublicKey) and fit else {}


@lru_cache(maxsize=256)
def keys_at(url: str) -> Mapping[str, RSAPublicKey]:
    """The keys that an address of `address` stands for."""
    return given_keys(unquote(url.removeprefix(PREFIX)))


class GivenOrFetched(KeySets):
    """Key sets of which some were given, and are never fetched."""

    def keys(self, url: str, kid: str) -> Mapping[str, RSAPublicKey]:
        """Return the trusted keys; raises NetworkFailed when they cannot be had."""
        if not url.startswith(PREFIX):
            return super().keys(url, kid)
        found = keys_at(url)
        return {kid: found[ANY]} if ANY in found else found

    def kept(self, url: str) -> Mapping[str, RSAPublicKey]:
        """Return the keys that are known now; ANY for a key in PEM."""
        return keys_at(url) if url.startswith(PREFIX) else super().kept(url)
