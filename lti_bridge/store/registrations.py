"""Registrations made while the bridge runs, the invitations to make them, and who succeeds whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from lti_bridge.errors import RegistrationChangeRefused
from lti_bridge.store import rows
from lti_bridge.store.engine import Database

State = Literal["pending", "active", "retired"]
TRY_AT_MOST = timedelta(minutes=5)  # a try to register, which makes two requests

VERSION_SQL = "SELECT value FROM counters WHERE name = 'registrations'"
VERSION = text(VERSION_SQL)
CHANGED = text(
    "INSERT INTO counters (name, value) VALUES ('registrations', 1)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1"
)
EVERY = text(
    "SELECT name, issuer, client_id, facts, state FROM registrations ORDER BY approved_at, name"
)
SUCCESSION = text("SELECT registration, former, state FROM succession")
ALL = text(
    "SELECT name, lti, issuer, client_id, facts, state, made_by, created_at, approved_at,"
    " retired_at FROM registrations ORDER BY name"
)
INVITE = text(
    "INSERT INTO invitations (token, purpose, name, approve, created_at, expires_at, outcome,"
    " exchange) VALUES (:token, :purpose, :name, :approve, :now, :until, '', '[]')"
)
TAKEN = text(
    "SELECT 1 FROM registrations WHERE name = :name UNION ALL SELECT 1 FROM invitations"
    " WHERE name = :name AND used_at IS NULL AND expires_at > :now"
)
# One whose try broke off, with the process that made it, is good again after a while.
USE = text(
    "UPDATE invitations SET used_at = :now, outcome = '' WHERE token = :token"
    " AND purpose = :purpose AND expires_at > :now"
    " AND (used_at IS NULL OR (outcome = '' AND used_at < :abandoned)) RETURNING name, approve"
)
GIVE_BACK = text(
    "UPDATE invitations SET used_at = NULL, outcome = :outcome, exchange = :exchange"
    " WHERE token = :token AND outcome = ''"
)
WITHDRAW = text(
    "UPDATE invitations SET used_at = :now, outcome = 'withdrawn'"
    " WHERE name = :name AND purpose = :purpose AND used_at IS NULL AND expires_at > :now"
)
ENDED = text("UPDATE invitations SET outcome = :outcome, exchange = :exchange WHERE token = :token")
ADD = text(
    "INSERT INTO registrations (name, lti, issuer, client_id, facts, state, made_by, created_at,"
    " approved_at) VALUES (:name, '1.3', :issuer, :client_id, :facts, :state, :made_by, :now,"
    " CAST(:approved_at AS BIGINT)) ON CONFLICT DO NOTHING"
)
APPROVE = text(
    "UPDATE registrations SET state = 'active', approved_at = :now"
    " WHERE name = :name AND state = 'pending'"
)
RETIRE = text(
    "UPDATE registrations SET state = 'retired', retired_at = :now"
    " WHERE name = :name AND state <> 'retired'"
)
FACTS = text(
    "SELECT facts, issuer, client_id FROM registrations WHERE name = :name AND state <> 'retired'"
)
CHANGE = text(
    "UPDATE registrations SET facts = :facts, issuer = :issuer, client_id = :client_id"
    " WHERE name = :name AND facts = :known AND NOT EXISTS (SELECT 1 FROM registrations o"
    " WHERE o.issuer = :issuer AND o.client_id = :client_id AND o.state <> 'retired'"
    " AND o.name <> :name)"
)
INVITATIONS = text(
    "SELECT purpose, name, approve, created_at, expires_at, used_at, outcome, exchange"
    " FROM invitations ORDER BY created_at"
)
SUCCEED = text(
    "INSERT INTO succession (registration, former, state, changed_at)"
    " VALUES (:registration, :former, :state, :now)"
    " ON CONFLICT (registration, former) DO UPDATE SET state = excluded.state,"
    " changed_at = excluded.changed_at"
)
FORGET_ALIASES = tuple(
    text(
        f"DELETE FROM {aliases} WHERE EXISTS (SELECT 1 FROM {owners} o"  # noqa: S608 - constants
        f" WHERE o.id = {aliases}.{owner} AND ("
        f"({aliases}.registration = :registration AND o.registration = :former)"
        f" OR ({aliases}.registration = :former AND o.registration = :registration)))"
    )
    for aliases, owners, owner in (
        ("learner_aliases", "learners", "learner_id"),
        ("link_aliases", "links", "link_id"),
    )
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the directory of registrations is made from; `parted` pairs are never joined.

    `waiting` are issuer, client_id and name of those that an administrator has to approve first,
    `retired` of those that were ended.
    """

    active: tuple[Mapping[str, Any], ...] = ()
    waiting: tuple[tuple[str, str, str], ...] = ()
    linked: frozenset[tuple[str, str]] = frozenset()
    parted: frozenset[tuple[str, str]] = frozenset()
    retired: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """One that is being tried: what the new registration is called, and if it is approved."""

    token: str
    name: str
    approve: bool


class RegistrationStore:
    """The registrations of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int | None:
        """Rises with every change; None when the database does not answer, or has no schema."""
        try:
            with self._database.reading() as connection:
                return int(connection.execute(VERSION).scalar_one_or_none() or 0)
        except SQLAlchemyError:
            return None

    def stored(self) -> Stored:
        """The registrations that are trusted or wait for it, and who succeeds whom."""
        with self._database.reading() as connection:
            found = connection.execute(EVERY).fetchall()
            pairs = connection.execute(SUCCESSION).fetchall()
        active = tuple(
            {**json.loads(row.facts), "name": row.name, "issuer": row.issuer}
            | {"client_id": row.client_id}
            for row in found
            if row.state == "active"
        )
        waiting, retired = (
            tuple((row.issuer, row.client_id, row.name) for row in found if row.state == state)
            for state in ("pending", "retired")
        )
        linked, parted = (
            frozenset((row.registration, row.former) for row in pairs if row.state == state)
            for state in ("linked", "parted")
        )
        return Stored(active, waiting, linked, parted, retired)

    def invite(
        self, token: str, name: str, now: datetime, until: datetime, *, approve: bool, purpose: str
    ) -> None:
        """Keep an invitation. Raises RegistrationChangeRefused when the name is taken."""
        values = {"name": name, "now": rows.ms(now)}
        with self._database.writing() as connection:
            if connection.execute(TAKEN, values).first() is not None:
                raise RegistrationChangeRefused(
                    f"{name!r} is the name of a registration or of an open invitation already"
                )
            connection.execute(
                INVITE,
                {
                    **values,
                    "token": hashed(token),
                    "purpose": purpose,
                    "approve": int(approve),
                    "until": rows.ms(until),
                },
            )

    def use_invitation(self, token: str, purpose: str, now: datetime) -> Invitation | None:
        """Take an invitation for one try; None when it is unknown, used, expired or another's."""
        values = {"token": hashed(token), "purpose": purpose, "now": rows.ms(now)}
        values["abandoned"] = rows.ms(now - TRY_AT_MOST)
        with self._database.writing() as connection:
            row = connection.execute(USE, values).first()
        return Invitation(token, row.name, bool(row.approve)) if row else None

    def give_back(self, invitation: Invitation, reason: str, exchange: Sequence[Any]) -> None:
        """Keep why a try made no registration; the invitation is as good as before."""
        with self._database.writing() as connection:
            _said(connection, GIVE_BACK, invitation, reason, exchange)

    def end(self, invitation: Invitation) -> None:
        """It has led to what it was for, and is good for nothing any more."""
        with self._database.writing() as connection:
            _said(connection, ENDED, invitation, "registered", [])

    def add(
        self,
        invitation: Invitation,
        facts: Mapping[str, Any],
        exchange: Sequence[Any],
        now: datetime,
        *,
        active: bool,
    ) -> bool:
        """Keep a new registration; False when its name, or its issuer and client, is there.

        One that is not `active` waits for approval.
        """
        values = {
            "name": invitation.name,
            "issuer": facts["issuer"],
            "client_id": facts["client_id"],
            "facts": json.dumps(dict(facts)),
            "state": "active" if active else "pending",
            "made_by": "dynamic registration",
            "now": rows.ms(now),
            "approved_at": rows.ms(now) if active else None,
        }
        with self._database.writing() as connection:
            added = connection.execute(ADD, values).rowcount > 0
            if added:
                _said(connection, ENDED, invitation, "registered", exchange)
            else:
                reason = "a registration like this is there"
                _said(connection, GIVE_BACK, invitation, reason, exchange)
            connection.execute(CHANGED)
        return added

    def approve(self, name: str, now: datetime, *, former: str | None = None) -> bool:
        """Let a pending registration in; False when there is none of this name.

        No launch is let in before it is known whose successor it is: `former` has its LMS's name.
        """
        values = {"name": name, "now": rows.ms(now)}
        with self._database.writing() as connection:
            approved = connection.execute(APPROVE, values).rowcount > 0
            if approved and former is not None:
                pair = {"registration": name, "former": former, "state": "linked"}
                connection.execute(SUCCEED, {**pair, "now": values["now"]})
            connection.execute(CHANGED)
        return approved

    def retire(self, name: str, now: datetime) -> bool:
        """Trust a registration no longer; False when there is none of this name."""
        return self._change(RETIRE, {"name": name, "now": rows.ms(now)})

    def withdraw(self, name: str, purpose: str, now: datetime) -> bool:
        """Use an open invitation up for nothing; False when there is none of this name."""
        values = {"name": name, "purpose": purpose, "now": rows.ms(now)}
        with self._database.writing() as connection:
            return connection.execute(WITHDRAW, values).rowcount > 0

    def change(self, name: str, changes: Mapping[str, Any]) -> bool:
        """Change facts of a registration, its issuer and client_id among them.

        False when there is none, when another has this issuer and client_id, or changed it.
        """
        with self._database.writing() as connection:
            known = connection.execute(FACTS, {"name": name}).one_or_none()
        if known is None:
            return False
        facts = {**json.loads(known.facts), **changes}
        values = {"name": name, "known": known.facts, "facts": json.dumps(facts)}
        ids = {one: changes.get(one, getattr(known, one)) for one in ("issuer", "client_id")}
        return self._change(CHANGE, {**values, **ids})

    def link(self, registration: str, former: str, now: datetime) -> None:
        """The LMS of `former` is that of `registration`, an admin says."""
        self._succeed(registration, former, "linked", now)

    def part(self, registration: str, former: str, now: datetime) -> None:
        """They are not, whatever was said or proved before; what was joined is parted again."""
        self._succeed(registration, former, "parted", now)

    def registrations(self) -> list[dict[str, Any]]:
        """All registrations of the database as plain values."""
        with self._database.reading() as connection:
            found = connection.execute(ALL).fetchall()
        return [
            {
                **{key: getattr(row, key) for key in ("name", "lti", "state", "made_by")},
                "deployment_ids": "any",
                **json.loads(row.facts),
                "created_at": _time(row.created_at),
                "approved_at": _time(row.approved_at),
                "retired_at": _time(row.retired_at),
            }
            for row in found
        ]

    def invitations(self, purpose: str = "register") -> list[dict[str, Any]]:
        """All invitations for one purpose as plain values, without what makes them work."""
        with self._database.reading() as connection:
            found = connection.execute(INVITATIONS).fetchall()
        return [
            {
                "name": row.name,
                "approve": bool(row.approve),
                "created_at": _time(row.created_at),
                "expires_at": _time(row.expires_at),
                "used_at": _time(row.used_at),
                "outcome": row.outcome,
                "exchange": json.loads(row.exchange),
            }
            for row in found
            if row.purpose == purpose
        ]

    def succession(self) -> list[dict[str, str]]:
        """Who succeeds whom, and who was parted."""
        with self._database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(SUCCESSION)]

    def _succeed(self, registration: str, former: str, state: str, now: datetime) -> None:
        values = {"registration": registration, "former": former}
        with self._database.writing() as connection:
            connection.execute(SUCCEED, {**values, "state": state, "now": rows.ms(now)})
            if state == "parted":
                for forget in FORGET_ALIASES:
                    connection.execute(forget, values)
            connection.execute(CHANGED)

    def _change(self, statement: Any, values: Mapping[str, Any]) -> bool:
        with self._database.writing() as connection:
            changed = connection.execute(statement, values).rowcount > 0
            connection.execute(CHANGED)
        return bool(changed)


def hashed(token: str) -> str:
    """How an invitation's token is kept: whoever reads the database cannot use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _said(
    connection: Connection,
    statement: TextClause,
    invitation: Invitation,
    outcome: str,
    exchange: Sequence[Any],
) -> None:
    values = {"token": hashed(invitation.token), "outcome": outcome[:500]}
    connection.execute(statement, {**values, "exchange": json.dumps(list(exchange))})


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else rows.moment(milliseconds)
