"""LTI 1.1 launches as Moodle sends them, and the ways a test may spoil them."""

import time
from collections.abc import Callable, Mapping

from lti_bridge.sandbox.lms import launch, oauth1
from lti_bridge.sandbox.lms.course import LinkSpec, User
from lti_bridge.sandbox.lms.state import Lms

Fields = dict[str, str]


def build(
    lms: Lms, link: LinkSpec, user: User, target: str, extra: Mapping[str, str] | None = None
) -> Fields:
    """The signed form of one launch; `target` is `window` or `iframe`, `extra` is signed too."""
    settings = lms.settings
    fields = oauth1.new_fields(settings.consumer_key)
    fields |= _who_and_where(lms, link, user) | _platform(lms)
    fields |= {
        f"custom_{launch.plain_name(name)}": value
        for name, value in launch.custom_values(lms, link, user).items()
    }
    fields |= {
        "launch_presentation_locale": "en",
        "launch_presentation_document_target": target,
        "launch_presentation_return_url": launch.return_url(lms, link, target),
    }
    if link.offers_bo and "grades" not in lms.state.lacks:
        fields["lis_result_sourcedid"] = lms.family.sourcedid(link.id, user.id)
        fields["lis_outcome_service_url"] = launch.outcome_url(lms)
    if "names" in lms.state.lacks:
        fields = {name: value for name, value in fields.items() if name not in _PERSONAL}
    fields = {**lms.family.launch11(fields), **(extra or {})}
    wrong = lms.state.take_tamper("launch")
    spoil_before, spoil_after = TAMPERS.get(wrong, (_leave, _leave))
    spoil_before(fields)
    url = link.url or launch.launch_url(lms)
    fields["oauth_signature"] = oauth1.signature(
        "POST", url, fields.items(), settings.shared_secret
    )
    spoil_after(fields)
    return fields


_PERSONAL = (
    "lis_person_name_given",
    "lis_person_name_family",
    "lis_person_name_full",
    "lis_person_contact_email_primary",
)


def _who_and_where(lms: Lms, link: LinkSpec, user: User) -> Fields:
    course, title = lms.course_of(link)
    return {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "user_id": user.id,
        "roles": user.role,
        "lis_person_sourcedid": f"SIS-{user.username}",
        "lis_person_name_given": user.given,
        "lis_person_name_family": user.family,
        "lis_person_name_full": user.name,
        "lis_person_contact_email_primary": user.email,
        "ext_user_username": user.username,
        "context_id": course,
        "context_label": f"COURSE{course}",
        "context_title": title,
        "context_type": "CourseSection",
        "lis_course_section_sourcedid": f"SIS-{course}",
        "resource_link_id": link.id,
        "resource_link_title": link.title,
        "resource_link_description": link.description,
    }


def _platform(lms: Lms) -> Fields:
    return {
        "ext_lms": lms.family.ext,
        "tool_consumer_info_product_family_code": lms.family.code,
        "tool_consumer_info_version": lms.family.version,
        "tool_consumer_instance_guid": lms.guid,
        "tool_consumer_instance_name": lms.settings.name,
        "tool_consumer_instance_description": "A pretend LMS",
    }


def _leave(fields: Fields) -> None:
    """Keep the launch as it is."""


def _set(**values: str) -> Callable[[Fields], None]:
    return lambda fields: fields.update(values)


def _remove(name: str) -> Callable[[Fields], None]:
    def remove(fields: Fields) -> None:
        fields.pop(name, None)

    return remove


def _shift(seconds: int) -> Callable[[Fields], None]:
    return lambda fields: fields.update(oauth_timestamp=str(int(time.time()) + seconds))


def _scramble(fields: Fields) -> None:
    fields["oauth_signature"] = "A" * 27 + "="


# name -> what is done before signing, what is done after signing
TAMPERS: dict[str, tuple[Callable[[Fields], None], Callable[[Fields], None]]] = {
    "bad-signature": (_leave, _scramble),
    "no-signature": (_leave, _remove("oauth_signature")),
    "changed-after-signing": (_leave, _set(roles="Instructor", user_id="2")),
    "added-after-signing": (_leave, _set(custom_added="1")),
    "unknown-key": (_set(oauth_consumer_key="nobody"), _leave),
    "old-timestamp": (_shift(-3600), _leave),
    "future-timestamp": (_shift(3600), _leave),
    "bad-timestamp": (_set(oauth_timestamp="yesterday"), _leave),
    "no-timestamp": (_remove("oauth_timestamp"), _leave),
    "no-nonce": (_remove("oauth_nonce"), _leave),
    "wrong-method": (_set(oauth_signature_method="PLAINTEXT"), _leave),
    "wrong-oauth-version": (_set(oauth_version="2.0"), _leave),
    "no-resource-link": (_remove("resource_link_id"), _leave),
    "no-user": (_remove("user_id"), _leave),
    "no-roles": (_remove("roles"), _leave),
    "no-message-type": (_remove("lti_message_type"), _leave),
    "wrong-message-type": (_set(lti_message_type="no-such-message"), _leave),
    "no-version": (_remove("lti_version"), _leave),
    "wrong-version": (_set(lti_version="LTI-9p9"), _leave),
}
