"""What an event makes of something that has states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=str)


@dataclass(frozen=True, slots=True)
class Move(Generic[State]):
    """The states that an event changes, and to which; whatever is in any other state it leaves.

    SQL takes both from here, so that one statement asks and moves.
    """

    of: frozenset[State]
    to: State

    def after(self, state: State) -> State | None:
        """The state after the event; None: it leaves that state as it is."""
        return self.to if state in self.of else None
