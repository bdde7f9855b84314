"""The LTI 1.1.2 relaunch: what an LMS may offer, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.launch.message import Launch
from lti_bridge.errors import BrowserRefused, MessageRefused
from lti_bridge.lms.receive11 import Lms11, Relaunch
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.relaunch import Relaunching
from tests.flow.campus11 import Campus, sign

OURS = "https://bridge.example.edu"
URL = f"{OURS}/lti/launch"
BACK = "https://lms.example.edu/relaunch?id=1"
KNOWN = Registration11("campus", "key", "secret", origins=("https://lms.example.edu",))
CAMPUS = Campus(URL, "key", "secret")


class Clock:
    """A clock that moves when told."""

    now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def door(registration: Registration11 = KNOWN, clock: Clock | None = None) -> Lms11:
    """The LTI 1.1 door of one LMS."""
    relaunching = Relaunching(b"k" * 32, OURS, lambda size: b"r" * size)
    return Lms11({registration.consumer_key: registration}, URL, clock or Clock(), relaunching)


def send(to: Lms11, cookies: dict[str, str] | None = None, **changes: str) -> Launch | Relaunch:
    """A signed launch with these changes."""
    return to.launch(CAMPUS.signed(CAMPUS.fields(**changes)), "", cookies or {})


def begun(to: Lms11, url: str = BACK) -> tuple[dict[str, str], dict[str, str]]:
    """The form that goes back, and the cookie that the browser keeps."""
    answer = send(to, relaunch_url=url, platform_state="ps")
    assert isinstance(answer, Relaunch)
    assert answer.form.action == url
    return dict(answer.form.fields), {one.name: one.value for one in answer.form.cookies}


@pytest.mark.spec("T11S-01")
def test_what_goes_back_is_signed_and_carries_both_states() -> None:
    fields, cookies = begun(door())
    assert fields["platform_state"] == "ps"
    given = fields.pop("oauth_signature")
    assert given == sign(BACK, list(fields.items()), "secret")
    (name,) = cookies
    assert name.startswith("__Host-")
    assert cookies[name] not in fields["tool_state"]


@pytest.mark.spec("T11S-02")
def test_a_state_lasts_ten_minutes_in_its_own_browser_and_is_good_once() -> None:
    clock = Clock()
    to = door(clock=clock)
    fields, cookies = begun(to)
    back = {"tool_state": fields["tool_state"], "platform_state": "ps"}
    first, second = send(to, cookies, **back), send(to, cookies, **back)
    assert isinstance(first, Launch)
    assert isinstance(second, Launch)
    assert first.once == second.once  # whatever the nonce: the store takes it once
    with pytest.raises(BrowserRefused):
        send(to, {}, **back)
    with pytest.raises(BrowserRefused):
        send(to, cookies, **{**back, "platform_state": "other"})
    with pytest.raises(BrowserRefused):
        send(to, cookies, **{**back, "tool_state": "unknown"})
    with pytest.raises(BrowserRefused):
        send(door(replace(KNOWN, name="other")), cookies, **back)
    clock.now += timedelta(minutes=11)
    with pytest.raises(BrowserRefused):
        send(to, cookies, **back)


@pytest.mark.spec("T11S-03", "SECP-26")
@pytest.mark.parametrize(
    "url",
    [
        "http://lms.example.edu/relaunch",
        "https://lms.example.org/relaunch",
        "https://lms.example.edu.example.org/",
        "https://lms.example.edu@example.org/",
        "javascript:alert(1)",
        "",
    ],
)
def test_nothing_goes_back_to_another_host(url: str) -> None:
    with pytest.raises(MessageRefused):
        begun(door(), url)


@pytest.mark.spec("T11S-03")
def test_without_registered_origins_any_https_host_will_do() -> None:
    begun(door(replace(KNOWN, origins=())), "https://anywhere.example.org/relaunch")


@pytest.mark.spec("T11S-04")
def test_where_it_is_required_a_plain_launch_is_refused() -> None:
    strict = door(replace(KNOWN, relaunch=True))
    with pytest.raises(BrowserRefused):
        send(strict)
    fields, cookies = begun(strict)
    assert isinstance(send(strict, cookies, tool_state=fields["tool_state"]), Launch)
