"""Isograd's guide names no status: any that means success goes with its word for it."""

from __future__ import annotations

import pytest

from lti_bridge.errors import BridgeError
from lti_bridge.providers.isograd.api import IsogradApi
from tests.providers.isograd.account import Account


@pytest.mark.parametrize(("status", "taken"), [(200, True), (201, True), (299, True), (300, False)])
def test_which_statuses_mean_success(
    provider: IsogradApi, account: Account, status: int, taken: bool
) -> None:
    account.fault(act_id=51, status=status, body='{"success": true}')
    try:
        provider.client.update_candidate("1", {"lan_id": "1"})
    except BridgeError:
        assert not taken
    else:
        assert taken
