"""Seats, double bookings and retakes: Prov believes what it is sent, so the bridge has to check.

What an attempt holds is durable and shared by all processes; an attempt that did not become an
exam gives it back.
"""

from __future__ import annotations

from lti_bridge.providers.contract import Tools
from lti_bridge.providers.prov.errors import DoubleBooked, NoSeats, SittingsUsedUp, TooLate
from lti_bridge.providers.prov.model import Registration
from lti_bridge.providers.prov.settings import ActivitySettings, ConnectionSettings

_ANY_NUMBER = 1_000_000


class Places:
    """Gives each attempt its sitting, its time and its seat."""

    def __init__(self, settings: ConnectionSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    def take(self, registration: Registration, learner_id: str, activity: ActivitySettings) -> None:
        """Reserve all that this exam needs; for the same attempt as often as one likes.

        Raises SittingsUsedUp, TooLate, DoubleBooked or NoSeats, and then nothing is held.
        """
        attempt_id, event = registration.attempt_id, registration.event
        try:
            self._take_sitting(event.exam_code, learner_id, attempt_id, activity.max_sittings)
            if not activity.starts_at:
                return
            if event.starts_at <= self._tools.clock():
                raise TooLate(f"starts_at {event.moment}")
            if not self._reserve(f"time {event.moment}", learner_id, attempt_id, _ANY_NUMBER):
                raise DoubleBooked(f"another exam at {event.moment}")
            centre = self._settings.centre(event.location_code)
            if centre is None or not centre.seats:
                return
            slot = f"seat {centre.code} {event.moment}"
            if not self._reserve(slot, learner_id, attempt_id, centre.seats):
                raise NoSeats(f"{centre.seats} seats at {slot}")
        except Exception:
            self._tools.give_back(attempt_id)
            raise

    def _take_sitting(self, code: str, learner_id: str, attempt_id: str, allowed: int) -> None:
        for number in range(1, allowed + 1):
            if self._reserve(f"exam {code} {number}", learner_id, attempt_id, _ANY_NUMBER):
                return
        if allowed:
            raise SittingsUsedUp(f"{allowed} sittings of {code}")

    def _reserve(self, slot: str, learner_id: str, attempt_id: str, seats: int) -> bool:
        return self._tools.reserve(slot, learner_id, attempt_id, seats)
