"""What only people who look after the bridge ask of a provider: files, and tests they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lti_bridge.core.attempt.provider import Sitting
from lti_bridge.core.grade.scores import Score


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """One line of a file of results: an attempt's score, or the problem that leaves it without."""

    number: int
    attempt_id: str = ""
    score: Score | None = None
    problem: str = ""


class Imports(Protocol):
    """Capability `import`."""

    def import_results(self, text: str, sittings: Sequence[Sitting]) -> list[ImportedLine]:
        """Read a file of results, every line of it; `sittings` are all of the connection."""


class Exports(Protocol):
    """Capability `export`."""

    def export_registrations(self, sittings: Sequence[Sitting]) -> str:
        """A CSV file that tells the provider who is to come; names are in it."""


class Adopts(Protocol):
    """Capability `adopt`."""

    def adopt(self, sitting: Sitting, facts: Mapping[str, str]) -> Mapping[str, Any]:
        """The data of an attempt that a person found at the provider under its reference.

        `facts` is what that person has written of it. Raises ConfigurationError, naming them,
        when facts are missing or wrong.
        """


class Administers(Protocol):
    """Capability `administer`."""

    def administrator_url(self, email: str, sub_account: str) -> str:
        """An address that logs in as an administrator. Never for a student, never by a link.

        `sub_account` may be empty. Raises a ProviderError.
        """
