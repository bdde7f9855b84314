"""What a transaction can do about whose a candidate or a test is."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class OwnerSteps(Protocol):
    """The part of a transaction that is about owners."""

    def bind(
        self, owned_id: str, what: str, connection: str, learner_id: str, now: datetime
    ) -> str:
        """The learner who has it from now on: this one, or whoever was first."""

    def bound_to(self, owned_id: str) -> str:
        """The learner who has it, or the empty string."""

    def unbind(self, owned_id: str) -> bool:
        """Let nobody have it; False when nobody had."""
