"""Why a signed token is refused: every check again, with what is configured beside what came.

For whoever runs the bridge, after the answer. Nothing is believed of a token whose signature does
not fit: what it says is shown as what it says. At most MAX_KEYS keys are tried, nobody is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from lti_bridge.errors import FITS, Finding, SignatureRefused
from lti_bridge.lti import jwt

MAX_KEYS = 16  # of a set, of which it is tried whether one made the signature
_RSA = ("RS256", "RS384", "RS512")
_NAMED = 6  # ids and clients that are named


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to fit: that of one registration, which `whose` names in words.

    `keys` are those of its key set that are known now, from `key_source`. `clients` and `issuers`
    are those of all registrations, with whose they are in words. `leeway_s` and `max_age_s` are
    seconds.
    """

    whose: str
    issuer: str
    client_id: str
    keys: Mapping[str, RSAPublicKey]
    key_source: str
    clients: Mapping[str, str]
    issuers: Mapping[str, str]
    leeway_s: float
    max_age_s: float


def findings(text: str, expected: Expected, now: datetime) -> list[Finding]:
    """What each check of token, signature, sender and clock finds, in the order of the checks."""
    try:
        token = jwt.decode(text)
    except SignatureRefused as refusal:
        return [_malformed(text, refusal)]
    return [
        *_header(token, expected),
        _signature(token, expected),
        _issuer(token.claims.get("iss"), expected),
        *_audience(token.claims, expected),
        *_times(token.claims, expected, now),
    ]


def finding(check: str, configured: str, came: str, remedy: str, *, fits: bool) -> Finding:
    """A finding whose remedy is left out where it fits."""
    return Finding(check, configured, came, FITS if fits else remedy)


def shown(value: object) -> str:
    """A value of a token for an admin, on one line and short."""
    return "none" if value is None else f"{value!r:.120}"


def issuer_finding(came: object, configured: str, known: Mapping[str, str]) -> Finding:
    """An issuer that came beside the one of a registration, "" for none; `known` are all."""
    if came == configured:
        return Finding("issuer", configured, shown(came), FITS)
    like = next((one for one in known if _plain(one) == _plain(came)), "")
    other = known.get(came, "") if isinstance(came, str) else ""
    if other:
        remedy = f"It is the issuer of {other}: the link belongs to another registration than the"
        remedy += " login that it answers."
    elif like:
        remedy = (
            "Only the spelling differs (http or https, a / at the end, capitals): configure the"
        )
        remedy += " issuer exactly as the LMS sends it."
    else:
        remedy = (
            "Configure the issuer that the LMS sends, if it is that LMS; else the LMS has to be"
        )
        remedy += " registered first."
    return Finding("issuer", configured or like or _names(known), shown(came), remedy)


def _plain(issuer: object) -> str:
    """An issuer without what people mistake: scheme, capitals, and the / at the end."""
    return str(issuer)[:300].strip().rstrip("/").casefold().partition("://")[2]


def _names(known: Mapping[str, str]) -> str:
    named = ", ".join(f"{one[:60]} ({whose})" for one, whose in list(known.items())[:_NAMED])
    more = len(known) - _NAMED
    return (named + (f" and {more} more" if more > 0 else "")) or "none"


def _malformed(text: str, refusal: SignatureRefused) -> Finding:
    configured = "three parts, signed with RS256, of at most 64 kB"
    parts = text.split(".", 6) if text else []
    remedy = (
        "Something cuts or changes it on its way. Look for a limit of the LMS, a proxy or a"
        " firewall for long form fields."
    )
    if not text:
        return Finding("token", configured, "none", "Let the LMS answer logins with an id_token.")
    if len(parts) == 5:
        remedy = "The LMS encrypts its tokens (JWE). Let it send this tool signed ones."
    if len(parts) == 3 and not parts[2]:
        remedy = "The LMS does not sign (alg none). Let it sign id_tokens with RS256."
    came = f"{len(parts)} parts, {len(text)} characters ({refusal.detail:.200})"
    return Finding("token", configured, came, remedy)


def _header(token: jwt.Unverified, expected: Expected) -> Iterator[Finding]:
    algorithm, kid = token.header.get("alg"), token.header.get("kid")
    yield finding(
        "algorithm",
        "RS256",
        shown(algorithm),
        "Let the LMS sign id_tokens with RS256, which LTI requires.",
        fits=algorithm == "RS256",
    )
    try:
        jwt.key_id(token, (str(algorithm),))
    except SignatureRefused as refusal:
        remedy = "Let the LMS send typ, alg and the kid of its key in the header, and no more."
        yield Finding("header", "a kid, and no key or extension", f"{refusal.detail:.120}", remedy)
    ids = [f"{one!r:.40}" for one in list(expected.keys)[:_NAMED]]
    more = len(expected.keys) - _NAMED
    configured = ", ".join(ids) + (f" and {more} more" if more > 0 else "") or "no key is known"
    fits = kid in expected.keys or list(expected.keys) == [""]
    remedy = (
        "The LMS signs by a key that is not in its key set: look whether jwks_url (public_keys) is"
        f" that of this LMS, and what stands there now: {expected.key_source:.120}. A new key is"
        " found by itself within a minute."
    )
    yield finding("key id", configured, shown(kid), remedy, fits=fits)


def _signature(token: jwt.Unverified, expected: Expected) -> Finding:
    kid = str(token.header.get("kid"))
    configured = f"by the key {kid!r:.60} of {expected.whose}"
    keys = list(expected.keys.items())[:MAX_KEYS]
    own = [(name, key) for name, key in expected.keys.items() if name in (kid, "")]
    for name, key in [*own, *keys]:
        try:
            jwt.verify(token, {kid: key}, _RSA)
        except SignatureRefused:
            continue
        if name in (kid, ""):
            return Finding("signature", configured, "matches", FITS)
        remedy = "The LMS names another kid in its tokens than in its key set: correct the LMS."
        return Finding("signature", configured, f"made by its key {name!r:.60}", remedy)
    remedy = (
        "Another server signed it, or the LMS has made a new key under the old kid: compare"
        " jwks_url with the LMS, and let it give each new key a new kid."
    )
    return Finding("signature", configured, f"fits none of {len(keys)} known keys", remedy)


def _issuer(came: object, expected: Expected) -> Finding:
    return issuer_finding(came, expected.issuer, expected.issuers)


def _audience(claims: Mapping[str, Any], expected: Expected) -> Iterator[Finding]:
    came, ours = claims.get("aud"), expected.client_id
    every = came if isinstance(came, list) else [came]
    others = [one for one in every if one != ours]
    whose = [
        expected.clients[one] for one in others if isinstance(one, str) and one in expected.clients
    ]
    if whose:
        remedy = f"It is the client_id of {whose[0]}: the LMS mixes two registrations of this tool."
    elif ours in every:
        remedy = (
            "Let the LMS make the token for this client_id alone; no further audience is trusted."
        )
    elif any(isinstance(one, str) and urlsplit(one).scheme in ("http", "https") for one in every):
        remedy = "The LMS sends an address as audience: it has to be the client_id."
    else:
        remedy = "Configure the client_id that the LMS shows for this tool, or correct it there."
    fits = bool(every) and not others
    yield finding("audience", f"{ours!r:.120}", shown(came), remedy, fits=fits)
    if "azp" in claims or len(every) > 1:
        remedy = "Let the LMS send the client_id as azp, or one audience and no azp."
        azp = claims.get("azp")
        yield finding("azp", f"{ours!r:.120}", shown(azp), remedy, fits=azp == ours)


def _times(claims: Mapping[str, Any], expected: Expected, now: datetime) -> Iterator[Finding]:
    moment, leeway = now.timestamp(), expected.leeway_s
    clock = "Set the clocks of the LMS and of the bridge by NTP."
    late = "A page that was open for long has to be opened anew. If it happens always: " + clock
    rules = {
        "exp": ("not over", -leeway, None, late),
        "iat": (
            f"at most {expected.max_age_s:.0f} s ago",
            -expected.max_age_s - leeway,
            leeway,
            clock,
        ),
        "nbf": ("not to come", None, leeway, clock),
    }
    for name, (rule, least, most, remedy) in rules.items():
        value = claims.get(name)
        if value is None and name == "nbf":
            continue
        configured = f"{rule}, with {leeway:.0f} s for clocks"
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 10**11:
            remedy = f"Let the LMS send {name} as a number of seconds since 1970."
            yield Finding(f"clock ({name})", configured, shown(value), remedy)
            continue
        off = value - moment
        fits = (least is None or off >= least) and (most is None or off <= most)
        side = "ago" if off < 0 else "ahead"
        came = f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}, {abs(off):.0f} s {side}"
        yield finding(f"clock ({name})", configured, came, remedy, fits=fits)
