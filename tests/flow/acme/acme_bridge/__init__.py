"""Kind `acme`: an order opens a test, and a signed callback brings its score."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from lti_bridge.core.attempt import capabilities as can
from lti_bridge.core.attempt.provider import Callback, Report, Session, Started
from lti_bridge.core.launch.handoff import Handoff, Redirect
from lti_bridge.errors import (
    AccessRefused,
    AnswerLost,
    NetworkFailed,
    ProviderDown,
    ProviderRefused,
)
from lti_bridge.providers.answers import BaseAddress, is_safe, members, score
from lti_bridge.providers.contract import Kind, Tools


class KeyRefused(ProviderRefused):
    """401: correct key of the connection."""

    code = "acme-key"


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
        url, key = f"{self.settings.base_url}/orders", self.settings.key.get_secret_value()
        try:
            answer = self.tools.send(
                "POST", url, headers={"X-Key": key}, body=json.dumps(wanted).encode()
            )
        except AnswerLost:
            raise
        except NetworkFailed as error:
            raise ProviderDown(error.detail) from error
        if answer.status == 401:
            raise KeyRefused("Acme answered 401")
        told = members(answer.body) or {}
        if answer.status != 201 or not is_safe(told.get("url")):
            raise AnswerLost(f"status {answer.status}")
        return Started(Redirect(told["url"]), reference=str(told.get("order")), data=dict(told))

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
        state = "graded" if marks else None
        return [Report(callback.attempt_id, "", state, marks, event=mac[:32], raw=raw)]


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
