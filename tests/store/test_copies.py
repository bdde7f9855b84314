"""What is kept of copied courses, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.records import Activity, Course
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


def test_who_has_had_to_do_with_a_course(store: Store) -> None:
    old = Course("campus", "1", "old")
    test = Activity("one", "Rivers", "plain", {"custom": {}}, course=old, maximum="100")
    with store.transaction() as tx:
        tx.save_course_activity(test, "tess", NOW)
        tx.save_course_activity(test, "tom", NOW)  # tess made the first version
        tx.note_copy(NEW, ["old"], NOW, told_by="ann")
        for who, course, taught in (
            ("tess", old, True),
            ("tom", old, True),
            ("ann", old, False),
            ("ann", NEW, True),
            ("tess", NEW, False),
            ("", old, False),
        ):
            assert tx.has_taught(who, course) == taught, (who, course)
        assert [one.id for one in tx.set_up_by("campus", "tess")] == ["one"]
        assert tx.set_up_by("twin", "tess") == []
        assert [one.id for one in tx.unplaced(old)] == ["one"]
        assert tx.count_sharing(test, "some-link") == 0


def test_only_untouched_copies_are_unmade(store: Store) -> None:
    copy = Activity("copy", "Rivers", "plain", {}, course=NEW, origin="one", maximum="100")
    with store.transaction() as tx:
        for name in ("copy", "changed"):
            tx.save_course_activity(replace(copy, id=name), "", NOW)
        tx.save_course_activity(replace(copy, id="changed", title="Lakes"), "tess", NOW)
        tx.save_course_activity(replace(copy, id="made-here", origin=""), "tess", NOW)
        assert tx.unmake_copies(NEW) == 1
        assert {one.id for one in tx.activities_of(NEW)} == {"changed", "made-here"}
        assert tx.stored_activity("copy") is None
    assert Copies(store.database).places("campus", "new") == [NEW]
