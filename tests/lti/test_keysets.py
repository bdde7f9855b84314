"""When the keys of a platform are fetched, and for how long they are trusted."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lti_bridge.errors import NetworkFailed
from lti_bridge.lti.keysets import WAIT_S, KeySets
from lti_bridge.net import Response
from tests.lms.platform13 import Clock, Endpoint, jwk, rsa_key

URL = "https://lms.example.edu/jwks"
OTHER = "https://other.example.edu/jwks"
KEY = jwk("k", rsa_key("lms"))
KEY_JSON = json.dumps(KEY).encode()


class Rig:
    def __init__(self) -> None:
        self.clock, self.endpoint = Clock(), Endpoint()
        self.endpoint.documents = {URL: {"keys": [KEY]}, OTHER: {"keys": [KEY]}}
        self.keysets = KeySets(self.endpoint, self.clock)

    def kids(self, kid: str = "k") -> set[str]:
        return set(self.keysets.keys(URL, kid))

    def fetches(self) -> int:
        return len(self.endpoint.asked)


@pytest.mark.spec("T13MX-11")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({}, 3600),
        ({"cache-control": "public, max-age=7200"}, 7200),
        ({"Cache-Control": "max-age=1"}, 300),
        ({"Cache-Control": "no-store, max-age=0"}, 300),
        ({"Cache-Control": "max-age=999999999"}, 86_400),
        ({"Cache-Control": "max-age=soon"}, 3600),
        ({"Cache-Control": "s-maxage=7"}, 3600),
    ],
)
def test_a_set_is_fetched_once_while_it_is_fresh(header: dict[str, str], seconds: int) -> None:
    rig = Rig()
    rig.endpoint.headers = header
    assert rig.kids() == {"k"}
    rig.clock.forward(seconds=seconds - 1)
    rig.kids()
    assert rig.fetches() == 1
    rig.clock.forward(seconds=1)
    rig.kids()
    assert rig.fetches() == 2


@pytest.mark.parametrize("seconds", [0, 3, 31])
def test_a_new_key_of_the_platform_is_found_at_once(seconds: int) -> None:
    rig = Rig()
    rig.kids()
    rig.clock.forward(seconds=seconds)
    rig.endpoint.documents[URL] = {"keys": [KEY, jwk("new", rsa_key("other"))]}
    assert rig.kids("new") == {"k", "new"}
    assert rig.fetches() == 2


@pytest.mark.spec("SECP-14", "T13ID-06")
def test_a_flood_of_unknown_ids_costs_a_small_budget_of_fetches() -> None:
    rig = Rig()
    rig.kids()
    for number in range(100):
        assert rig.kids(f"random-{number}") == {"k"}
    assert rig.fetches() == 4
    rig.clock.forward(seconds=14)
    rig.kids("random")
    assert rig.fetches() == 4
    rig.clock.forward(seconds=1)
    rig.endpoint.documents[URL] = {"keys": [KEY, jwk("new", rsa_key("other"))]}
    assert rig.kids("random") == {"k", "new"}  # and with it whoever is waited for
    rig.kids("random")
    assert rig.fetches() == 5
    rig.clock.forward(hours=-1)  # a clock that is set back gives nothing
    rig.kids("random")
    assert rig.fetches() == 5
    rig.keysets.keys(OTHER, "random")  # each address has its own
    assert rig.endpoint.asked.count(OTHER) == 1


@pytest.mark.spec("SECP-15")
def test_a_key_that_was_taken_back_stops_working() -> None:
    rig = Rig()
    rig.kids()
    rig.endpoint.documents[URL] = {"keys": []}
    rig.clock.forward(hours=1)
    assert rig.kids() == set()


@pytest.mark.spec("SECP-15")
def test_keys_outlive_a_dead_endpoint_for_a_day_and_no_longer() -> None:
    rig = Rig()
    rig.kids()
    rig.endpoint.down = True
    rig.clock.forward(hours=24, minutes=59)
    assert rig.kids() == {"k"}
    rig.clock.forward(minutes=1)
    with pytest.raises(NetworkFailed, match="the platform is down"):
        rig.kids()


def test_a_dead_endpoint_is_asked_within_its_budget_and_may_recover() -> None:
    rig = Rig()
    rig.endpoint.down = True
    for _ in range(20):
        with pytest.raises(NetworkFailed, match="the platform is down"):
            rig.kids()
    assert rig.fetches() == 4
    rig.endpoint.down = False
    rig.clock.forward(seconds=15)
    assert rig.kids() == {"k"}


def test_an_error_that_nobody_thought_of_ends_a_fetch_too() -> None:
    rig = Rig()
    del rig.endpoint.documents[URL]
    with pytest.raises(NetworkFailed, match="KeyError"):
        rig.kids()
    rig.endpoint.documents[URL] = {"keys": [KEY]}
    assert rig.kids() == {"k"}


@pytest.mark.spec("SECP-14")
@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {}, b"<html>log in</html>"),
        Response(200, {}, b"x" * 10_000_000),
        Response(200, {}, b'{"keys": [' + b" " * 300_000 + b"]}"),
        Response(200, {}, b"[" * 50_000),
        Response(200, {}, b"\xff\xfe"),
        Response(302, {"Location": OTHER}, b""),
        Response(500, {}, b'{"keys":[]}'),
    ],
)
def test_a_useless_answer_takes_no_trusted_key_away(answer: Response) -> None:
    answers = iter([Response(200, {}, b'{"keys":[' + KEY_JSON + b"]}"), answer])
    clock = Clock()
    keysets = KeySets(lambda url: next(answers), clock)
    keysets.keys(URL, "k")
    clock.forward(hours=2)
    assert set(keysets.keys(URL, "k")) == {"k"}


def test_an_answer_of_this_size_is_no_problem_by_itself() -> None:
    padded = Response(200, {}, b'{"keys": [' + b" " * 200_000 + KEY_JSON + b"]}")
    assert set(KeySets(lambda url: padded, Clock()).keys(URL, "k")) == {"k"}


class Slow:
    """An endpoint that answers for URL only when told."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, url: str) -> Response:
        answer = self.endpoint(url)
        if url == URL:
            self.entered.set()
            assert self.go.wait(60)
        return answer


def test_many_threads_cause_one_fetch_and_all_get_the_keys() -> None:
    rig = Rig()
    slow = Slow(rig.endpoint)
    keysets = KeySets(slow, rig.clock)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(keysets.keys, URL, "k") for _ in range(8)]
        assert slow.entered.wait(60)
        slow.go.set()
        assert all(set(future.result(60)) == {"k"} for future in asked)
    assert rig.fetches() == 1


@pytest.mark.spec("SECP-14")
def test_a_hanging_platform_holds_up_nobody_beyond_one_short_wait_of_all() -> None:
    rig = Rig()
    slow = Slow(rig.endpoint)
    keysets = KeySets(slow, rig.clock)

    def waits(kid: str) -> float:
        begun = time.monotonic()
        with pytest.raises(NetworkFailed, match="no answer yet"):
            keysets.keys(URL, kid)
        return time.monotonic() - begun

    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(waits, [f"random-{number}" for number in range(20)]))
    assert time.monotonic() - begun < 2 * WAIT_S  # between them, not each
    assert sum(waits("k") for _ in range(20)) < WAIT_S / 2  # it is known to hang
    assert set(keysets.keys(OTHER, "k")) == {"k"}
    assert rig.endpoint.asked.count(URL) == 1
    slow.go.set()


@pytest.mark.spec("SECP-14")
def test_known_keys_are_good_while_a_platform_hangs() -> None:
    rig = Rig()
    slow = Slow(rig.endpoint)
    keysets = KeySets(slow, rig.clock)
    slow.go.set()
    keysets.keys(URL, "k")
    slow.go.clear()
    rig.clock.forward(hours=2)
    begun = time.monotonic()
    for _ in range(20):
        assert set(keysets.keys(URL, "k")) == {"k"}  # stale, but trusted for a day
    with pytest.raises(NetworkFailed, match="being looked up"):
        keysets.keys(URL, "new")  # nobody can say yet that there is no such key
    assert time.monotonic() - begun < 2 * WAIT_S
    slow.go.set()


def test_after_a_slow_fetch_nobody_waits_and_the_keys_still_come() -> None:
    rig = Rig()
    slow = Slow(rig.endpoint)
    keysets = KeySets(slow, rig.clock)
    with pytest.raises(NetworkFailed):
        keysets.keys(URL, "k")
    slow.go.set()
    for _ in range(1000):  # the late answer counts
        if not isinstance(found := _tried(keysets, "k"), NetworkFailed):
            break
        time.sleep(0.01)
    assert set(found) == {"k"}
    slow.go.clear()
    begun = time.monotonic()
    assert isinstance(_tried(keysets, "new"), NetworkFailed)
    assert time.monotonic() - begun < WAIT_S / 2
    slow.go.set()


def _tried(keysets: KeySets, kid: str) -> Any:
    try:
        return keysets.keys(URL, kid)
    except NetworkFailed as error:
        return error


def test_where_no_thread_can_be_started_the_next_question_fetches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    with monkeypatch.context() as crowded:

        def none_left(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        crowded.setattr(threading.Thread, "start", none_left)
        for _ in range(2):
            with pytest.raises(NetworkFailed, match="no thread"):
                rig.kids()
    assert rig.kids() == {"k"}
