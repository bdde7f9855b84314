"""The pretend Isograd as a party."""

from collections.abc import Mapping

from lti_bridge.sandbox.isograd import IsogradSettings, make_app
from lti_bridge.sandbox.parties import Link, Party, Place
from lti_bridge.sandbox.serving import Builder
from lti_bridge.sandbox.tools.tool13_oidc import Platform

_CLIENT_ID, _DEPLOYMENT_ID = "sandbox-isograd", "1"
_ACCOUNT = IsogradSettings()


def _build(place: Place) -> Builder:
    platform = Platform.at(place.bridge, _CLIENT_ID, _DEPLOYMENT_ID)
    return make_app(IsogradSettings(platform=platform))


def _keys(url: str, place: Place) -> Mapping[str, str]:
    return {
        "launch_url": f"{url}/public/lti.php",
        "consumer_key": _ACCOUNT.consumer_key,
        "shared_secret": _ACCOUNT.shared_secret,
        "base_url": f"{url}/api/usage",
        "token_url": f"{url}/oauth2/token",
        "client_id (API)": _ACCOUNT.api_client_id,
        "client_secret (API)": _ACCOUNT.api_client_secret,
        "issuer (LTI 1.3)": place.bridge,
        "client_id (LTI 1.3)": _CLIENT_ID,
        "deployment_id (LTI 1.3)": _DEPLOYMENT_ID,
    }


PARTIES = (
    Party(
        "isograd",
        "Isograd's tests, by LTI 1.1, by LTI 1.3 and by its API.",
        _build,
        _keys,
        links=(
            Link(
                "excel",
                "TOSA Excel",
                "Isograd, which the bridge opens by LTI 1.1, whatever the course speaks.",
            ),
            Link(
                "excel-lti13",
                "TOSA Excel, by LTI 1.3",
                "Isograd, which the bridge opens by LTI 1.3, whatever the course speaks.",
            ),
            Link(
                "excel-level",
                "TOSA Excel, by the API",
                "Isograd again, ordered and asked by its API.",
            ),
        ),
        rank=10,
    ),
)
