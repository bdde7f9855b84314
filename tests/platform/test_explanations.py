"""Why grade messages of tools are refused, found out for operators: the true cause."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lti_bridge.core.tool.registration import Credentials
from lti_bridge.errors import Finding
from lti_bridge.log import redact
from lti_bridge.platform.explanations import Arrived, explain
from tests.flow.signing import Signer, document

URL = "https://bridge.example.edu/platform/outcomes"
ONE = Signer("tool-one", "secret one & ö")
TWO = Signer("tool-two", "secret two", "HMAC-SHA256")
TWIN_A = Signer("tool-twin", "secret twin a")
TWIN_B = Signer("tool-twin", "secret twin b")
SIGNERS = {"one": ONE, "two": TWO, "twin-a": TWIN_A, "twin-b": TWIN_B}
BODY = document("replaceResult", "cell-of-ann", "0.5")


def consumers() -> dict[str, list[tuple[str, Credentials]]]:
    found: dict[str, list[tuple[str, Credentials]]] = {}
    for name, one in SIGNERS.items():
        credentials = Credentials(one.key, one.secret, one.method)
        found.setdefault(one.key, []).append((name, credentials))
    return found


def explained(header: str, body: bytes = BODY, query: str = "", detail: str = "") -> list[Finding]:
    """The findings for a message with this header, as it arrived now."""
    now = int(time.time())
    arrived = Arrived(URL + query, header, "application/xml", body, now, ["bridge.example.edu"])
    return explain(arrived, consumers(), (), detail)


def ago(seconds: int) -> dict[str, str | None]:
    return {"oauth_timestamp": str(int(time.time()) - seconds)}


CAUSES: dict[str, tuple[Callable[[], list[Finding]], str, str]] = {
    "another body": (
        lambda: explained(ONE.header(URL, b"<other/>")),
        "body hash",
        "the hash of the body that came",
    ),
    "no header": (lambda: explained(""), "signature", "no OAuth Authorization header"),
    "scheme": (
        lambda: explained(ONE.header(URL.replace("https", "http"), BODY)),
        "scheme",
        "signed for 'http://bridge.example.edu",
    ),
    "line end after the secret": (
        lambda: explained(Signer(ONE.key, f"{ONE.secret}\n").header(URL, BODY)),
        "secret",
        "the secret of connection 'one' signed with that secret and a line end after it",
    ),
    "secret of another tool": (
        lambda: explained(Signer(ONE.key, TWIN_B.secret).header(URL, BODY)),
        "secret",
        "signed with the secret of connection 'twin-b'",
    ),
    "line end after the secret of a twin": (
        lambda: explained(Signer("tool-twin", f"{TWIN_B.secret}\n").header(URL, BODY)),
        "secret",
        "the secret of connection 'twin-b' signed with that secret and a line end",
    ),
    "key": (
        lambda: explained(Signer("tool_one", ONE.secret).header(URL, BODY)),
        "consumer key",
        "'tool-one' (connection 'one')",
    ),
    "method": (
        lambda: explained(Signer(TWO.key, TWO.secret).header(URL, BODY)),
        "signature method",
        "HMAC-SHA256 HMAC-SHA1",
    ),
    "clock": (lambda: explained(ONE.header(URL, BODY, **ago(9000))), "clock", "9000 s behind"),
    "query": (
        lambda: explained(ONE.header(URL, BODY), query="?a=1"),
        "query",
        "the query of the address was not signed",
    ),
    "what it says": (
        lambda: explained(ONE.header(URL, BODY), detail="this oauth_nonce was used already"),
        "message",
        "oauth_nonce was used",
    ),
    "no nonce": (
        lambda: explained(ONE.header(URL, BODY, oauth_nonce=None)),
        "oauth parameters",
        "oauth_nonce is missing",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_true_cause_comes_first(name: str) -> None:
    click, check, says = CAUSES[name]
    first, *rest = click()
    assert first.check == check, first
    assert says in f"{first.configured} {first.came}"
    assert first.remedy
    assert all(one.fits for one in rest)
    for one in (first, *rest):
        for text in (one.check, one.configured, one.came, one.remedy):
            assert redact(text, 500) == text  # as it is kept
    for secret in ("secret one", "secret two", "secret twin", "cell-of-ann"):
        assert secret not in repr([first, *rest])
