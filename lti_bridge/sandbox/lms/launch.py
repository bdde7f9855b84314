"""Facts of one launch that LTI 1.1 and 1.3 say in their own words: addresses and custom values."""

import re
from urllib.parse import urlencode, urlsplit

from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.state import Lms


def tool_origin(lms: Lms) -> str:
    """The only site that this LMS keeps data for."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(launch_url(lms)))


def launch_url(lms: Lms) -> str:
    """Where the tool takes launches, which is a registered redirect_uri of it."""
    return lms.settings.launch_url or f"{lms.bridge}/lti/launch"


def login_url(lms: Lms) -> str:
    """Where the tool takes login initiations."""
    return lms.settings.login_url or f"{lms.bridge}/lti/login"


def outcome_url(lms: Lms) -> str:
    """The Basic Outcomes service."""
    return f"{lms.issuer}/lti/outcomes"


def items_url(lms: Lms) -> str:
    """The line item container, with the query string that Moodle has."""
    return f"{lms.issuer}/lti/ags/{lms.settings.course_id}/lineitems?type_id=1"


def item_url(lms: Lms, item_id: str) -> str:
    """One line item; the query comes last, so `/scores` belongs before it."""
    return f"{lms.issuer}/lti/ags/{lms.settings.course_id}/lineitems/{item_id}/lineitem?type_id=1"


def members_url(lms: Lms) -> str:
    """The names and roles service."""
    return f"{lms.issuer}/lti/nrps/{lms.settings.course_id}/memberships"


def handlers_url(lms: Lms) -> str:
    """Where a tool says where notices go."""
    return f"{lms.issuer}/lti/notice-handlers/{lms.settings.deployment_id}"


def return_url(lms: Lms, link: LinkSpec, target: str) -> str:
    """Where the tool sends the person back to."""
    more = lms.family.return_values(target)
    return f"{lms.issuer}/return?" + urlencode(
        {"course": lms.settings.course_id, "link": link.id, **more}
    )


def custom_values(lms: Lms, link: LinkSpec, user: User) -> dict[str, str]:
    """The link's custom values with known `$variables` filled; unknown ones stay as written."""
    known = {
        "$User.id": user.id,
        "$User.username": user.username,
        "$Person.name.full": user.name,
        "$Person.name.given": user.given,
        "$Person.name.family": user.family,
        "$Person.email.primary": user.email,
        "$Person.sourcedId": f"SIS-{user.username}",
        "$Context.id": lms.course_of(link)[0],
        "$Context.title": lms.course_of(link)[1],
        "$ResourceLink.id": link.id,
        "$ResourceLink.title": link.title,
        "$Membership.role": user.role,
        **lms.family.variables(link),
    }
    return {name: known.get(value, value) for name, value in link.custom.items()}


def plain_name(name: str) -> str:
    """A custom name as LTI 1.1 writes it: lower case, other characters replaced by `_`."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())
