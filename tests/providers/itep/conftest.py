"""A pretend iTEP for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lti_bridge.providers.itep.kind import Itep
from lti_bridge.sandbox import itep, serving
from tests.providers.itep.account import Account


@pytest.fixture
def make_account() -> Iterator[Callable[..., Account]]:
    running = []

    def make(**settings: Any) -> Account:
        values = {"stock": 5, "tracks": (itep.Track("RC", "http://127.0.0.1:9/hook", True),)}
        made = itep.make_app(itep.ItepSettings("account-key", **{**values, **settings}))
        running.append(serving.start(made))
        return Account(running[-1])

    yield make
    for one in running:
        one.stop()


@pytest.fixture
def account(make_account: Callable[..., Account]) -> Account:
    return make_account()


@pytest.fixture
def provider(account: Account) -> Itep:
    return account.provider()
