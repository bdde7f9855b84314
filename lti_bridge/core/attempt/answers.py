"""What a call to a provider brought too late for its click, as JSON and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from lti_bridge.core.attempt.states import OnClick
from lti_bridge.core.launch.handoff import (
    MARKING,
    ConfirmPage,
    Cookie,
    Form,
    Frame,
    Handoff,
    InfoPage,
    Redirect,
)
from lti_bridge.errors import BridgeError

KEPT = timedelta(minutes=5)
HANDOFFS = {kind.__name__: kind for kind in (Form, Redirect, InfoPage, ConfirmPage)}
FACTS = ("code", "status", "sentence", "remedy", "retry", "detail", "said", "hint")


class CallFailed(BridgeError):
    """An error that ended a call before this click, as it was then."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__(facts["detail"])
        self._hint = str(facts["hint"])
        for name in set(FACTS) - {"hint"}:
            setattr(self, name, facts[name])

    @property
    def hint(self) -> str:
        """As it was then."""
        return self._hint


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended; `resumed`: it was to come back to an attempt that had been started."""

    outcome: Handoff | BridgeError
    resumed: bool

    def fits(self, step: OnClick) -> bool:
        """Whether it answers a click that would take this step now."""
        if isinstance(self.outcome, BridgeError):
            return self.resumed == (step == "resume")
        return step == "resume"

    def told(self) -> Handoff:
        """What the browser gets. Raises the error that the call ended with."""
        if isinstance(self.outcome, BridgeError):
            raise self.outcome
        return self.outcome


def written(outcome: Handoff | BridgeError, *, resumed: bool) -> str:
    """An answer as JSON text."""
    if isinstance(outcome, BridgeError):
        facts: dict[str, Any] = {name: getattr(outcome, name) for name in FACTS}
        return json.dumps({"error": facts, "resumed": resumed})
    return json.dumps({type(outcome).__name__: asdict(outcome), "resumed": resumed})


def read(text: str | None) -> Answer | None:
    """The answer of `written`, if there is one."""
    if text is None:
        return None
    data = json.loads(text)
    resumed = bool(data.pop("resumed"))
    ((kind, values),) = data.items()
    if kind == "error":
        return Answer(CallFailed(values), resumed)
    if kind == "Form":
        values["cookies"] = [Cookie(**one) for one in values["cookies"]]
        frame = values["frame"]
        values["frame"] = frame and Frame(tuple(frame["origins"]), tuple(frame["allow"]))
    handoff = HANDOFFS[kind](**{name: _frozen(value) for name, value in values.items()})
    return Answer(MARKING if handoff == MARKING else handoff, resumed)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
