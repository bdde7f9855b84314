"""Which addresses pages may lead to, and how messages are added to a return URL."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from lti_bridge.errors import BadRequest
from lti_bridge.web.addresses import origin_of, require_web_address, return_address

REFUSED = (
    "",
    "javascript:alert(1)",
    "JavaScript://example.edu/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "/relative",
    "//example.edu/no-scheme",
    "course/view.php",
    "https:example.edu",
    "https:///example.edu",
    "https://",
    " https://example.edu/",
    "https://example.edu\n",
    "https://example.edu/\r\nSet-Cookie: a=b",
    "https://exa\tmple.edu/",
    "https://user:secret@example.edu/",
    "https://example.edu\\@example.org/",
    "https://example.edu:port/",
    "https://example.edu; script-src *",
    "https://example.edu' 'unsafe-inline'",
)


@pytest.mark.parametrize("url", REFUSED)
def test_anything_but_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        require_web_address(url)
    with pytest.raises(BadRequest):
        origin_of(url)
    with pytest.raises(BadRequest):
        return_address(url, lti_msg="x")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.edu", "https://example.edu"),
        ("HTTPS://Example.EDU/a?b#c", "https://example.edu"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("https://example.edu?a=b;c", "https://example.edu"),
        ("https://prüfung.example.org/ü", "https://xn--prfung-4ya.example.org"),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str) -> None:
    assert require_web_address(url) == url
    assert origin_of(url) == origin


def test_a_host_that_cannot_be_written_in_ascii_is_refused() -> None:
    with pytest.raises(BadRequest):
        origin_of("https://ü" + "x" * 70 + ".example.org/")


@pytest.mark.spec("T11L-10")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.edu/r", "https://example.edu/r?lti_msg=a%20%26%20b%3D%C3%BC"),
        ("https://example.edu/r?", "https://example.edu/r?lti_msg=a%20%26%20b%3D%C3%BC"),
        ("https://example.edu/r?x=%2F+1", "https://example.edu/r?x=%2F+1&lti_msg=a%20%26%20b%3D%C3%BC"),
        ("https://example.edu/r?x=1&", "https://example.edu/r?x=1&lti_msg=a%20%26%20b%3D%C3%BC"),
        ("https://example.edu/r?x=1#end", "https://example.edu/r?x=1&lti_msg=a%20%26%20b%3D%C3%BC#end"),
        ("https://example.edu/r#a?b", "https://example.edu/r?lti_msg=a%20%26%20b%3D%C3%BC#a?b"),
    ],
)  # fmt: skip
def test_messages_are_added_to_the_query(url: str, expected: str) -> None:
    assert return_address(url, lti_msg="a & b=ü", lti_log="") == expected


def test_without_messages_the_return_address_stays_as_it_is() -> None:
    url = "https://example.edu/r?x=%zz#y"
    assert return_address(url, lti_msg="") == url


@pytest.mark.spec("T11L-10")
def test_long_messages_are_cut() -> None:
    url = return_address("https://example.edu/r", lti_msg="ü" * 300, lti_log="x" * 255)
    sent = dict(parse_qsl(urlsplit(url).query))
    assert sent == {"lti_msg": "ü" * 254 + "…", "lti_log": "x" * 255}


def test_a_message_cannot_break_the_line() -> None:
    url = return_address("https://example.edu/r", lti_log="a\r\nSet-Cookie: b=c\ud800")
    assert url == "https://example.edu/r?lti_log=a%0D%0ASet-Cookie%3A%20b%3Dc%3F"
