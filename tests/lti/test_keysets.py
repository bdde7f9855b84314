"""When the keys of a platform are fetched, and for how long they are trusted."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lti_bridge.errors import NetworkFailed
from lti_bridge.lti.keysets import KeySets
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


def test_a_new_key_of_the_platform_is_found_at_once() -> None:
    rig = Rig()
    rig.kids()
    rig.clock.forward(seconds=31)
    rig.endpoint.documents[URL] = {"keys": [KEY, jwk("new", rsa_key("other"))]}
    assert rig.kids("new") == {"k", "new"}
    assert rig.fetches() == 2


@pytest.mark.spec("SECP-14", "T13ID-06")
def test_a_hundred_unknown_ids_cost_one_fetch_per_cooldown() -> None:
    rig = Rig()
    rig.kids()
    rig.clock.forward(seconds=31)
    for number in range(100):
        assert rig.kids(f"random-{number}") == {"k"}
    assert rig.fetches() == 2
    rig.clock.forward(seconds=29)
    rig.kids("random")
    assert rig.fetches() == 2
    rig.clock.forward(seconds=1)
    rig.kids("random")
    assert rig.fetches() == 3


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


def test_a_dead_endpoint_is_asked_once_per_cooldown_and_may_recover() -> None:
    rig = Rig()
    rig.endpoint.down = True
    for _ in range(20):
        with pytest.raises(NetworkFailed):
            rig.kids()
    assert rig.fetches() == 1
    rig.endpoint.down = False
    rig.clock.forward(seconds=30)
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
def test_a_hanging_platform_blocks_neither_others_nor_its_own_known_keys() -> None:
    rig = Rig()
    slow = Slow(rig.endpoint)
    keysets = KeySets(slow, rig.clock)
    slow.go.set()
    keysets.keys(URL, "k")
    slow.go.clear()
    slow.entered.clear()
    rig.clock.forward(hours=2)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(keysets.keys, URL, "k")
        assert slow.entered.wait(60)
        assert set(keysets.keys(URL, "k")) == {"k"}  # stale, but trusted for a day
        assert set(keysets.keys(OTHER, "k")) == {"k"}
        assert not hanging.done()
        slow.go.set()
        assert set(hanging.result(60)) == {"k"}
