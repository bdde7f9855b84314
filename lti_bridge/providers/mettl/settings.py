"""What can be set for Mettl: connections by their API keys, activities by schedule or assessment.

Names of Mettl's own parameters are kept. Source: support.mettl.com, "Register Candidates in
Schedule" and "API Authentication and Signature Generation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from lti_bridge.core.launch.variables import literal, variable_in
from lti_bridge.providers.addresses import is_safe


def _address(value: str) -> str:
    """What is signed is the address as it is written, so nothing here may be optional."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"https?://[^/?#@\s]+(/[\w.~/-]*)?", value, re.ASCII):
        raise ValueError("must be an address like https://api.mettl.com, without query")
    if not is_safe(value):
        raise ValueError("must begin with https:// (http:// only on this very machine)")
    return value.rstrip("/")


def _fields(value: object) -> object:
    """Registration fields as a table, or as a link writes them: "Name = value; Name = value"."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(";") if part.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError('must be written like "Last Name = $Person.name.family; City = Lille"')
    return {name.strip(): text.strip() for name, _, text in pairs}


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
_Address = Annotated[str, AfterValidator(_address)]
_Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
_Number = Annotated[int, Field(ge=1, le=10**9)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class ConnectionSettings(_Model):
    """One Mettl account: the API of its region, and its two keys."""

    base_url: _Address = Field(
        "https://api.mettl.com",
        title="API address",
        description="The API of your region; https://api.mercermettl.eu for Europe.",
    )
    api_version: Literal[1, 2] = Field(
        2, title="API version", description="2 signs with SHA-256, 1 (the old one) with SHA-1."
    )
    public_key: _Text = Field(title="Public key", description="The public API key (ak).")
    private_key: SecretStr = Field(
        min_length=1, title="Private key", description="The private API key, which signs calls."
    )
    post_style: Literal["form", "query"] = Field(
        "form",
        title="POST style",
        description="form: values in the body; query: in the address, where logs may keep them.",
    )


class ActivitySettings(_Model):
    """A test of the account, and how its candidates are registered."""

    access_key: _Key | None = Field(
        None,
        title="Schedule",
        description='Access key of a schedule: the end of its "Link to Share".',
    )
    assessment_id: _Key | None = Field(
        None,
        title="Assessment",
        description="Id of an assessment, instead: the bridge makes a schedule per course link.",
    )
    allowMissingMandatoryRegistrationFields: bool = Field(
        False,
        title="Missing fields allowed",
        description="Mettl asks the student for mandatory fields that were not sent.",
    )
    timeLimitInSec: _Number | None = Field(
        None,
        title="Link valid for",
        description="Seconds until the student's link expires; each click makes it anew.",
    )
    showCustomInstructions: bool = Field(
        False, title="Instructions", description="Show the assessment's own instructions first."
    )
    registration: Annotated[dict[_Text, str], BeforeValidator(_fields)] = Field(
        default_factory=dict,
        title="Registration fields",
        description="Further fields by their exact names at Mettl; values may be variables.",
    )
    first_name_field: _Text = Field(
        "First Name",
        title="Name of the first-name field",
        description="Its exact name in an assessment that is not in English.",
    )
    email_field: _Text = Field(
        "Email Address",
        title="Name of the e-mail field",
        description="Its exact name in an assessment that is not in English.",
    )
    second_attempt: Literal["new-schedule", "delete"] = Field(
        "new-schedule",
        title="Another attempt",
        description=(
            "Mettl has one result per address and schedule. new-schedule: another schedule for "
            "every further attempt; delete: the former result is deleted at Mettl."
        ),
    )
    duration_min: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None,
        title="Duration",
        description="Minutes the test takes; needed for students who get extra time.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.access_key is None) == (self.assessment_id is None):
            raise ValueError("needs access_key or assessment_id, and not both")
        taken = {self.first_name_field, self.email_field, *type(self).model_fields}
        if wrong := sorted(taken & set(self.registration)):
            raise ValueError(f"registration: {', '.join(wrong)} cannot be set there")
        return self


def connection_settings(values: Mapping[str, Any]) -> ConnectionSettings:
    """Validate a connection's own keys. Raises pydantic's ValidationError, as all of these do."""
    return ConnectionSettings.model_validate(values)


def activity_settings(values: Mapping[str, Any]) -> ActivitySettings:
    """Validate an activity's settings; an empty field of a form counts as left out."""
    given = {key: value for key, value in values.items() if value is not None and value != ""}
    return ActivitySettings.model_validate(given)


def link_settings(custom: Mapping[str, str]) -> ActivitySettings:
    """The settings that a course link writes out in its own custom parameters.

    LTI 1.1 changes case and punctuation of names on the way, so these do not count. A variable
    that the LMS did not resolve is no value (LTI Core 1.3 appendix B).
    """
    names = {_folded(name): name for name in ActivitySettings.model_fields}
    found = {names[_folded(key)]: value for key, value in custom.items() if _folded(key) in names}
    return activity_settings({k: v for k, v in found.items() if not variable_in(v)})


def custom_parameters(settings: ActivitySettings) -> dict[str, str]:
    """What is set, by name; the registration fields stand beside the others.

    Only the values of registration fields may be variables.
    """
    own = settings.model_dump(exclude={"registration"}, exclude_defaults=True)
    return {**{key: literal(_wire(value)) for key, value in own.items()}, **settings.registration}


def options(settings: ActivitySettings) -> dict[str, str]:
    """The optional parameters of a registration, as they go on the wire."""
    names = ("allowMissingMandatoryRegistrationFields", "timeLimitInSec", "showCustomInstructions")
    values = {name: getattr(settings, name) for name in names}
    return {name: _wire(value) for name, value in values.items() if value}


def _folded(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _wire(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
