"""One bridge for the tests of a module, with a new browser for each test."""

from __future__ import annotations

import pytest

from tests.platform.bridge13 import Bridge13, another_browser, open_bridge


@pytest.fixture(scope="module")
def one_bridge(tmp_path_factory: pytest.TempPathFactory) -> Bridge13:
    return open_bridge(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def bridge(one_bridge: Bridge13) -> Bridge13:
    """A browser without cookies."""
    return another_browser(one_bridge)
