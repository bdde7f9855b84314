"""What can be set for iTEP: all that its public document leaves open, and an activity's order.

The models are the one source for validation, for the instructor's form and for the tables in
docs/providers/itep.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from lti_bridge.core.launch.variables import SENT, variable_in
from lti_bridge.providers.addresses import complete_address
from lti_bridge.providers.itep import registration
from lti_bridge.providers.itep.signing import Encoding

NEEDS = frozenset({"given_name", "family_name", "email"})
"""What iTEP has to learn about a person: the test is registered in their name."""

GTX, STX = "GTX", "STX"


def _template(value: str) -> str:
    filled = value.replace("{test_id}", "x")
    if "{" in filled or "}" in filled:
        raise ValueError("may hold {test_id} and no other placeholder")
    if filled:
        complete_address(filled)
    return value


def _mail(value: str) -> str:
    if value and not variable_in(value) and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise ValueError("must be an e-mail address, or a variable")
    return value


_Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Page = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*$")]
_PATH = r"[^.\s]+(\.[^.\s]+)*"
_Path = Annotated[str, StringConstraints(pattern=f"^{_PATH}$", max_length=255)]
_PathOrNone = Annotated[str, StringConstraints(pattern=f"^({_PATH})?$", max_length=255)]
_List = tuple[_Text, ...]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class ConnectionSettings(_Model):
    """One account at iTEP. Whatever iTEP has to tell you has no default: a guess costs test IDs."""

    endpoint: Annotated[str, AfterValidator(complete_address)] = Field(
        title="Endpoint", description="Where test IDs are ordered, from iTEP."
    )
    secret: SecretStr = Field(
        min_length=1, title="API key", description="Made in iTEP's administration, PRODUCT CODE."
    )
    header_name_gtx: _HeaderName = Field(
        "", title="GTX header", description="Name of the header that signs GTX orders, from iTEP."
    )
    header_name_stx: _HeaderName = Field(
        "", title="STX header", description="Name of the header that signs STX orders, from iTEP."
    )
    sig_encoding: Encoding = Field(
        title="Signature", description="How the signature is written: hex, HEX or base64."
    )
    sig_prefix: str = Field(
        "", title="Prefix", description="What stands before the signature, such as sha256=."
    )
    sequence_mode: Literal["none", "counter", "timestamp"] = Field(
        title="Sequence", description="What `sequence` holds: nothing, a rising number, seconds."
    )
    response_test_id_path: _Path = Field(
        title="Test ID", description="Where the answer has the test ID: names with dots between."
    )
    response_password_path: _PathOrNone = Field(
        "", title="Password", description="Where the answer has the password; empty: nowhere."
    )
    out_of_stock_text: _List = Field(
        (), title="No IDs left", description="Words in an answer that say so, from iTEP."
    )
    launch_template: Annotated[str, AfterValidator(_template)] = Field(
        "", title="Test page", description="Address of the test; {test_id} may stand in it."
    )
    hook_header_name: _HeaderName = Field(
        "", title="Hook header", description="Header that iTEP sends with results, if agreed."
    )
    hook_header_value: SecretStr | None = Field(
        None, title="Hook secret", description="What that header has to hold."
    )
    enum_gender: _List = Field((), title="Genders", description="Values iTEP takes.")
    enum_education: _List = Field((), title="Educations", description="Values iTEP takes.")
    enum_field_of_study: _List = Field((), title="Study fields", description="Values iTEP takes.")
    expire_days: int = Field(
        0, ge=0, title="Expiry", description="Days after which an unused ID may be given away."
    )
    stock: dict[_Text, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        title="Stock",
        description="IDs bought so far for this bridge, by test type (Academic-Plus).",
    )
    stock_warning: int = Field(
        5, ge=0, title="Few left", description="From how few IDs of a type the log warns."
    )
    clear_on_invalidation: bool = Field(
        False, title="Take back", description="Whether an invalidated test loses its grade."
    )
    handoff_title: _Text = Field(
        "Your test is ready", title="GTX title", description="Headline of the page with the ID."
    )
    handoff_text: _Page = Field(
        "Open the test and log in with the test ID and the password below. You can open this link "
        "again to see them. They are yours alone: do not pass them on.",
        title="GTX text",
        description="Instructions on that page, a paragraph a line.",
    )
    test_id_label: _Text = Field("Test ID", title="ID label", description="Before the test ID.")
    password_label: _Text = Field("Password", title="Password label", description="Before it.")
    link_label: _Text = Field("Open the test", title="Link", description="The button to the test.")
    mail_title: _Text = Field(
        "Look into your mailbox", title="STX title", description="Headline when iTEP writes."
    )
    mail_text: _Page = Field(
        "iTEP has sent you an e-mail with your test ID and all you need to start the test.",
        title="STX text",
        description="Text of that page, a paragraph a line.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        reasons = {}
        if not self.header_name_gtx and not self.header_name_stx:
            reasons["header_name_gtx"] = "is missing, and so is header_name_stx; ask iTEP for them"
        if bool(self.hook_header_name) != bool(self.hook_header_value):
            reasons["hook_header_name"] = "goes together with hook_header_value"
        if reasons:
            raise _problems(reasons)
        return self

    def header_name(self, process: str) -> str:
        """The header that selects GTX or STX."""
        return self.header_name_gtx if process == GTX else self.header_name_stx

    @property
    def allowed(self) -> registration.Allowed:
        """The values of the registration fields that have a list."""
        return {
            "Gender": self.enum_gender,
            "Education": self.enum_education,
            "Field_Of_Study": self.enum_field_of_study,
        }


class ActivitySettings(_Model):
    """What is ordered for each attempt. Text may be a variable such as $Person.sourcedId."""

    product_code: Annotated[str, StringConstraints(pattern=r"^(GTX|STX)-[A-Za-z0-9._-]{1,80}$")] = (
        Field(
            title="Product code",
            description="GTX-…: the student sees ID and password here; STX-…: iTEP mails them.",
        )
    )
    track: Annotated[str, StringConstraints(max_length=255)] = Field(
        "", title="Tracking code", description="From iTEP; without it no result ever comes back."
    )
    bcc: Annotated[str, AfterValidator(_mail)] = Field(
        "", title="Copy to", description="Gets a copy of the e-mail; with STX only."
    )
    registration: dict[str, Annotated[str, StringConstraints(max_length=255)]] = Field(
        default_factory=dict, title="Registration", description="Fields of iTEP's form."
    )

    @property
    def process(self) -> str:
        """GTX or STX."""
        return self.product_code[:3]

    @property
    def test_type(self) -> str:
        """What the stock of test IDs is counted by."""
        return self.product_code[4:]


def activity_settings(
    values: Mapping[str, Any], connection: ConnectionSettings
) -> ActivitySettings:
    """Validate an activity's settings for a connection. Raises pydantic's ValidationError."""
    settings = ActivitySettings.model_validate(values)
    reasons = {}
    if not connection.header_name(settings.process):
        key = f"header_name_{settings.process.lower()}"
        reasons["product_code"] = f"needs {key} on the connection; ask iTEP for it"
    if settings.process == GTX and settings.bcc:
        reasons["bcc"] = "works with STX product codes only"
    for name in settings.registration:
        if name == registration.OURS:
            reasons[f"registration.{name}"] = "is set by the bridge, to know the result again"
        elif name not in registration.FIELDS:
            reasons[f"registration.{name}"] = "is no field of iTEP's registration form"
        elif name in registration.CHOICES and not connection.allowed[name]:
            reasons[f"registration.{name}"] = f"needs enum_{name.lower()} on the connection"
    for fault in registration.faults(settings.registration, connection.allowed):
        reasons.setdefault(f"registration.{fault.field}", fault.sentence)
    if reasons:
        raise _problems(reasons)
    return settings


def link_settings(custom: Mapping[str, str], connection: ConnectionSettings) -> ActivitySettings:
    """The settings that a course link writes out in its own custom parameters.

    LTI 1.1 LMSs write names in lower case. What the LMS did not resolve is no value, and nothing
    that it sent is read as a variable again. Registration fields are each learner's own, filled in
    by the LMS at every launch: they are taken from the launch ($Custom), and are no part of the
    activity. Raises as `activity_settings`.
    """
    own = {name.lower(): name for name in registration.FIELDS}
    values: dict[str, Any] = {"registration": {}}
    for name, value in custom.items():
        if name.lower() in own:
            values["registration"][own[name.lower()]] = f"${SENT}{own[name.lower()]}"
        elif name in ("product_code", "track", "bcc") and not variable_in(value):
            values[name] = value
    return activity_settings(values, connection)


def parameters(settings: ActivitySettings) -> dict[str, str]:
    """An activity's settings as flat text, with the variables in it as they were written."""
    plain = {"product_code": settings.product_code, "track": settings.track, "bcc": settings.bcc}
    return {name: value for name, value in {**plain, **settings.registration}.items() if value}


def _problems(reasons: Mapping[str, str]) -> ValidationError:
    # Raised inside a validator, pydantic keeps these under their own keys.
    details = [
        InitErrorDetails(
            input=None,
            type=PydanticCustomError("itep", "{reason}", {"reason": reason}),
            loc=tuple(key.split(".")),
        )
        for key, reason in reasons.items()
    ]
    return ValidationError.from_exception_data("itep", details)
