"""What iTEP's refusals mean: for a student one sentence, for the staff something to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_bridge.errors import CandidateRefused, OutOfStock, ProviderRefused


class SignatureNotAccepted(ProviderRefused):
    """401, 403: correct secret, header names, sig_encoding and sig_prefix with iTEP."""

    code = "itep-signature"
    sentence = "The test provider does not let us in at the moment."


class SequenceRefused(ProviderRefused):
    """iTEP wants another sequence: correct sequence_mode, or let one bridge only use the account.

    A number that another process has overtaken is replaced by a new one before this is raised.
    """

    code = "itep-sequence"
    retry = True
    remedy = "Please wait a minute, then open the link again."


class Refused(ProviderRefused):
    """Any other refusal: the log has iTEP's words; often product_code or track is wrong."""

    code = "itep-refused"


class NoTestIds(OutOfStock):
    """Buy test IDs from iTEP, then raise stock by their number."""

    code = "itep-no-test-ids"


class RegistrationRefused(CandidateRefused):
    """A registration field that iTEP does not take; `said` is how iTEP's document puts it."""

    said = ""


class BirthMonthRefused(RegistrationRefused):
    """DOB_Month or Birthday: the month has to be 1 to 12; correct it where it comes from."""

    code = "itep-birth-month"
    sentence = "The test provider does not accept your month of birth."
    said = "Out of range Birth Month"


class BirthDayRefused(RegistrationRefused):
    """DOB_Day or Birthday: the day has to be 1 to 31; correct it where it comes from."""

    code = "itep-birth-day"
    sentence = "The test provider does not accept your day of birth."
    said = "Out of range Birth Day"


class BirthYearRefused(RegistrationRefused):
    """DOB_Year or Birthday: the year has to be after 1900; correct it where it comes from."""

    code = "itep-birth-year"
    sentence = "The test provider does not accept your year of birth."
    said = "Out of range Birth Year"


class BirthDateRefused(RegistrationRefused):
    """Birthday has to be written M/D/YYYY or D-M-YYYY; the bridge also reads YYYY-MM-DD."""

    code = "itep-birth-date"
    sentence = "The test provider cannot read your date of birth."
    said = "Unable to parse Birth Date"


class GenderRefused(RegistrationRefused):
    """Gender is none of enum_gender: correct it where it comes from, or the list."""

    code = "itep-gender"
    sentence = "The test provider does not accept the gender it was told."
    said = "Invalid Gender"


class EducationRefused(RegistrationRefused):
    """Education is none of enum_education: correct it where it comes from, or the list."""

    code = "itep-education"
    sentence = "The test provider does not accept the education it was told."
    said = "Invalid Education"


class StudyFieldRefused(RegistrationRefused):
    """Field_Of_Study is none of enum_field_of_study: correct it, or the list."""

    code = "itep-study-field"
    sentence = "The test provider does not accept the field of study it was told."
    said = "Invalid Study Field"


REFUSALS: Mapping[str, type[RegistrationRefused]] = MappingProxyType(
    {
        error.said: error
        for error in (
            BirthMonthRefused,
            BirthDayRefused,
            BirthYearRefused,
            BirthDateRefused,
            GenderRefused,
            EducationRefused,
            StudyFieldRefused,
        )
    }
)
"""The sentences of iTEP's "Fulfillment" document; there, `[value].` follows each of them."""
