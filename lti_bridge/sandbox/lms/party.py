"""The pretend LMS as a party."""

from collections.abc import Mapping
from typing import Literal

from lti_bridge.sandbox.lms import Elsewhere, LinkSpec, LmsSettings, make_app
from lti_bridge.sandbox.parties import Party, Place, desks
from lti_bridge.sandbox.serving import Builder

_VERSIONS: tuple[Literal["1.3", "1.1"], ...] = ("1.3", "1.1")
_KEY, _SECRET = "sandbox-campus", "sandbox-campus-secret"
_CLIENT_ID, _DEPLOYMENT_ID = "bridge-client", "1"


def _build(place: Place) -> Builder:
    return make_app(
        LmsSettings(
            bridge_url=place.bridge,
            links=_links(place),
            consumer_key=_KEY,
            shared_secret=_SECRET,
            client_id=_CLIENT_ID,
            deployment_id=_DEPLOYMENT_ID,
            elsewhere=tuple(Elsewhere(desk.title, desk.path, desk.about) for desk in desks(place)),
            launch_url=place.tool.get("launch_url", ""),
            login_url=place.tool.get("login_url", ""),
            jwks_url=place.tool.get("jwks_url", ""),
            family=place.family,
        )
    )


def _links(place: Place) -> tuple[LinkSpec, ...]:
    """Each link once by each version of LTI; one pair of plain ones where none are given."""
    if not place.links:
        return tuple(
            LinkSpec(f"link-{lti}", "A link", lti, dict(place.custom), "It launches your tool.")
            for lti in _VERSIONS
        )
    return tuple(
        LinkSpec(f"{one.activity}-{lti}", one.title, lti, {"activity": one.activity}, one.about)
        for one in place.links
        for lti in _VERSIONS
    )


def _keys(url: str, place: Place) -> Mapping[str, str]:
    return {
        "issuer": url,
        "client_id": _CLIENT_ID,
        "deployment_id": _DEPLOYMENT_ID,
        "authorization_url": f"{url}/lti/auth",
        "token_url": f"{url}/lti/token",
        "jwks_url": f"{url}/lti/jwks",
        "openid_configuration": f"{url}/lti/openid-configuration",
        "consumer_key": _KEY,
        "shared_secret": _SECRET,
    }


PARTIES = (
    Party(
        "lms",
        "An LMS with one course, by LTI 1.3 and 1.1; you are its students and its teacher.",
        _build,
        _keys,
        rank=0,
    ),
)
