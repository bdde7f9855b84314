"""One browser, told from all others by a secret that it keeps, for pages that can be read again.

What answers a form would be sent again by F5 and by Back, and a signed form counts once. So a
browser that keeps cookies is sent on to an address of the page's own. It holds no secret: what is
kept there is found only together with the browser's own.
"""

from __future__ import annotations

import secrets

from flask import Response, after_this_request, g, request

from lti_bridge.core.launch import once
from lti_bridge.core.launch.handoff import Cookie
from lti_bridge.web.responses import set_cookie

PAGE_PATH = "/course/page/"
OURS = "__Host-lti"  # how the names of all our cookies begin that browsers send to every page


def secret() -> str:
    """The secret of the browser that sent this request; a fresh one is given with the answer."""
    if "browser" not in g:
        g.browser = kept_secret()
    if not g.browser:
        g.browser = secrets.token_urlsafe(32)
        after_this_request(_give)
    return str(g.browser)


def kept_secret() -> str:
    """The secret that the browser has sent; empty when it has none."""
    text = request.cookies.get(once.COOKIE, "")
    return text if once.is_secret(text) else ""


def may_use(token: str) -> bool:
    """Whether the page that sent this token may use it.

    One browser's own needs its secret, and no page of another site may have sent it. In a frame
    that an LMS sandboxes our own pages are of no origin: browsers call them cross-site, too.
    """
    if once.is_bound(token) and _sent_by_others():
        return False
    return once.may_use(token, kept_secret())


def _sent_by_others() -> bool:
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site in ("cross-site", "same-site") and request.headers.get("Origin", "null") != "null"


def keeps_cookies() -> bool:
    """Whether this browser keeps a cookie of ours here: it has one, or is in no frame."""
    alone = request.headers.get("Sec-Fetch-Dest") == "document"
    return alone or any(name.startswith(OURS) for name in request.cookies)


def _give(response: Response) -> Response:
    set_cookie(response, Cookie(once.COOKIE, g.browser, "/", once.COOKIE_S))
    return response
