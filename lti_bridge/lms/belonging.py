"""Which hosts belong to an LMS: its tokens come from them, go to them, and are asked for there.

What must never be: a token of one LMS at a host of another, and an assertion of ours that an LMS
can take to another. An LMS that registers itself names its addresses, so nothing but its issuer
speaks for it; what an administrator wrote into the configuration file, or confirmed, does too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from lti_bridge.lms import dialects
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti import oidc

SENT_TO = frozenset({"token", "audience"})  # where something goes that others might accept


@dataclass(frozen=True, slots=True)
class Named:
    """An address that a registration names: which, at what host, and what is wrong with it.

    `whose` is another registration that the host, or the client_id, belongs to.
    """

    what: str
    host: str
    problem: str = ""
    whose: str = ""


@lru_cache(maxsize=4096)
def host(address: str) -> str:
    """The host of an address, or the text itself when it is none (Canvas names a bare host).

    With its port where the host is a number or this machine: each port may be somebody else's.
    """
    text = address.strip().lower()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        name, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return text
    if not name:
        return text
    try:
        numeric = bool(ip_address(name))
    except ValueError:
        numeric = name == "localhost" or name.endswith(".localhost")
    return f"{name}:{port or (443 if parts.scheme == 'https' else 80)}" if numeric else name


def audience(registration: Registration13) -> str:
    """What its token requests are meant for (Security Framework 1.0 §4.1.1)."""
    dialect = dialects.of("", registration.issuer, registration.token_url)
    named = registration.auth_audience
    if named and (oidc.origin(named) or not dialect.names_server):
        return named
    return dialect.audience or registration.token_url


def belongs(registration: Registration13, address: str) -> bool:
    """Whether an address is this LMS's: at or below its issuer's host, in its family, or said.

    For one of the configuration file all its addresses are said.
    """
    there = host(address)
    said = any(_at(there, one) for one in _own(registration))
    return said or _by_issuer(registration, there)


def may_receive(
    registration: Registration13, address: str, others: Callable[[], Iterable[Registration13]]
) -> bool:
    """Whether a token of this LMS may be sent to this address.

    A cloud whose schools have hosts of their own names them in launches that it signs with the
    keys of the very party that gives the token: these count, but never a host of another LMS.
    """
    if belongs(registration, address):
        return True
    family = dialects.shared_by(host(registration.issuer))
    addresses = (registration.token_url, registration.jwks_url)
    if family is None or not family.elsewhere:
        return False
    if not all(dialects.serves_all(family, host(one)) for one in addresses):
        return False
    return not _whose(registration, host(address), others())


def may_be_meant(registration: Registration13) -> bool:
    """Whether the audience of its assertions is its own."""
    meant = audience(registration)
    return not registration.by_address or belongs(registration, meant)


def look(registration: Registration13, others: Iterable[Registration13]) -> list[Named]:
    """Every host that a registration names, and what an administrator should know of it."""
    others = [one for one in others if one.name != registration.name]
    addresses = {
        "issuer": registration.issuer,
        "login": registration.authorization_url,
        "token": registration.token_url,
        "key set": registration.jwks_url,
        "audience": audience(registration),
    }
    found = [_named(registration, what, one, others) for what, one in addresses.items()]
    twins = [
        one.name
        for one in others
        if one.client_id == registration.client_id and one.issuer != registration.issuer
    ]
    if twins:
        said = f"the client_id is also that of {twins[0]!r}, an LMS of another issuer"
        found.append(Named("client_id", registration.client_id, said, twins[0]))
    return found


def taken(
    registration: Registration13,
    others: Iterable[Registration13],
    before: Iterable[Registration13] | None = None,
) -> str:
    """Why it may never be trusted beside the others, in words; empty when it may.

    `before`: those who keep a token address that both have; all others, unless given.
    """
    others = [one for one in others if one.name != registration.name]
    for one in others if before is None else before:
        if one_token(registration, one):
            return f"its token address is that of {one.name!r}, an LMS of another issuer"
    for named in look(registration, others):
        if named.what in SENT_TO and named.whose:
            return f"{named.what} address: {named.problem}"
    return ""


def one_token(first: Registration13, second: Registration13) -> bool:
    """Whether two LMSs of different issuers get tokens at one address, and are no one cloud's."""
    if first.issuer == second.issuer or _place(first.token_url) != _place(second.token_url):
        return False
    return dialects.shared_by(host(first.token_url), tokens=True) is None


def doubled(registrations: Iterable[Registration13]) -> list[str]:
    """Pairs of registrations of which one would get the other's tokens, in words."""
    known = list(registrations)
    return [
        f"lms {first.name!r} and {second.name!r} have one token_url and different issuers: "
        "one of them would be given the other's tokens; correct the token_url"
        for number, first in enumerate(known)
        for second in known[number + 1 :]
        if one_token(first, second)
    ]


def _named(
    registration: Registration13, what: str, address: str, others: list[Registration13]
) -> Named:
    there = host(address)
    if what == "issuer" or address.startswith("data:"):
        return Named(what, "" if address.startswith("data:") else there)
    issuers = _whose(registration, there, others, issuers=True)
    if _by_issuer(registration, there) or (belongs(registration, address) and not issuers):
        return Named(what, there)
    if whose := issuers or _whose(registration, there, others):
        return Named(what, there, f"{there} belongs to {whose!r}, an LMS of another issuer", whose)
    return Named(what, there, f"{there} is not the issuer's ({host(registration.issuer)})")


def _whose(
    registration: Registration13,
    there: str,
    others: Iterable[Registration13],
    *,
    issuers: bool = False,
) -> str:
    """Another LMS to which a host belongs; hosts of clouds belong to nobody alone.

    `issuers`: as its issuer's, which nobody else can be given.
    """
    if dialects.shared_by(there, tokens=True) is not None:
        return ""
    for one in others:
        hosts = {host(one.issuer)} if issuers else _own(one) | _addresses(one)
        if one.issuer != registration.issuer and any(
            _at(there, known) or _at(known, there) for known in hosts
        ):
            return one.name
    return ""


def _by_issuer(registration: Registration13, there: str) -> bool:
    issuer = host(registration.issuer)
    family = dialects.shared_by(issuer)
    return _at(there, issuer) or (family is not None and dialects.serves_all(family, there))


def _own(registration: Registration13) -> frozenset[str]:
    own = frozenset({host(registration.issuer), *registration.service_hosts})
    return own if registration.by_address else own | _addresses(registration)


def _addresses(registration: Registration13) -> frozenset[str]:
    named = (registration.authorization_url, registration.token_url, registration.jwks_url)
    return frozenset(host(one) for one in named if not one.startswith("data:"))


def _at(there: str, known: str) -> bool:
    return bool(known) and (there == known or there.endswith(f".{known}"))


def _place(url: str) -> tuple[str, str]:
    """Host and path, by which token addresses are compared."""
    return host(url), urlsplit(url).path.rstrip("/")
