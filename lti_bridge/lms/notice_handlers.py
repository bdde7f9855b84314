"""Asking LMSs to send notices about copied courses: once a deployment, beside all requests.

A launch names the service (Platform Notification Service 1.0). The worker puts our address there,
again after a week, and again when the bridge has another address. Putting it twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lti_bridge.core.course.notice_services import Service, Services
from lti_bridge.core.lanes import Lanes
from lti_bridge.core.launch.message import NOTICE_SERVICE, Launch
from lti_bridge.errors import BridgeError, DeliveryRefused
from lti_bridge.lms import answers
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lms.tokens import Tokens
from lti_bridge.lti import notices

log = logging.getLogger("lti_bridge.notices")

LEASE_S = 60.0
AGAIN = timedelta(days=7)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60, 86_400
ROOM, MOST = 1, 4  # at the same time: with one LMS, and with all
KNOWN = 10_000  # services that a process remembers to have written down
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class NoticeHandlers:
    """Tells LMSs where notices go: `base` and the name of the registration.

    `spread` returns a number in 0..1, so that many do not try at once.
    """

    registrations: Mapping[str, Any]
    tokens: Tokens
    services: Services
    base: str
    clock: Callable[[], datetime]
    spread: Callable[[], float]
    lanes: Lanes = field(init=False)
    _known: set[tuple[str, str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        made = Lanes(self.clock, self.spread, "registration", room=ROOM, most=MOST)
        object.__setattr__(self, "lanes", made)

    def offered(self, launch: Launch) -> None:
        """Write down the service that a launch names, once a process."""
        service = (launch.registration, launch.deployment_id, str(launch.extra[NOTICE_SERVICE]))
        if service in self._known:
            return
        self.services.offered(*service, self.clock())
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add(service)

    def set_due(self, pool: ThreadPoolExecutor) -> int:
        """Tell all LMSs that are to be told now; returns how many deployments."""
        return self.lanes.run(
            pool, lambda: self.services.due(self.base, self.clock()), self._claim, self._set
        )

    def _claim(self, name: str, limit: int) -> Sequence[Service]:
        now = self.clock()
        return self.services.claim(name, self.base, now, now + timedelta(seconds=LEASE_S), limit)

    def _set(self, service: Service) -> None:
        """Put our address to one service, and keep how that went; raises nothing."""
        extra = {"registration": service.registration}
        try:
            handler, said, pause = self._put(service), "", AGAIN
            log.info("notices.handler-set", extra=extra)
        except BridgeError as error:
            self.lanes.heard(service.registration, error)
            handler, said = "", error.detail
            seconds = min(FIRST_PAUSE_S * 4**service.tries, LONGEST_PAUSE_S)
            pause = timedelta(seconds=seconds * (0.75 + 0.5 * self.spread()))
            log.warning("notices.handler-not-set", extra={**extra, "reason": said})
        except Exception:
            log.exception("notices.broke", extra=extra)
            return
        self.services.settle(service, handler, said, self.clock() + pause)

    def _put(self, service: Service) -> str:
        known = self.registrations.get(service.registration)
        if not isinstance(known, Registration13):
            raise DeliveryRefused("the LMS is not registered any more")
        address = self.base + service.registration
        reply = self.tokens.call(
            known,
            frozenset({notices.SCOPE}),
            service.deployment_id,
            "PUT",
            service.url,
            HEADERS,
            notices.handler_document(address),
        )
        if answers.read(reply).meaning != "taken":
            raise answers.refusal(reply, "notices")
        self.lanes.answered(service.registration)
        if notices.handler_in(reply.body) not in (address, None):
            raise DeliveryRefused("notices: the LMS answered with another address than ours")
        return address
