"""Prov as a provider: candidate and event go out, a score comes back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lti_bridge.core.attempt.capabilities import (
    ADOPT,
    CALLBACK,
    CHECK,
    COSTS,
    EXPORT,
    FETCH,
    IMPORT,
    JUDGE,
    REMOTE,
)
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Callback, Report, Session, Sitting, Started
from lti_bridge.core.launch.handoff import Handoff, InfoPage, Redirect
from lti_bridge.core.records import Attempt
from lti_bridge.core.staff.files import ImportedLine
from lti_bridge.errors import AnswerLost, BadRequest, BridgeError
from lti_bridge.providers.contract import Kind, Tools
from lti_bridge.providers.prov import csv_files, registrations, results
from lti_bridge.providers.prov.client import Client, read
from lti_bridge.providers.prov.errors import OtherResult
from lti_bridge.providers.prov.model import Registration, Result
from lti_bridge.providers.prov.places import Places
from lti_bridge.providers.prov.settings import (
    NEEDS,
    ActivitySettings,
    ConnectionSettings,
    activity_settings,
    link_settings,
    parameters,
)

log = logging.getLogger("lti_bridge.prov")


@dataclass(frozen=True, slots=True)
class Prov:
    """One customer at Prov. `_told` are the centres that this process has sent."""

    settings: ConnectionSettings
    tools: Tools
    client: Client
    places: Places
    _told: set[str] = field(default_factory=set)

    @classmethod
    def connect(cls, settings: ConnectionSettings, tools: Tools) -> Prov:
        """The provider of a connection; nothing is sent yet."""
        return cls(settings, tools, Client(settings, tools), Places(settings, tools))

    def custom(self, settings: Any) -> Mapping[str, str]:
        """Exam, place, time, scale and what else an activity says."""
        return parameters(settings)

    def start(self, session: Session) -> Started:
        """Reserve what the exam needs, then register candidate and event."""
        registration = registrations.of_session(session, self.settings, self.tools.clock())
        if self.settings.tells_address:  # Prov may know the candidate by it
            address = registration.candidate.email
            self.tools.claim(session, (f"prov {self.settings.base_url} email", address))
        self.places.take(registration, session.learner_id, session.settings)
        try:
            event_id, url = self._register(registration, session)
        except AnswerLost:
            raise
        except BridgeError:
            self.tools.give_back(session.attempt_id)
            raise
        data = registrations.kept(registration, self.settings, url)
        expects = self.settings.asks or self.settings.is_told
        return Started(self._handoff(data), event_id, data, expects_result=expects)

    def resume(self, session: Session) -> Handoff:
        """The exam's page or the appointment again; registers nothing."""
        return self._handoff(session.data)

    def fetch(self, sitting: Sitting) -> Report:
        """Ask for the result of one event."""
        candidate_id, exam_code = sitting.data["candidate_id"], sitting.data["exam_code"]
        document = self.client.result(
            {
                "event_id": sitting.reference,
                "attempt_id": sitting.attempt_id,
                "candidate_id": candidate_id,
                "exam_code": exam_code,
            }
        )
        found = results.in_message(document, self.settings)
        wanted = Result(event_id=sitting.reference, candidate_id=candidate_id, exam_code=exam_code)
        ours = [one for one in found if _agree(one, wanted)]
        if found and not ours:
            raise OtherResult("the answer is about another event or candidate")
        if not ours:
            return Report()
        scale = registrations.scale_of(sitting.data, sitting.settings)
        report = results.report(ours[-1], scale, sitting.attempt_id)
        keeps = sitting.state == "graded" and report.score is None
        return Report() if keeps else report

    def read_callback(self, callback: Callback) -> list[Report]:
        """The results in a message: hints where Prov can be asked, else to be judged."""
        found = results.in_message(read(callback.body), self.settings)
        reports = [self._told_of(callback, one) for one in found]
        reports = [one for one in reports if one.attempt_id or one.reference]
        if not reports:
            raise BadRequest("no result of an event")
        return reports

    def judge(self, attempt: Attempt, settings: Any, report: Report) -> Report:
        """The score of a message, on the scale of its attempt's exam."""
        told = Result(
            event_id=report.raw["event_id"],
            exam_code=report.raw["exam_code"],
            overall_score=results.number_of(report.raw.get("overall_score")),
        )
        wanted = Result(event_id=attempt.reference, exam_code=attempt.data.get("exam_code", ""))
        if not _agree(told, wanted):
            log.error("prov.other-result", extra={"attempt": attempt.id})
            return replace(report, state=None)
        scale = registrations.scale_of(attempt.data, settings)
        judged = results.report(told, scale, attempt.id)
        if judged.score is None and attempt.score is not None:
            return replace(report, state=None)  # never takes a grade away
        return replace(report, state=judged.state, score=judged.score)

    def check(self) -> str:
        """Call the path that the connection names for it."""
        self.client.check()
        return "Prov answers and accepts the account."

    def import_results(self, text: str, sittings: Sequence[Sitting]) -> list[ImportedLine]:
        """Read a CSV file of results that staff bring by hand."""
        return csv_files.import_results(text, map(_registration_of, sittings))

    def export_registrations(self, sittings: Sequence[Sitting]) -> str:
        """Who is to be registered, as CSV; with names only where there is no API."""
        return csv_files.export_registrations(map(_registration_of, sittings))

    def adopt(self, sitting: Sitting, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """The event as it is kept: what the activity says, and what it could not say."""
        return registrations.adopted(sitting, self.settings, facts)

    def _register(self, registration: Registration, session: Session) -> tuple[str, str]:
        if not self.settings.base_url:
            return "", ""
        self._send_centre(registration.event.location_code)
        values = registrations.values(registration, self.settings)
        self.client.put("candidate", values)
        extra = session.extra_time_percent
        if extra and "{extra_time_percent}" not in self.settings.event_body:
            facts = {"connection": self.tools.connection, "attempt": session.attempt_id}
            log.warning("prov.extra-time-by-hand", extra=facts)
        more = {
            "callback_url": session.callback_url,
            "return_url": session.return_url,
            "extra_time_percent": str(extra),
        }
        return self.client.add_event({**values, **more})

    def _send_centre(self, code: str) -> None:
        """Tell Prov of an own centre and who supervises there, before its first exam."""
        centre = self.settings.centre(code)
        if centre is None or code in self._told:
            return
        place = {"centre_code": code, "centre_name": centre.name, "centre_address": centre.address}
        self.client.put("centre", place)
        for proctor in self.settings.proctors:
            if code in proctor.centre_codes:
                who: dict[str, str | list[str]] = {
                    "proctor_name": proctor.name,
                    "proctor_user_name": proctor.user_name,
                    "proctor_password": proctor.password.get_secret_value(),
                    "centre_codes": list(proctor.centre_codes),
                }
                self.client.put("proctor", who)
        self._told.add(code)

    def _handoff(self, data: Mapping[str, Any]) -> Handoff:
        if data["url"]:
            return Redirect(data["url"])
        event = registrations.event_of(data)
        centre = self.settings.centre(event.location_code)
        where = f"{centre.name}, {centre.address}" if centre else event.location_code
        offset = event.starts_at.isoformat()[-6:]
        details = (
            ("Exam", event.exam_name or event.exam_code),
            ("Time", f"{event.starts_at:%A, %d %B %Y, %H:%M} (UTC{offset})"),
            ("Place", where),
        )
        return InfoPage(
            title=self.settings.appointment_title,
            paragraphs=tuple(self.settings.appointment_text.splitlines()),
            details=tuple(pair for pair in details if pair[1]),
        )

    def _told_of(self, callback: Callback, result: Result) -> Report:
        attempt_id = callback.attempt_id
        if not attempt_id and not result.event_id and self.settings.candidate_id == "attempt":
            attempt_id = result.candidate_id
        told = results.kept(result)
        return Report(
            attempt_id=attempt_id,
            reference=result.event_id,
            state="graded" if result.overall_score is not None else None,
            event=results.event_of(told),
            raw=told,
            hint=self.settings.asks,
            named=self._names(result),
        )

    def _names(self, result: Result) -> dict[str, str]:
        """Whom a message is about: where the candidate's place is known, it has to be said."""
        if not self.settings.result_candidate_id_path:
            return {}
        return {"candidate_id": result.candidate_id}


def _registration_of(sitting: Sitting) -> Registration:
    return registrations.of_data(sitting.attempt_id, sitting.data, sitting.settings)


def _agree(told: Result, wanted: Result) -> bool:
    """Whether a result is about this event; what it does not say does not count."""
    pairs = (
        (told.event_id, wanted.event_id),
        (told.candidate_id, wanted.candidate_id),
        (told.exam_code, wanted.exam_code),
    )
    return all(not one or not other or one == other for one, other in pairs)


def _capabilities(settings: ConnectionSettings) -> frozenset[str]:
    found = {REMOTE, COSTS, IMPORT, EXPORT, ADOPT}
    if settings.asks:
        found.add(FETCH)
    if settings.is_told:
        found |= {CALLBACK, JUDGE}
    if settings.base_url and settings.check_path:
        found.add(CHECK)
    return frozenset(found)


def _extra_time(_settings: Any, connection: Any) -> ExtraTime:
    if connection.base_url and "{extra_time_percent}" in connection.event_body:
        return ExtraTime(taken=True, note="")
    return ExtraTime(note="No document tells Prov of it, as event_body has no extra_time_percent.")


KIND = Kind(
    extra_time=_extra_time,
    name="prov",
    title="Prov",
    connection=ConnectionSettings.model_validate,
    activity=activity_settings,
    inline=link_settings,
    personal=frozenset({"address"}),
    forms=lambda settings: (ActivitySettings,),
    build=Prov.connect,
    needs=NEEDS,
    capabilities=_capabilities,
)
