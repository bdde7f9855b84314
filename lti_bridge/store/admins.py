"""Links to the pages for admins, and the sessions that they become."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text

from lti_bridge.core.staff.admins import Admin
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

ADD = text(
    "INSERT INTO admins (id, name, secret, entered, created_at, until)"
    " VALUES (:id, :name, :secret, 0, :created_at, :until)"
)
ENTER = text(
    "UPDATE admins SET secret = :secret, entered = 1, until = :until"
    " WHERE secret = :link AND entered = 0 AND until > :now"
)
OF = text(
    "SELECT id, name, entered, created_at, until FROM admins"
    " WHERE secret = :secret AND entered = 1 AND until > :now"
)
ALL = text(
    "SELECT id, name, entered, created_at, until FROM admins WHERE until > :now"
    " ORDER BY created_at DESC, id"
)
END = text("DELETE FROM admins WHERE :id = '' OR id = :id")


class AdminRows:
    """The `core.staff.admins.AdminStore` of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, admin: Admin, secret: str) -> None:
        """Keep a link."""
        values = {
            "id": admin.id,
            "name": admin.name,
            "secret": secret,
            "created_at": rows.ms(admin.created_at),
            "until": rows.ms(admin.until),
        }
        with self._database.writing() as connection:
            connection.execute(ADD, values)

    def enter(self, link: str, secret: str, now: datetime, until: datetime) -> bool:
        """Make a link that is still good a session with another secret; False: it is not good."""
        values = {"link": link, "secret": secret, "now": rows.ms(now), "until": rows.ms(until)}
        with self._database.writing() as connection:
            return connection.execute(ENTER, values).rowcount == 1

    def of(self, secret: str, now: datetime) -> Admin | None:
        """The session with this secret, while it lasts."""
        with self._database.reading() as connection:
            row = connection.execute(OF, {"secret": secret, "now": rows.ms(now)}).fetchone()
        return _admin(row) if row else None

    def all(self, now: datetime) -> list[Admin]:
        """All that are good now, the newest first."""
        with self._database.reading() as connection:
            return [_admin(row) for row in connection.execute(ALL, {"now": rows.ms(now)})]

    def end(self, admin_id: str) -> int:
        """Delete one, or all where the id is empty; how many."""
        with self._database.writing() as connection:
            return int(connection.execute(END, {"id": admin_id}).rowcount)


def _admin(row: Any) -> Admin:
    return Admin(row[0], row[1], bool(row[2]), rows.moment(row[3]), rows.moment(row[4]))
