"""From a verified launch to a handoff: record the click, find the attempt, ask the provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from lti_bridge.core import holding, identity, linking, sourcedids
from lti_bridge.core.handoff import Handoff, Note
from lti_bridge.core.launch import RESOURCE_LINK, Context, Launch, Person, ResourceLink
from lti_bridge.core.ports import Catalogue, Connection, Session, Store, Transaction
from lti_bridge.core.records import Activity, Attempt, Link
from lti_bridge.core.substitution import Bindings, Resolved, resolve
from lti_bridge.errors import (
    AnonymousRefused,
    BrowserRefused,
    MessageRefused,
    NoAttemptsLeft,
    NoPersonalData,
    NotConfigured,
    PageExpired,
    SignatureRefused,
)

PREVIEW_LIFE = timedelta(hours=2)
FOR_LEARNERS = Note(
    title="This link opens a test for students",
    paragraphs=("You are in this course without being one of its students, so there is no test.",),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A recorded click. `attempt` is None unless the launch may make one.

    `learner_id` is empty for an anonymous click.
    """

    launch_id: str
    launch: Launch
    activity: Activity
    connection: Connection
    link: Link
    learner_id: str = ""
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What staff see before they open the test themselves. `token` opens it, for two hours."""

    opened: Opened
    resolved: Resolved
    token: str


@dataclass(frozen=True, slots=True)
class Launching:
    """The launch core, with everything it needs from the outside.

    `key` derives pseudonyms and sourcedids; `new_id` returns a fresh unguessable id;
    `public_url` is where the bridge is reached, `outcome_url` and `return_url` (a prefix) are its
    addresses for providers.
    """

    store: Store
    catalogue: Catalogue
    key: bytes
    new_id: Callable[[], str]
    public_url: str
    outcome_url: str
    return_url: str

    def open(self, launch: Launch) -> Opened:
        """Record the click in one transaction, with the attempt if there is to be one.

        Raises SignatureRefused or BrowserRefused for a message that was used before, and
        NotConfigured, NoAttemptsLeft, AnonymousRefused when there is nothing to open.
        """
        if launch.message != RESOURCE_LINK:
            raise MessageRefused(f"message type {launch.message} is not supported")
        with self.store.transaction() as tx:
            if not tx.use_once(launch.once):
                raise _used(launch)
            return self._record(tx, self._found(tx, launch))

    def hand_off(self, opened: Opened) -> Handoff | Preview:
        """What the browser gets for a recorded click; calls the provider if there is need."""
        standing = opened.launch.standing
        if standing == "staff":
            return self._preview(opened)
        if standing == "observer":
            return FOR_LEARNERS
        return self.start(opened)

    def start(self, opened: Opened) -> Handoff:
        """Send the browser to the provider, whoever clicked."""
        session, _ = self.session(opened)
        return opened.connection.provider.start(session)

    def open_preview(self, token: str) -> Opened:
        """Record the second click of the staff member who holds this token. Raises PageExpired."""
        held = self.store.held_launch(token)
        if held is None:
            raise PageExpired("no held launch")
        launch = holding.from_json(held)
        with self.store.transaction() as tx:
            opened = replace(self._found(tx, launch), learner_id=self._learner(tx, launch))
            tx.save_launch(opened.launch_id, launch, opened.link.id, opened.learner_id, "")
        return opened

    def session(self, opened: Opened) -> tuple[Session, Resolved]:
        """What the provider may know of this click: pseudonyms, and what privacy allows."""
        launch, connection, attempt = opened.launch, opened.connection, opened.attempt
        bindings = Bindings(
            user_id=identity.pairwise(self.key, connection.name, opened.learner_id),
            resource_link_id=opened.link.id,
            context_id=self._context_id(opened),
            sourced_id=self._sourced_id(opened),
            outcome_url=self.outcome_url,
            return_url=self.return_url + opened.launch_id,
            privacy=connection.privacy,
        )
        written = connection.provider.custom(opened.activity.settings)
        resolved = resolve(written, launch, bindings)
        session = Session(
            attempt_id=attempt.id if attempt else "",
            attempt_number=attempt.number if attempt else 0,
            learner_id=bindings.user_id,
            person=self._person(opened),
            roles=launch.roles,
            context=_context(launch, bindings.context_id),
            resource_link=_resource_link(launch, opened),
            platform=launch.platform,
            presentation=launch.presentation,
            settings=opened.activity.settings,
            custom=resolved.values,
            return_url=bindings.return_url,
            outcome_url=self.outcome_url,
            sourced_id=bindings.sourced_id,
        )
        return session, resolved

    def _found(self, tx: Transaction, launch: Launch) -> Opened:
        """The activity, connection and link of a launch; a new link is kept."""
        link = tx.find_link(launch)
        activity = linking.find_activity(launch, link, self.catalogue, tx)
        connection = self.catalogue.connection(activity.connection)
        if connection.registrations and launch.registration not in connection.registrations:
            raise NotConfigured(f"connection {connection.name!r} is not open to this LMS")
        if link is None or link.activity_id != activity.id:
            link = tx.save_link(launch, activity.id, self.new_id())
        return Opened(self.new_id(), launch, activity, connection, link)

    def _learner(self, tx: Transaction, launch: Launch) -> str:
        if not launch.person.id:
            return ""
        fresh = self.new_id()
        return tx.learner(launch.registration, launch.person.id, fresh, launch.received_at)

    def _record(self, tx: Transaction, opened: Opened) -> Opened:
        launch = opened.launch
        opened = replace(opened, learner_id=self._learner(tx, launch))
        attempt_id = ""
        if launch.standing in ("learner", "guest") and not launch.test_user:
            if not opened.learner_id:
                raise AnonymousRefused("no user id")
            attempt = self._attempt(tx, opened)
            attempt_id = attempt.id
            opened = replace(opened, attempt=attempt)
            tx.save_target(self.new_id(), launch, opened.link.id, opened.learner_id)
        tx.save_launch(opened.launch_id, launch, opened.link.id, opened.learner_id, attempt_id)
        return opened

    def _attempt(self, tx: Transaction, opened: Opened) -> Attempt:
        activity, link, learner_id = opened.activity, opened.link, opened.learner_id
        attempt = tx.open_attempt(link.id, learner_id)
        if attempt is not None and attempt.activity_id == activity.id:
            return attempt
        if attempt is not None:
            tx.close_attempt(attempt, opened.launch.received_at)
        made = tx.count_attempts(link.id, learner_id)
        if activity.attempts and made >= activity.attempts:
            raise NoAttemptsLeft(f"{made} of {activity.attempts}")
        fresh = Attempt(
            id=self.new_id(),
            link_id=link.id,
            learner_id=learner_id,
            number=made + 1,
            activity_id=activity.id,
            connection=activity.connection,
            grade_policy=activity.grade,
            state="created",
        )
        return tx.create_attempt(fresh, opened.launch.received_at)

    def _preview(self, opened: Opened) -> Preview:
        token = self.new_id()
        until = opened.launch.received_at + PREVIEW_LIFE
        self.store.hold_launch(token, holding.to_json(opened.launch), until)
        _, resolved = self.session(replace(opened, connection=_lenient(opened.connection)))
        return Preview(opened, resolved, token)

    def _sourced_id(self, opened: Opened) -> str:
        """Only a learner whose LMS has a place for the grade gets one."""
        if opened.attempt is None or opened.launch.standing != "learner":
            return ""
        if not opened.launch.grade_target.offered:
            return ""
        return sourcedids.issue(self.key, opened.connection.name, opened.attempt.id)

    def _context_id(self, opened: Opened) -> str:
        launch = opened.launch
        if not launch.context.id:
            return ""
        # a course's id is unique only within its deployment (Core 1.3 section 5.4.1)
        course = (launch.registration, launch.deployment_id, launch.context.id)
        where = (opened.connection.name, *course)
        return identity.opaque(self.key, "context", *where)

    def _person(self, opened: Opened) -> Person:
        rule = identity.PrivacyRule(opened.connection.privacy)
        person = rule.apply(opened.launch.person)
        missing = [name for name in sorted(opened.connection.needs) if not getattr(person, name)]
        if missing:
            raise NoPersonalData(f"the LMS sent no {', '.join(missing)}")
        return person


def _used(launch: Launch) -> SignatureRefused | BrowserRefused:
    if launch.lti == "1.3":
        return BrowserRefused("this id_token was already used")
    return SignatureRefused("this nonce was already used")


def _lenient(connection: Connection) -> Connection:
    # the page for staff must open even when their own name is missing
    return replace(connection, needs=frozenset())


def _context(launch: Launch, context_id: str) -> Context:
    return replace(launch.context, id=context_id) if context_id else Context()


def _resource_link(launch: Launch, opened: Opened) -> ResourceLink:
    title = launch.resource_link.title or opened.activity.title
    return replace(launch.resource_link, id=opened.link.id, title=title)
