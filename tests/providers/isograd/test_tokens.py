"""The access token: kept, replaced once, fetched by one thread at a time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_bridge.errors import BridgeError, ProviderDown
from lti_bridge.providers.isograd import errors as named
from lti_bridge.providers.isograd.api import IsogradApi
from tests.providers.isograd.account import Account, excel


def fetched(account: Account) -> int:
    """How many tokens were asked for."""
    wanted = f"{account.running.url}/oauth2/token?grant_type=client_credentials&scopes=usage"
    return [url for url, _ in account.sent].count(wanted)


def test_one_token_lasts_until_it_expires(provider: IsogradApi, account: Account) -> None:
    for _ in range(3):
        provider.client.tests()
    assert fetched(account) == 1
    account.clock.pass_(3560)
    provider.client.tests()
    assert fetched(account) == 1
    account.clock.pass_(11)
    provider.client.tests()
    assert fetched(account) == 2


def test_a_token_without_a_lifetime_lasts_five_minutes(
    provider: IsogradApi, account: Account
) -> None:
    for fresh in (True, False):
        body = json.dumps({"access_token": "x" if fresh else "y", "token_type": "Bearer"})
        account.fault(path="/oauth2/token", body=body)
    account.fault(path="/api/usage", times=2, body='{"success": true, "tests": []}')
    provider.client.tests()
    account.clock.pass_(265)
    provider.client.tests()
    assert fetched(account) == 1
    account.clock.pass_(6)
    account.fault(path="/api/usage", body='{"success": true, "tests": []}')
    provider.client.tests()
    assert fetched(account) == 2


def test_a_revoked_token_is_replaced_once(provider: IsogradApi, account: Account) -> None:
    provider.client.tests()
    account.control("clear", tokens=True)
    assert provider.start(excel()).reference
    assert fetched(account) == 2
    assert account.state()["credits"] == 4
    account.sent.clear()
    account.fault(act_id=2, status=401, times=-1)
    with pytest.raises(named.AccountRefused):
        provider.client.add_test(ema="ann@example.org", tst_frm_id="363")
    assert fetched(account) == 1
    assert len(account.sent) == 3


def test_threads_share_one_fetch(provider: IsogradApi, account: Account) -> None:
    account.fault(path="/oauth2/token", delay_s=0.3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: provider.client.tests(), range(8)))
    assert fetched(account) == 1


def test_a_token_that_was_replaced_meanwhile_is_not_replaced_again(
    provider: IsogradApi, account: Account
) -> None:
    old = provider.client.wire.tokens.get()
    provider.client.wire.tokens.forget(old)
    new = provider.client.wire.tokens.get()
    provider.client.wire.tokens.forget(old)
    assert provider.client.wire.tokens.get() == new != old
    assert fetched(account) == 2


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 401, "body": '{"error": "invalid_client"}'}, named.AccountRefused),
        ({"status": 400, "body": "no"}, named.AccountRefused),
        ({"status": 503}, ProviderDown),
        ({"drop": True}, ProviderDown),
        ({"body": "?"}, ProviderDown),
        ({"body": '{"access_token": "a\\nb"}'}, ProviderDown),
        ({"body": '{"access_token": ""}'}, ProviderDown),
    ],
)
def test_without_a_token_nothing_is_bought(
    provider: IsogradApi, account: Account, fault: dict[str, Any], expected: type[BridgeError]
) -> None:
    account.fault(path="/oauth2/token", **fault)
    with pytest.raises(expected) as caught:
        provider.start(excel())
    assert "secret" not in caught.value.detail
    assert account.state()["calls"] == {}
    assert provider.start(excel()).reference


@pytest.mark.parametrize("life", ["soon", None, -5, 0, 1e999, [1]])
def test_an_odd_lifetime_stops_nothing(
    provider: IsogradApi, account: Account, life: object
) -> None:
    body = json.dumps({"access_token": "x", "expires_in": life})
    account.fault(path="/oauth2/token", body=body.replace("Infinity", "1e999"))
    account.fault(act_id=14, body='{"success": true, "tests": [1]}')
    assert provider.client.tests() == ["1"]
