"""The learner's own earlier test that an attempt is about, such as the one that it confirms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.course import links
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity
from lti_bridge.core.store import Store, Transaction
from lti_bridge.errors import NotConfigured, TakeFirst

if TYPE_CHECKING:
    from lti_bridge.core.launch.opened import Opened


def with_earlier(store: Store, catalogue: Catalogue, opened: Opened, session: Session) -> Session:
    """The session with the learner's own finished test, where its activity is about one.

    Raises TakeFirst when there is none, and NotConfigured when there is no such activity at the
    connection. What has been started keeps what it was about.
    """
    wanted = capabilities.builds_on(opened.connection, opened.activity.settings)
    started = opened.attempt is None or opened.attempt.state not in ("created", "unclear")
    if not wanted or started:
        return session
    with store.transaction() as tx:
        return replace(session, earlier=_earlier_test(tx, catalogue, opened, wanted))


def _earlier_test(tx: Transaction, catalogue: Catalogue, opened: Opened, wanted: str) -> str:
    activity, connection = _activity(tx, catalogue, opened.launch, wanted), opened.connection.name
    if activity is None or activity.connection != connection:
        raise NotConfigured(f"of_activity: {connection!r} has no activity {wanted[:80]!r}")
    found = tx.finished_test(activity.id, opened.learner_id, connection)
    if not found:
        raise TakeFirst(f"no finished test at activity {activity.id!r}", activity.title)
    return found


def _activity(
    tx: Transaction, catalogue: Catalogue, launch: Launch, wanted: str
) -> Activity | None:
    """The activity; of one of another course its copy in the course of this launch."""
    found = links.by_id(wanted, catalogue, tx)
    if found is None or found.course is None or links.belongs(found, launch):
        return found
    return links.by_id(links.copy_of(found, launch), catalogue, tx)
