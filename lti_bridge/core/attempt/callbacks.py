"""What a provider's callback does: verified by its kind, then recorded or asked about."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.polls import Polling
from lti_bridge.core.attempt.provider import Callback, Connection, Report
from lti_bridge.core.attempt.subject import other_name
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.grade import sourced_ids
from lti_bridge.core.journal.facts import of_attempt
from lti_bridge.core.journal.hop import checking, failed, note
from lti_bridge.core.records import Attempt
from lti_bridge.core.store import Store
from lti_bridge.errors import AccessRefused, NotConfigured, OtherPerson

log = logging.getLogger("lti_bridge.callbacks")


def attempt_token(key: bytes, connection: str, attempt_id: str) -> str:
    """The secret in the hook address of one attempt."""
    return sourced_ids.issue(key, f"hook:{connection}", attempt_id)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Takes callbacks. `wake` tells a worker that a provider is to be asked."""

    store: Store
    catalogue: Catalogue
    polling: Polling
    key: bytes
    clock: Callable[[], datetime]
    wake: Callable[[], None]

    def receive(self, name: str, token: str, callback: Callback) -> None:
        """Record what a callback reports. Raises AccessRefused when it is not authentic.

        Everything that is recorded is on disk when this returns.
        """
        connection, attempt_id = self._authentic(name, token)
        note(proved=True)
        checking("message")
        callback = replace(callback, attempt_id=attempt_id)
        for report in capabilities.reads_callbacks(connection).read_callback(callback):
            attempt = self._attempt(connection, report)
            if attempt is not None:
                note(**of_attempt(attempt))
            if attempt is None:
                note(said="of an attempt that is not known")
                log.warning("callback.unknown-attempt", extra={"connection": name})
            elif told := other_name(attempt, report):
                extra = {"connection": name, "attempt": attempt.id, "reason": f"another {told}"}
                log.error("callback.other-person", extra=extra)
                self.store.remark(attempt.id, self.clock(), f"a message about another {told}")
                failed(OtherPerson(f"about another {told}"))
            elif report.hint and capabilities.can(connection, capabilities.FETCH):
                note(said="a hint: the provider is asked")
                self.store.poll_at(attempt.id, self.clock())
                self.wake()
            else:
                self.polling.record(name, attempt, self._judged(connection, attempt, report))

    def _authentic(self, name: str, token: str) -> tuple[Connection, str]:
        try:
            connection = self.catalogue.connection(name)
        except NotConfigured:
            raise AccessRefused("unknown connection") from None
        note(connection=name)
        checking("hook-token")
        expected = connection.hook_token.encode()
        if expected and hmac.compare_digest(token.encode(), expected):
            return connection, ""
        attempt_id = sourced_ids.attempt_of(self.key, f"hook:{name}", token)
        if attempt_id is None or not capabilities.can(connection, capabilities.CALLBACK):
            raise AccessRefused("wrong hook token")
        return connection, attempt_id

    def _judged(self, connection: Connection, attempt: Attempt, report: Report) -> Report:
        if not capabilities.can(connection, capabilities.JUDGE):
            return report
        settings = self.polling.settings(attempt)
        return capabilities.judges(connection).judge(attempt, settings, report)

    def _attempt(self, connection: Connection, report: Report) -> Attempt | None:
        if report.attempt_id:
            attempt = self.store.attempt(report.attempt_id)
        elif report.reference:
            attempt = self.store.attempt_by_reference(connection.name, report.reference)
        else:
            return None
        return attempt if attempt and attempt.connection == connection.name else None
