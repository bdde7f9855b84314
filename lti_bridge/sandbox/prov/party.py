"""The pretend Prov as a party."""

from collections.abc import Mapping

from lti_bridge.sandbox.parties import Desk, Link, Party, Place
from lti_bridge.sandbox.prov import ProvSettings, make_app
from lti_bridge.sandbox.serving import Builder

_HOOK = "/hooks/prov/sandbox-prov-hook"
_ACCOUNT = ProvSettings()


def _build(place: Place) -> Builder:
    return make_app(ProvSettings(results_url=place.bridge + _HOOK, scored_later=True))


def _keys(url: str, place: Place) -> Mapping[str, str]:
    return {
        "base_url": url,
        "auth_style": _ACCOUNT.auth_style,
        "auth_name": _ACCOUNT.auth_name,
        "auth_value": _ACCOUNT.auth_value,
        "candidate_path": _ACCOUNT.candidate_path,
        "event_path": _ACCOUNT.event_path,
        "result_path": _ACCOUNT.result_path,
        "calls": place.bridge + _HOOK,
    }


PARTIES = (
    Party(
        "prov",
        "Prov's API for candidates and events, its exam page, and pushed results.",
        _build,
        _keys,
        links=(
            Link(
                "nursing",
                "Nursing basics",
                "Prov. Hand it in, then score it at Prov's desk below.",
            ),
        ),
        desks=(Desk("/staff", "Prov's desk", "be Prov's staff, and score"),),
        rank=40,
    ),
)
