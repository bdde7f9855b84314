"""Nothing is sent to anybody by a thread that has the database in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lti_bridge.errors import DeliveryRefused, NetworkFailed, NetworkRefused
from lti_bridge.net import Client
from lti_bridge.store.engine import Database
from lti_bridge.transactions import in_database
from tests import claims
from tests.flow.world import free_port
from tests.lms.grading import Gradebook, bridge_before

NOBODY = f"http://127.0.0.1:{free_port()}/"
HANDS: dict[str, Callable[[Database], AbstractContextManager[Any]]] = {
    "writing": Database.writing,
    "cursor": Database.cursor,
    "reading": Database.reading,
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@pytest.mark.parametrize("hand", HANDS)
def test_a_call_with_the_database_in_hand_is_refused(database: Database, hand: str) -> None:
    client = Client(loopback=True, user_agent="test")
    with HANDS[hand](database), pytest.raises(NetworkRefused, match="database in hand"):
        client.send("GET", NOBODY)
    with pytest.raises(NetworkFailed):  # again outside, also after an error in the block
        client.send("GET", NOBODY)
    with pytest.raises(ZeroDivisionError), HANDS[hand](database):
        raise ZeroDivisionError
    assert not in_database()


def test_the_end_of_an_inner_step_is_not_the_end_of_the_transaction(database: Database) -> None:
    with database.cursor():
        with database.cursor(), database.reading():
            assert in_database()
        assert in_database()
    assert not in_database()


def test_a_grade_is_not_sent_within_a_transaction(database_url: str) -> None:
    lms = Gradebook()
    try:
        with bridge_before(database_url, lms) as bridge:
            bridge.report("80")
            [delivery] = claims.deliveries(bridge.store, bridge.clock(), 15, 9)
            with bridge.store.transaction(), pytest.raises(DeliveryRefused, match="in hand"):
                bridge.gradebook.deliver(delivery)
            assert lms.asked == []
            bridge.gradebook.deliver(delivery)
            assert lms.scores[0]["scoreGiven"] == 80
    finally:
        lms.running.stop()
