"""The checks of the pretend iTEP on registration fields, with the documented sentences."""

import re
from collections.abc import Mapping
from typing import Any

from lti_bridge.sandbox.itep.state import ItepSettings

# Email is in the document's example only.
_FIELDS = """
    Last_Name First_Name Middle_Name DOB_Month DOB_Day DOB_Year Contact_Phone Address City
    Birthday Country Nationality OIN OIN_Country OIN_Type Language Center Gender Education
    Taken_Test DOT_Month DOT_Day DOT_Year Location Admin_Test_Location Agree Honest
    Applying_To_School Apply_School_Type_1 Apply_School_Name_1 Apply_School_Other_1
    Apply_School_Type_2 Apply_School_Name_2 Apply_School_Other_2 Apply_School_Type_3
    Apply_School_Name_3 Apply_School_Other_3 Field_Of_Study Location_Country Location_Region
    Location_Name trSchoolLevel trReferral trExternal_ID trCampus trCollege trDepartment trDegree
    trStatus trAttribute trStudent_Number trBatch_Number Email
"""
_NAMES = frozenset(_FIELDS.split())
_DATE = (("Month", 1, 12), ("Day", 1, 31), ("Year", 1901, 9999))


class Refusal(Exception):
    """A refused request: the sentence for the caller, and the HTTP status."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def check(settings: ItepSettings, fields: Mapping[str, Any]) -> None:
    """Raises Refusal with the sentence for the first wrong field."""
    for name in fields:
        if name not in _NAMES:
            raise Refusal(f"Unknown registration field [{name}].")
    _check_date({name: fields.get(f"DOB_{name}") for name, _, _ in _DATE})
    if "Birthday" in fields:
        _check_date(_birthday(str(fields["Birthday"])))
    _check_choice("Gender", fields.get("Gender"), settings.genders)
    _check_choice("Education", fields.get("Education"), settings.educations)
    _check_choice("Study Field", fields.get("Field_Of_Study"), settings.fields_of_study)


def _birthday(text: str) -> dict[str, Any]:
    """M/D/YYYY or D-M-YYYY."""
    american = re.fullmatch(r"(?P<Month>[0-9]+)/(?P<Day>[0-9]+)/(?P<Year>[0-9]+)", text)
    other = re.fullmatch(r"(?P<Day>[0-9]+)-(?P<Month>[0-9]+)-(?P<Year>[0-9]+)", text)
    found = american or other
    if not found:
        raise Refusal(f"Unable to parse Birth Date [{text}].")
    return found.groupdict()


def _check_date(parts: Mapping[str, Any]) -> None:
    for name, low, high in _DATE:
        value = parts[name]
        if value is None:
            continue
        if not re.fullmatch("[0-9]{1,4}", str(value)) or not low <= int(value) <= high:
            raise Refusal(f"Out of range Birth {name} [{value}].")


def _check_choice(title: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value is not None and str(value).lower() not in {one.lower() for one in allowed}:
        raise Refusal(f"Invalid {title} [{value}].")
