"""The LTI 1.1 door under guesses at keys and secrets."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from lti_bridge.core.launch.message import Launch
from lti_bridge.errors import BridgeError, SignatureRefused
from lti_bridge.lms.receive11 import Lms11
from lti_bridge.lms.registration11 import Registration11
from lti_bridge.lms.relaunch import Relaunching
from tests.flow.campus11 import Campus, Pairs

OURS = "https://bridge.example.edu"
URL = f"{OURS}/lti/launch"
KNOWN = Registration11("campus", "key", "a secret of the usual length")
CAMPUS = Campus(URL, KNOWN.consumer_key, KNOWN.shared_secret)
GUESSED = Campus(URL, KNOWN.consumer_key, "guess")
NOBODY = Campus(URL, "yek", "guess")


def door() -> Lms11:
    """The LTI 1.1 door of one LMS."""
    relaunching = Relaunching(b"k" * 32, OURS, lambda size: b"r" * size)
    known = {KNOWN.consumer_key: KNOWN}
    return Lms11(known, URL, lambda: datetime.now(UTC), relaunching)


def refusal(to: Lms11, form: Pairs) -> tuple[BridgeError, int]:
    """How a launch is refused, and how much processor time that takes, in nanoseconds."""
    started = time.thread_time_ns()
    with pytest.raises(SignatureRefused) as refused:
        to.launch(list(form), "", {})
    return refused.value, time.thread_time_ns() - started


@pytest.mark.spec("SECP-21")
def test_an_unknown_key_costs_as_much_as_a_wrong_secret() -> None:
    """That both get the same bytes, tests/flow/test_lms11_signature.py shows (OA1-15)."""
    to = door()
    forms = [campus.signed(campus.fields()) for campus in (GUESSED, NOBODY)]
    told = {(type(refusal(to, form)[0]), refusal(to, form)[0].sentence) for form in forms}
    assert len(told) == 1
    taken = [[refusal(to, form)[1] for form in forms] for _ in range(300)]
    wrong_secret, unknown_key = (statistics.median(times) for times in zip(*taken, strict=True))
    assert 0.7 < unknown_key / wrong_secret < 1.4


@pytest.mark.spec("SECP-53")
def test_a_thousand_forgeries_lock_no_honest_launch_out() -> None:
    to = door()
    for number in range(1000):
        refusal(to, GUESSED.signed(GUESSED.fields(user_id=f"user-{number}")))
    launch = to.launch(CAMPUS.signed(CAMPUS.fields()), "", {})
    assert isinstance(launch, Launch)
    assert launch.person.id == "ann"


def test_a_launch_is_remembered_five_minutes_longer_than_it_is_taken() -> None:
    form = CAMPUS.signed(CAMPUS.fields())
    (stamp,) = (int(value) for name, value in form if name == "oauth_timestamp")
    launch = door().launch(form, "", {})
    assert isinstance(launch, Launch)
    taken = timedelta(seconds=KNOWN.timestamp_window_s)
    until = datetime.fromtimestamp(stamp, UTC) + taken + timedelta(minutes=5)
    assert launch.once.expires_at == until
