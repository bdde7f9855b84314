"""A pretend Prov for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lti_bridge.providers.prov.kind import Prov
from lti_bridge.sandbox import prov, serving
from tests.providers.prov.customer import WIRE, Customer


@pytest.fixture
def make_customer() -> Iterator[Callable[..., Customer]]:
    running = []

    def make(**settings: Any) -> Customer:
        values = {"auth_value": WIRE["auth_value"], **settings}
        running.append(serving.start(prov.make_app(prov.ProvSettings(**values))))
        return Customer(running[-1])

    yield make
    for one in running:
        one.stop()


@pytest.fixture
def customer(make_customer: Callable[..., Customer]) -> Customer:
    return make_customer()


@pytest.fixture
def provider(customer: Customer) -> Prov:
    return customer.provider()
