"""What Mettl can refuse, by its error codes, and what the bridge finds wrong with its answers.

Each docstring says what the staff does about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_bridge.errors import (
    BridgeError,
    CandidateRefused,
    OtherPerson,
    OutOfStock,
    ProviderError,
    ProviderRefused,
)


class SignatureNotAccepted(ProviderRefused):
    """E401: check private_key, api_version and base_url of the connection."""

    code = "mettl-signature"


class KeyNotAllowed(ProviderRefused):
    """E403: check public_key; ask Mettl whether this key may use the API in this region."""

    code = "mettl-key"


class ClockNotAccepted(ProviderRefused):
    """E504: the bridge took over Mettl's clock and was refused again; set the server's clock."""

    code = "mettl-clock"


class RegistrationsUsedUp(OutOfStock):
    """E607: the account has no registrations left; buy more from Mettl."""

    code = "mettl-no-registrations"


class ImageNotAccepted(CandidateRefused):
    """E028: a registration field of the activity is an image at Mettl; take it out of there."""

    code = "mettl-image"


class Unspecified(ProviderError):
    """E000: Mettl does not say why; check access_key, then ask Mettl if it stays."""

    code = "mettl-unspecified"


class UnknownRefusal(ProviderRefused):
    """Any other code: the log names it; look it up in Mettl's API document."""

    code = "mettl-refused"


class NotRegistered(CandidateRefused):
    """No link came back: the log has Mettl's reason, often a mandatory registration field."""

    code = "mettl-candidate"


class OtherCandidate(OtherPerson):
    """An answer about another address: nothing was recorded; ask Mettl how that came."""

    code = "mettl-other-candidate"


class LinkMissing(ProviderRefused):
    """SUCCESS without `url`, as Mettl's document shows it: ask Mettl to send candidates' links."""

    code = "mettl-no-link"
    sentence = "You are registered for the test, but the test provider sent no link to it."
    remedy = "Please tell your teacher, and give them the reference below. Your place is not lost."


class NoFurtherAttempt(ProviderRefused):
    """Mettl cannot give another attempt here: see second_attempt in docs/providers/mettl.md."""

    code = "mettl-no-further-attempt"
    sentence = "The test provider has no further attempt for you."


class DurationMissing(ProviderRefused):
    """Set duration_min of the activity, so that extra time can be given in minutes."""

    code = "mettl-duration"
    sentence = "Your extra time is not set up for this test yet."


ERRORS: Mapping[str, type[BridgeError]] = MappingProxyType(
    {
        "E000": Unspecified,
        "E028": ImageNotAccepted,
        "E401": SignatureNotAccepted,
        "E403": KeyNotAllowed,
        "E504": ClockNotAccepted,
        "E607": RegistrationsUsedUp,
    }
)
"""The documented error codes of Mettl's API."""
