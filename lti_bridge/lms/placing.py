"""Answering an LMS that asks for links: signed as the tool, in the words of its LTI version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

from lti_bridge.core.course.history import ASKED
from lti_bridge.core.course.links import DEEP_LINKED
from lti_bridge.core.launch.handoff import Form
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity, Picking
from lti_bridge.errors import MessageRefused
from lti_bridge.lms.line_items import TAG
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.registration13 import Registration13
from lti_bridge.lti import claims, content_items, deep_linking, jwt, oauth1
from lti_bridge.lti.keys import SigningKey

LIFE_S = 300  # seconds: some instructors' clocks and browsers are slow


@dataclass(frozen=True, slots=True)
class LinkAnswers:
    """The `core.placing.Answers` of all registered LMSs.

    `registration` finds one by its name; `launch_url` is where the links lead to; `new_nonce`
    returns a fresh unguessable text; `key` is what we sign with for an LMS.
    """

    registration: Callable[[str], Registration11 | Registration13 | None]
    launch_url: str
    key: Callable[[Registration13], SigningKey]
    clock: Callable[[], datetime]
    new_nonce: Callable[[], str]

    def picking(self, launch: Launch) -> Picking:
        """What the LMS accepts. Raises MessageRefused when that is no link of ours."""
        wanted = _wanted(launch)
        if deep_linking.LTI_LINK not in wanted.types:
            raise MessageRefused("the LMS accepts no links to a tool here")
        return Picking(wanted.multiple, wanted.line_items is not False)

    def answer(self, launch: Launch, activities: list[Activity]) -> Form:
        """The signed form that puts links to these activities into the course; none: cancel."""
        wanted = _wanted(launch)
        items = [self._item(activity) for activity in activities]
        registration = self.registration(launch.registration)
        if isinstance(registration, Registration13):
            return self._token(launch, wanted, items, registration)
        if isinstance(registration, Registration11):
            return self._signed(wanted, items, registration)
        raise MessageRefused("the LMS is not registered any more")

    def _item(self, activity: Activity) -> deep_linking.LinkItem:
        return deep_linking.LinkItem(
            # in the address too: an LMS may keep nothing else of an item (Stud.IP)
            url=f"{self.launch_url}?{urlencode({DEEP_LINKED: activity.id})}",
            title=activity.title,
            custom={DEEP_LINKED: activity.id, **ASKED},
            maximum=None if activity.ungraded else Decimal(activity.maximum or 100),
            label=activity.label or activity.title,
            resource_id=activity.id,
            tag=TAG,
        )

    def _token(
        self,
        launch: Launch,
        wanted: deep_linking.Wanted,
        items: list[deep_linking.LinkItem],
        registration: Registration13,
    ) -> Form:
        """One POST of one parameter, JWT (Security Framework 1.0 §5.2)."""
        told = deep_linking.response(wanted, items, deployment_id=launch.deployment_id)
        token = {
            "iss": registration.client_id,
            "aud": registration.issuer,
            **jwt.times(self.clock(), LIFE_S),
            "nonce": self.new_nonce(),
            **told,
        }
        return Form(wanted.return_url, (("JWT", jwt.sign(token, self.key(registration))),))

    def _signed(
        self,
        wanted: deep_linking.Wanted,
        items: list[deep_linking.LinkItem],
        registration: Registration11,
    ) -> Form:
        """A form signed with the consumer's own key and secret (Content-Item Message 1.0 §3)."""
        fields = oauth1.sign_form(
            wanted.return_url,
            content_items.selection(wanted, items),
            registration.consumer_key,
            registration.shared_secret,
            nonce=self.new_nonce(),
            timestamp=int(self.clock().timestamp()),
            method=registration.method,
        )
        return Form(wanted.return_url, tuple(fields))


def _wanted(launch: Launch) -> deep_linking.Wanted:
    return deep_linking.read_settings(launch.extra.get(claims.DEEP_LINKING_SETTINGS))
