"""The door of every service that takes an access token."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Response, request

from lti_bridge.sandbox.lms.state import Lms

P = ParamSpec("P")
R = TypeVar("R")


def token_scopes(lms: Lms) -> frozenset[str] | None:
    """The scopes of the request's bearer token; None when there is no good one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return lms.state.token_scopes(token) if scheme == "Bearer" else None


def needs(lms: Lms, *scopes: str) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """Let in a token with one of the scopes."""

    def decorate(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            held = token_scopes(lms)
            if held is None or not held.intersection(scopes):
                return lms.family.refused_token(known=held is not None)
            return view(*args, **kwargs)

        return checked

    return decorate
