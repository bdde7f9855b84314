"""Gives every pretend party the same calm look: one layout, one stylesheet, one strict policy."""

import secrets
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g

# Forms and frames must reach the bridge and whatever it redirects to, so these two name schemes.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "script-src 'self' 'nonce-{nonce}'; form-action 'self' http: https:; "
    "frame-src 'self' http: https:; base-uri 'none'"
)


def install(app: Flask) -> None:
    """Serve `/sandbox-static/…` and offer the layout `sandbox/base.html` to templates.

    Blocks of the layout: title, brand, nav, head, content. `csp_nonce` is there for an inline
    script; a form with `data-autopost` is submitted by `/sandbox-static/autopost.js`.
    """
    shared = Blueprint(
        "sandbox",
        __name__,
        static_folder="static",
        static_url_path="/sandbox-static",
        template_folder="templates",
    )

    @shared.before_app_request
    def fresh_nonce() -> None:
        g.csp_nonce = secrets.token_urlsafe(16)

    @shared.app_context_processor
    def nonce_for_templates() -> dict[str, str]:
        return {"csp_nonce": g.get("csp_nonce", "")}

    @shared.after_app_request
    def protect(response: Response) -> Response:
        nonce = g.get("csp_nonce", "")
        response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce))
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.register_blueprint(shared)


def web_address(text: str) -> str:
    """The text when a browser may be sent there, else nothing."""
    return text if urlsplit(text).scheme in ("http", "https") else ""
