"""Calls to Prov as the configuration describes them: the proof, the paths, the documents."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

from lti_bridge.errors import AnswerLost, NetworkFailed, ProviderBusy, ProviderDown, ProviderError
from lti_bridge.net import Response
from lti_bridge.providers.addresses import address_of
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.prov import templates
from lti_bridge.providers.prov.errors import AccountRefused, Refused
from lti_bridge.providers.prov.settings import ConnectionSettings
from lti_bridge.providers.prov.templates import Values

_MISSING = 404


class Client:
    """Speaks to one customer's API.

    Everything raises AccountRefused, Refused, ProviderBusy or ProviderDown when nothing was
    carried out; what may be sent again never leaves anything open.
    """

    def __init__(self, settings: ConnectionSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    def put(self, what: str, values: Values) -> None:
        """Send a candidate, centre or proctor, if Prov wants them by a call of their own."""
        path, body = self._template(what)
        if path:
            self._repeatable("POST", path, values, body)

    def add_event(self, values: Values) -> tuple[str, str]:
        """Register an exam; its id at Prov and its page, each empty when there is none.

        Twice would be two exams, so an answer that cannot be read raises AnswerLost.
        """
        settings = self._settings
        try:
            answer = self._send("POST", settings.event_path, values, settings.event_body)
        except AnswerLost:
            raise
        except NetworkFailed as error:
            raise ProviderDown(error.detail) from error
        self._refuse(answer)
        document = read(answer.body) if 200 <= answer.status < 300 else None
        event_id = text_of(templates.at(document, settings.event_id_path))
        if not 200 <= answer.status < 300 or (settings.event_id_path and not event_id):
            raise AnswerLost(f"event: status {answer.status} without a usable answer")
        url = templates.at(document, settings.event_url_path) if settings.event_url_path else ""
        return event_id, address_of(url)

    def result(self, values: Values) -> Any:
        """What Prov answers about a result now, None when it knows none."""
        body = "{}" if self._settings.auth_style == "body" else ""
        method = "POST" if body else "GET"
        answer = self._repeatable(method, self._settings.result_path, values, body, missing=True)
        if answer.status == _MISSING:
            return None
        document = read(answer.body)
        if document is None:
            raise ProviderError("result: an answer that is not JSON")
        return document

    def check(self) -> None:
        """Call the path that is there for checking."""
        self._repeatable("GET", self._settings.check_path, {}, "")

    def _template(self, what: str) -> tuple[str, str]:
        return getattr(self._settings, f"{what}_path"), getattr(self._settings, f"{what}_body")

    def _repeatable(
        self, method: str, path: str, values: Values, body: str, *, missing: bool = False
    ) -> Response:
        try:
            answer = self._send(method, path, values, body)
        except NetworkFailed as error:  # AnswerLost too
            raise ProviderDown(error.detail) from error
        if missing and answer.status == _MISSING and not answer.too_many:
            return answer
        self._refuse(answer)
        if not 200 <= answer.status < 300:
            raise ProviderDown(f"status {answer.status}")
        return answer

    def _send(self, method: str, path: str, values: Values, body: str) -> Response:
        settings = self._settings
        secret = settings.auth_value.get_secret_value() if settings.auth_value else ""
        headers, more = {"Accept": "application/json"}, {}
        if settings.auth_style == "basic":
            pair = base64.b64encode(f"{settings.auth_name}:{secret}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {pair}"
        elif settings.auth_style == "bearer":
            headers["Authorization"] = f"Bearer {secret}"
        elif settings.auth_style == "body":
            more = {settings.auth_name: secret}
        else:
            headers[settings.auth_name] = secret
        document = templates.body(body, values, more) if body else b""
        if document:
            headers["Content-Type"] = "application/json"
        url = settings.base_url + templates.path(path, values)
        return self._tools.send(method, url, headers=headers, body=document)

    def _refuse(self, answer: Response) -> None:
        status = answer.status
        if answer.too_many:
            raise ProviderBusy(f"status {status}")
        if status in (401, 403):
            raise AccountRefused(f"status {status}")
        if 300 <= status < 500 and status != 408:
            raise Refused(f"status {status}")


def read(body: bytes) -> Any:
    """A JSON document with exact decimals, None when it is none."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def text_of(value: object) -> str:
    """An id or a code, also one written as a number; empty for anything else."""
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    text = str(value).strip()[:200] if plain else ""
    return text if text.isprintable() else ""
