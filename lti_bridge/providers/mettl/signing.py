"""Mettl's signature: an HMAC over method, address and the raw values of all parameters.

Source: support.mettl.com, "API Authentication and Signature Generation".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

_HASHES = {1: hashlib.sha1, 2: hashlib.sha256}  # by API version; Mettl lets nobody choose


def string_to_sign(method: str, url: str, parameters: Mapping[str, str]) -> str:
    """Method, address without query, then every value on a line of its own, sorted by name."""
    return method + url + "".join(f"\n{parameters[name]}" for name in sorted(parameters))


def signature(
    api_version: int, private_key: str, method: str, url: str, parameters: Mapping[str, str]
) -> str:
    """The value of `asgn` before URL-encoding; `url` is exactly the address that is called."""
    text = string_to_sign(method, url, parameters).encode("utf-8")
    digest = hmac.new(private_key.encode("utf-8"), text, _HASHES[api_version]).digest()
    return base64.b64encode(digest).decode("ascii")


def encoded(parameters: Mapping[str, str]) -> str:
    """Parameters for a query or a form, in their order; encoded once, spaces as %20."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def path_segment(text: str) -> str:
    """One part of an address; Mettl takes the @ of an e-mail address as it is."""
    return quote(text, safe="!$&'()*+,;=:@")
