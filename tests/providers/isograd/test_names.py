"""An answer may repeat whom it is about, in its own writing; about somebody else it is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from lti_bridge.errors import BridgeError
from lti_bridge.providers.isograd.client import Client


class Wire:
    """Answers every action with these members."""

    def __init__(self, **members: Any) -> None:
        self.members, self.called = members, list[int]()

    def call(self, act_id: int, fields: Any, latest: datetime | None = None) -> dict[str, Any]:
        self.called.append(act_id)
        return {"success": True, **self.members}


@pytest.mark.parametrize("told", ["ann@example.org", " Ann@Example.ORG ", "", None])
def test_the_same_person_in_another_writing(told: Any) -> None:
    wire = Wire(ema=told)
    Client(wire).anonymise_candidate("ann@example.org")  # type: ignore[arg-type]
    assert wire.called == [12]


@pytest.mark.parametrize("told", ["bob@example.org", 7, ["ann@example.org"]])
def test_somebody_else(told: Any) -> None:
    with pytest.raises(BridgeError, match="an answer about another ema"):
        Client(Wire(ema=told)).anonymise_candidate("ann@example.org")  # type: ignore[arg-type]
