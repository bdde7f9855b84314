"""The pretend demo provider as a party."""

from lti_bridge.sandbox.demo import DemoSettings, make_app
from lti_bridge.sandbox.parties import Link, Party

_ACCOUNT = DemoSettings()

PARTIES = (
    Party(
        "demo",
        "The provider of the worked example, whose API docs/providers/demo.md describes.",
        lambda place: make_app(_ACCOUNT),
        lambda url, place: {"base_url": url, "api_key": _ACCOUNT.api_key},
        links=(
            Link(
                "geography",
                "Geography",
                "The demo kind, the worked example for adding a provider.",
            ),
        ),
        rank=80,
    ),
)
