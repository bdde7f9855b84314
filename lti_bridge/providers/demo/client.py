"""The demo provider's API as a typed client: docs/providers/demo.md describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lti_bridge.errors import AnswerLost, NetworkFailed, ProviderBusy, ProviderDown, ProviderError
from lti_bridge.providers.addresses import is_safe
from lti_bridge.providers.answers import members
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.demo.errors import refusal
from lti_bridge.providers.demo.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Client:
    """One account. Raises a ProviderError, or AnswerLost when a session may have been bought."""

    settings: ConnectionSettings
    tools: Tools

    def open(self, wanted: Mapping[str, Any]) -> tuple[str, str]:
        """Buy a session: its id, and where the learner goes."""
        made = self._call("POST", "/sessions", wanted)
        name, url = made.get("id"), made.get("url")
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", str(name)) or not is_safe(url):
            raise AnswerLost("POST: a session without a usable id and url")
        return str(name), str(url)

    def session(self, name: str) -> dict[str, Any]:
        """How a session stands: state, score, maximum; unchecked."""
        return dict(self._call("GET", f"/sessions/{name}"))

    def delete(self, name: str) -> None:
        """Delete a session with all that is known about its learner."""
        self._call("DELETE", f"/sessions/{name}")

    def tests(self) -> list[tuple[str, str]]:
        """Id and title of every test."""
        rows = self._call("GET", "/tests").get("tests")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProviderError("GET: no list of tests")
        return [(str(row.get("id")), str(row.get("title"))) for row in rows]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        key = self.settings.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        sent = json.dumps(body).encode() if body else b""
        url = self.settings.base_url + path
        try:
            answer = self.tools.send(method, url, headers=headers, body=sent)
        except NetworkFailed as error:
            if isinstance(error, AnswerLost) and method == "POST":
                raise  # it may have been carried out; all other calls may simply be repeated
            raise ProviderDown(error.detail) from error
        if answer.too_many:
            raise ProviderBusy(f"the demo provider answered {answer.status}")
        if 400 <= answer.status < 500:  # documented: then nothing was carried out
            raise refusal(answer.status)
        told = members(answer.body) if 200 <= answer.status < 300 else None
        if told is None:
            raise (AnswerLost if method == "POST" else ProviderError)(f"status {answer.status}")
        return told
