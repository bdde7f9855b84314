"""What a provider may know of a click: pseudonyms, variables filled in, what privacy allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.callbacks import attempt_token
from lti_bridge.core.attempt.provider import Session
from lti_bridge.core.course.rosters import members_url
from lti_bridge.core.grade import sourced_ids
from lti_bridge.core.launch import identity
from lti_bridge.core.launch.message import (
    LEARNER,
    LEARNER_SUB_ROLE,
    Context,
    Launch,
    Person,
    ResourceLink,
)
from lti_bridge.core.launch.opened import Opened
from lti_bridge.core.launch.variables import Bindings, Resolved, resolve
from lti_bridge.core.tool.launches import Origin
from lti_bridge.errors import NoPersonalData


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes of a click what its provider is told.

    `key` derives pseudonyms and sourcedids; `outcome_url` and `return_url` (a prefix) are the
    bridge's addresses for providers, `hook_url` the prefix of their hooks.
    """

    key: bytes
    outcome_url: str
    return_url: str
    hook_url: str

    def of(self, opened: Opened) -> tuple[Session, Resolved]:
        """What the provider may know of this click: pseudonyms, and what privacy allows."""
        connection, attempt = opened.connection, opened.attempt
        who = identity.parted(opened.launch.person, connection.names)
        launch = replace(opened.launch, person=who)
        opened = replace(opened, launch=launch)
        user_id = identity.pairwise(self.key, connection.name, opened.learner_id)
        course = course_id(self.key, connection.name, launch)
        bindings = Bindings(
            user_id=user_id if opened.learner_id else "",
            resource_link_id=opened.link.id,
            context_id=course if launch.course_id else "",
            sourced_id=self._sourced_id(opened),
            outcome_url=self.outcome_url,
            return_url=self.return_url + opened.launch_id,
            privacy=connection.privacy,
            extra_time_percent=opened.extra_time_percent,
        )
        written = connection.provider.custom(opened.activity.settings)
        resolved = resolve(written, launch, bindings)
        if capabilities.can(connection, capabilities.REMOTE):
            resolved = resolved.complete()  # nobody after us knows what a variable is
        rule = connection.extra_time(opened.activity.settings)
        session = Session(
            attempt_id=attempt.id if attempt else "",
            attempt_number=attempt.number if attempt else 0,
            learner_id=bindings.user_id,
            person=_person(opened, user_id),
            roles=_roles(launch),
            context=_context(launch, bindings.context_id),
            resource_link=_resource_link(launch, opened),
            platform=launch.platform,
            presentation=launch.presentation,
            settings=opened.activity.settings,
            custom=rule.told(resolved.values, opened.extra_time_percent),
            return_url=bindings.return_url,
            outcome_url=self.outcome_url,
            sourced_id=bindings.sourced_id,
            callback_url=self._callback_url(opened),
            extra_time_percent=opened.extra_time_percent,
            origin=_origin(opened, course),
        )
        return session, resolved

    def preview(self, opened: Opened) -> Resolved:
        """The parameters as staff see them; the page opens even when their own name is missing."""
        without_needs = replace(opened.connection, needs=frozenset())
        return self.of(replace(opened, connection=without_needs))[1]

    def _callback_url(self, opened: Opened) -> str:
        connection, attempt = opened.connection, opened.attempt
        if attempt is None or not capabilities.can(connection, capabilities.CALLBACK):
            return ""
        token = attempt_token(self.key, connection.name, attempt.id)
        return f"{self.hook_url}{connection.name}/{token}"

    def _sourced_id(self, opened: Opened) -> str:
        """Only a learner whose LMS has a place for the grade gets one."""
        if opened.attempt is None or opened.launch.main_role != "learner":
            return ""
        if not opened.launch.grade_target.offered:
            return ""
        return sourced_ids.issue(self.key, opened.connection.name, opened.attempt.id)


def course_id(key: bytes, connection: str, launch: Launch) -> str:
    """The course of a launch as a connection's provider knows it."""
    # a course's id is unique only within its deployment (Core 1.3 section 5.4.1)
    course = (launch.registration, launch.deployment_id, launch.course_id)
    if launch.former:  # as the provider has known the course since LTI 1.1
        course = (launch.former.registration, "", launch.former.context_id)
    return identity.opaque(key, "context", connection, *course)


def _origin(opened: Opened, course: str) -> Origin:
    launch = opened.launch
    return Origin(
        learner_id=opened.learner_id,
        registration=launch.registration,
        deployment_id=launch.deployment_id,
        context_id=launch.context.id or launch.home,
        course=course,
        graded=launch.grade_target.offered,
        listed=bool(members_url(launch)),
    )


def _person(opened: Opened, alias: str) -> Person:
    connection = opened.connection
    person = identity.PrivacyRule(connection.privacy).apply(opened.launch.person)
    chosen = (connection.addresses, connection.pseudonym_domain)
    person = replace(person, email=identity.address_of(person, alias, *chosen))
    missing = [name for name in sorted(connection.needs) if not getattr(person, name)]
    if missing:
        whole = bool(opened.launch.person.full_name)
        raise NoPersonalData(f"the LMS sent no {', '.join(missing)}", missing, whole=whole)
    return person


def _roles(launch: Launch) -> tuple[str, ...]:
    """What a provider is told: whom the LMS grades without naming a role is a learner there."""
    named = any(role == LEARNER or role.startswith(LEARNER_SUB_ROLE) for role in launch.roles)
    return launch.roles if named or launch.main_role != "learner" else (*launch.roles, LEARNER)


def _context(launch: Launch, context_id: str) -> Context:
    return replace(launch.context, id=context_id) if context_id else Context()


def _resource_link(launch: Launch, opened: Opened) -> ResourceLink:
    title = launch.resource_link.title or opened.activity.title
    return replace(launch.resource_link, id=opened.link.id, title=title)
