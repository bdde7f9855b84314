"""Instructors choose at the provider's own tool; what it answers becomes activities of the course.

The answer is believed only in the browser that was sent to the tool, once, and for the page that
it left (DL 2.0 §4.5.5, Security Framework 1.0 §7.3.1).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from lti_bridge.core.attempt import capabilities
from lti_bridge.core.attempt.provider import Connection, Session
from lti_bridge.core.course import migration
from lti_bridge.core.course.links import course_of
from lti_bridge.core.course.placements import MAX_ITEMS, Placing, Terms
from lti_bridge.core.journal.hop import note
from lti_bridge.core.launch import identity
from lti_bridge.core.launch.handoff import Cookie, Form
from lti_bridge.core.launch.message import Context, Launch, ResourceLink
from lti_bridge.core.launch.sessions import course_id
from lti_bridge.core.records import Activity
from lti_bridge.core.tool.choices import Asking, ChosenItem, ToolAnswer, ToolChoice, ToolChoices
from lti_bridge.core.tool.launches import Origin, digest
from lti_bridge.errors import NotConfigured, ToolAnswerRefused

LIFE = timedelta(hours=1)
COOKIE_PREFIX = "__Secure-lti-choice-"


@dataclass(frozen=True, slots=True)
class Picked:
    """What came back: the launch that it goes on from, and the new activities, saved."""

    token: str
    launch: Launch
    chosen: str
    activities: tuple[Activity, ...]
    cookie: str


@dataclass(frozen=True, slots=True)
class AtTools:
    """Sends instructors to tools and takes the answers, with what that needs from the outside.

    `key` derives pseudonyms, `return_url` is where tools answer.
    """

    placing: Placing
    choices: ToolChoices
    key: bytes
    return_url: str
    clock: Callable[[], datetime]

    def offered(self, connection: str) -> bool:
        """Whether one can choose at the tool of this connection."""
        found = self.placing.catalogue.connection(connection)
        return capabilities.can(found, capabilities.PICK)

    def leave(self, token: str, launch: Launch, connection: str, chosen: list[str]) -> Form:
        """The form that brings an instructor to the tool of a connection.

        Raises NotConfigured when it is not open to their LMS, Unsupported when one cannot choose
        there.
        """
        if connection not in {way.connection for way in self.placing.ways(launch)}:
            raise NotConfigured(f"connection {connection[:80]!r} is not open to this LMS")
        found = self.placing.catalogue.connection(connection)
        provider = capabilities.picks(found)
        data, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        wanted = self.placing.picking(launch)
        multiple = wanted is not None and wanted.multiple
        self.choices.keep(
            ToolChoice(
                data=digest(data),
                browser=digest(browser),
                connection=connection,
                token=digest(token),
                chosen=" ".join(chosen),
                multiple=multiple,
                until=self.clock() + LIFE,
            )
        )
        title = str(launch.extra.get("title", "") or launch.resource_link.title)[:255]
        # in the address too, for tools that forget `data`: whoever has not the one has neither
        asking = Asking(f"{self.return_url}/{data}", data, multiple, title)
        form = provider.pick(self._session(launch, found), asking)
        path = urlsplit(self.return_url).path
        cookie = Cookie(cookie_name(data), browser, path, int(LIFE.total_seconds()))
        return replace(form, cookies=(*form.cookies, cookie))

    def come_back(self, answer: ToolAnswer, cookies: Mapping[str, str]) -> Picked:
        """Take a verified answer, all of it or nothing. Raises ToolAnswerRefused, PageExpired."""
        if not answer.data:
            raise ToolAnswerRefused(
                "data is missing: it has to come back as it was sent, or to the very address"
            )
        cookie = cookie_name(answer.data)
        browser = digest(cookies.get(cookie, ""))
        choice = self.choices.take(
            digest(answer.data), browser, answer.connections, answer.once, self.clock()
        )
        if choice is None:
            raise ToolAnswerRefused("data was used before, expired, or belongs to another browser")
        note(connection=choice.connection)
        launch = self.placing.kept_under(choice.token)
        if len(answer.items) > (MAX_ITEMS if choice.multiple else 1):
            count = len(answer.items)
            raise ToolAnswerRefused(f"content_items holds {count} links, more than were asked for")
        made = tuple(self._activity(one, choice, launch) for one in answer.items)
        kept: list[Activity] = []
        for activity in made:
            beside = [*choice.chosen.split(), *(one.id for one in kept)]
            kept.append(replace(activity, id=self.placing.save(launch, activity, beside)))
        token = self.placing.token_for(launch)
        return Picked(token, launch, choice.chosen, tuple(kept), cookie)

    def _activity(self, item: ChosenItem, choice: ToolChoice, launch: Launch) -> Activity:
        """The activity that the form would have made of what was chosen."""
        connection = self.placing.catalogue.connection(choice.connection)
        typed = capabilities.picks(connection).picked(item)
        given: dict[str, Any] = {"title": item.title.strip()[:255] or choice.connection}
        given |= {"label": item.label.strip()[:255], "ungraded": item.ungraded}
        if capabilities.can(connection, capabilities.COSTS):
            given["attempts"] = "1"
        if item.maximum is not None:
            given["maximum"] = str(item.maximum)
        try:
            terms = Terms.model_validate(given)
            self.placing.catalogue.settings(choice.connection, typed)
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
            raise ToolAnswerRefused(f"{choice.connection}: {wrong} of an item") from error
        except NotConfigured as error:
            raise ToolAnswerRefused(f"{choice.connection}: {error.detail}") from error
        return Activity(
            id=self.placing.new_id(),
            connection=choice.connection,
            settings=dict(typed),
            course=course_of(launch),
            **{**terms.model_dump(), "maximum": str(terms.maximum)},
        )

    def _session(self, launch: Launch, connection: Connection) -> Session:
        """What the tool may know: a session at no link, by the connection's privacy rule."""
        learner_id = ""
        if launch.person.id:
            with self.placing.store.transaction() as tx:
                learner_id = migration.learner(tx, launch, self.placing.new_id())
        course = course_id(self.key, connection.name, launch)
        named = replace(launch.context, id=course) if launch.context.id else Context()
        pseudonym = learner_id and identity.pairwise(self.key, connection.name, learner_id)
        return Session(
            attempt_id="",
            attempt_number=0,
            learner_id=pseudonym,
            person=identity.PrivacyRule(connection.privacy).apply(
                identity.parted(launch.person, connection.names)
            ),
            roles=launch.roles,
            context=named,
            resource_link=ResourceLink(),
            platform=launch.platform,
            presentation=launch.presentation,
            settings=None,
            custom={},
            return_url="",
            origin=Origin(
                learner_id=learner_id,
                registration=launch.registration,
                deployment_id=launch.deployment_id,
                context_id=launch.context.id,
                course=course,
            ),
        )


def cookie_name(data: str) -> str:
    """The name of one choice's own cookie, so that several tabs do not mix."""
    return COOKIE_PREFIX + digest(data)[:12]
