"""The members of a course for LTI 1.3 tools (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.course.catalogue import Catalogue
from lti_bridge.core.course.rosters import Member, Roster
from lti_bridge.core.grade import sourced_ids
from lti_bridge.core.launch import identity
from lti_bridge.core.launch.message import (
    RESOURCE_LINK,
    Context,
    Launch,
    Once,
    Person,
    ResourceLink,
)
from lti_bridge.core.launch.variables import Bindings, resolve
from lti_bridge.core.records import Activity
from lti_bridge.core.tool.line_items import ToolContext, ToolStore, ToolTransaction
from lti_bridge.core.tool.links import ToolLinks
from lti_bridge.errors import NotFound
from lti_bridge.lti import claims, roles
from lti_bridge.lti.ags_service import written
from lti_bridge.lti.scopes import NRPS_SCOPE
from lti_bridge.platform.access_tokens import Grant
from lti_bridge.platform.launch13 import memberships_url
from lti_bridge.platform.outcomes13 import SCOPE as OUTCOME_SCOPE
from lti_bridge.platform.pages import AFTER, Answer, Asked

TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


@dataclass(frozen=True, slots=True)
class MemberService:
    """The service of all tools. `key` derives the ids that tools know learners by."""

    store: ToolStore
    links: ToolLinks
    roster: Roster
    catalogue: Catalogue
    key: bytes
    public_url: str
    outcome_url: str
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def members(self, grant: Grant, course: str, asked: Asked) -> Answer:
        """The members of a course, in pages (NRPS section 2).

        Raises NotFound for a course of somebody else, and where the LMS tells no members.
        """
        grant.need(NRPS_SCOPE)
        context = self.store.context(grant.tool.connection, course) if course.isascii() else None
        if context is None:
            raise NotFound("no such context")
        activity = self._activity(context, asked.value("rlid"))
        after, limit = asked.value(AFTER), asked.limit()
        everybody = self._members(context, asked.value("role"))
        found = [one for one in everybody if one[0] > after][: limit + 1]
        url = memberships_url(self.public_url, context.id)
        shown, next_url = asked.page(url, found, ("role", "rlid"), lambda one: one[0])
        with self.store.transaction() as tx:
            described = [
                self._member(tx, grant, context, member, activity, asked.value("rlid"))
                for _, member in shown
            ]
        body = {"id": url, "context": {"id": context.id}, "members": described}
        return Answer(written(body), next_url)

    def _activity(self, context: ToolContext, link_id: str) -> Activity | None:
        return self.links.activity(context, link_id) if link_id else None

    def _members(self, context: ToolContext, role: str) -> Sequence[tuple[str, Member]]:
        """The members of this role with a mark each, in the order of the marks."""
        found = self.roster.members(context.registration, context.deployment_id, context.context_id)
        if found is None:
            raise NotFound("the members of this context are not known")
        wanted = set(roles.normalize([role]))
        marked = [
            (identity.opaque(self.key, "member", context.id, member.person.id), member)
            for member in found
            if member.person.id and (not wanted or wanted & set(roles.narrow(member.roles)))
        ]
        return sorted(marked, key=lambda one: one[0])

    def _member(
        self,
        tx: ToolTransaction,
        grant: Grant,
        context: ToolContext,
        member: Member,
        activity: Activity | None,
        link_id: str,
    ) -> dict[str, Any]:
        connection = self.catalogue.connection(context.connection)
        who = (context.registration, member.person.id)
        learner_id = tx.learner(*who, self.new_id(), self.clock())
        user_id = identity.pairwise(self.key, connection.name, learner_id)
        tx.save_tool_user(connection.name, user_id, learner_id)
        listed = member.active and not roles.is_staff(member.roles)
        tx.save_member(context.id, learner_id, listed=listed)
        person = identity.PrivacyRule(connection.privacy).apply(
            identity.parted(member.person, connection.names)
        )
        chosen = (connection.addresses, connection.pseudonym_domain)
        person = replace(person, email=identity.address_of(person, user_id, *chosen))
        shown: dict[str, Any] = {
            "user_id": user_id,
            "roles": list(roles.narrow(member.roles)),
            "status": "Active" if member.active else "Inactive",
            **_personal(person),
        }
        if activity is not None:
            sourced_id = ""
            attempt = tx.open_attempt(link_id, learner_id)
            if attempt is not None and OUTCOME_SCOPE in grant.tool.scopes:
                sourced_id = sourced_ids.issue(self.key, connection.name, attempt.id)
            more = tx.adjustment(activity.id, learner_id)
            ids = Bindings(
                privacy=connection.privacy,
                user_id=user_id,
                resource_link_id=link_id,
                context_id=context.id,
                sourced_id=sourced_id,
                outcome_url=self.outcome_url,
                extra_time_percent=more.extra_time_percent,
            )
            shown["message"] = [self._message(connection, member, activity, ids)]
        return shown

    def _message(
        self, connection: Connection, member: Member, activity: Activity, ids: Bindings
    ) -> dict[str, Any]:
        """What a launch of this member would say and does not for the others (NRPS section 3)."""
        now = self.clock()
        launch = Launch(
            registration="",
            lti="1.3",
            once=Once("", "", now),
            received_at=now,
            person=member.person,
            context=Context(id=ids.context_id),
            resource_link=ResourceLink(id=ids.resource_link_id, title=activity.title),
            roles=member.roles,
        )
        written = connection.provider.custom(activity.settings)
        rule = connection.extra_time(activity.settings)
        custom = rule.told(resolve(written, launch, ids).values, ids.extra_time_percent)
        message: dict[str, Any] = {claims.MESSAGE_TYPE: RESOURCE_LINK, claims.CUSTOM: custom}
        if ids.sourced_id:
            message[claims.BASIC_OUTCOME] = {
                "lis_result_sourcedid": ids.sourced_id,
                "lis_outcome_service_url": ids.outcome_url,
            }
        return message


def _personal(person: Person) -> dict[str, str]:
    values = {
        "name": person.full_name,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "middle_name": person.middle_name,
        "email": person.email,
        "picture": person.image,
        "lis_person_sourcedid": person.sourced_id,
    }
    return {name: value for name, value in values.items() if value}
