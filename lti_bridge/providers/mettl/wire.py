"""One signed call to Mettl's API: the clock, and what the answer means.

Mettl says that a call failed in the body, often with HTTP 200, so that the status alone tells
nothing (support.mettl.com, "API Authentication and Signature Generation").
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

from lti_bridge.errors import (
    AnswerLost,
    BridgeError,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
)
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.mettl import signing
from lti_bridge.providers.mettl.errors import ERRORS, ClockNotAccepted, UnknownRefusal
from lti_bridge.providers.mettl.settings import ConnectionSettings

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Wire:
    """Calls one account.

    Everything raises the errors of `errors.ERRORS` for a refusal; ProviderDown, ProviderBusy or
    ProviderError when nothing was carried out or nothing could be learned; and AnswerLost when a
    POST or DELETE may have been carried out.
    """

    def __init__(self, settings: ConnectionSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._ahead_s = 0.0  # how far Mettl's clock is ahead of ours, once it has complained

    def call(
        self,
        method: str,
        what: str,
        path: tuple[str, ...],
        parameters: Mapping[str, str] = _NOTHING,
        private: Collection[str] = (),
    ) -> dict[str, Any]:
        """The members of a successful answer.

        `what` names the call in errors, for the path may hold an address; `private` are texts
        that Mettl's messages must not repeat there.
        """
        url = self._url(path)
        answer = self._send(method, what, url, parameters)
        try:
            return _members(method, what, answer, private)
        except ClockNotAccepted:
            if not self._resync(answer):
                raise
        answer = self._send(method, what, url, parameters)
        return _members(method, what, answer, private)

    def _url(self, path: tuple[str, ...]) -> str:
        parts = (f"v{self._settings.api_version}", *map(signing.path_segment, path))
        return "/".join((self._settings.base_url, *parts))

    def _send(self, method: str, what: str, url: str, parameters: Mapping[str, str]) -> Response:
        signed = self._signed(method, url, parameters)
        headers, body = {"Accept": "application/json"}, b""
        if method == "POST" and self._settings.post_style == "form":
            headers["Content-Type"] = FORM
            body = signed.encode("ascii")
        else:
            url = f"{url}?{signed}"
        try:
            return self._tools.send(method, url, headers=headers, body=body)
        except NetworkFailed as error:
            # Its own text names the path. "from None": the cause would be logged with it.
            reason = f"{what}: {error.detail.rsplit(': ', 1)[-1]}"
            if isinstance(error, AnswerLost) and method != "GET":
                raise AnswerLost(reason, silent=error.silent) from None
            raise ProviderDown(reason) from None

    def _signed(self, method: str, url: str, parameters: Mapping[str, str]) -> str:
        settings = self._settings
        ts = str(int(self._tools.clock().timestamp() + self._ahead_s))
        values = {"ak": settings.public_key, "ts": ts, **parameters}
        private_key = settings.private_key.get_secret_value()
        asgn = signing.signature(settings.api_version, private_key, method, url, values)
        return signing.encoded({**values, "asgn": asgn})

    def _resync(self, answer: Response) -> bool:
        """Take over Mettl's clock; False when the answer does not tell the time."""
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
            self._ahead_s = (theirs - self._tools.clock()).total_seconds()
        except (TypeError, ValueError):  # no date, or one without a time zone
            return False
        return True


def _members(method: str, what: str, answer: Response, private: Collection[str]) -> dict[str, Any]:
    members, http = _json_object(answer.body), answer.status
    if answer.too_many:
        raise ProviderBusy(f"{what}: HTTP {http}")
    if members.get("status") == "ERROR":
        raise _refusal(what, members.get("error"), private)
    if members.get("status") == "SUCCESS" and 200 <= http < 300:
        return members
    if 300 <= http < 500 and http != 408:
        raise ProviderRefused(f"{what}: HTTP {http}; is base_url right?")
    raise unreadable(method, f"{what}: HTTP {http} without a usable answer")


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refusal(what: str, error: object, private: Collection[str]) -> BridgeError:
    told = error if isinstance(error, dict) else {}
    code = str(told.get("code"))[:20]
    detail = f"{what}: {code} {without(told.get('message'), private)}".strip()
    return ERRORS.get(code, UnknownRefusal)(detail)


def unreadable(method: str, detail: str) -> BridgeError:
    """The error for an answer that leaves open what happened."""
    return (ProviderError if method == "GET" else AnswerLost)(detail)


def without(message: object, private: Collection[str]) -> str:
    """What Mettl says, without what it repeats about a person."""
    text = message if isinstance(message, str) else ""
    for word in sorted(filter(None, private), key=len, reverse=True):
        text = re.sub(re.escape(word), "…", text, flags=re.IGNORECASE)
    return text[:200]
