"""iTEP as a provider: a signed order takes a test ID, a web-hook brings the level."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from lti_bridge.core.attempt.capabilities import (
    ADOPT,
    CALLBACK,
    CHECK,
    COSTS,
    IMPORT,
    JUDGE,
    REMOTE,
    STOCK,
    VERDICT,
)
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Callback, Report, Session, Sitting, Started
from lti_bridge.core.launch.handoff import Handoff, InfoPage
from lti_bridge.core.launch.variables import variable_in
from lti_bridge.core.records import Attempt
from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.errors import AccessRefused, AnswerLost, BadRequest, ConfigurationError
from lti_bridge.providers.contract import Kind, Tools, check_facts
from lti_bridge.providers.itep import csv_files, oids, registration, results
from lti_bridge.providers.itep.client import Client
from lti_bridge.providers.itep.settings import (
    GTX,
    NEEDS,
    STX,
    ActivitySettings,
    ConnectionSettings,
    activity_settings,
    link_settings,
    parameters,
)
from lti_bridge.providers.itep.stock import Stock

log = logging.getLogger("lti_bridge.itep")


@dataclass(frozen=True, slots=True)
class Itep:
    """One account at iTEP."""

    settings: ConnectionSettings
    tools: Tools
    client: Client
    stock: Stock

    @classmethod
    def connect(cls, settings: ConnectionSettings, tools: Tools) -> Itep:
        """The provider of a connection; nothing is sent yet."""
        return cls(settings, tools, Client(settings, tools), Stock(settings, tools))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """Product code, track, copy and the fields of the registration form."""
        return parameters(settings)

    def start(self, session: Session) -> Started:
        """Take a test ID; it stays this attempt's, whatever happens afterwards."""
        activity = session.settings
        order = self._order(session)
        if session.extra_time_percent:
            facts = {"connection": self.tools.connection, "attempt": session.attempt_id}
            log.warning("itep.extra-time-by-hand", extra=facts)  # no field of the order tells it
        try:
            given = self.client.take(activity.process, order)
        except AnswerLost:
            self.stock.take(activity.test_type)
            raise
        self.stock.take(activity.test_type)
        data = {"process": activity.process}
        if activity.process == GTX:  # shown again when the student comes back
            data |= {"test_id": given.test_id, "password": given.password}
        # only a tracking code lets iTEP tell the result
        told = bool(order.get("track"))
        return Started(self._note(data), given.test_id, data, expects_result=told)

    def resume(self, session: Session) -> Handoff:
        """The same page again; takes no other ID."""
        return self._note(session.data)

    def read_callback(self, callback: Callback) -> list[Report]:
        """One result, in the form field `data`. Its OID has to be one that was issued here."""
        self._authenticate(callback)
        data = _object(callback.form.get("data", ""))
        attempt_id = self.attempt_of(str(data.get("OID", "")))
        if not attempt_id or callback.attempt_id not in ("", attempt_id):
            raise AccessRefused("an OID that was not issued here")
        return [results.read(attempt_id, data)]

    def judge(self, attempt: Attempt, settings: Any, report: Report) -> Report:
        """What a result means for an attempt that may have a grade already."""
        clears, tools = self.settings.clear_on_invalidation, self.tools
        return results.Judge(clears, tools.next_number, tools.last_number).judge(attempt, report)

    def check(self) -> str:
        """iTEP has nothing to ask without taking a test ID: the stock by our own count."""
        left = self.stock.left().items()
        counted = ", ".join(f"{name} {count}" for name, count in left) or "no stock is set"
        return (
            "iTEP cannot be asked without taking a test ID. Left by the bridge's own count: "
            f"{counted}."
        )

    def running_out(self) -> Mapping[str, int]:
        """Test types of which few IDs are left, by our own count."""
        few = self.settings.stock_warning
        return {name: count for name, count in self.stock.left().items() if count <= few}

    def attempt_of(self, oid: str) -> str:
        """The attempt that was ordered under this OID, empty when there is none."""
        return oids.attempt_of(self.tools.sign, oid)

    def import_results(self, text: str, sittings: Sequence[Sitting]) -> list[ImportedLine]:
        """Read a CSV file of results that staff bring by hand; its OIDs name the attempts."""
        return csv_files.import_results(text, self.attempt_of)

    def adopt(self, sitting: Sitting, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """The test ID is the reference; the password, where there is one, has to be told."""
        if sitting.settings is None:
            raise ConfigurationError("the attempt's activity is no longer in the configuration")
        gtx = sitting.settings.process == GTX
        check_facts(facts, {}, {"password": "the test's password"} if gtx else {})
        data = {"process": sitting.settings.process}
        if gtx:
            data |= {"test_id": sitting.reference, "password": facts.get("password", "")}
        return data

    def _order(self, session: Session) -> dict[str, Any]:
        """The document of the order, in the order of iTEP's example."""
        person, activity = session.person, session.settings
        oid = oids.issue(self.tools.sign, session.attempt_id)
        chosen = {name: session.custom.get(name, "") for name in activity.registration}
        fields = {
            "Last_Name": person.family_name,
            "First_Name": person.given_name,
            "Email": person.email,
            **{name: value for name, value in chosen.items() if value and not variable_in(value)},
        }
        assigned: dict[str, Any] = {
            "student-name": f"{person.given_name} {person.family_name}".strip(),
            "email": person.email,
            "customer-candidate-id": oid,
        }
        if self.settings.expire_days:
            last = self.tools.clock() + timedelta(days=self.settings.expire_days)
            assigned = {"expire": last.date().isoformat(), **assigned}
        order = {
            "product-code": activity.product_code,
            "email": person.email if activity.process == STX else "",
            "bcc": session.custom.get("bcc", ""),
            "track": session.custom.get("track", ""),
            "assigned-to": assigned,
            "registration": {
                **registration.written(fields, self.settings.allowed),
                registration.OURS: oid,
            },
        }
        return {name: value for name, value in order.items() if value}

    def _note(self, data: Mapping[str, Any]) -> InfoPage:
        settings = self.settings
        if data.get("process") == STX:
            return InfoPage(settings.mail_title, tuple(settings.mail_text.splitlines()))
        test_id, password = str(data.get("test_id", "")), str(data.get("password", ""))
        details = ((settings.test_id_label, test_id), (settings.password_label, password))
        return InfoPage(
            title=settings.handoff_title,
            paragraphs=tuple(settings.handoff_text.splitlines()),
            details=tuple(pair for pair in details if pair[1]),
            link=settings.launch_template.replace("{test_id}", quote(test_id, safe="")),
            link_label=settings.link_label,
        )

    def _authenticate(self, callback: Callback) -> None:
        name, value = self.settings.hook_header_name, self.settings.hook_header_value
        if value is None:
            return
        sent = callback.headers.get(name, "")
        if not hmac.compare_digest(sent.encode(), value.get_secret_value().encode()):
            raise AccessRefused("the header agreed with iTEP is missing or wrong")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=str)
    except (ValueError, ArithmeticError, RecursionError):
        raise BadRequest("the field data is not JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the field data is no JSON object")
    return value


KIND = Kind(
    extra_time=lambda settings, connection: ExtraTime(
        note="No field of an iTEP order tells extra time: ask iTEP to set it for the test ID."
    ),
    name="itep",
    title="iTEP",
    connection=ConnectionSettings.model_validate,
    activity=activity_settings,
    inline=link_settings,
    personal=frozenset(name.lower() for name in registration.FIELDS),
    forms=lambda settings: (ActivitySettings,),
    build=Itep.connect,
    needs=NEEDS,
    capabilities=lambda settings: frozenset(
        {REMOTE, COSTS, VERDICT, CALLBACK, JUDGE, STOCK, CHECK, IMPORT, ADOPT}
    ),
)
