"""A pretend Mettl for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lti_bridge.providers.mettl.kind import MettlProvider
from lti_bridge.sandbox import mettl, serving
from tests.providers.mettl.account import Account, Clock


@pytest.fixture
def account() -> Iterator[Account]:
    settings = mettl.MettlSettings(public_key="pub-key", private_key="private/ä&", credits=5)
    running = serving.start(mettl.make_app(settings))
    yield Account(running, Clock())
    running.stop()


@pytest.fixture
def provider(account: Account) -> MettlProvider:
    return account.provider()
