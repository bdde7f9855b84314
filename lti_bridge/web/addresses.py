"""Web addresses that pages lead to: which are accepted, and what is added to them."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from lti_bridge.errors import BadRequest

# Whitespace, control characters, user names and backslashes before the path are refused because
# browsers and servers do not agree about what they mean.
_WEB_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[\w.-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?:[/?#][^\x00-\x1f\x7f]*)?",
    re.IGNORECASE,
)
_MESSAGE_LENGTH = 255


def require_web_address(url: str) -> str:
    """Return `url` unchanged; anything but an absolute http(s) address raises BadRequest."""
    _parts(url)
    return url


@lru_cache(maxsize=256)  # every page asks for those of its LMS and its tool
def origin_of(url: str) -> str:
    """Scheme, host and port of a web address, as a content security policy writes them."""
    scheme, host, port = _parts(url).group("scheme", "host", "port")
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as err:
        raise BadRequest("the host name of an address cannot be used") from err
    return f"{scheme}://{name}{port or ''}".lower()


def shorten(message: str) -> str:
    """A message of at most 255 characters, with an ellipsis where it was cut."""
    if len(message) <= _MESSAGE_LENGTH:
        return message
    return message[: _MESSAGE_LENGTH - 1] + "…"


def return_address(url: str, **messages: str) -> str:
    """The LMS's return URL with lti_msg, lti_log, lti_errormsg or lti_errorlog added.

    The existing query and fragment stay as they are; empty messages are left out, long ones cut
    (LTI 1.1 section 3; LTI 1.3 core section 5.4.4). Raises BadRequest for anything but http(s).
    """
    address, hash_sign, fragment = require_web_address(url).partition("#")
    added = "&".join(
        f"{name}={quote(shorten(value), safe='', errors='replace')}"
        for name, value in messages.items()
        if value
    )
    if not added:
        return url
    joint = "&" if "?" in address else "?"
    if address.endswith(("?", "&")):
        joint = ""
    return f"{address}{joint}{added}{hash_sign}{fragment}"


def _parts(url: str) -> re.Match[str]:
    found = _WEB_ADDRESS.fullmatch(url)
    if not found:
        raise BadRequest("an address is not an absolute http or https address")
    return found
