"""The claims of a resource link launch as Moodle fills them."""

from typing import Any

from lti_bridge.sandbox.lms import launch
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.state import Lms

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
AGS_SCOPES = tuple(
    f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}"
    for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")
)
NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
NOTICE_SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
NOTICE_TYPES = ("LtiHelloWorldNotice", "LtiContextCopyNotice")
PERSONAL = ("name", "given_name", "family_name", "email")
BO_SCOPE = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"


def build(lms: Lms, link: LinkSpec, user: User, target: str) -> dict[str, Any]:
    """Everything but the claims of the token itself (iss, aud, nonce and times)."""
    said = {
        "sub": user.id,
        "name": user.name,
        "given_name": user.given,
        "family_name": user.family,
        "email": user.email,
        **_message(lms, link, user),
        **_surroundings(lms, link, target),
        f"{LTI}custom": _custom(lms, link, user),
        **_services(lms, link, user),
    }
    if "names" in lms.state.lacks:
        said = {name: value for name, value in said.items() if name not in PERSONAL}
    return lms.family.claims(said, user)


def _message(lms: Lms, link: LinkSpec, user: User) -> dict[str, Any]:
    course, title = lms.course_of(link)
    return {
        f"{LTI}message_type": "LtiResourceLinkRequest",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": lms.settings.deployment_id,
        f"{LTI}target_link_uri": link.url or launch.launch_url(lms),
        f"{LTI}roles": [f"http://purl.imsglobal.org/vocab/lis/v2/membership#{user.role}"],
        f"{LTI}lis": {
            "person_sourcedid": f"SIS-{user.username}",
            "course_section_sourcedid": f"SIS-{course}",
        },
        f"{LTI}context": {
            "id": course,
            "label": f"COURSE{course}",
            "title": title,
            "type": ["CourseSection"],
        },
        f"{LTI}resource_link": {
            "id": link.id,
            "title": link.title,
            "description": link.description,
        },
        f"{LTI}ext": {"user_username": user.username, "lms": lms.family.ext},
    }


def _surroundings(lms: Lms, link: LinkSpec, target: str) -> dict[str, Any]:
    return {
        f"{LTI}launch_presentation": {
            "locale": "en",
            "document_target": target,
            "return_url": launch.return_url(lms, link, target),
        },
        f"{LTI}tool_platform": {
            "product_family_code": lms.family.code,
            "version": lms.family.version,
            "guid": lms.guid,
            "name": lms.settings.name,
            "description": "A pretend LMS",
        },
    }


def _custom(lms: Lms, link: LinkSpec, user: User) -> dict[str, str]:
    """Every value under its plain name and, where that differs, under its own name too."""
    values = launch.custom_values(lms, link, user)
    plain = {launch.plain_name(name): value for name, value in values.items()}
    return {**plain, **values, "context_memberships_url": launch.members_url(lms)}


def _services(lms: Lms, link: LinkSpec, user: User) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if "members" not in lms.state.lacks:
        claims["https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"] = {
            "context_memberships_url": launch.members_url(lms),
            "service_versions": ["1.0", "2.0"],
        }
    if lms.settings.notices:
        claims[f"{LTI}platformnotificationservice"] = {
            "service_versions": ["1.0"],
            "platform_notification_service_url": launch.handlers_url(lms),
            "scope": [NOTICE_SCOPE],
            "notice_types_supported": list(NOTICE_TYPES),
        }
    if "grades" in lms.state.lacks:
        return claims
    if link.offers_bo:
        claims["https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"] = {
            "lis_result_sourcedid": lms.family.sourcedid(link.id, user.id),
            "lis_outcome_service_url": launch.outcome_url(lms),
        }
    if link.offers_ags:
        endpoint: dict[str, Any] = {
            "scope": list(AGS_SCOPES),
            "lineitems": launch.items_url(lms),
        }
        item = lms.state.item_of_link(link.id)
        if item is not None and link.grades != "container":
            endpoint["lineitem"] = launch.item_url(lms, item.id)
        claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"] = endpoint
    return claims
