"""The pretend LTI tools as parties."""

from collections.abc import Mapping

from lti_bridge.sandbox import quiz
from lti_bridge.sandbox.parties import Link, Party, Place
from lti_bridge.sandbox.tools import tool13

_CUSTOMER = quiz.QuizSettings()
_CLIENT_ID, _DEPLOYMENT_ID = "sandbox-quiz", "1"


def _keys13(url: str, place: Place) -> Mapping[str, str]:
    return {
        "launch_url": f"{url}/launch",
        "login_url": f"{url}/login",
        "jwks_url": f"{url}/jwks",
        "issuer": place.bridge,
        "client_id": _CLIENT_ID,
        "deployment_id": _DEPLOYMENT_ID,
    }


PARTIES = (
    Party(
        "quiz",
        "An LTI 1.1 tool that returns its grade by Basic Outcomes.",
        lambda place: quiz.make_app(_CUSTOMER),
        lambda url, place: {
            "launch_url": f"{url}/launch",
            "consumer_key": _CUSTOMER.consumer_key,
            "shared_secret": _CUSTOMER.shared_secret,
        },
        links=(
            Link("bread", "Bread quiz", "Any LTI 1.1 tool, here a quiz of nobody in particular."),
        ),
        rank=90,
    ),
    Party(
        "quiz-1.3",
        "An LTI 1.3 tool that returns its grade by AGS, or Basic Outcomes.",
        lambda place: tool13.make_app(
            tool13.Tool13Settings(place.bridge, _CLIENT_ID, _DEPLOYMENT_ID)
        ),
        _keys13,
        links=(Link("tea", "Tea quiz", "Any LTI 1.3 tool, here a quiz of nobody in particular."),),
        rank=91,
    ),
)
