"""A result that was counted before an update of the bridge is the same one after it."""

from __future__ import annotations

from hashlib import sha256

from lti_bridge.providers.isograd.api import IsogradApi
from tests.providers.isograd.account import Account, excel, sitting


def test_an_event_is_the_same_in_every_version(provider: IsogradApi, account: Account) -> None:
    started = provider.start(excel())
    account.finish(started, num_val=700)
    report = provider.fetch(sitting(started))
    said = "\n".join([report.reference, *(f"{name}={value}" for name, value in report.raw.items())])
    assert report.event == sha256(said.encode()).hexdigest()[:32]
    assert "num_val=700" in said
