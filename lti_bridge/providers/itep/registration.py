"""The registration form that a test ID is sent with: its fields and iTEP's rules for them.

Names, ranges and the sentences of the errors are those of iTEP's "Fulfillment" document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lti_bridge.core.launch.variables import variable_in
from lti_bridge.providers.itep.errors import (
    BirthDateRefused,
    BirthDayRefused,
    BirthMonthRefused,
    BirthYearRefused,
    EducationRefused,
    GenderRefused,
    RegistrationRefused,
    StudyFieldRefused,
)

OURS = "trExternal_ID"  # comes back with the result as OID
_NAMES = """
    Last_Name First_Name Middle_Name Email DOB_Month DOB_Day DOB_Year Birthday Contact_Phone
    Address City Country Nationality OIN OIN_Country OIN_Type Language Center Gender Education
    Taken_Test DOT_Month DOT_Day DOT_Year Location Admin_Test_Location Agree Honest
    Applying_To_School Apply_School_Type_1 Apply_School_Name_1 Apply_School_Other_1
    Apply_School_Type_2 Apply_School_Name_2 Apply_School_Other_2 Apply_School_Type_3
    Apply_School_Name_3 Apply_School_Other_3 Field_Of_Study Location_Country Location_Region
    Location_Name trSchoolLevel trReferral trCampus trCollege trDepartment trDegree trStatus
    trAttribute trStudent_Number trBatch_Number
"""
FIELDS = frozenset(_NAMES.split())
"""What may be set; `Email` is in the document's example only."""

CHOICES: Mapping[str, type[RegistrationRefused]] = {
    "Gender": GenderRefused,
    "Education": EducationRefused,
    "Field_Of_Study": StudyFieldRefused,
}
_PARTS = (
    (BirthMonthRefused, 1, 12),
    (BirthDayRefused, 1, 31),
    (BirthYearRefused, 1901, 9999),
)
_DATES = (
    re.compile(r"(?P<m>\d+)/(?P<d>\d+)/(?P<y>\d+)", re.ASCII),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d+)-(?P<d>\d+)", re.ASCII),  # LMSs write dates like this
    re.compile(r"(?P<d>\d+)-(?P<m>\d+)-(?P<y>\d+)", re.ASCII),
)

Allowed = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that iTEP would refuse, and the value it would quote."""

    field: str
    error: type[RegistrationRefused]
    value: str

    @property
    def sentence(self) -> str:
        """What iTEP would answer."""
        return f"{self.error.said} [{self.value}]."


def faults(fields: Mapping[str, str], allowed: Allowed) -> list[Fault]:
    """Everything that iTEP would refuse; variables that are still to be resolved are left out.

    `allowed` gives the values of the fields in CHOICES.
    """
    known = {name: value for name, value in fields.items() if value and not variable_in(value)}
    found = []
    for name, part in zip(("DOB_Month", "DOB_Day", "DOB_Year"), _PARTS, strict=True):
        if name in known and not _within(known[name], part):
            found.append(Fault(name, part[0], known[name]))
    if "Birthday" in known:
        found += _birthday_faults(known["Birthday"])
    for name, error in CHOICES.items():
        if name in known and not _spelt(known[name], allowed.get(name, ())):
            found.append(Fault(name, error, known[name]))
    return found


def written(fields: Mapping[str, str], allowed: Allowed) -> dict[str, str]:
    """The fields as they are sent; those without a value are left out.

    Raises the named error of the first field that iTEP would refuse.
    """
    for fault in faults(fields, allowed):
        # the value tells something about a learner, and this text goes to the log
        raise fault.error(f"{fault.field}: {fault.error.said} [value].")
    known = {name: value for name, value in fields.items() if value and not variable_in(value)}
    for name in CHOICES:
        if name in known:
            known[name] = _spelt(known[name], allowed.get(name, ()))
    if "Birthday" in known:
        month, day, year = _date(known["Birthday"])
        known["Birthday"] = f"{int(month)}/{int(day)}/{year}"
    return known


def _within(value: str, part: tuple[type[RegistrationRefused], int, int]) -> bool:
    _, low, high = part
    return bool(re.fullmatch("[0-9]{1,4}", value)) and low <= int(value) <= high


def _birthday_faults(value: str) -> list[Fault]:
    numbers = _date(value)
    if not numbers:
        return [Fault("Birthday", BirthDateRefused, value)]
    pairs = zip(numbers, _PARTS, strict=True)
    return [Fault("Birthday", part[0], n) for n, part in pairs if not _within(n, part)]


def _date(value: str) -> tuple[str, ...]:
    """Month, day and year as written; empty when there are no three numbers."""
    for pattern in _DATES:
        if found := pattern.fullmatch(value.strip()):
            return found["m"], found["d"], found["y"]
    return ()


def _spelt(value: str, allowed: Sequence[str]) -> str:
    """The allowed value that is meant, in its own spelling; case does not count."""
    return next((one for one in allowed if one.casefold() == value.strip().casefold()), "")
