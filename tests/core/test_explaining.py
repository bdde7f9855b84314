"""Refusals are explained so many a minute, and nothing that goes wrong there stops the journal."""

from __future__ import annotations

from collections.abc import Sequence

from lti_bridge.core.journal.explaining import BROKE, TOO_MANY, Explaining
from lti_bridge.core.journal.hop import Hop
from lti_bridge.errors import Finding

FOUND = Finding("scheme", "https", "http", "Write https.")
MINUTE = 1_800_000_000.0


class Refused:
    """Refused hops of parties, whose explanations are counted."""

    def __init__(self) -> None:
        self.explained: list[str] = []

    def hop(self, party: str, at: float = MINUTE, *, proved: bool = False) -> Hop:
        def explain() -> Sequence[Finding]:
            self.explained.append(party)
            return [FOUND]

        return Hop("launch", "ref", at=at, registration=party, proved=proved, explain=explain)


def test_ten_of_each_party_are_explained_a_minute() -> None:
    refused, explaining = Refused(), Explaining()
    told = [explaining.of(refused.hop("campus")) for _ in range(12)]
    assert told == [(FOUND,)] * 10 + [(TOO_MANY,)] * 2
    assert explaining.of(refused.hop("other")) == (FOUND,)
    # who has proved who they are is another one than who only says so
    assert explaining.of(refused.hop("campus", proved=True)) == (FOUND,)
    assert explaining.of(refused.hop("campus", MINUTE + 60)) == (FOUND,)
    assert len(refused.explained) == 13


def test_whoever_knows_many_keys_makes_no_more_work_than_sixty_a_minute() -> None:
    refused, explaining = Refused(), Explaining()
    told = [explaining.of(refused.hop(f"lms-{number}")) for number in range(100)]
    assert told == [(FOUND,)] * 60 + [(TOO_MANY,)] * 40
    assert len(refused.explained) == 60


def test_an_explanation_that_fails_says_so() -> None:
    def explain() -> Sequence[Finding]:
        raise ValueError("broken")

    assert Explaining().of(Hop("launch", "ref", at=MINUTE, explain=explain)) == (BROKE,)
    assert Explaining().of(Hop("launch", "ref", at=MINUTE)) == ()
