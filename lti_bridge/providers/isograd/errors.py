"""What Isograd's error codes mean: for a student one sentence, for the staff something to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_bridge.errors import (
    BridgeError,
    CandidateRefused,
    NoAttemptsLeft,
    OtherPerson,
    OutOfStock,
    ProviderError,
    ProviderRefused,
)


class AccountRefused(ProviderRefused):
    """No token, or the token is not accepted: correct client_id, client_secret or token_url."""

    code = "isograd-account"
    sentence = "The test provider does not let us in at the moment."


class UnknownRefusal(ProviderRefused):
    """A code that Isograd's guide does not list: ask Isograd's support what it means."""

    code = "isograd-refused"


class ActionUnknown(ProviderRefused):
    """103: base_url leads to another system, or Isograd no longer knows this action."""

    code = "isograd-action"


class ValueMissing(ProviderRefused):
    """105: set the parameter that the log names in the activity's settings."""

    code = "isograd-value-missing"


class FormNotAllowed(ProviderRefused):
    """106: correct tst_frm_id, or let Isograd allow this test for the account."""

    code = "isograd-test"
    sentence = "Your course may not use this test at the test provider."


class CandidateUnknown(CandidateRefused):
    """107: with act_id 2, 9, 6 and 38 create the candidate at Isograd first, or use act_id 8."""

    code = "isograd-candidate-unknown"
    sentence = "The test provider does not know you under your e-mail address."


class OtherCandidate(OtherPerson):
    """An answer about another candidate or test: nothing was recorded; ask Isograd's support."""

    code = "isograd-other-candidate"


class CandidateNotCreated(CandidateRefused):
    """201: look at the candidate's parameters, and at the name and address that the LMS sends."""

    code = "isograd-candidate"


class CandidateExists(CandidateRefused):
    """202: harmless at a launch, which then uses `can_id`; else choose another address."""

    code = "isograd-candidate-exists"

    def __init__(self, detail: str = "", can_id: str = "") -> None:
        super().__init__(detail)
        self.can_id = can_id


class GroupUnknown(ProviderRefused):
    """203: correct dep_id, or use ext_dep_id, which Isograd creates when it is missing."""

    code = "isograd-group"


class NoCredits(OutOfStock):
    """301: buy credits for this type of test."""

    code = "isograd-no-credits"


class NoProctoringCredits(OutOfStock):
    """303: buy proctoring credits, or take add_pro off the activity."""

    code = "isograd-no-proctoring"
    sentence = "There are no supervised tests left for your course at the moment."


class SittingStarted(ProviderRefused):
    """304: a test can be deleted only before it starts; cancel it in Isograd's console."""

    code = "isograd-test-started"
    sentence = "The test has started already, or does not exist any more."


class SittingsUsedUp(NoAttemptsLeft):
    """402: raise max_num_tst of the activity, or the limit in Isograd's console."""

    code = "isograd-attempts"


class SittingUnknown(ProviderRefused):
    """501: the test was deleted at Isograd, belongs to a sub-account, or was never taken."""

    code = "isograd-not-taken"
    sentence = "The test provider knows no such test of yours."
    remedy = "Take the test first. If you have, tell your teacher."


class NotFinished(ProviderError):
    """502: nothing to do; the result exists when the test is finished and marked."""

    code = "isograd-not-finished"
    status = 409
    sentence = "Your test is not finished yet."
    remedy = "Finish the test first; marking by a person can take some days."


class NotAnAssessment(ProviderRefused):
    """601: reports exist for assessments only; choose another tst_frm_id for this link."""

    code = "isograd-not-assessment"
    sentence = "There is no report for this kind of test."


ERRORS: Mapping[str, type[BridgeError]] = MappingProxyType(
    {
        "103": ActionUnknown,
        "105": ValueMissing,
        "106": FormNotAllowed,
        "107": CandidateUnknown,
        "201": CandidateNotCreated,
        "202": CandidateExists,
        "203": GroupUnknown,
        "301": NoCredits,
        "303": NoProctoringCredits,
        "304": SittingStarted,
        "402": SittingsUsedUp,
        "501": SittingUnknown,
        "502": NotFinished,
        "601": NotAnAssessment,
    }
)
"""The error_code values of Isograd's integration guide."""
