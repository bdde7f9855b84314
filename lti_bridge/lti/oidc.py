"""OpenID Connect as LTI uses it: the authentication request, and comparing origins."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, urldefrag, urlencode, urlsplit

_PLAIN_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash
_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
_DEFAULT_PORTS = {"https": 443, "http": 80}


def authentication_request(
    authorization_url: str,
    *,
    client_id: str,
    redirect_uri: str,
    login_hint: str,
    lti_message_hint: str | None,
    state: str,
    nonce: str,
) -> str:
    """Return where the browser goes to log in (Security Framework 1.0 section 5.1.1.2).

    A query in the registered address is kept. The hints are passed on unchanged; the message
    hint only when one was received.
    """
    parameters = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "login_hint": login_hint,
        "state": state,
        "nonce": nonce,
    }
    if lti_message_hint is not None:
        parameters["lti_message_hint"] = lti_message_hint
    address = urldefrag(authorization_url).url
    joint = "&" if "?" in address else "?"
    return address + joint + urlencode(parameters, quote_via=quote, safe="")


@lru_cache(maxsize=256)  # every page asks for those of its LMS
def origin(url: str) -> str:
    """Return `scheme://host[:port]` as a browser writes it, or "" for anything but http(s).

    User info, white space, a backslash or a control character anywhere gives "": browsers and
    parsers disagree about such addresses.
    """
    if not _PLAIN_URL.fullmatch(url):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or not _HOST.fullmatch(host):
        return ""
    if ":" in host:
        host = f"[{host}]"
    if port is None or port == _DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def same_origin(url: str, own_url: str) -> bool:
    """Whether `url` is an absolute address at the origin of `own_url`."""
    here = origin(url)
    return here != "" and here == origin(own_url)
