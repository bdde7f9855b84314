"""How fast id_tokens are made: the authentication request answered without server and database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from lti_bridge.bench.tool_traffic import CLIENT, LAUNCH_URL
from lti_bridge.core.tool.launches import TakenLaunch
from lti_bridge.core.tool.registration import ToolRegistration
from lti_bridge.lti.keys import SigningKey, thumbprint
from lti_bridge.platform.authorize import Authorizing
from lti_bridge.platform.launch13 import cookie_name
from lti_bridge.web.rendering import Pages

TOOL = ToolRegistration("bench", CLIENT, "1", LAUNCH_URL, LAUNCH_URL, (LAUNCH_URL,))


def issue(seconds: float, claims: Mapping[str, Any]) -> tuple[float, float]:
    """Pages with an id_token of these claims: per second, and processor µs for each."""
    private = generate_private_key(65537, 2048)
    key = SigningKey(thumbprint(private.public_key()), private)
    hint, login_hint = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    until = datetime.now(UTC) + timedelta(days=1)
    launch = TakenLaunch(TOOL.connection, login_hint, claims, until)
    authorizing = Authorizing(
        {CLIENT: TOOL}.get, lambda *_: launch, lambda: key, lambda: datetime.now(UTC)
    )
    cookies, pages = {cookie_name(hint): "browser"}, Pages()
    began, used, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < began + seconds:
        answer = authorizing.answer(_request(login_hint, hint), cookies)
        pages.handoff(answer.form, onward=())
        count += 1
    used = time.process_time() - used
    return count / (time.perf_counter() - began), used / count * 1e6


def _request(login_hint: str, hint: str) -> dict[str, list[str]]:
    asked = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": CLIENT,
        "redirect_uri": LAUNCH_URL,
        "login_hint": login_hint,
        "lti_message_hint": hint,
        "state": secrets.token_urlsafe(16),
        "nonce": secrets.token_urlsafe(16),
    }
    return {name: [value] for name, value in asked.items()}
