"""What can be set for an activity at Isograd, by the parameters of its actions.

The models are the one source for validation, for the instructor's form and for the table in
docs/providers/isograd.md. Names and meanings follow Isograd's integration guide, "Actions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from lti_bridge.core.launch.variables import literal, variable_in
from lti_bridge.providers.addresses import complete_address
from lti_bridge.providers.isograd.connections import Model, Route, Secret, Text

NEEDS = frozenset({"given_name", "family_name", "email"})
"""What Isograd has to learn about a person: a candidate has no existence without it."""

_VARIABLE = "or a variable such as $User.id"

_FROM_LAUNCH = "comes from the launch (the person who clicked) and cannot be set"
_REFUSED_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ema": _FROM_LAUNCH,
        "fst_nam": _FROM_LAUNCH,
        "lst_nam": _FROM_LAUNCH,
        "rea_tst_id": "is the old name of this parameter; write tst_frm_id",
        "pla_tst_id": "is one student's test; of_activity names the activity it is taken from",
        "can_id": "is one student's; the bridge knows it from the launch",
    }
)
_SET_BY_BRIDGE = ("rtn_pag", "cal_bac_pag")
_NOT_BY_LINK = frozenset({4, 5, 10, 11, 12, 14, 15, 16, 17, 23, 24, 42, 51})
_ADMINISTRATOR, _CONFIRM = 13, 58
_API_ONLY = (
    "a student's own earlier test is known on the api route only; on the LTI routes Isograd does "
    "not tell which one it is"
)


def _problems(reasons: Mapping[str, str]) -> ValidationError:
    # Raised inside a validator, pydantic keeps these under their own keys.
    details = [
        InitErrorDetails(
            input=None,
            type=PydanticCustomError("isograd", "{reason}", {"reason": reason}),
            loc=(key,),
        )
        for key, reason in reasons.items()
    ]
    return ValidationError.from_exception_data("isograd", details)


def _number(value: object) -> object:
    """The whole number that an LMS or a form sends as text; anything else as it is."""
    plain = isinstance(value, str) and value.isascii() and value.isdigit()
    return int(str(value)) if plain and len(str(value)) < 10 else value


def _whole(value: object) -> object:
    if isinstance(value, bool):  # which pydantic would take for 0 or 1
        raise ValueError("must be a whole number")
    return _number(value)


def _number_id(value: str) -> str:
    plain = value.isascii() and value.isdigit() and int(value) > 0
    if not plain and not variable_in(value):
        raise ValueError(f"must be a whole number above 0, {_VARIABLE}")
    return value


def _identifier(value: str) -> str:
    plain = value.isascii() and value.replace("-", "").replace("_", "").isalnum()
    if not plain and not variable_in(value):
        raise ValueError(f"must be letters, digits, - and _ without spaces, {_VARIABLE}")
    return value


def _page(value: str) -> str:
    return value if variable_in(value) else complete_address(value)


_NumberId = Annotated[Text, AfterValidator(_number_id)]
_Identifier = Annotated[Text, AfterValidator(_identifier)]
_Page = Annotated[str, AfterValidator(_page)]
_Whole = BeforeValidator(_whole)
_Count = Annotated[int, Field(strict=True, ge=1), _Whole]


def _own(value: Any, info: ValidationInfo) -> Any:
    """What is one person's cannot be the same for all who open a link.

    In a link that writes it out the LMS has filled in each learner's own.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if not variable_in(text) and not (info.context or {}).get("resolved"):
        raise ValueError("is one student's, so it must be a variable such as $Person.sourcedId")
    return value


_OWN = AfterValidator(_own)
_Own = Annotated[Text, _OWN]


class _Action(Model):
    sub_com_id: _NumberId | None = Field(
        None,
        title="Sub-account",
        description="Sub-account that the action works on; only for distributor accounts.",
    )

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, values: Any) -> Any:
        """Refuse by name what is never a setting; an empty field of a form counts as left out."""
        if not isinstance(values, Mapping):
            return values
        if refused := {key: _REFUSED_NAMES[key] for key in values if key in _REFUSED_NAMES}:
            raise _problems(refused)
        return {key: value for key, value in values.items() if value is not None and value != ""}


_ACTION = Field(title="Action", description="What the link does, by Isograd's number.")
_TestForm = Annotated[
    _Identifier,
    Field(title="Test", description='Id of the test, listed by Isograd under "Help".'),
]
_EARLIER = Field(
    title="Of which activity",
    description="Id of the activity in whose test, finished by this student, it is about.",
)
_Language = Annotated[
    Annotated[Literal[1, 2, 3, 4, 5, 6, 7, 8], _Whole] | None,
    Field(
        title="Language",
        description=(
            "1: French, 2: English, 3: German, 4: Dutch, 5: Spanish, 6: Italian, 7: Greek, "
            "8: Arabic."
        ),
    ),
]
_Redirect = Annotated[
    bool,
    Field(
        title="Go to the page",
        description="1: the browser goes to the page; without it Isograd shows a line of data.",
        json_schema_extra={"preset": "true"},  # what a new form begins with
    ),
]


class _Candidate(_Action):
    gen_id: Annotated[Literal[1, 2, 3], _Whole] = Field(
        title="Gender", description="1: male, 2: female, 3: not said."
    )
    lan_id: _Language = None
    ext_id: _Own | None = Field(
        None,
        title="Own id of the candidate",
        description="Your id for the candidate; left out, the user id of the launch is taken.",
    )
    dep_id: _Identifier | None = Field(
        None, title="Group", description="Isograd's id of the group that the candidate joins."
    )
    ext_dep_id: Text | None = Field(
        None,
        title="Own id of the group",
        description="Your id of the group, instead of dep_id; Isograd creates a missing group.",
    )
    psw: Annotated[Secret, _OWN] | None = Field(
        None,
        title="Password",
        description="Password of the candidate; left out, Isograd makes one.",
    )
    no_psw_rst: bool = Field(
        False,
        title="Keep the password",
        description="1: the password is in no e-mail and need not be changed at the first login.",
    )
    job_id: _Identifier | None = Field(
        None, title="Job profile", description="Id of the candidate's job profile."
    )
    xtr_tim_fac: Annotated[int, Field(strict=True, ge=0), _Whole] | None = Field(
        None,
        title="Extra time",
        description="Extra time in percent, for the test and its questions: 50 adds a half.",
    )

    @model_validator(mode="after")
    def _one_group(self) -> Self:
        if self.dep_id is not None and self.ext_dep_id is not None:
            raise _problems({"ext_dep_id": "cannot be set together with dep_id; keep one of them"})
        return self


class _Test(_Action):
    tst_frm_id: _TestForm
    nee_ful_scr: bool = Field(
        False, title="Full screen", description="1: the test needs the full screen."
    )
    redirect: _Redirect = False
    html: bool = Field(
        False,
        title="Button",
        description="1: Isograd answers with a start link in HTML; not together with redirect.",
    )
    ses_id: _NumberId | None = Field(
        None, title="Isograd session", description="Id of the session at Isograd."
    )
    add_pro: bool = Field(
        False, title="Proctoring", description="1: with remote proctoring, at extra cost."
    )
    max_num_tst: _Count | None = Field(
        None, title="Tests allowed", description="How often a candidate may take this test."
    )
    max_num_tst_per: _Count | None = Field(
        None, title="Counted over", description="Number of days that max_num_tst counts for."
    )
    rtn_pag: _Page | None = Field(
        None, title="Page afterwards", description="Where the candidate goes after the test."
    )
    cal_bac_pag: _Page | None = Field(
        None, title="Completion call", description="Address that Isograd calls at completion."
    )
    cpf_id: Annotated[_Identifier, _OWN] | None = Field(
        None, title="CPF file", description="Id of the Compte Personnel de Formation file."
    )
    nb_test_by_credit: Annotated[Literal[2, 3, 4], _Whole] | None = Field(
        None, title="Tests per credit", description="Use a pack with 2, 3 or 4 tests per credit."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = {}
        if self.redirect and self.html:
            problems["html"] = "cannot be set together with redirect; keep one of them"
        if self.max_num_tst_per is not None and self.max_num_tst is None:
            problems["max_num_tst_per"] = "needs max_num_tst beside it"
        if problems:
            raise _problems(problems)
        return self


class CreateCandidate(_Candidate):
    """Create the candidate."""

    act_id: Annotated[Literal[1], _ACTION]


class AddTest(_Test):
    """Give the candidate a test; 2 continues an unfinished one, 9 always uses a new one."""

    act_id: Annotated[Literal[2, 9], _ACTION]


class CreateAndTest(_Candidate, _Test):
    """Create the candidate and give them a test, in one step."""

    act_id: Annotated[Literal[8], _ACTION]


class ConfirmationTest(_Action):
    """Give the candidate a test that confirms a completed one."""

    act_id: Annotated[Literal[58], _ACTION]
    of_activity: Annotated[Text, _EARLIER]
    redirect: _Redirect = False


class Report(_Action):
    """Show the candidate's result as a PDF; without of_activity that of the last test."""

    act_id: Annotated[Literal[6], _ACTION]
    tst_frm_id: _TestForm
    of_activity: Annotated[Text | None, _EARLIER] = None
    lan_id: _Language = None
    redirect: _Redirect = False


class CandidateArea(_Action):
    """Open the candidate's own pages at Isograd."""

    act_id: Annotated[Literal[38], _ACTION]


_Activity = CreateCandidate | AddTest | CreateAndTest | ConfirmationTest | Report | CandidateArea
ACTIONS: Mapping[int, type[_Activity]] = MappingProxyType(
    {
        1: CreateCandidate,
        2: AddTest,
        6: Report,
        8: CreateAndTest,
        9: AddTest,
        38: CandidateArea,
        58: ConfirmationTest,
    }
)
"""The actions that a course link may start, by act_id."""


def _by_action(
    values: Any, validate: Callable[[Any], _Activity], info: ValidationInfo
) -> _Activity:
    if not isinstance(values, Mapping):
        return validate(values)
    action = _number(values.get("act_id"))
    model = ACTIONS.get(action) if isinstance(action, int) else None
    if model is None or isinstance(action, bool):
        raise _problems({"act_id": _why_not(action)})
    # Straight to the model: through the union, its tag would stand in every key of an error.
    return model.model_validate({**values, "act_id": action}, context=info.context)


def _why_not(action: object) -> str:
    allowed = ", ".join(str(number) for number in ACTIONS)
    if action == _ADMINISTRATOR:
        return (
            "13 would log the learner in as an administrator of the Isograd account; "
            f"it is never allowed, use one of {allowed}"
        )
    if isinstance(action, int) and action in _NOT_BY_LINK:
        return f"{action} is not started by a course link; use one of {allowed}"
    return f"must be one of {allowed}"


ActivitySettings = Annotated[
    Annotated[_Activity, Field(discriminator="act_id")], WrapValidator(_by_action)
]

_QUIET = ConfigDict(hide_input_in_errors=True)  # values may be secrets
_ACTIVITY: TypeAdapter[_Activity] = TypeAdapter(ActivitySettings, config=_QUIET)
_KNOWN = frozenset(_REFUSED_NAMES).union(*(model.model_fields for model in ACTIONS.values()))


def activity_settings(
    values: Mapping[str, Any], route: Route, *, resolved: bool = False
) -> _Activity:
    """Validate an activity's settings for a connection of this route.

    On the api route the bridge sets the addresses itself and act_id is 8 when left out. `resolved`:
    the values are of one launch, so that what is personal in them is this learner's own.
    Raises pydantic's ValidationError; `explain` puts it into words.
    """
    if route == "api":
        own = {key: "is set by the bridge on this route" for key in _SET_BY_BRIDGE if key in values}
        if own:
            raise _problems(own)
        values = {"act_id": 8, **values}
    settings = _ACTIVITY.validate_python(values, context={"resolved": resolved})
    if route != "api" and getattr(settings, "of_activity", None):
        # by LTI Isograd tells nobody which test a student has been given
        key = "act_id" if settings.act_id == _CONFIRM else "of_activity"
        raise _problems({key: _API_ONLY})
    return settings


def lms_parameters(custom: Mapping[str, str], route: Route = "lti-1.1") -> _Activity:
    """The settings that a course link writes out in its own custom parameters.

    Other names belong to the LMS and are left alone. A variable that the LMS did not resolve is
    no value (LTI Core 1.3 appendix B), and nothing that it sent is read as a variable again.
    Raises as `activity_settings`.
    """
    ours = {key: value for key, value in custom.items() if key in _KNOWN}
    values = {key: literal(value) for key, value in ours.items() if not variable_in(value)}
    return activity_settings(values, route, resolved=True)


def custom_parameters(settings: _Activity) -> dict[str, str]:
    """The parameters as Isograd wants them, without those left out or set to 0."""
    values = {key: getattr(settings, key) for key in type(settings).model_fields}
    return {
        key: _wire(value)
        for key, value in values.items()
        if value is not None and value is not False
    }


def _wire(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(int(value)) if isinstance(value, bool) else str(value)
