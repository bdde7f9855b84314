"""The pretend LTI 1.3 tool's page for choosing, and its signed answer."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
from flask import Blueprint, abort, render_template, request

from lti_bridge.sandbox.page import web_address
from lti_bridge.sandbox.tools import items
from lti_bridge.sandbox.tools.tool13_oidc import CLAIM, Platform, ToolKey

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
REQUEST = "LtiDeepLinkingRequest"


class Choosing:
    """Instructors who choose, by a token of their page."""

    def __init__(self, base: str, platform: Platform, key: ToolKey) -> None:
        self._base, self._platform, self._key = base, platform, key
        self.asked: dict[str, Mapping[str, Any]] = {}

    def begin(self, claims: Mapping[str, Any]) -> str:
        """The address of the page for a request that was believed."""
        token = secrets.token_urlsafe(24)
        self.asked[token] = claims
        return f"/choose/{token}"

    def blueprint(self) -> Blueprint:
        """The page and its answer."""
        pages = Blueprint("choosing", __name__)

        @pages.get("/choose/<token>")
        def choose(token: str) -> str:
            claims = self.asked.get(token) or abort(404)
            settings = claims[f"{DL}deep_linking_settings"]
            return render_template("tool13/choose.html", chapters=items.CHAPTERS, settings=settings)

        @pages.post("/choose/<token>")
        def answer(token: str) -> str:
            claims = self.asked.pop(token, None) or abort(404)
            action = web_address(claims[f"{DL}deep_linking_settings"]["deep_link_return_url"])
            fields = {"JWT": self._answer(claims, request.form.getlist("chapter"))}
            return render_template("tool13/answer.html", action=action, fields=fields)

        return pages

    def _answer(self, claims: Mapping[str, Any], chosen: list[str]) -> str:
        now = int(time.time())
        told = {
            "iss": self._platform.client_id,
            "aud": self._platform.issuer,
            "azp": self._platform.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": secrets.token_urlsafe(16),
            f"{CLAIM}message_type": "LtiDeepLinkingResponse",
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}deployment_id": claims[f"{CLAIM}deployment_id"],
            f"{DL}data": claims[f"{DL}deep_linking_settings"]["data"],
            f"{DL}msg": "" if chosen else "You <b>left</b> without a quiz.",
            f"{DL}content_items": items.items(self._base, chosen) if chosen else [],
        }
        if "forget" in request.form:  # as lti-toolkit does
            del told[f"{DL}data"]
        return jwt.encode(told, self._key.private, "RS256", {"kid": self._key.kid})
