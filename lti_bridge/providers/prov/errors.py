"""What can stand in the way of an exam at Prov.

Prov documents no refusals and checks neither seats nor retakes, so most of these are the bridge's.
"""

from __future__ import annotations

from lti_bridge.errors import (
    CandidateRefused,
    NoAttemptsLeft,
    NotOpen,
    OtherPerson,
    OutOfStock,
    ProviderRefused,
)


class AccountRefused(ProviderRefused):
    """401, 403: correct auth_style, auth_name and auth_value."""

    code = "prov-account"
    sentence = "The test provider does not let us in at the moment."


class Refused(ProviderRefused):
    """Any other refusal: compare the paths and bodies of the connection with Prov's document."""

    code = "prov-refused"


class OtherResult(OtherPerson):
    """An answer about another event: correct result_path and the result_…_path keys."""

    code = "prov-other-result"


class NoSeats(OutOfStock):
    """All seats of the centre are taken at that time: add seats, or offer another time."""

    code = "prov-no-seats"
    sentence = "There is no free seat left at this place and time."
    remedy = "Please tell your teacher, who can offer another place or time."


class DoubleBooked(CandidateRefused):
    """The learner has another exam at the same time: offer another time."""

    code = "prov-double-booking"
    sentence = "You are registered for another exam at the same time."
    remedy = "Please tell your teacher, who can offer another time."


class SittingsUsedUp(NoAttemptsLeft):
    """max_sittings of this exam are made, at this link or others: raise it for a retake."""

    code = "prov-sittings"


class TooLate(NotOpen):
    """starts_at is over: correct it, or offer another time."""

    code = "prov-too-late"
    sentence = "This exam has begun already, or is over."
    remedy = "Please tell your teacher, who can offer another time."


class NoExam(ProviderRefused):
    """exam_code is a variable and gave no code: correct it, or what the LMS sends."""

    code = "prov-no-exam"


class NoAppointment(ProviderRefused):
    """starts_at is a variable and gave no time with a zone: correct it, or what the LMS sends."""

    code = "prov-no-appointment"
