"""Which activity a launch is for, also when its link was copied with its course."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

from pydantic import ValidationError

from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.course.history import MAX_IDS, History, history_of
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity, Attempt, Course, Link
from lti_bridge.core.store import Store, Transaction
from lti_bridge.errors import NotConfigured

DEEP_LINKED = "lti_bridge_activity"  # written into the link by deep linking
NAMED = "activity"  # written by hand in the LMS


class Undecided(NotConfigured):
    """A person has to choose; `candidate` is what the link seems to be a copy of, if anything."""

    def __init__(self, detail: str, candidate: Activity | None = None) -> None:
        super().__init__(detail)
        self.candidate = candidate


def course_of(launch: Launch) -> Course:
    """The course that a launch comes from, by its first name where the LMS has moved."""
    if launch.former is not None:
        return Course(launch.former.registration, "", launch.former.context_id)
    return Course(launch.registration, launch.deployment_id, launch.course_id)


def place_of(launch: Launch) -> Course:
    """The course that a launch comes from, as its LMS calls it now."""
    return Course(launch.registration, launch.deployment_id, launch.context.id)


def origins_of(course: Course, tx: Transaction, *further: str) -> list[str]:
    """The ids of the courses that a course was copied from, as was said, and they in turn.

    `further` are other courses that it is known to come from.
    """
    found: dict[str, None] = {}
    look_at = [course.context_id, *further]
    while look_at and len(found) < MAX_IDS:
        fresh = tx.copied_from(replace(course, context_id=look_at.pop(0)))
        fresh = [one for one in fresh if one not in found]
        found.update(dict.fromkeys(fresh))
        look_at += fresh
    return list(found)


def belongs(activity: Activity, launch: Launch) -> bool:
    """Whether an activity is of the course of a launch, by its present name or the one before."""
    former = launch.former
    before = former and Course(former.registration, "", former.context_id)
    return activity.course is not None and activity.course in (course_of(launch), before)


def find_activity(
    launch: Launch, link: Link | None, catalogue: Catalogue, tx: Transaction
) -> Activity:
    """The activity of this launch; the first of five ways wins.

    1. the id that deep linking wrote into the link's custom parameters; 2. a custom parameter
    `activity=<id>`; 3. the activity written out in the custom parameters, where the LMS may do
    that; 4. what this link opened before; 5. what a link opened that this one is a copy of. What
    a link says now comes before what is remembered of it, so that an author can correct it.

    An id of deep linking that is of no use here (of another LMS, or retired) leaves what a person
    has chosen since. Raises Undecided when a person has to choose, and NotConfigured for what
    can never be opened.
    """
    finding = _Finding(launch, course_of(launch), history_of(launch), catalogue, tx, link)
    deep_linked = launch.asked(DEEP_LINKED)
    found = finding.by_deep_link(deep_linked) if deep_linked else finding.written()
    if found is None and link is not None:
        found = finding.remembered(link, by_a_person=bool(deep_linked))
    if found is None:
        found = finding.copied()
    if found.registrations and not launch.is_of(found.registrations):
        raise NotConfigured(f"activity {found.id!r} is not open to {launch.registration!r}")
    return found


def by_id(activity_id: str, catalogue: Catalogue, tx: Transaction) -> Activity | None:
    """The activity of this id, from the configuration file or the database."""
    configured = catalogue.activity(activity_id)
    if configured is not None:
        return configured
    stored = tx.stored_activity(activity_id)
    return stored and _typed(stored, catalogue)


def settings_of(store: Store, catalogue: Catalogue, attempt: Attempt) -> Any:
    """The settings that an attempt was started with; None when they are gone."""
    if configured := catalogue.activity(attempt.activity_id):
        return configured.settings
    try:
        with store.transaction() as tx:
            activity = by_id(attempt.activity_id, catalogue, tx)
            return activity and as_started(activity, attempt.id, catalogue, tx).settings
    except NotConfigured:
        return None


def as_started(
    activity: Activity, attempt_id: str, catalogue: Catalogue, tx: Transaction
) -> Activity:
    """The activity as it was when this attempt was created, whatever was changed since."""
    typed = tx.settings_at_start(attempt_id) if activity.course else None
    if typed is None:
        return activity
    return replace(activity, settings=_validated(activity.connection, typed, catalogue))


def copy_into(
    source: Activity, course: Course, launch: Launch, tx: Transaction, who: str = ""
) -> str:
    """Give a course its own copy of an activity, once; the copy's id. `who` has said so.

    The id follows from what is copied where, so that two clicks at once make one copy.
    """
    root = source.origin or source.id
    copy_id = _copy_id(root, course)
    stored = tx.stored_activity(source.id)
    if stored is not None and tx.stored_activity(copy_id) is None:
        copy = replace(stored, id=copy_id, course=course, origin=root)
        tx.save_course_activity(copy, who, launch.received_at)
    return copy_id


def copy_of(activity: Activity, launch: Launch) -> str:
    """The id that a course's own copy of an activity has, whether it was made or not."""
    return _copy_id(activity.origin or activity.id, course_of(launch))


@dataclass(frozen=True, slots=True)
class _Finding:
    launch: Launch
    course: Course
    history: History
    catalogue: Catalogue
    tx: Transaction
    link: Link | None

    def by_deep_link(self, activity_id: str) -> Activity | None:
        if configured := self.catalogue.activity(activity_id):
            return configured
        stored = self.tx.stored_activity(activity_id)
        if stored is None or not self._of_this_lms(stored):
            return None
        if belongs(stored, self.launch):
            return self._separated(activity_id) or self._usable(activity_id)
        own = _copy_id(stored.origin or stored.id, self.course)
        if self.tx.stored_activity(own) is not None:
            return self._separated(own) or self._usable(own)
        source = self._proven(stored)
        return (
            self._usable(copy_into(source, self.course, self.launch, self.tx)) if source else None
        )

    def _separated(self, activity_id: str) -> Activity | None:
        """What a duplicate of a link opens since it has a test of its own."""
        link = self.link
        if link is None or link.activity_id != separate_id(activity_id, link.id):
            return None
        return self._usable(link.activity_id)

    def named(self, activity_id: str) -> Activity:
        found = by_id(activity_id, self.catalogue, self.tx)
        if found is None or (found.course and not belongs(found, self.launch)):
            raise NotConfigured(f"no activity has the id {activity_id[:80]!r}")
        if found.retired:
            raise Undecided(f"activity {activity_id[:80]!r} is retired")
        return found

    def written(self) -> Activity | None:
        """What a person wrote into the link."""
        if named := self.launch.asked(NAMED):
            return self.named(named)
        if not self.catalogue.allows_inline(self.launch.registration):
            return None
        found = self.catalogue.inline(self.launch.custom)
        if found is not None:
            kept = self.catalogue.impersonal(self.launch.custom)
            self.tx.save_activity(found, kept, self.launch.received_at)
        return found

    def remembered(self, link: Link, *, by_a_person: bool) -> Activity | None:
        found = by_id(link.activity_id, self.catalogue, self.tx)
        if found is None and by_a_person:
            return None  # a copy that was taken back; the link still says what it is a copy of
        if found is None:
            raise Undecided(f"no activity has the id {link.activity_id[:80]!r}")
        if found.retired or (by_a_person and found.course is None):
            return None
        return found

    def copied(self) -> Activity:
        """By the links that this one was copied from; a person is asked unless the LMS told."""
        candidate = self._deep_linked_elsewhere()
        for link_id in self.history.links:
            former = self.tx.former_link(self.launch.registration, link_id)
            found = former and by_id(former.activity_id, self.catalogue, self.tx)
            if not found or found.retired:
                continue
            if found.course is None:
                return found
            if belongs(found, self.launch):
                return found
            if self.history.told:
                own = copy_into(found, self.course, self.launch, self.tx)
                if usable := self._usable(own):
                    return usable
            candidate = candidate or found
        named = self.launch.asked(DEEP_LINKED)[:80]
        detail = f"activity {named!r} is of no use here" if named else "the link has no activity"
        raise Undecided(detail, candidate)

    def _deep_linked_elsewhere(self) -> Activity | None:
        stored = self.tx.stored_activity(self.launch.asked(DEEP_LINKED))
        if stored is None or stored.retired or not self._of_this_lms(stored):
            return None
        own = self.tx.stored_activity(_copy_id(stored.origin or stored.id, self.course))
        here = belongs(stored, self.launch) or (own is not None and own.retired)
        return None if here else stored

    def _proven(self, stored: Activity) -> Activity | None:
        """What to copy if the LMS's history leads to it: the newest generation comes first."""
        family = self.tx.family(self.course.registration, stored.origin or stored.id)
        by_context = {one.course.context_id: one for one in family if one.course}
        by_id_ = {one.id: one for one in family}
        contexts = (*self.history.contexts, *self._told_contexts())
        found = [by_context[one] for one in contexts if one in by_context]
        found += [by_id_[one] for one in self._former_activities() if one in by_id_]
        # one that was placed outside any course may be used in all of them
        return next(iter(found), by_context.get(""))

    def _told_contexts(self) -> list[str]:
        return origins_of(place_of(self.launch), self.tx, *self.history.contexts[:MAX_IDS])

    def _former_activities(self) -> Iterator[str]:
        for link_id in self.history.links:
            former = self.tx.former_link(self.launch.registration, link_id)
            if former is not None:
                yield former.activity_id

    def _of_this_lms(self, activity: Activity) -> bool:
        course = activity.course
        return course is not None and self.launch.is_of(frozenset({course.registration}))

    def _usable(self, activity_id: str) -> Activity | None:
        try:
            found = by_id(activity_id, self.catalogue, self.tx)
        except Undecided:
            return None
        return None if found is None or found.retired else found


def separate_id(activity_id: str, link_id: str) -> str:
    """The id of the activity that a link gets of its own, which it shared with others before."""
    named = json.dumps([activity_id, link_id])
    return "own-" + hashlib.sha256(named.encode()).hexdigest()[:32]


def _copy_id(root: str, course: Course) -> str:
    """As hard to guess as the id of the first activity, which is in it."""
    named = json.dumps([root, *astuple(course)])
    return "copy-" + hashlib.sha256(named.encode()).hexdigest()[:32]


def _typed(stored: Activity, catalogue: Catalogue) -> Activity | None:
    if stored.course is None:
        return catalogue.inline(stored.settings)
    return replace(stored, settings=_validated(stored.connection, stored.settings, catalogue))


def _validated(connection: str, typed: Any, catalogue: Catalogue) -> Any:
    """The settings. Raises Undecided when the connection is gone or takes others by now."""
    try:
        return catalogue.settings(connection, typed)
    except NotConfigured as error:
        raise Undecided(error.detail) from error
    except ValidationError as error:
        raise Undecided(f"{connection}: the activity's settings do not fit") from error
