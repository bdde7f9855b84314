"""Why an LTI 1.1 signature does not match: which one change, or pair of changes, makes it match.

For whoever runs the bridge, after the answer; nobody else may learn anything of it. The work is
bounded: MOST signatures over WORK bytes for one message, and none for a message above MAX_MESSAGE.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import product
from urllib.parse import unquote, urlsplit

from lti_bridge.errors import FITS, Finding
from lti_bridge.lti import oauth1, oauth1_changes, oauth1_forms
from lti_bridge.lti.oauth1_changes import Change, Known, Try

MOST = 4000  # signatures
WORK = 40 * 1024 * 1024  # bytes of base strings that are signed
MAX_MESSAGE = 80 * 1024  # characters of names and values
MAX_FOREIGN = 300  # secrets of others
_NAMED = 5  # keys that are named where none is like the one that came
_PAIRED = 20  # secrets of others that are tried with other addresses
_ALIKE = 500  # keys that one is compared with
_TWINS = 4  # secrets of one key of which every change is tried


@dataclass(frozen=True, slots=True)
class Trust:
    """What signatures are checked with: `own` have the message's key, `others` have other keys.

    `now` is in seconds since 1970, `window_s` how far a sender's clock may be off. `hosts` are
    names, with a port, that the request was sent to, `former` addresses that are as good.
    """

    own: Sequence[Known]
    others: Sequence[Known]
    now: int
    window_s: int
    hosts: Sequence[str] = ()
    former: Sequence[str] = ()


class _Spent(Exception):
    """The bound on work is reached."""


def findings(signed: oauth1.SignedRequest, trust: Trust) -> list[Finding]:
    """What is wrong with a signed message, then what is right with it (without a remedy)."""
    checks = [
        _key(signed, trust),
        _method(signed, trust.own),
        *_signature(signed, trust),
        _clock(signed, trust),
    ]
    found = [one for one in checks if one is not None]
    return sorted(found, key=lambda one: one.fits)


def too_large(params: oauth1.Params) -> bool:
    """Whether a message is too long to be explained, or kept until it is."""
    return sum(len(name) + len(value) for name, value in params) > MAX_MESSAGE


def _key(signed: oauth1.SignedRequest, trust: Trust) -> Finding:
    came = signed.consumer_key
    if trust.own:
        whose = " and ".join(known.whose for known in trust.own[:_NAMED])
        return Finding("consumer key", f"that of {whose}", f"{came!r:.80}", FITS)
    like = _meant(came, trust.others)
    if like is not None and _same(came.strip(), like.secret):
        return Finding(
            "consumer key",
            f"{like.consumer_key!r:.80} ({like.whose})",
            f"the secret of {like.whose}",
            "Key and secret are swapped at the sender. Enter each in its own field, and then a new"
            " secret at both sides: this one travelled through a browser.",
        )
    if like is None:
        keys = ", ".join(f"{one.consumer_key!r:.40} ({one.whose})" for one in trust.others[:_NAMED])
        more = len(trust.others) - _NAMED
        return Finding(
            "consumer key",
            f"{keys}{f' and {more} more' if more > 0 else ''}" or "none",
            f"{_hidden(came)!r:.80}, which is no configured key and like none",
            "Enter the configured key at the sender, or configure this one.",
        )
    same = came.strip().casefold() == like.consumer_key.strip().casefold()
    how = "other capitals, or white space before or after it" if same else "another spelling"
    return Finding(
        "consumer key",
        f"{like.consumer_key!r:.80} ({like.whose})",
        f"{came!r:.80}: {how}",
        "Enter the key at the sender exactly as configured.",
    )


def _meant(came: str, others: Sequence[Known]) -> Known | None:
    """Whose key the one that came was probably meant to be: alike, or the secret in its place."""
    lent = next((one for one in others if _same(came.strip(), one.secret)), None)
    if lent is not None:
        return lent
    plain = {one.consumer_key.strip().casefold(): one for one in others}
    found = get_close_matches(came[:80].strip().casefold(), list(plain)[:_ALIKE], n=1, cutoff=0.75)
    return plain[found[0]] if found else None


def _hidden(came: str) -> str:
    """A key that nobody has may be a secret in the wrong field: its beginning only."""
    return came if len(came) <= 12 else f"{came[:4]}… ({len(came)} characters)"


def _method(signed: oauth1.SignedRequest, own: Sequence[Known]) -> Finding | None:
    methods = sorted({known.method for known in own})
    if not methods or signed.signature_method in methods:
        return None
    return Finding(
        "signature method",
        " or ".join(methods),
        signed.signature_method,
        f"Let the sender sign with {methods[0]}, or set the signature of this key to"
        f" {signed.signature_method}.",
    )


def _clock(signed: oauth1.SignedRequest, trust: Trust) -> Finding:
    off = signed.timestamp - trust.now
    configured = f"within {trust.window_s} s of the bridge's clock"
    said = f"{abs(off)} s {'behind' if off < 0 else 'ahead of'} it"
    if signed.timestamp < 10**11:
        said = f"{datetime.fromtimestamp(signed.timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}, {said}"
    if abs(off) <= trust.window_s:
        return Finding("clock", configured, said, FITS)
    return Finding(
        "clock",
        configured,
        said,
        "Set the clock of whichever machine is wrong (both by NTP); a page that was open for long"
        " has to be opened anew.",
    )


def _signature(signed: oauth1.SignedRequest, trust: Trust) -> Iterable[Finding]:
    if too_large(signed.params):
        return [
            Finding(
                "signature",
                f"messages up to {MAX_MESSAGE} characters are explained",
                "a longer one, which does not match",
                _LIKELY,
            )
        ]
    search = _Search(signed, trust)
    try:
        match = next((one for one in search.tries() if search.fits(one)), None)
    except _Spent:
        return [_unexplained(signed, search, "the message is too long to try more")]
    if match is None:
        return [_unexplained(signed, search, "each single change, and likely pairs")]
    if match.findings:
        return match.findings
    whose = " and ".join(known.whose for known in search.meant)
    if search.exact(match):
        return [Finding("signature", f"by the secret of {whose}", "matches", FITS)]
    return [
        Finding(
            "signature",
            f"by the secret of {whose}, in base64",
            "the right value in another writing (hexadecimal, base64url, a space for +)",
            "The signature is base64, and a + in it travels as %2B: correct the sender's plugin.",
        )
    ]


_LIKELY = (
    "The likeliest first: enter the same new secret at both sides; compare the tool's address at"
    " the sender with the one configured, character by character; look for what changes a form on"
    " its way (a proxy, a firewall, a plugin)."
)


def _unexplained(signed: oauth1.SignedRequest, search: _Search, tried: str) -> Finding:
    whose = search.meant[0].whose if search.meant else "any configured key"
    return Finding(
        "signature",
        f"by the secret of {whose}, {signed.http_method} {signed.url.partition('?')[0]}",
        f"no single change explains it ({search.done} were tried: {tried})",
        _LIKELY,
    )


class _Search:
    """Signs what may have been signed until it matches; `done` counts how often."""

    def __init__(self, signed: oauth1.SignedRequest, trust: Trust) -> None:
        self.done, self.left = 0, WORK
        self._signed, self._trust = signed, trust
        self._given = _digests(signed.signature)
        self._form = oauth1_forms.Parameters(signed.params, signed.url)
        like = None if trust.own else _meant(signed.consumer_key, trust.others)
        self.meant = [like] if like else trust.own[:_TWINS]
        configured = f"the secret of {self.meant[0].whose}" if self.meant else "that of its key"
        others = (*trust.others[:MAX_FOREIGN], *trust.own[_TWINS:])
        self._others = list(oauth1_changes.foreign(others, configured))

    def fits(self, one: Try) -> bool:
        """Whether this is what was signed; raises _Spent when no more may be tried."""
        base = b"&".join((one.http, one.uri, one.params))
        self.left -= len(base)
        if self.done >= MOST or self.left < 0:
            raise _Spent
        self.done += 1
        expected = hmac.digest(one.key, base, one.hashed)
        return any(hmac.compare_digest(expected, given) for given in self._given)

    def exact(self, one: Try) -> bool:
        """Whether the signature that came is the one of this try in the right writing, too."""
        base = b"&".join((one.http, one.uri, one.params))
        expected = base64.b64encode(hmac.digest(one.key, base, one.hashed)).decode()
        return _same(expected, self._signed.signature)

    def tries(self) -> Iterator[Try]:
        """All that is tried: as it should be, each single change, likely pairs of changes."""
        bases, form = self._bases(), self._form
        yield from bases
        urls = list(self._addresses())
        keys = [one for known in self.meant for one in oauth1_changes.secrets(known)]
        hashes, verbs = self._hashes(), self._verbs()
        cheap = [*urls, *keys, *hashes, *verbs]
        for base in bases:
            yield from self._each(base, cheap)
        whole = list(self._affordable(oauth1_forms.of_all(form)))
        for base in bases:
            yield from self._each(base, whole)
        yield from self._each(bases[0], self._others)
        for base in bases:
            yield from self._each(base, oauth1_forms.of_one(form))
        yield from self._each(bases[0], oauth1_forms.of_groups(form))
        pairs = (
            (urls, [*keys, *hashes, *verbs, *whole, *self._others[:_PAIRED]]),
            (keys, [*whole, *hashes, *verbs]),
            (whole, hashes),
        )
        for ones, others in pairs:
            for one in self._each(bases[0], ones):
                yield from self._each(one, others)

    def _bases(self) -> list[Try]:
        """What should have been signed, by each secret that was probably meant."""
        signed, form = self._signed, self._form
        urls = [oauth1.base_uri(url).encode() for url in (signed.url, *self._trust.former)]
        http, hashed = signed.http_method.upper().encode(), oauth1.HASHES[signed.signature_method]
        keys = [oauth1_changes.hmac_key(known.secret) for known in self.meant]
        every = product(urls, keys or [b""])
        return [Try(http, url, form.bytes, key, hashed) for url, key in every]

    def _addresses(self) -> Iterator[Change]:
        signed = self._signed
        hosts = [*self._trust.hosts, *(urlsplit(one).netloc for one in self._trust.former)]
        return oauth1_changes.addresses(signed.url, signed.params, hosts)

    def _hashes(self) -> list[Change]:
        said = self._signed.signature_method
        remedy = "The sender names another oauth_signature_method than it uses: correct its plugin."
        return [
            Change(Finding("signature method", said, f"signed by {name}", remedy), {"hashed": one})
            for name, one in oauth1.HASHES.items()
            if name != said
        ]

    def _verbs(self) -> list[Change]:
        http = self._signed.http_method
        remedy = "The sender signs for another HTTP method than it sends: correct its plugin."
        return [
            Change(
                Finding("HTTP method", http, f"signed for {verb}", remedy), {"http": verb.encode()}
            )
            for verb in ("GET", "PUT", http.lower())
        ]

    def _affordable(self, changes: Iterator[Change]) -> Iterator[Change]:
        """Those that are made before the work is half done: it costs as much as signing five."""
        for one in changes:
            self.left -= 5 * len(self._form.bytes)
            yield one
            if self.left < WORK // 2:
                return

    def _each(self, base: Try, changes: Iterable[Change]) -> Iterator[Try]:
        """The base with each of these changes that makes a difference."""
        for change in changes:
            changed = change.of(base)
            if changed[:5] != base[:5]:
                yield changed


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _digests(text: str) -> list[bytes]:
    """What a signature may be in bytes, as base64 or in another writing."""
    plain = text.strip()[:200]
    ways = (plain, plain.replace(" ", "+"), unquote(plain), plain.translate(_URL_SAFE))
    found: list[bytes] = []
    for one in ways:
        with suppress(ValueError):
            found.append(base64.b64decode(one + "=" * (-len(one) % 4), validate=True))
    with suppress(ValueError):
        found.append(bytes.fromhex(plain))
    return list(dict.fromkeys(found))


_URL_SAFE = str.maketrans("-_", "+/")
