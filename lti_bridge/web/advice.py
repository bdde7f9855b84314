"""What an LMS does not send, said to its teachers in words that their administrator can act on.

Each family's words are those of its settings, as docs/lms/ has them with their sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.course.rosters import members_url
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.launch.opened import Opened

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
LINE_ITEM = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"


class Where(NamedTuple):
    """Where a family of LMSs switches each thing on, and the page that says more."""

    grades: str
    names: str
    members: str
    page: str


ANYWHERE = Where(
    "let this tool return grades (Assignment and Grade Services, or Basic Outcomes)",
    "let this tool receive names and e-mail addresses",
    "switch on Names and Role Provisioning Services for this tool",
    "docs/lms.md",
)
MOODLE = Where(
    "in Moodle's Manage tools, edit this tool: “Accept grades from the tool: Always” under Privacy,"
    " and under Services “Use this service for grade sync and column management”",
    "in Moodle's Manage tools, edit this tool: share name and e-mail “Always” under Privacy",
    "in Moodle's Manage tools, edit this tool: under Services, IMS LTI Names and Role"
    " Provisioning: “Use this service to retrieve members' information as per privacy settings”",
    "docs/lms/moodle.md",
)
CANVAS = Where(
    "in Canvas, add the test as an assignment of type External Tool; the developer key needs the"
    " scopes for line items, scores and results",
    "in Canvas, set the privacy level of the developer key to Public",
    "in Canvas, the developer key needs the scope “Can retrieve user data associated with the"
    " context”",
    "docs/lms/canvas.md",
)
BRIGHTSPACE = Where(
    "in Brightspace, tick Assignment and Grade Services under Extensions, both of the registration"
    " and of the deployment",
    "in Brightspace, edit the deployment: tick first name, last name and e-mail under Security"
    " Settings",
    "in Brightspace, tick Names and Role Provisioning Services under Extensions, both of the"
    " registration and of the deployment",
    "docs/lms/brightspace.md",
)
BLACKBOARD = Where(
    "in Blackboard, edit the tool provider: “Allow grade service access: Yes”, and add the test"
    " so that it has a grade",
    "in Blackboard, edit the tool provider: tick name and e-mail address under User Fields to Send",
    "in Blackboard, edit the tool provider: “Allow Membership Service Access: Yes”",
    "docs/lms/blackboard.md",
)
SAKAI = Where(
    "in Sakai's External Tools, edit this tool: allow it to return grades, and to create grade"
    " columns",
    "in Sakai's External Tools, edit this tool: send user names and e-mail addresses",
    "in Sakai's External Tools, edit this tool: provide the roster to it",
    "docs/lms/sakai.md",
)
OPEN_EDX = Where(
    "in Studio, edit the component: “Scored: True”, and for LTI 1.3 let it use Assignment and Grade"
    " Services",
    "in Studio, edit the component: request the user's name and e-mail; a site operator has to"
    " allow that for the course first",
    "in Studio, edit the component: let it use Names and Role Provisioning Services",
    "docs/lms/open-edx.md",
)
SCHOOLOGY = Where(
    "in Schoology's App Center, edit the app: tick Assignment and Grade Services, and install it"
    " again",
    "in Schoology's App Center, edit the app: send name and e-mail address under Privacy",
    "in Schoology's App Center, edit the app: tick Names and Roles Services, and install it again",
    "docs/lms/schoology.md",
)
FAMILIES: Mapping[str, Where] = {  # by product_family_code, in lower case
    "moodle": MOODLE,
    "canvas": CANVAS,
    "desire2learn": BRIGHTSPACE,
    "brightspace": BRIGHTSPACE,
    "blackboardlearn": BLACKBOARD,
    "blackboard": BLACKBOARD,
    "sakai": SAKAI,
    "openedx": OPEN_EDX,
    "edx": OPEN_EDX,
    "schoology": SCHOOLOGY,
}


def missing(opened: Opened) -> tuple[str, ...]:
    """What this launch by staff shows to be missing; nothing where all is there."""
    launch, found = opened.launch, []
    where = FAMILIES.get(launch.platform.family.strip().lower(), ANYWHERE)
    if not opened.activity.ungraded and not _has_place(launch):
        found.append(
            "Your LMS offers no place for a grade of this link, so no grade will arrive. "
            + _for_admin(where.grades, where)
        )
    if said := _unnamed(launch, opened.connection):
        found.append(f"{said} {_for_admin(where.names, where)}")
    if launch.lti == "1.3" and not members_url(launch):
        found.append(
            "Your LMS does not tell who is in the course: “Learners” shows only who has opened "
            "this link, by ids, and nobody knows who has left. " + _for_admin(where.members, where)
        )
    return tuple(found)


def _has_place(launch: Launch) -> bool:
    """Whether learners' launches will name a place; some LMSs name staff no cell of their own."""
    target = launch.grade_target
    if target.outcome_url:
        return True
    if not target.scopes:  # none are said: nothing is known
        return bool(target.line_item or target.line_items)
    made = bool(target.line_items) and LINE_ITEM in target.scopes
    return SCORE in target.scopes and (bool(target.line_item) or made)


def _unnamed(launch: Launch, connection: Connection) -> str:
    """What is not told of people: a sentence, where somebody needs or shows it."""
    person = launch.person
    lacks = [] if person.given_name or person.family_name or person.full_name else ["names"]
    if not person.email:
        lacks.append("e-mail addresses")
    said = f"Your LMS sends no {' and no '.join(lacks)}"
    needed = set(connection.needs) - ({"email"} if connection.pseudonym_domain else set())
    if any(not getattr(person, name) for name in needed) and lacks:
        return f"{said}, which this test's provider needs: it will not open for learners."
    return f"{said}: “Learners” shows ids." if "names" in lacks else ""


def _for_admin(what: str, where: Where) -> str:
    return f"For its administrator: {what} ({where.page})."
