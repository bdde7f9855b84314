"""Kind `acme`: an order opens a test, and a signed callback brings its score."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lti_bridge.core.attempt import capabilities as can
from lti_bridge.core.attempt.provider import Callback, Report, Session, Started
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.core.records import AttemptState
from lti_bridge.errors import (
    AccessRefused,
    AnswerLost,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
    ProviderRefused,
)
from lti_bridge.providers.addresses import BaseAddress, is_safe
from lti_bridge.providers.answers import members, score
from lti_bridge.providers.contract import Kind, Tools


class KeyRefused(ProviderRefused):
    """401: correct key of the connection."""

    code = "acme-key"


class OrderRefused(ProviderRefused):
    """Any other 4xx: correct the test of the activity."""

    code = "acme-order"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ConnectionSettings(_Model):
    """One account at Acme."""

    base_url: BaseAddress = Field(title="Address", description="What stands before /orders.")
    key: SecretStr = Field(min_length=1, title="Key", description="Sent, and used to sign.")


class ActivitySettings(_Model):
    """What an instructor chooses."""

    test: str = Field(pattern="^[a-z]{1,20}$", title="Test", description="Acme's name of a test.")


@dataclass(frozen=True, slots=True)
class Acme:
    """One account at Acme, which cannot be asked and calls once."""

    settings: ConnectionSettings
    tools: Tools

    def custom(self, settings: Any) -> Mapping[str, str]:
        """What is set, as it is written."""
        return dict(settings)

    def start(self, session: Session) -> Started:
        """Order a test."""
        wanted = {**session.custom, "tell": session.callback_url, "back": session.return_url}
        told = self._order(wanted)
        name, url = str(told.get("order")), told.get("url")
        if not re.fullmatch("[A-Za-z0-9]{1,40}", name) or not is_safe(url):
            raise AnswerLost("an order without a usable name and url")
        return Started(Redirect(str(url)), reference=name, data={"url": url})

    def _order(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        key = self.settings.key.get_secret_value()
        headers = {"X-Key": key, "Content-Type": "application/json"}
        url, body = f"{self.settings.base_url}/orders", json.dumps(wanted).encode()
        try:
            answer = self.tools.send("POST", url, headers=headers, body=body)
        except AnswerLost:
            raise  # it may have been carried out
        except NetworkFailed as error:
            raise ProviderDown(error.detail) from error
        if answer.too_many:
            raise ProviderBusy(f"Acme answered {answer.status}")
        if 400 <= answer.status < 500:
            raise (KeyRefused if answer.status == 401 else OrderRefused)(f"status {answer.status}")
        told = members(answer.body) if answer.status == 201 else None
        if told is None:
            raise AnswerLost(f"status {answer.status}")
        return told

    def resume(self, session: Session) -> Handoff:
        """Back to the same test."""
        return Redirect(session.data["url"])

    def read_callback(self, callback: Callback) -> list[Report]:
        """A score, whose signature is in a header."""
        key = self.settings.key.get_secret_value().encode()
        mac = hmac.new(key, callback.body, hashlib.sha256).hexdigest()
        given = callback.headers.get("x-signature", "")
        if not hmac.compare_digest(given.encode(), mac.encode()):
            raise AccessRefused("x-signature is missing or wrong")
        told = members(callback.body) or {}
        marks = score(told.get("points"), told.get("of"))
        raw = {"points": str(told.get("points"))[:20]}
        state: AttemptState | None = "graded" if marks else None
        named = {"reference": str(told.get("order", ""))}  # compared with the attempt's own
        return [Report(callback.attempt_id, "", state, marks, mac[:32], raw, named=named)]


KIND = Kind(
    name="acme",
    title="Acme",
    connection=ConnectionSettings.model_validate,
    activity=lambda values, connection: ActivitySettings.model_validate(values),
    inline=lambda custom, connection: ActivitySettings(test=custom.get("test", "")),
    forms=lambda settings: (ActivitySettings,),
    build=Acme,
    capabilities=lambda settings: frozenset({can.REMOTE, can.CALLBACK}),
)
