"""A pretend Isograd for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lti_bridge.providers.isograd.api import IsogradApi
from lti_bridge.sandbox import isograd, serving
from tests.providers.isograd.account import Account, Clock


@pytest.fixture
def account() -> Iterator[Account]:
    settings = isograd.IsogradSettings(
        api_client_id="cid", api_client_secret="c secret/ä&", credits=5, proctoring_credits=1
    )
    running = serving.start(isograd.make_app(settings))
    yield Account(running, Clock())
    running.stop()


@pytest.fixture
def provider(account: Account) -> IsogradApi:
    return account.provider()
