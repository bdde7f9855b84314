"""The pretend iTEP as a party."""

from collections.abc import Mapping

from lti_bridge.sandbox.itep import ItepSettings, Track, make_app
from lti_bridge.sandbox.parties import Desk, Link, Party, Place
from lti_bridge.sandbox.serving import Builder

_HOOK = "/hooks/itep/sandbox-itep-hook"
_ACCOUNT = ItepSettings()


def _build(place: Place) -> Builder:
    track = Track("RC", place.bridge + _HOOK, notify_finished=True)
    return make_app(ItepSettings(tracks=(track,), graded_later=True))


def _keys(url: str, place: Place) -> Mapping[str, str]:
    return {
        "endpoint": url + _ACCOUNT.endpoint_path,
        "secret": _ACCOUNT.secret,
        "header_name_gtx": _ACCOUNT.header_name_gtx,
        "header_name_stx": _ACCOUNT.header_name_stx,
        "sig_encoding": _ACCOUNT.sig_encoding,
        "sequence_mode": _ACCOUNT.sequence_mode,
        "response_test_id_path": _ACCOUNT.response_test_id_path,
        "response_password_path": _ACCOUNT.response_password_path,
        "launch_template": f"{url}/?test-id={{test_id}}",
        "track": "RC",
        "calls": place.bridge + _HOOK,
    }


PARTIES = (
    Party(
        "itep",
        "iTEP's orders of test IDs, its test page, mailbox and web-hooks.",
        _build,
        _keys,
        links=(
            Link(
                "english",
                "iTEP Academic Plus",
                "iTEP with a test ID. Hand it in, then grade it at iTEP's desk below.",
            ),
            Link(
                "english-by-mail",
                "iTEP Business Plus, by e-mail",
                "iTEP with a test ID by e-mail: look into the pretend mailbox below.",
            ),
        ),
        desks=(
            Desk("/mailbox", "Pretend mailbox", "where iTEP's e-mails are"),
            Desk("/staff", "iTEP's desk", "be iTEP's staff, and grade"),
        ),
        rank=30,
    ),
)
