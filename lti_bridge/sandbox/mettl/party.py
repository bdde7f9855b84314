"""The pretend Mettl as a party."""

from collections.abc import Mapping

from lti_bridge.sandbox.mettl import MettlSettings, make_app
from lti_bridge.sandbox.parties import Desk, Link, Party, Place
from lti_bridge.sandbox.serving import Builder

_ACCOUNT = MettlSettings()


def _build(place: Place) -> Builder:
    campus = place.urls.get("lms", "")
    return make_app(MettlSettings(exit_redirection_url=f"{campus}/return" if campus else ""))


def _keys(url: str, place: Place) -> Mapping[str, str]:
    return {
        "base_url": url,
        "public_key": _ACCOUNT.public_key,
        "private_key": _ACCOUNT.private_key,
        "assessments": ", ".join(str(one.id) for one in _ACCOUNT.assessments),
    }


PARTIES = (
    Party(
        "mettl",
        "Mettl's API, test page and web-hooks.",
        _build,
        _keys,
        links=(
            Link("reasoning", "Logical reasoning", "Mettl. The grade is there at once."),
            Link(
                "reasoning-essay",
                "Logical reasoning, marked by a person",
                "Mettl. Hand it in, then mark it at Mettl's desk below.",
            ),
        ),
        desks=(Desk("/staff", "Mettl's desk", "be Mettl's staff, and mark"),),
        rank=20,
    ),
)
