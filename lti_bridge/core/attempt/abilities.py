"""What a provider's code offers for each capability, beside what every kind has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from lti_bridge.core.attempt.provider import Callback, Choice, Report, Session, Sitting
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.core.records import Attempt


class Resumes(Protocol):
    """Capability `remote`."""

    def resume(self, session: Session) -> Handoff:
        """Return to an attempt that was started before; costs nothing and buys nothing."""


class ReadsCallbacks(Protocol):
    """Capability `callback`."""

    def read_callback(self, callback: Callback) -> list[Report]:
        """Verify a callback, then say what it means. Raises AccessRefused or BadRequest."""


class Judges(Protocol):
    """Capability `judge`."""

    def judge(self, attempt: Attempt, settings: Any, report: Report) -> Report:
        """What a callback's report means for its attempt.

        `settings` are those that the activity has now, None when it is gone.
        """


class Fetches(Protocol):
    """Capability `fetch`."""

    def fetch(self, sitting: Sitting) -> Report:
        """Ask the provider how an attempt stands. Raises a ProviderError."""


class Offers(Protocol):
    """Capability `choices`."""

    def choices(self) -> list[Choice]:
        """What an instructor may choose. Raises a ProviderError."""


class Checks(Protocol):
    """Capability `check`."""

    def check(self) -> str:
        """Ask the provider whether the account works; a sentence. Raises a ProviderError."""


class Counts(Protocol):
    """Capability `stock`."""

    def running_out(self) -> Mapping[str, int]:
        """What was bought ahead and is nearly used up, and how much of it is left; calls nobody."""


class Forgets(Protocol):
    """Capability `forget`."""

    def forget(self, sitting: Sitting) -> None:
        """Delete or anonymise this learner at the provider. Raises a ProviderError."""


class KnowsByAddress(Protocol):
    """Capability `by-address`."""

    def known_as(self, data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """By which names the provider knows the learner of an attempt that has this data.

        Each is the place within which a name is one person's, such as the account, and the name.
        """


class BuildsOn(Protocol):
    """Capability `builds-on`."""

    def builds_on(self, settings: Any) -> str:
        """The id of the activity whose finished test these settings are about; empty: none.

        The session has that test's reference, the learner's own, in `earlier`.
        """
