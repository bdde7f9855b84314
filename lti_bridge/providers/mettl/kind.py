"""Mettl as a provider: one candidate is registered per launch, and results are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lti_bridge.core.attempt.capabilities import (
    BY_ADDRESS,
    CALLBACK,
    CHECK,
    CHOICES,
    COSTS,
    FETCH,
    FORGET,
    REMOTE,
    VERDICT,
)
from lti_bridge.core.attempt.extra_time import ExtraTime
from lti_bridge.core.attempt.provider import Callback, Choice, Report, Session, Sitting, Started
from lti_bridge.core.launch.handoff import MARKING, Handoff, Redirect
from lti_bridge.providers.contract import Kind, Tools
from lti_bridge.providers.mettl import hooks, results
from lti_bridge.providers.mettl.client import Client, Registration
from lti_bridge.providers.mettl.errors import (
    DurationMissing,
    NoFurtherAttempt,
    UnknownRefusal,
    Unspecified,
)
from lti_bridge.providers.mettl.schedules import Schedules
from lti_bridge.providers.mettl.settings import (
    ActivitySettings,
    activity_settings,
    connection_settings,
    custom_parameters,
    link_settings,
    options,
)
from lti_bridge.providers.mettl.wire import Wire

LINK_KEPT_S = 5  # a double click needs no second call; later ones ask, for the link may expire


@dataclass(frozen=True, slots=True)
class MettlProvider:
    """One account at Mettl. `region` is the host of its API."""

    client: Client
    schedules: Schedules
    tools: Tools
    region: str

    def start(self, session: Session) -> Started:
        """Register the learner in the attempt's schedule; once more gives the same link."""
        _extra_minutes(session)  # refuse before anything is made
        key, email = self.schedules.access_key(session), session.person.email
        data: dict[str, Any] = {"access_key": key, "email": email}
        self.tools.claim(session, *self.known_as(data))
        registration = self._register(session, key, email)
        if session.settings.second_attempt == "delete":
            if registration.status == results.COMPLETED and session.attempt_number > 1:
                registration = self._afresh(session, key, email, registration)
            data["context"] = self._context(key, email)
        handoff = _handoff(registration)
        if isinstance(handoff, Redirect):
            data |= {"link": handoff.url, "link_until": self._now() + LINK_KEPT_S}
        return Started(handoff, hooks.reference(self.tools.sign, key, email), data)

    def resume(self, session: Session) -> Handoff:
        """The link again: registering under the same address makes nothing new."""
        if self._now() < session.data.get("link_until", 0):
            return Redirect(session.data["link"])
        key, email = session.data["access_key"], session.data["email"]
        return _handoff(self._register(session, key, email))

    def known_as(self, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """A candidate is an e-mail address in a schedule, whose access key no other one has."""
        if "email" not in data:  # its start has not been confirmed
            return ()
        return ((f"mettl {self.region} {data['access_key']}", data["email"]),)

    def custom(self, settings: Any) -> Mapping[str, str]:
        """What is set, and the registration fields, which may be variables."""
        return custom_parameters(settings)

    def read_callback(self, callback: Callback) -> list[Report]:
        """A web-hook: a hint about one attempt."""
        return hooks.read(self.tools.sign, callback)

    def fetch(self, sitting: Sitting) -> Report:
        """Ask for the candidate's status and result."""
        if "email" not in sitting.data:  # its start has not been confirmed
            return Report()
        candidate = self.client.candidate(sitting.data["access_key"], sitting.data["email"])
        known, told = sitting.data.get("context"), candidate.get("context_data")
        if known and isinstance(told, str) and told and told != known:
            return Report()  # deleted and registered again: this is a later attempt
        return results.read(sitting, candidate)

    def choices(self) -> list[Choice]:
        """Schedules and assessments of the account."""
        return self.schedules.choices()

    def check(self) -> str:
        """Ask for the account, which needs the right keys and the right clock."""
        self.client.account()
        return "Mettl accepts the keys of this connection."

    def forget(self, sitting: Sitting) -> None:
        """Delete the result at Mettl, which refuses while the test is running."""
        if "email" not in sitting.data:
            return
        key, email = sitting.data["access_key"], sitting.data["email"]
        try:
            self.client.delete(key, email)
        except Unspecified:
            if self._is_known(key, email):
                raise

    def _now(self) -> int:
        return int(self.tools.clock().timestamp())

    def _is_known(self, key: str, email: str) -> bool:
        # one code for everything: only asking tells "the test runs" from "gone already"
        try:
            self.client.candidate(key, email)
        except Unspecified:
            return False
        return True

    def _register(self, session: Session, key: str, email: str) -> Registration:
        settings = session.settings
        further = {name: session.custom.get(name, "") for name in settings.registration}
        details = {
            settings.first_name_field: session.person.given_name,
            settings.email_field: email,
            **{name: value for name, value in further.items() if value},
        }
        optional: dict[str, Any] = {
            "email": email,
            "context_data": hooks.context_data(self.tools.sign, session.attempt_id),
        }
        if minutes := _extra_minutes(session):
            optional["compensatory_time"] = minutes
        return self.client.register(key, details, optional, options(settings))

    def _afresh(self, session: Session, key: str, email: str, former: Registration) -> Registration:
        """Delete the result of an earlier attempt and register again."""
        if self._context(key, email) == hooks.context_data(self.tools.sign, session.attempt_id):
            return former  # it is this very attempt's, whose start was not confirmed
        refused = "the result is still there"
        try:
            self.client.delete(key, email)
        except (Unspecified, UnknownRefusal) as error:
            refused = error.detail  # or it is gone already, by another click of the same learner
        registration = self._register(session, key, email)
        if registration.status == results.COMPLETED:
            raise NoFurtherAttempt(refused)
        return registration

    def _context(self, key: str, email: str) -> str:
        context = self.client.candidate(key, email).get("context_data")
        return context if isinstance(context, str) else ""


def _handoff(registration: Registration) -> Handoff:
    return MARKING if registration.status == results.COMPLETED else Redirect(registration.url)


def _extra_minutes(session: Session) -> int:
    """Extra time in whole minutes, rounded up. Raises DurationMissing."""
    percent, duration = session.extra_time_percent, session.settings.duration_min
    if percent and not duration:
        raise DurationMissing("duration_min is not set")
    return -(-percent * (duration or 0) // 100)


def _build(settings: Any, tools: Tools) -> MettlProvider:
    client = Client(Wire(settings, tools))
    region = urlsplit(settings.base_url).netloc.lower()
    return MettlProvider(client, Schedules(client, tools.hook_url), tools, region)


def _extra_time(settings: Any, _connection: Any) -> ExtraTime:
    if settings.duration_min:
        return ExtraTime(taken=True, note="")
    return ExtraTime(note="Mettl takes minutes: set duration_min, the test's own time, first.")


KIND = Kind(
    name="mettl",
    title="Mettl",
    connection=connection_settings,
    activity=lambda values, connection: activity_settings(values),
    inline=lambda custom, connection: link_settings(custom),
    forms=lambda settings: (ActivitySettings,),
    build=_build,
    needs=frozenset({"email", "given_name"}),
    wants=frozenset({"family_name"}),
    capabilities=lambda settings: frozenset(
        {REMOTE, COSTS, VERDICT, CALLBACK, FETCH, CHOICES, CHECK, FORGET, BY_ADDRESS}
    ),
    repeatable=lambda settings: True,
    extra_time=_extra_time,
)
