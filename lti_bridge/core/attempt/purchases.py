"""What is bought at providers: one ledger of attempts, and how many one LMS may buy in a day."""

from __future__ import annotations

import logging
from datetime import datetime

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.records import Purchase
from lti_bridge.core.store import Transaction
from lti_bridge.core.tool.launches import Origin
from lti_bridge.errors import DailyLimitReached

log = logging.getLogger("lti_bridge.purchases")

ALARM_PERCENT = 80  # of the limit: when the operator hears of it, before anybody is refused


def buy(tx: Transaction, connection: Connection, attempt_id: str, by: Origin, at: datetime) -> None:
    """Write down that an attempt is being bought, if its connection sells any.

    Joins the transaction that gives the right to buy. Raises DailyLimitReached.
    """
    if not capabilities.can(connection, capabilities.COSTS):
        return
    limit = connection.daily_limit
    course = (by.registration, by.deployment_id, by.context_id)
    count = tx.buy(Purchase(attempt_id, connection.name, *course, at, limit))
    who = {"connection": connection.name, "registration": by.registration, "size": limit}
    if count is None:
        log.error("purchases.limit-reached", extra={**who, "count": limit})
        raise DailyLimitReached(f"{by.registration} has bought {limit} at {connection.name} today")
    if limit and count == alarm_at(limit):
        log.warning("purchases.near-limit", extra={**who, "count": count})


def alarm_at(limit: int) -> int:
    """The number of purchases from which on the operator is told of the limit."""
    return -(-limit * ALARM_PERCENT // 100)  # rounded up
