"""What can be set for Prov: the wire, which is not public, the customer's centres, and exams.

The models are the one source for validation, for the instructor's form and for the tables in
docs/providers/prov.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from lti_bridge.core.launch.variables import SENT, literal, variable_in
from lti_bridge.providers.addresses import base_address
from lti_bridge.providers.prov import templates
from lti_bridge.providers.prov.model import Centre, Code, Number, Proctor, Scale

NEEDS = frozenset({"given_name", "family_name"})
"""What Prov has to learn about a person, beside an id."""

CANDIDATE = ("candidate_id", "name", "given_name", "family_name", "email", "address")
EVENT = (
    *CANDIDATE,
    *("exam_code", "exam_name", "location_code", "location_name", "location_address"),
    *("starts_at", "starts_at_utc", "date", "time", "extra_time_percent"),
    *("attempt_id", "callback_url", "return_url"),
)
CENTRE = ("centre_code", "centre_name", "centre_address")
PROCTOR = ("proctor_name", "proctor_user_name", "proctor_password", "centre_codes")
RESULT = ("event_id", "attempt_id", "candidate_id", "exam_code")
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "candidate_body": CANDIDATE,
        "event_body": EVENT,
        "centre_body": CENTRE,
        "proctor_body": PROCTOR,
        "candidate_path": CANDIDATE,
        "event_path": EVENT,
        "centre_path": CENTRE,
        "proctor_path": PROCTOR,
        "result_path": RESULT,
        "check_path": (),
    }
)
"""The placeholders of each template."""


def _base(value: str) -> str:
    return base_address(value) if value else value


def _moment(value: object) -> object:
    """An ISO text with a zone, or a variable; TOML also has dates of its own."""
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str) or variable_in(value) or not value:
        return value
    try:
        zoned = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        raise ValueError("must be a time with its zone like 2030-01-31T10:00:00+01:00")
    return value


_Text = Annotated[str, StringConstraints(max_length=255)]
_Page = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
_At = Annotated[str, StringConstraints(pattern=r"^([^.\s]+(\.[^.\s]+)*)?$", max_length=255)]
_Name = Annotated[str, StringConstraints(pattern=r"^[!-9;-~]*$", max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class ConnectionSettings(_Model):
    """One customer at Prov. Without base_url nothing is sent and files are exchanged instead."""

    base_url: Annotated[str, AfterValidator(_base)] = Field(
        "", title="API", description="What every path below is added to, from Prov."
    )
    auth_style: Literal["header", "basic", "bearer", "body"] | None = Field(
        None, title="Proof", description="How a call proves who sends it."
    )
    auth_name: _Name = Field(
        "", title="Name", description="The header, the user (basic) or the member (body)."
    )
    auth_value: SecretStr | None = Field(None, title="Secret", description="The proof itself.")
    candidate_id: Literal["learner", "attempt"] = Field(
        "learner", title="Candidate ID", description="One for each learner, or for each attempt."
    )
    candidate_path: str = Field("", title="Candidates", description="Where candidates are sent.")
    candidate_body: str = Field("", title="Candidate", description="JSON with {placeholders}.")
    event_path: str = Field("", title="Events", description="Where events are sent.")
    event_body: str = Field("", title="Event", description="JSON with {placeholders}.")
    event_id_path: _At = Field(
        "", title="Event ID", description="Where the answer has it: names with dots between."
    )
    event_url_path: _At = Field(
        "", title="Exam page", description="Where the answer has the exam's address, if anywhere."
    )
    centre_path: str = Field("", title="Centres", description="Where own centres are sent.")
    centre_body: str = Field("", title="Centre", description="JSON with {placeholders}.")
    proctor_path: str = Field("", title="Proctors", description="Where proctors are sent.")
    proctor_body: str = Field("", title="Proctor", description="JSON with {placeholders}.")
    check_path: str = Field("", title="Check", description="A path that answers 200 by GET.")
    result_path: str = Field("", title="Results", description="Where a result is asked for.")
    result_list_path: _At = Field(
        "", title="List", description="Where a message has its results, if it has several."
    )
    result_event_id_path: _At = Field("", title="Event ID", description="In a result.")
    result_candidate_id_path: _At = Field("", title="Candidate ID", description="In a result.")
    result_exam_code_path: _At = Field("", title="Exam code", description="In a result.")
    result_score_path: _At = Field("", title="Overall score", description="In a result.")
    result_domains_path: _At = Field("", title="Domains", description="A list in a result.")
    result_domain_path: _At = Field("", title="Domain", description="Its name, in that list.")
    result_domain_score_path: _At = Field("", title="Domain score", description="In that list.")
    centres: tuple[Centre, ...] = Field((), title="Own centres", description="With their seats.")
    proctors: tuple[Proctor, ...] = Field((), title="Proctors", description="Of own centres.")
    remote_locations: tuple[Code, ...] = Field(
        (), title="Elsewhere", description="Location codes that are none of the centres."
    )
    appointment_title: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        "You are registered", title="Page title", description="When there is no exam page."
    )
    appointment_text: _Page = Field(
        "Be there in time, with a proof of identity. Your grade will appear in your course by "
        "itself.",
        title="Page text",
        description="Instructions on that page, a paragraph a line.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        reasons = {**self._bad_templates(), **self._missing(), **self._bad_places()}
        if reasons:
            raise _problems(reasons)
        return self

    @property
    def asks(self) -> bool:
        """Whether results can be asked for."""
        return bool(self.base_url and self.result_path)

    @property
    def tells_address(self) -> bool:
        """Whether a candidate's e-mail address stands in anything that is sent."""
        return bool(self.base_url) and any("{email}" in getattr(self, key) for key in PLACEHOLDERS)

    @property
    def is_told(self) -> bool:
        """Whether a message that Prov sends can be read and belongs to an attempt."""
        if not self.base_url or not self.result_score_path:
            return False
        by_candidate = self.candidate_id == "attempt" and self.result_candidate_id_path
        addressed = "{callback_url}" in self.event_body
        return bool(self.result_event_id_path or by_candidate or addressed)

    def centre(self, location_code: str) -> Centre | None:
        """The customer's own centre with this code."""
        return next((one for one in self.centres if one.code == location_code), None)

    def _bad_templates(self) -> dict[str, str]:
        reasons = {}
        for key, known in PLACEHOLDERS.items():
            check = templates.check_body if key.endswith("_body") else templates.check_path
            try:
                if getattr(self, key):
                    check(getattr(self, key), known)
            except ValueError as error:
                reasons[key] = str(error)
        return reasons

    def _missing(self) -> dict[str, str]:
        if not self.base_url:
            return {}
        needed = {"auth_style", "auth_value", "event_path", "event_body"}
        if self.auth_style != "bearer":
            needed.add("auth_name")
        if self.result_path:
            needed.add("result_score_path")
        if self.result_path and "{event_id}" in self.result_path:
            needed.add("event_id_path")
        if self.result_event_id_path:
            needed.add("event_id_path")
        for name in ("candidate", "centre", "proctor"):
            if getattr(self, f"{name}_path") or getattr(self, f"{name}_body"):
                needed |= {f"{name}_path", f"{name}_body"}
        return {key: "is missing" for key in sorted(needed) if not getattr(self, key)}

    def _bad_places(self) -> dict[str, str]:
        codes = [centre.code for centre in self.centres] + list(self.remote_locations)
        reasons = {}
        if len(set(codes)) < len(codes):
            reasons["centres"] = "two places have the same code"
        own = {centre.code for centre in self.centres}
        if any(set(proctor.centre_codes) - own for proctor in self.proctors):
            reasons["proctors"] = "a proctor's centre_codes must be codes of centres"
        return reasons


class ActivitySettings(_Model):
    """One exam, where and when."""

    exam_code: Code = Field(title="Exam code", description="Prov's code of the exam.")
    exam_name: _Text = Field("", title="Exam name", description="What the exam is called.")
    location_code: _Text = Field("", title="Location", description="Code of centre or remote.")
    starts_at: Annotated[_Text, BeforeValidator(_moment)] = Field(
        "", title="Begin", description="Time with zone, or a variable; empty: when clicked."
    )
    score_min: Number = Field(title="Lowest", description="The lowest possible overall score.")
    score_max: Number = Field(title="Highest", description="The highest possible overall score.")
    max_sittings: int = Field(
        0, ge=0, le=100, title="Sittings", description="Of this exam code, at all links; 0: any."
    )
    address: _Text = Field("", title="Address", description="Of the candidate; LTI tells none.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.score_max <= self.score_min:
            raise _problems({"score_max": "must be above score_min"})
        return self

    @property
    def scale(self) -> Scale:
        """How a result is read."""
        return Scale(score_min=self.score_min, score_max=self.score_max)


def activity_settings(
    values: Mapping[str, Any], connection: ConnectionSettings
) -> ActivitySettings:
    """Validate an activity's settings for a connection. Raises pydantic's ValidationError."""
    settings = ActivitySettings.model_validate(values)
    places = {centre.code for centre in connection.centres} | set(connection.remote_locations)
    if connection.centres and settings.location_code not in places:
        reason = "is neither the code of a centre nor listed in remote_locations"
        raise _problems({"location_code": reason})
    return settings


def link_settings(custom: Mapping[str, str], connection: ConnectionSettings) -> ActivitySettings:
    """The settings that a course link writes out in its own custom parameters.

    Other names belong to the LMS. What it did not resolve is no value, and nothing that it sent
    is read as a variable again. Raises as `activity_settings`.
    """
    ours = {name: value for name, value in custom.items() if name in ActivitySettings.model_fields}
    values = {name: literal(value) for name, value in ours.items() if not variable_in(value)}
    if "address" in ours:  # each learner's own, filled in by the LMS at every launch
        values["address"] = f"${SENT}address"
    return activity_settings(values, connection)


def parameters(settings: ActivitySettings) -> dict[str, str]:
    """An activity's settings as text, with the variables in it as they were written."""
    values = {name: str(getattr(settings, name)) for name in ActivitySettings.model_fields}
    return {name: value for name, value in values.items() if value}


def _problems(reasons: Mapping[str, str]) -> ValidationError:
    # Raised inside a validator, pydantic keeps these under their own keys.
    details = [
        InitErrorDetails(
            input=None, type=PydanticCustomError("prov", "{why}", {"why": reason}), loc=(key,)
        )
        for key, reason in reasons.items()
    ]
    return ValidationError.from_exception_data("prov", details)
