"""What can be chosen is remembered, and a slow or broken provider holds no page up."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.attempt.capabilities import CHOICES
from lti_bridge.core.attempt.provider import Choice, Connection
from lti_bridge.core.course.choices import FAILED_FOR, KEPT, MAX_CHOICES, Choosing
from lti_bridge.errors import ProviderDown

FOUND = [Choice("1", "One", "test")]


class Provider:
    """Lists tests, slowly or not at all."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: list[Choice] | Exception = FOUND
        self.go = threading.Event()
        self.go.set()

    def choices(self) -> list[Choice]:
        self.asked += 1
        self.go.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Clock:
    """A clock that is set by hand."""

    now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def provider() -> Provider:
    return Provider()


def connection(provider: Provider, *capabilities: str) -> Connection:
    return Connection("c", "demo", provider, capabilities=frozenset(capabilities))  # type: ignore[arg-type]


def test_an_answer_is_kept_for_minutes(provider: Provider) -> None:
    clock = Clock()
    choosing, here = Choosing(clock), connection(provider, CHOICES)
    assert choosing.choices(here) == choosing.choices(here) == FOUND
    clock.now += KEPT - timedelta(seconds=1)
    assert (choosing.choices(here), provider.asked) == (FOUND, 1)
    clock.now += timedelta(seconds=2)
    assert (choosing.choices(here), provider.asked) == (FOUND, 2)


def test_a_late_answer_serves_the_next_page(provider: Provider) -> None:
    provider.go.clear()
    choosing, here = Choosing(Clock(), wait_s=0.05), connection(provider, CHOICES)
    assert choosing.choices(here) is None
    provider.go.set()
    choosing.wait_s = 5
    assert (choosing.choices(here), provider.asked) == (FOUND, 1)


def test_a_failure_is_asked_about_again_soon_but_not_at_once(provider: Provider) -> None:
    clock = Clock()
    provider.answer = ProviderDown("off")
    choosing, here = Choosing(clock), connection(provider, CHOICES)
    assert choosing.choices(here) is choosing.choices(here) is None
    provider.answer = FOUND
    clock.now += FAILED_FOR + timedelta(seconds=1)
    assert (choosing.choices(here), provider.asked) == (FOUND, 2)


def test_what_lists_nothing_is_not_asked(provider: Provider) -> None:
    assert Choosing(Clock()).choices(connection(provider)) == []
    assert provider.asked == 0


def test_a_page_shows_only_so_many(provider: Provider) -> None:
    provider.answer = FOUND * (MAX_CHOICES + 1)
    found = Choosing(Clock()).choices(connection(provider, CHOICES))
    assert found is not None
    assert len(found) == MAX_CHOICES
