"""The ledger of purchases: one row an attempt, and a counter a connection, LMS and day."""

from __future__ import annotations

from sqlalchemy import Connection, text

from lti_bridge.core.records import Bought, Purchase
from lti_bridge.store import rows
from lti_bridge.store.engine import Database
from lti_bridge.store.statements import Statements

# One that was given back may be bought again, on the day on which that happens.
ADD = text(
    "INSERT INTO purchases (attempt_id, connection, registration, deployment_id, context_id, day,"
    " at, given_back) VALUES (:attempt_id, :connection, :registration, :deployment_id,"
    " :context_id, :day, :at, 0)"
    " ON CONFLICT (attempt_id) DO UPDATE SET day = excluded.day, at = excluded.at, given_back = 0"
    " WHERE purchases.given_back = 1"
)
COUNT = text(
    "INSERT INTO purchase_days (connection, registration, day, bought)"
    " VALUES (:connection, :registration, :day, 1)"
    " ON CONFLICT (connection, registration, day) DO UPDATE SET bought = purchase_days.bought + 1"
    " WHERE CAST(:daily_limit AS INTEGER) = 0 OR purchase_days.bought < :daily_limit"
    " RETURNING bought"
)
GIVE_BACK = text(
    "UPDATE purchases SET given_back = 1 WHERE attempt_id = :attempt_id AND given_back = 0"
    " RETURNING connection, registration, day"
)
UNCOUNT = text(
    "UPDATE purchase_days SET bought = bought - 1 WHERE connection = :connection"
    " AND registration = :registration AND day = :day"
)
OF_DAY = text(
    "SELECT connection, registration, day, bought FROM purchase_days"
    " WHERE day = :day AND bought > 0 ORDER BY connection, registration"
)


class PurchaseSteps(Statements):
    """The part of a transaction that is about purchases."""

    def buy(self, purchase: Purchase) -> int | None:
        """Write a purchase down; 0 when it is there already, None when the limit is reached."""
        what = {"connection": purchase.connection, "registration": purchase.registration}
        day = {**what, "day": purchase.day}
        if not self._changes(
            ADD,
            attempt_id=purchase.attempt_id,
            deployment_id=purchase.deployment_id,
            context_id=purchase.context_id,
            at=rows.ms(purchase.at),
            **day,
        ):
            return 0
        if row := self._row(COUNT, daily_limit=purchase.daily_limit, **day):
            return int(row[0])
        self._row(GIVE_BACK, attempt_id=purchase.attempt_id)  # it was not counted either
        return None


def give_back(connection: Connection, attempt_id: str) -> None:
    """Nothing was bought for this attempt after all; joins the transaction that says so."""
    row = connection.execute(GIVE_BACK, {"attempt_id": attempt_id}).first()
    if row is not None:
        connection.execute(UNCOUNT, row._asdict())


def bought_on(database: Database, day: str) -> list[Bought]:
    """What was bought on a day (2026-11-29, UTC), by connection and LMS."""
    with database.reading() as connection:
        return [Bought(*row) for row in connection.execute(OF_DAY, {"day": day})]
