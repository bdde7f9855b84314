"""Invitations and registrations on each database: once is once, and every change is seen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.errors import RegistrationChangeRefused
from lti_bridge.store.engine import Database
from lti_bridge.store.registrations import RegistrationStore

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
FACTS = {"issuer": "https://lms.example.edu", "client_id": "c", "token_url": "https://x"}
CLICKS = 12


@pytest.fixture
def store(database_url: str) -> Iterator[RegistrationStore]:
    """A store without rows on each database."""
    database = Database(database_url)
    yield RegistrationStore(database)
    database.close()


def test_before_there_is_a_schema_nothing_is_known(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    assert RegistrationStore(database).version() is None
    database.migrate()
    assert RegistrationStore(database).version() == 0
    database.close()


def invite(store: RegistrationStore, token: str, name: str, *, approve: bool = False) -> None:
    until = NOW + timedelta(days=1)
    store.invite(token, name, NOW, until, approve=approve, purpose="register")


@pytest.mark.spec("SECP-55", "SECP-17")
def test_many_who_open_one_invitation_at_once_use_it_once(store: RegistrationStore) -> None:
    invite(store, "token", "campus")
    with ThreadPoolExecutor(CLICKS) as pool:
        used = list(
            pool.map(lambda _: store.use_invitation("token", "register", NOW), range(CLICKS))
        )
    assert [one.name for one in used if one] == ["campus"]


def test_every_change_raises_the_version_and_only_active_ones_are_stored(
    store: RegistrationStore,
) -> None:
    seen = [store.version()]
    assert seen == [0]
    invite(store, "token", "campus")
    invitation = store.use_invitation("token", "register", NOW)
    assert invitation
    for change in (
        lambda: store.add(invitation, FACTS, [], NOW, active=True),
        lambda: store.approve("campus", NOW),
        lambda: store.change("campus", {"deployment_ids": ["1"]}),
        lambda: store.link("campus", "old", NOW),
        lambda: store.part("campus", "old", NOW),
    ):
        change()
        seen.append(store.version())
    assert seen == sorted(set(seen), key=lambda version: version or 0)
    assert [(one["name"], one["deployment_ids"]) for one in store.stored().active] == [
        ("campus", ["1"])
    ]
    assert store.stored().parted == {("campus", "old")}
    assert store.retire("campus", NOW)
    assert store.stored().active == ()
    assert not store.change("campus", {"deployment_ids": "any"})


def test_one_client_is_registered_once_until_it_is_retired(store: RegistrationStore) -> None:
    added = []
    for name in ("a", "b"):
        invite(store, name, name, approve=True)
        invitation = store.use_invitation(name, "register", NOW)
        assert invitation
        added.append(store.add(invitation, FACTS, [], NOW, active=True))
    assert added == [True, False]
    store.retire("a", NOW)
    invite(store, "c", "c", approve=True)
    again = store.use_invitation("c", "register", NOW)
    assert again
    assert store.add(again, FACTS, [], NOW, active=True)
    with pytest.raises(RegistrationChangeRefused):
        invite(store, "d", "a")
