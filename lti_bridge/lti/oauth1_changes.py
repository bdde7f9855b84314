"""What may have been another address or secret when a message was signed: one change each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from lti_bridge.errors import Finding
from lti_bridge.lti import oauth1

MAX_HOSTS = 8  # of the message's own addresses
_PORTS = {"https": 443, "http": 80}
_OTHER_PORTS = (443, 80, 8000, 8080, 8443)
_REMEDIES = {
    "scheme": "Begin the tool's address in the LMS as public_url begins, and let nothing between"
    " browser and bridge turn one into the other.",
    "host": "Write the host of public_url into the tool's address in the LMS; a host that shall go"
    " on working belongs into former_urls.",
    "port": "Write the tool's address in the LMS with the port that public_url has, or with none"
    " where that has none.",
    "path": "Write the tool's address in the LMS exactly as configured; a proxy must pass the path"
    " on as it is.",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A key and secret that are configured; `whose` names the LMS or connection in words."""

    whose: str
    consumer_key: str
    secret: str = field(repr=False)
    method: str = "HMAC-SHA1"


class Try(NamedTuple):
    """All that a signature is made of, and how it differs from what came."""

    http: bytes
    uri: bytes
    params: bytes
    key: bytes
    hashed: str
    findings: tuple[Finding, ...] = ()


class Change(NamedTuple):
    """One difference: what it means, and the parts of a `Try` that it replaces."""

    finding: Finding
    parts: dict[str, bytes | str]

    def of(self, base: Try) -> Try:
        """The try with this change too."""
        changed = base._replace(**self.parts)  # type: ignore[arg-type]
        return changed._replace(findings=(*base.findings, self.finding))


class _Address(NamedTuple):
    scheme: str
    netloc: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    def differences(self, other: _Address) -> list[str]:
        """The names of the parts in which it differs."""
        names = []
        if self.scheme != other.scheme:
            names.append("scheme")
        if self.netloc != other.netloc:
            same = self.netloc.partition(":")[0] == other.netloc.partition(":")[0]
            names.append("port" if same else "host")
        if self.path != other.path:
            names.append("path")
        return names


def escaped(text: str) -> bytes:
    """A text as it stands in a base string, with nothing of it put in order."""
    return oauth1.escape_all([text])[0].encode()


def addresses(url: str, params: oauth1.Params, hosts: Iterable[str]) -> Iterator[Change]:
    """Addresses that a sender may have signed for, instead of ours; `hosts` come with a port.

    First those that differ in one part, then in two.
    """
    own = _parts(url)
    seen = [_parts(value) for _, value in params if value.startswith(("http://", "https://"))]
    named = list(dict.fromkeys(one for one in seen if one))[:MAX_HOSTS]
    if own is None:
        return
    netlocs = _netlocs(own, [*filter(None, hosts), *(one.netloc for one in named if one)])
    paths = _paths(own)
    other = "http" if own.scheme == "https" else "https"
    found = [own._replace(scheme=other)]
    found += [own._replace(netloc=netloc) for netloc in netlocs]
    found += [own._replace(path=path) for path in paths]
    found += [one for one in named if one and _ends_alike(one.path, own.path)]
    found += [own._replace(scheme=other, netloc=netloc) for netloc in netlocs]
    found += [own._replace(scheme=other, path=path) for path in paths]
    found += [own._replace(netloc=netloc, path=path) for netloc in netlocs[:4] for path in paths]
    for one in dict.fromkeys(found):
        if one != own:
            yield _change(own, one)


def secrets(known: Known) -> Iterator[Change]:
    """What may have been used as this secret, by mistake, on the other side."""
    secret, key = known.secret, known.consumer_key
    again = "Enter the secret at the LMS again, by hand or without what is before and after it."
    written = [
        ("a space after it", f"{secret} ", again),
        ("a line end after it", f"{secret}\n", again),
        ("a line end (CRLF) after it", f"{secret}\r\n", again),
        ("a tab after it", f"{secret}\t", again),
        ("a no-break space after it", f"{secret}\N{NO-BREAK SPACE}", again),
        ("a space before it", f" {secret}", again),
        ("a line end before it", f"\n{secret}", again),
        ("a byte order mark before it", f"\N{ZERO WIDTH NO-BREAK SPACE}{secret}", again),
        ("quotation marks around it", f'"{secret}"', again),
        ("its own white space missing", secret.strip(), "Configure it without white space."),
        ("its capital letters small", secret.lower(), again),
        ("its small letters capital", secret.upper(), again),
        ("percent-encoding that was kept as text", quote(secret, safe=""), again),
        ("percent-encoding undone", unquote(secret), again),
    ]
    for said, text, remedy in written:
        yield _secret(known, said, hmac_key(text), remedy)
    whole = "The LMS or its plugin makes the key of the HMAC wrongly; choose a secret of letters"
    whole += " and digits only, which is the same in every way of writing."
    yield _secret(known, "its own characters not escaped", f"{secret}&".encode(), whole)
    yield _secret(known, "no & behind it", hmac_key(secret)[:-1], whole)
    latin = secret.encode("latin-1", "replace")
    yield _secret(known, "its characters as Latin-1", quote(latin, safe="~").encode() + b"&", whole)
    swapped = "Key and secret are swapped or the same at the LMS: enter each in its own field."
    yield _secret(known, "the consumer key in its place", hmac_key(key), swapped)
    yield _secret(known, "nothing in its place", b"&", "Enter the secret at the LMS.")


def foreign(others: Iterable[Known], configured: str) -> Iterator[Change]:
    """The secrets of others; `configured` says whose should have been used."""
    for other in others:
        remedy = "Key and secret are of two: enter both of the same one at the sender."
        came = f"signed with the secret of {other.whose}"
        finding = Finding("secret", configured, came, remedy)
        yield Change(finding, {"key": hmac_key(other.secret)})


def hmac_key(secret: str) -> bytes:
    """The key of the HMAC: LTI has no token, so its secret is empty."""
    return f"{quote(secret, safe='~')}&".encode()


def _secret(known: Known, said: str, key: bytes, remedy: str) -> Change:
    came = f"signed with that secret and {said}"
    return Change(Finding("secret", f"the secret of {known.whose}", came, remedy), {"key": key})


def _parts(url: str) -> _Address | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    return _Address(parts.scheme, host.lower(), parts.path) if host else None


def _netlocs(own: _Address, others: Sequence[str]) -> list[str]:
    host, _, port = own.netloc.partition(":")
    found = [host] if port else [f"{host}:{_PORTS.get(own.scheme, 443)}"]
    for other in others:
        name = other.lower().partition(":")[0]
        found += [other.lower(), name, f"{name}:{port}" if port else name]
    found.append(host.removeprefix("www.") if host.startswith("www.") else f"www.{host}")
    found += [f"{host}:{one}" for one in _OTHER_PORTS]
    found += [f"{name}:{port}" if port else name for name in ("localhost", "127.0.0.1")]
    return [one for one in dict.fromkeys(found) if one not in ("", own.netloc)]


def _paths(own: _Address) -> list[str]:
    path = own.path
    found = [f"{path}/", f"/{path}", path.rstrip("/")]
    while path:  # a proxy that puts a folder before what it passes on
        path = path.partition("/")[2]
        path = path[path.find("/") :] if "/" in path else ""
        found.append(path)
    found.append("/")
    return [one for one in dict.fromkeys(found) if one != own.path]


def _ends_alike(path: str, own: str) -> bool:
    ours = "/".join(own.rstrip("/").split("/")[-2:])
    return path.rstrip("/").endswith(f"/{ours}")


def _change(own: _Address, other: _Address) -> Change:
    names = own.differences(other)
    remedy = " ".join(_REMEDIES[name] for name in names)
    finding = Finding(" and ".join(names), str(own), f"signed for {str(other)!r:.160}", remedy)
    return Change(finding, {"uri": escaped(str(other))})
