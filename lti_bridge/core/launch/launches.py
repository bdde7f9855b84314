"""From a verified launch to a handoff: record the click, find the attempt, ask the provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lti_bridge.core.attempt import capabilities, current, purchases
from lti_bridge.core.attempt.call_lane import StillStarting
from lti_bridge.core.attempt.calls import Calls
from lti_bridge.core.attempt.earlier import with_earlier
from lti_bridge.core.attempt.owners import Owners
from lti_bridge.core.attempt.provider import Connection, Session
from lti_bridge.core.attempt.starts import Starting
from lti_bridge.core.course import links, migration, relocation
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.course.rosters import members_url
from lti_bridge.core.grade.states import SCORE_SCOPE
from lti_bridge.core.journal.hop import checking
from lti_bridge.core.launch import held_launch, once
from lti_bridge.core.launch.handoff import ConfirmPage, Form, Handoff, InfoPage
from lti_bridge.core.launch.message import DEEP_LINKING, RESOURCE_LINK, GradeTarget, Launch
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.launch.sessions import Sessions
from lti_bridge.core.launch.variables import Resolved
from lti_bridge.core.records import Adjustment, Begun
from lti_bridge.core.store import Store, Transaction
from lti_bridge.core.tool.launches import digest
from lti_bridge.errors import (
    AnonymousRefused,
    BridgeError,
    MessageRefused,
    NotConfigured,
    PageExpired,
)

HELD_FOR = timedelta(hours=2)
BEING_PREPARED = ConfirmPage(
    title="Your test is being prepared",
    paragraphs=(
        "This takes a few seconds, and some minutes where many begin at the same time. You keep"
        " your place: this page goes on by itself, and there is no need to click again.",
        "If nothing happens for a minute, press the button.",
    ),
    button="Go on",
    token="",
    reload_s=2,
)
FOR_LEARNERS = InfoPage(
    title="This link opens a test for students",
    paragraphs=("You are in this course without being one of its students, so there is no test.",),
)
UNNAMED = InfoPage(
    title="Your course did not say that you are one of its students",
    paragraphs=(
        "So no test was opened, because it could not be graded.",
        "If you are to take this test, tell your teacher. Your LMS has to send either your role as"
        " a student or a place for your grade.",
    ),
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What staff see before they open the test themselves. `token` opens it, for two hours."""

    opened: Opened
    resolved: Resolved
    token: str


@dataclass(frozen=True, slots=True)
class Launching:
    """The launch core, with everything it needs from the outside.

    `sessions` makes what a provider is told; `new_id` returns a fresh unguessable id; `public_url`
    is where the bridge is reached. `wake` tells a worker that a provider is to be asked, and
    `calls` makes the calls of clicks.
    """

    store: Store
    catalogue: Catalogue
    sessions: Sessions
    new_id: Callable[[], str]
    public_url: str
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    calls: Calls

    def open(self, launch: Launch, *, framed: bool = False) -> Opened:
        """Record the click in one transaction, with the attempt if there is to be one.

        What is kept for a tool until it comes for its launch is in the same commit; for a
        `framed` one also the launch, which another window may have to open.

        Raises OpenedAlready for a message that was used before, and NotConfigured, NotOpen,
        AnonymousRefused when there is nothing to open.
        """
        if launch.message != RESOURCE_LINK:
            raise MessageRefused(f"message type {launch.message} is not supported")
        with self.store.transaction() as tx:
            checking("used-before")
            repeated = not once.first(tx, launch)
            opened = self._record(tx, replace(self._found(tx, launch), repeated=repeated))
            return self._at_tool(tx, opened, framed) if _leaves(opened) else opened

    def hand_off(self, opened: Opened) -> Handoff | Preview:
        """What the browser gets for a recorded click; calls the provider if there is need.

        Raises NoAttemptsLeft, NotOpen or TooSoon where another attempt may not begin.
        """
        main_role = opened.launch.main_role
        if main_role == "staff":
            return self._preview(opened)
        if main_role == "observer":
            return FOR_LEARNERS
        if _only_looks(opened):
            return UNNAMED
        if opened.again is not None:
            return replace(opened.again.ask(), token=self.token_for(opened))
        if self._notice_is_due(opened):
            return replace(_notice(opened.connection), token=self.token_for(opened))
        return opened.handoff or self.start(opened)

    def stays(self, opened: Opened) -> bool:
        """Whether a page of the bridge answers this click, whatever its provider would say."""
        looks = opened.launch.main_role in ("staff", "observer") or _only_looks(opened)
        return looks or opened.again is not None or self._notice_is_due(opened)

    def kept(self, token: str) -> tuple[Launch, dict[str, str]]:
        """What is kept under a page's token: its launch, and what it shows.

        Raises PageExpired when there is nothing.
        """
        text = self.store.held_launch(digest(token))
        if text is None:
            raise PageExpired("no held launch")
        launch = held_launch.from_json(text)
        with self.store.transaction() as tx:
            launch = migration.at_home(launch, migration.find_link(tx, launch))
        return launch, held_launch.step_of(text)

    def keep(self, launch: Launch, token: str, step: Mapping[str, str] | None = None) -> None:
        """Keep a launch for a page, under its token, for two hours."""
        text = held_launch.to_json(launch, step)
        self.store.hold_launch(digest(token), text, launch.received_at + HELD_FOR)

    def look(self, token: str) -> Opened:
        """A held launch for its page, which goes on with what has begun and begins nothing.

        Raises PageExpired when nothing is held under this token, or not for this learner any more.
        """
        launch, _ = self.kept(token)
        with self.store.transaction() as tx:
            opened = self._held_click(tx, launch, token)
            if _makes_attempt(opened):
                opened = replace(opened, repeated=True)
                opened = self._as_started(tx, self._attempt(tx, opened, self.clock()))
            self._save_launch(tx, opened)
        return opened

    def go_on(self, token: str, number: int = 0) -> Opened:
        """Record the second click of a held launch: a preview, or a test after a notice.

        With a `number` the learner has asked for that attempt; if it has begun meanwhile, it goes
        on, and if it is over, the learner is asked about the next one.
        Raises PageExpired when nothing is held under this token, or not for this learner any more,
        and what `open` raises where the attempt may not begin.
        """
        launch, _ = self.kept(token)
        with self.store.transaction() as tx:
            opened = self._held_click(tx, launch, token)
            if _makes_attempt(opened):
                opened = replace(opened, repeated=not number)
                opened = self._as_started(tx, self._attempt(tx, opened, self.clock(), number))
            self._save_launch(tx, opened)
        if opened.attempt is not None and opened.connection.notice and not number:
            self.store.acknowledge(opened.connection.name, opened.learner_id, self.clock())
        return opened

    def for_staff(self, token: str) -> Opened:
        """The held launch of one of the staff, for a page about the course; records no click.

        Raises PageExpired when nothing is held under this token, or a student's launch.
        """
        launch, _ = self.kept(token)
        if launch.main_role != "staff":
            raise PageExpired("no held launch of staff")
        with self.store.transaction() as tx:
            return self._found(tx, launch)

    def proceed(self, opened: Opened, number: int = 0) -> Handoff | Preview:
        """What the browser gets for a second click; `number` as in `go_on`.

        The staff's own look begins. Whoever asked for no attempt has read the notice. Everybody
        else is answered as at the first click, and raises what that raises.
        """
        if not number and _may_start(opened):
            return self.start(opened)
        return self.hand_off(opened)

    def start(self, opened: Opened) -> Handoff:
        """Send the browser to the provider.

        Raises PageExpired for a click that may open no test, whatever page it came from.
        """
        if not _may_start(opened):
            raise PageExpired("a click without an attempt, of one who does not only look")
        connection = opened.connection
        session, _ = self.sessions.of(opened)
        if not capabilities.can(connection, capabilities.REMOTE):
            return self._opened_at_tool(opened, session)
        session = with_earlier(self.store, self.catalogue, opened, session)
        try:
            owners = Owners(self.store, self.sessions.key, self.clock)
            starting = Starting(self.store, owners, self.clock, self.wake, self.calls)
            return starting.hand_off(connection, opened.attempt, session, _call_key(opened))
        except StillStarting as still:
            return replace(BEING_PREPARED, token=self.token_for(opened), reload_s=still.pause_s)

    def _opened_at_tool(self, opened: Opened, session: Session) -> Handoff:
        """A tool's own launch; where that sells an attempt, it is bought once it is certain."""
        handoff = opened.connection.provider.start(session).handoff
        if opened.attempt is not None and capabilities.can(opened.connection, capabilities.COSTS):
            with self.store.transaction() as tx:
                purchases.buy(
                    tx, opened.connection, opened.attempt.id, session.origin, self.clock()
                )
        return handoff

    def _notice_is_due(self, opened: Opened) -> bool:
        connection, attempt = opened.connection, opened.attempt
        if not connection.notice or attempt is None:
            return False
        return not self.store.acknowledged(connection.name, opened.learner_id)

    def token_for(self, opened: Opened) -> str:
        """Keep a launch for `go_on`, which the returned token allows for two hours."""
        if opened.held:
            return opened.held
        token = self.new_id()
        self.keep(opened.launch, token)
        return token

    def token_for_window(self, opened: Opened) -> str:
        """As `token_for`, for a new window: its cookies may be others than those of the frame."""
        return self.token_for(replace(opened, held="") if once.is_bound(opened.held) else opened)

    def _held_click(self, tx: Transaction, launch: Launch, token: str) -> Opened:
        """A further click of a held launch."""
        opened = replace(self._with_learner(tx, self._found(tx, launch)), held=token)
        if _makes_attempt(opened) and tx.has_left(launch):
            raise PageExpired("the LMS has listed this learner as gone since")
        return opened

    def _found(self, tx: Transaction, launch: Launch) -> Opened:
        """The activity, connection and link of a launch; a new link is kept."""
        if launch.message == DEEP_LINKING:
            raise MessageRefused("a launch that asks for links is of no link")
        checking("activity")
        link = migration.find_link(tx, launch)
        launch = migration.at_home(launch, link)
        before = self._elsewhere(tx, launch) if link is None else None
        at = before.link if before else link
        activity = links.find_activity(launch, at, self.catalogue, tx)
        connection = self.catalogue.connection(activity.connection)
        checking("connection")
        if connection.registrations and not launch.is_of(connection.registrations):
            raise NotConfigured(f"connection {connection.name!r} is not open to this LMS")
        if link is None:
            link = tx.save_link(launch, activity.id, self.new_id())
        elif link.activity_id != activity.id:
            tx.point_link(link.id, activity.id)
            link = replace(link, activity_id=activity.id)
        migration.keep_link(tx, launch, link)
        if activity.ungraded:  # whatever place its LMS offers
            launch = replace(launch, grade_target=GradeTarget())
        return Opened(self.new_id(), launch, activity, connection, link)

    def _elsewhere(self, tx: Transaction, launch: Launch) -> Begun | None:
        """Where the learner has an attempt at this place, though its course has another id now."""
        known = tx.known_learner(launch.registration, launch.person.id)
        return relocation.find(tx, launch, tx.begun(launch, "", known)) if known else None

    def _with_learner(self, tx: Transaction, opened: Opened) -> Opened:
        """The click with who clicked; a newcomer has no attempts and gets nothing more yet."""
        if not opened.launch.person.id:
            return opened
        fresh = self.new_id()
        known = migration.learner(tx, opened.launch, fresh)
        if known != fresh:
            return replace(opened, learner_id=known)
        return replace(opened, learner_id=fresh, newcomer=True, more=Adjustment())

    def _record(self, tx: Transaction, opened: Opened) -> Opened:
        launch = opened.launch
        opened = self._with_learner(tx, opened)
        if _makes_attempt(opened):
            if not opened.learner_id:
                raise AnonymousRefused("no user id")
            opened = self._as_started(tx, self._attempt(tx, opened, launch.received_at))
            tx.save_target(self.new_id(), launch, opened.link.id, opened.learner_id)
        if launch.main_role == "staff" and opened.connection.keeps_launches and _by_ags(opened):
            tx.save_place(opened.launch, opened.link.id)
        if members := members_url(launch):
            tx.save_memberships_url(launch, members)
        self._save_launch(tx, opened)
        return opened

    def _at_tool(self, tx: Transaction, opened: Opened, framed: bool) -> Opened:
        """The click with its handoff; what that keeps and buys joins the transaction."""
        try:
            with tx.part():
                handoff = self.start(opened)
        except BridgeError:
            return opened  # the click is recorded, and hand_off says what is wrong
        opened = replace(opened, handoff=handoff)
        if framed and isinstance(handoff, Form) and handoff.cookies:  # for a window of its own
            return replace(opened, held=self.token_for(opened))
        return opened

    def _save_launch(self, tx: Transaction, opened: Opened) -> None:
        attempt_id = opened.attempt.id if opened.attempt else ""
        where = (opened.clicked or opened.link.id, opened.learner_id, attempt_id)
        tx.save_launch(opened.launch_id, opened.launch, *where)

    def _as_started(self, tx: Transaction, opened: Opened) -> Opened:
        """An attempt keeps the settings it began with, whatever an instructor changes later.

        The learner's extra time is that of now: a provider that was told before decides itself.
        """
        attempt_id = opened.attempt.id if opened.attempt else ""
        activity = links.as_started(opened.activity, attempt_id, self.catalogue, tx)
        more = opened.more or tx.adjustment(activity.id, opened.learner_id)
        return replace(opened, activity=activity, extra_time_percent=more.extra_time_percent)

    def _attempt(self, tx: Transaction, opened: Opened, now: datetime, number: int = 0) -> Opened:
        checking("attempt-and-limits")
        return current.attempt(tx, opened, now, number, self.new_id)

    def _preview(self, opened: Opened) -> Preview:
        token = self.token_for(opened)
        return Preview(opened, self.sessions.preview(opened), token)


def _makes_attempt(opened: Opened) -> bool:
    """Whether this click opens an attempt, and not only a look at the test."""
    launch = opened.launch
    if launch.main_role not in ("learner", "guest") or launch.test_user:
        return False
    return not _only_looks(opened)


def _by_ags(opened: Opened) -> bool:
    """Whether the LMS takes grades of this link by AGS."""
    target = opened.launch.grade_target
    scored = any(SCORE_SCOPE in scope for scope in target.scopes)
    return scored and bool(target.line_item or target.line_items)


def _may_start(opened: Opened) -> bool:
    """Whether the test opens: for an attempt, or without one for staff and an LMS's test user."""
    launch = opened.launch
    if opened.attempt is not None or launch.main_role == "staff":
        return True
    return launch.test_user and launch.main_role != "observer"


def _call_key(opened: Opened) -> str:
    """What tells calls for this click from those for others: its attempt, or who looks at what."""
    if opened.attempt is not None:
        return opened.attempt.id
    return f"{opened.link.id} {opened.learner_id or digest(opened.held or opened.launch_id)}"


def _only_looks(opened: Opened) -> bool:
    """Whether nobody has said that this person is to be graded, where each attempt is bought."""
    if opened.launch.main_role != "guest" or opened.launch.test_user:
        return False
    return capabilities.can(opened.connection, capabilities.COSTS)


def _leaves(opened: Opened) -> bool:
    """Whether the browser leaves at once for an LTI tool."""
    connection, main_role = opened.connection, opened.launch.main_role
    if not connection.by_lti or connection.notice or _only_looks(opened):
        return False
    return opened.again is None and main_role in ("learner", "guest")


def _notice(connection: Connection) -> ConfirmPage:
    return ConfirmPage("Before you start", tuple(connection.notice.splitlines()), "Go on", "")
