"""What is kept of copied courses, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.records import Course
from lti_bridge.store.copies import BY_COMMAND, Copies
from lti_bridge.store.engine import Database
from lti_bridge.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW = Course("campus", "1", "new")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without rows."""
    database = Database(database_url)
    yield Store(database, lambda: NOW)
    database.close()


def test_the_newest_copy_comes_first_and_each_course_is_its_own(store: Store) -> None:
    with store.transaction() as tx:
        tx.note_copy(NEW, ["old"], NOW)
        tx.note_copy(NEW, ["older", "oldest"], NOW + timedelta(hours=1))
        tx.note_copy(NEW, ["old"], NOW + timedelta(hours=2))
        assert tx.copied_from(NEW) == ["old", "older", "oldest"]
        for other in (
            Course("campus", "1", "other"),
            Course("campus", "2", "new"),
            Course("twin", "1", "new"),
        ):
            assert tx.copied_from(other) == []


def test_the_lmss_word_stays_its_own(store: Store) -> None:
    with store.transaction() as tx:
        tx.note_copy(NEW, ["told"], NOW)
        tx.note_copy(NEW, ["told", "said"], NOW, told_by="tess")
        tx.note_copy(NEW, ["typed"], NOW, told_by=BY_COMMAND)
        assert tx.copies_said(NEW)
        assert sorted(tx.copied_from(NEW)) == ["said", "told", "typed"]
        assert sorted(tx.copied_from(NEW, said_by_teachers=False)) == ["told", "typed"]
        tx.forget_copies(NEW)
        assert tx.copied_from(NEW) == ["told"]
        assert not tx.copies_said(NEW)
    listed = Copies(store.database).listed("campus")
    assert [(one.origin, one.told_by) for one in listed] == [("told", "LMS")]
    assert Copies(store.database).listed("twin") == []


def test_what_an_lms_tells_later_is_its_word(store: Store) -> None:
    with store.transaction() as tx:
        tx.note_copy(NEW, ["old"], NOW, told_by="tess")
        tx.note_copy(NEW, ["old"], NOW)
        tx.forget_copies(NEW)
        assert tx.copied_from(NEW) == ["old"]
