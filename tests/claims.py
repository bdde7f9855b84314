"""What workers do party by party, for all parties at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from lti_bridge.core.records import Delivery, Poll
from lti_bridge.store.store import Store


def deliveries(store: Store, now: datetime, lease_s: float, limit: int) -> list[Delivery]:
    """Grades that are due now, of all LMSs, at most `limit`."""
    found: list[Delivery] = []
    for lms in store.deliveries_due():
        found += store.claim_deliveries(lms, now, lease_s, limit - len(found))
    return found


def reads(store: Store, now: datetime, lease_s: float, limit: int) -> list[Delivery]:
    """Grades to look at now, of all LMSs, at most `limit`."""
    found: list[Delivery] = []
    for lms in store.reads_due():
        found += store.claim_reads(lms, now, lease_s, limit - len(found))
    return found


def polls(store: Store, now: datetime, lease_s: float, limit: int) -> list[Poll]:
    """Attempts to ask about now, at all connections, at most `limit`."""
    found: list[Poll] = []
    for connection in store.polls_due():
        found += store.claim_polls(connection, now, lease_s, limit - len(found))
    return found


def first(due: Mapping[str, datetime]) -> datetime | None:
    """When the first of them all is due."""
    return min(due.values(), default=None)
