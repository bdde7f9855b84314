"""Ordering a test ID: the one call that costs something, sent once, and what its answer means."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lti_bridge.errors import AnswerLost, BridgeError, NetworkFailed, ProviderBusy, ProviderDown
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.itep.errors import (
    REFUSALS,
    NoTestIds,
    Refused,
    SequenceRefused,
    SignatureNotAccepted,
)
from lti_bridge.providers.itep.refusing import names_another, says_no
from lti_bridge.providers.itep.settings import GTX, ConnectionSettings
from lti_bridge.providers.itep.signing import compact, signature

WAIT_S = 15.0  # how long an order waits for the one before it
SEQUENCE_TRIES = 8  # three web processes in a rush overtake each other at every seventh order


@dataclass(frozen=True, slots=True)
class Given:
    """A test ID that nobody else has, and its password when the answer has one."""

    test_id: str
    password: str


class Client:
    """Orders test IDs of one account.

    Rising sequence numbers have to arrive in order, so that in that mode this process sends one
    order at a time. What another process has overtaken iTEP refuses, and it gets a new number.
    """

    def __init__(self, settings: ConnectionSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._in_order = threading.Lock()

    def take(self, process: str, order: Mapping[str, Any]) -> Given:
        """Take a test ID. `order` is the request's document without its sequence.

        Raises AnswerLost when an ID may have been taken without our knowing it, and a
        ProviderError or NetworkRefused when certainly none was.
        """
        if self._settings.sequence_mode != "counter":
            return self._send(process, order)
        if not self._in_order.acquire(timeout=WAIT_S):
            raise ProviderBusy("other orders are under way")
        try:
            for _ in range(SEQUENCE_TRIES - 1):
                try:
                    return self._send(process, order)
                except SequenceRefused:
                    continue
            return self._send(process, order)
        finally:
            self._in_order.release()

    def _send(self, process: str, order: Mapping[str, Any]) -> Given:
        settings = self._settings
        body = compact(self._numbered(order))
        secret = settings.secret.get_secret_value()
        value = signature(body, secret, settings.sig_encoding, settings.sig_prefix)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            settings.header_name(process): value,
        }
        try:
            answer = self._tools.send("POST", settings.endpoint, headers=headers, body=body)
        except AnswerLost:
            raise
        except NetworkFailed as error:
            raise ProviderDown(error.detail) from error
        return self._read(process, order, answer)

    def _numbered(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """The order with its sequence in both places where the document's example has one."""
        mode = self._settings.sequence_mode
        if mode == "none":
            return order
        if mode == "counter":
            number = self._tools.next_number("sequence")
        else:
            number = int(self._tools.clock().timestamp())
        assigned = {**order["assigned-to"], "sequence": number}
        return {**order, "sequence": number, "assigned-to": assigned}

    def _read(self, process: str, order: Mapping[str, Any], answer: Response) -> Given:
        settings, document = self._settings, _document(answer.body)
        test_id = _at(document, settings.response_test_id_path)
        if not 200 <= answer.status < 300 or not test_id:
            raise self._refusal(order, answer)
        path = settings.response_password_path
        password = _at(document, path) if path else ""
        if names_another(document, order):
            raise AnswerLost("an answer with a test ID that names another candidate")
        if path and not password and process == GTX:
            raise AnswerLost(f"an answer with a test ID and nothing at {path}")
        return Given(test_id, password)

    def _refusal(self, order: Mapping[str, Any], answer: Response) -> BridgeError:
        """iTEP documents sentences, but neither a status nor what is around them."""
        status, text = answer.status, answer.body.decode("utf-8", "replace")
        if answer.too_many:
            return ProviderBusy(f"status {status}")
        for said, error in REFUSALS.items():
            if said in text:
                return error(f"{said} [value].")
        if any(words in text for words in self._settings.out_of_stock_text):
            return NoTestIds(f"status {status}")
        if status in (401, 403):
            return SignatureNotAccepted(f"status {status}")
        unsure = status < 300 and not says_no(answer.body, [*_values(order)])
        if unsure or status >= 500 or status == 408:
            return AnswerLost(f"status {status} without a test ID")
        if status == 409 or "sequence" in text.lower():
            return SequenceRefused(f"status {status}")
        return Refused(f"status {status}: {_impersonal(text, _values(order))}")


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _at(document: Any, path: str) -> str:
    """The text or whole number at a path of names; empty when there is none."""
    for name in path.split("."):
        if isinstance(document, list) and name.isascii() and name.isdigit():
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    plain = isinstance(document, str | int) and not isinstance(document, bool)
    text = str(document).strip()[:200] if plain else ""
    return text if text.isprintable() else ""


def _values(order: Mapping[str, Any]) -> Iterable[str]:
    for value in order.values():
        if isinstance(value, Mapping):
            yield from _values(value)
        else:
            yield str(value)


def _impersonal(text: str, sent: Iterable[str]) -> str:
    """The beginning of an answer without what it may repeat about a learner."""
    text = re.sub(r"\[[^\]]*\]", "[value]", text)
    for value in sorted(filter(None, sent), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", text)
    return " ".join(text.split())[:120]
