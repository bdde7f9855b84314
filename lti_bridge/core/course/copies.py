"""Courses that were copied, where no LMS says from where: a teacher does, once for the course.

What a teacher says is kept like a notice of an LMS: this course was copied from that one. It opens
nothing by itself. A link is the evidence for its own test, whose id only copies of the link carry
(decision 0029); for a link without one, only tests are offered that the LMS's own word or this very
person leads to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lti_bridge.core.course import migration
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.course.history import CONTEXTS, MAX_IDS, history_of
from lti_bridge.core.course.links import (
    DEEP_LINKED,
    Undecided,
    copy_into,
    course_of,
    find_activity,
    origins_of,
    place_of,
    separate_id,
)
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity, Link
from lti_bridge.core.store import Store, Transaction
from lti_bridge.errors import PageExpired

MAX_CHOICES = 10
SOMEBODY = "somebody"  # said it, whom the LMS does not name
COPY_ENDING = " (copy)"  # Moodle's, of a duplicate


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link may be a copy of, the likeliest first.

    `titles` are the tests of the course that the first one is of, as far as this person may know
    them, `others` how many more there are; both are empty where only single links are offered.
    """

    choices: tuple[Activity, ...]
    titles: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """How a link's activity came to be what it is, for the page about it.

    `shared` is how many other links of the course open it, `separable` whether this one may get an
    activity of its own. `copied` are the titles of the copies in a course that a teacher, or an
    admin, said to be one; empty in any other course.
    """

    shared: int
    separable: bool
    copied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copying:
    """What instructors say about copies. `new_id` returns a fresh unguessable id."""

    store: Store
    catalogue: Catalogue
    new_id: Callable[[], str]
    clock: Callable[[], datetime]

    def offered(self, launch: Launch) -> Offer | None:
        """What the link that was opened seems to be a copy of; None where nothing is to be said."""
        with self.store.transaction() as tx:
            return self._offered(tx, launch)

    def adopt(self, launch: Launch, activity_id: str = "", *, whole: bool = False) -> None:
        """Give the course a copy of what was offered, the first of it unless another is named.

        With `whole` all links of that course are copies from now on. Raises PageExpired for what
        was not offered.
        """
        with self.store.transaction() as tx:
            offer = self._offered(tx, launch)
            found = offer.choices if offer else ()
            wanted = [one for one in found if one.id == activity_id or not activity_id]
            if not wanted or (whole and not (offer and offer.titles)):
                raise PageExpired("nothing to copy")
            source, who = wanted[0], self._who(tx, launch)
            if whole and source.course is not None:
                origin = [source.course.context_id]
                tx.note_copy(place_of(launch), origin, self.clock(), told_by=who or SOMEBODY)
            copy = copy_into(source, course_of(launch), launch, tx, who)
            self._point(tx, launch, copy)

    def take_back(self, launch: Launch) -> None:
        """The course is no copy after all: what nobody has begun or changed goes again."""
        with self.store.transaction() as tx:
            tx.forget_copies(place_of(launch))
            tx.unmake_copies(course_of(launch))

    def separate(self, launch: Launch) -> None:
        """Give the link that was opened an activity of its own, as the one that it opens now.

        Raises PageExpired where it shares none, or somebody has begun by it.
        """
        with self.store.transaction() as tx:
            activity, link = self._opened(tx, launch)
            if link is None or not self._is_separable(tx, launch, activity, link):
                raise PageExpired("the link shares no activity, or somebody has begun")
            stored = tx.stored_activity(activity.id)
            if stored is None:
                raise PageExpired("the activity is gone")
            own = replace(stored, id=separate_id(activity.id, link.id), origin="")
            tx.save_course_activity(own, self._who(tx, launch), self.clock())
            tx.point_link(link.id, own.id)

    def story(self, launch: Launch, activity: Activity, link: Link) -> Story:
        """What is to be said of an activity of this course and of the link that opened it."""
        with self.store.transaction() as tx:
            shared = tx.count_sharing(activity, link.id)
            said = tx.copies_said(place_of(launch))
            copies = tx.activities_of(course_of(launch)) if said else []
            separable = self._is_separable(tx, launch, activity, link)
            titles = tuple(one.title for one in copies if one.origin)
            return Story(shared, separable, titles)

    def _offered(self, tx: Transaction, launch: Launch) -> Offer | None:
        try:
            find_activity(launch, migration.find_link(tx, launch), self.catalogue, tx)
            return None
        except Undecided as undecided:
            candidate = undecided.candidate
        if candidate is not None and candidate.course is not None:
            source = self._newest(tx, launch, candidate)
            if not launch.asked(DEEP_LINKED):
                return Offer((source,))
            return self._whole(tx, launch, source)
        found = () if launch.asked(DEEP_LINKED) else self._former(tx, launch)
        return Offer(found) if found else None

    def _whole(self, tx: Transaction, launch: Launch, source: Activity) -> Offer:
        """With the other tests of the course: by name for those who have had to do with it."""
        first, who = source.course or course_of(launch), self._known(tx, launch)
        # what was not opened there yet is where that course comes from itself
        courses = [replace(first, context_id=one) for one in origins_of(first, tx)]
        tests: dict[str, Activity] = {}
        for course in (first, *courses):
            for one in tx.activities_of(course):
                tests.setdefault(one.origin or one.id, one)
        tests.pop(source.origin or source.id, None)
        taught = {one: tx.has_taught(who, one) for one in (first, *courses)}
        titles = [one.title for one in tests.values() if one.course and taught[one.course]]
        return Offer((source,), (source.title, *titles), len(tests) - len(titles))

    def _newest(self, tx: Transaction, launch: Launch, candidate: Activity) -> Activity:
        """The newest generation that this person has had to do with; else what the link names.

        A course that is copied term after term carries the id of its first one all the way.
        """
        here, who = course_of(launch), self._known(tx, launch)
        root = candidate.origin or candidate.id
        for one in reversed(tx.family(here.registration, root)):
            if one.course and one.course != here and tx.has_taught(who, one.course):
                return one
        return candidate

    def _former(self, tx: Transaction, launch: Launch) -> tuple[Activity, ...]:
        """Tests of before for a link without an id: of courses that this one was copied from, by
        the LMS's own word, and of those that this person has set up, with the link's title."""
        here, who = course_of(launch), self._known(tx, launch)
        title = _plain(launch.resource_link.title)
        claimed = history_of(launch).contexts
        proven = claimed[:MAX_IDS] if CONTEXTS in launch.extra else ()
        told = (*proven, *tx.copied_from(place_of(launch), said_by_teachers=False))
        mine = tx.set_up_by(here.registration, who) if who else []
        found = [
            one
            for one in mine
            if one.course
            and one.course != here
            and (one.course.context_id in claimed or (title and _plain(one.title) == title))
        ]
        for context in told:
            found += tx.activities_of(replace(here, context_id=context))
        newest = {one.origin or one.id: one for one in found}  # of each family
        ordered = sorted(newest.values(), key=lambda one: _plain(one.title) != title)
        return tuple(ordered[:MAX_CHOICES])

    def _opened(self, tx: Transaction, launch: Launch) -> tuple[Activity, Link | None]:
        link = migration.find_link(tx, launch)
        return find_activity(launch, link, self.catalogue, tx), link

    def _is_separable(
        self, tx: Transaction, launch: Launch, activity: Activity, link: Link
    ) -> bool:
        named = launch.asked("activity")  # what somebody wrote by hand would go on leading there
        if named or not tx.count_sharing(activity, link.id):
            return False
        return not tx.has_begun(link_id=link.id)

    def _known(self, tx: Transaction, launch: Launch) -> str:
        return tx.known_learner(launch.registration, launch.person.id) if launch.person.id else ""

    def _who(self, tx: Transaction, launch: Launch) -> str:
        return migration.learner(tx, launch, self.new_id()) if launch.person.id else ""

    def _point(self, tx: Transaction, launch: Launch, activity_id: str) -> None:
        link = migration.find_link(tx, launch)
        if link is None:
            tx.save_link(launch, activity_id, self.new_id())
        else:
            tx.point_link(link.id, activity_id)


def _plain(title: str) -> str:
    return title.strip().removesuffix(COPY_ENDING).casefold()
