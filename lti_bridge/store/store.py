"""The store: transactions for the core, and what is one transaction by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from lti_bridge.store.allowances import Allowances
from lti_bridge.store.answers import Answers
from lti_bridge.store.attempts import Attempts
from lti_bridge.store.deliveries import Deliveries
from lti_bridge.store.engine import Database
from lti_bridge.store.launches import Launches
from lti_bridge.store.learners import Learners
from lti_bridge.store.overview import Overview
from lti_bridge.store.owners import ListedOwners
from lti_bridge.store.polls import Polls
from lti_bridge.store.reconcile import Cells
from lti_bridge.store.reservations import Reservations
from lti_bridge.store.reviews import Reviews
from lti_bridge.store.transaction import Steps


class Store(
    Launches,
    Learners,
    Allowances,
    Attempts,
    Answers,
    Polls,
    Reservations,
    ListedOwners,
    Deliveries,
    Cells,
    Reviews,
    Overview,
):
    """The `core.store.Store` of one database."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.clock = clock

    @contextmanager
    def transaction(self) -> Iterator[Steps]:
        """Several steps as one."""
        with self.database.cursor() as cursor:
            yield Steps(cursor, self.database)
