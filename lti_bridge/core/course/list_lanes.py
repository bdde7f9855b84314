"""Lists of members are read beside the requests: one reading of a course, few of one LMS."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field
from threading import Lock

from lti_bridge.core.attempt.calls import Seats
from lti_bridge.core.course.rosters import Member, Roster
from lti_bridge.errors import MembersComing

AT_ONCE, EACH = 8, 2  # lists that are read at the same time: of all LMSs, of one
WAIT_S = 2.0  # of a request, for a list
Course = tuple[str, str, str]
Reading = Future[list[Member] | None]


@dataclass(slots=True)
class ListLanes:
    """A `Roster` that keeps no request waiting for longer than `wait_s` seconds.

    Whoever asks for a course joins the reading that is under way. An LMS that is slow has EACH
    readings at a time; its others wait in their order, and no other LMS does. `seats` are those
    of all requests of this process that wait for somebody: who finds none does not wait.
    """

    roster: Roster
    seats: Seats = field(default_factory=Seats)
    wait_s: float = WAIT_S
    _readings: dict[Course, Reading] = field(default_factory=dict)
    _under_way: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, deque[Course]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(AT_ONCE, thread_name_prefix="roster")
    )

    def members(
        self, registration: str, deployment_id: str, context_id: str
    ) -> list[Member] | None:
        """As `Roster.members`; raises MembersComing when the list is not there yet."""
        reading = self._join((registration, deployment_id, context_id))
        try:
            return self._waited_for(registration, reading)
        except TookTooLong:
            raise MembersComing("the list is being read") from None

    def _waited_for(self, registration: str, reading: Reading) -> list[Member] | None:
        who = f"lists {registration}"
        if reading.done() or not self.seats.take(who):
            return reading.result(0)
        try:
            return reading.result(self.wait_s)
        finally:
            self.seats.give(who)

    def _join(self, course: Course) -> Reading:
        """The reading of a course that is under way or waits for its turn, or a new one."""
        with self._lock:
            if reading := self._readings.get(course):
                return reading
            reading = self._readings[course] = Future()
            if self._under_way[course[0]] < EACH:
                self._under_way[course[0]] += 1
                self._threads.submit(self._read, course)
            else:
                self._waiting.setdefault(course[0], deque()).append(course)
            return reading

    def _read(self, course: Course) -> None:
        """Read one list, then let the LMS's next one have the place."""
        reading = self._readings[course]
        try:
            reading.set_result(self.roster.members(*course))
        except BaseException as error:  # whatever it is, it is the outcome
            reading.set_exception(error)
        with self._lock:
            del self._readings[course]
            waiting = self._waiting.get(course[0])
            if waiting:
                self._threads.submit(self._read, waiting.popleft())
                return
            self._waiting.pop(course[0], None)
            self._under_way[course[0]] -= 1
