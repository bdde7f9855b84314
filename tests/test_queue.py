"""The queue carries names of jobs; whatever else is in it is dropped and never run."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from huey import Huey
from huey.registry import Message

from lti_bridge.queue import JOBS, Hints, Waker, open_queue
from tests.conftest import fresh_database


class Touch:
    """What unpickles to an empty file: harmless, and seen."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.fixture(scope="module")
def waker(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Waker]:
    """The hints of a queue on each engine."""
    with ExitStack() as ends:
        url = f"sqlite:///{tmp_path_factory.mktemp('queue')}/queue.sqlite3"
        if engine == "postgres":
            url = ends.enter_context(fresh_database(request.getfixturevalue("postgres")))
        yield (made := Waker(open_queue(url)))
        made.close()


def run_all(queue: Huey) -> list[str]:
    """Take all that is in the queue, as a worker's loop does; what could not be taken is told."""
    failed = []
    while queue.pending_count():
        try:
            task = queue.dequeue()
        except (ValueError, TypeError) as error:
            failed.append(str(error))
        else:
            queue.execute(task)
    return failed


def hint(**changes: Any) -> bytes:
    return json.dumps({"id": "1", "job": JOBS[0], **changes}).encode()


FOREIGN = {
    "old hint": pickle.dumps(Message("1", JOBS[0], None, 0, 0, None, (), {})),
    "another job": hint(job="os.system"),
    "arguments": hint(args=["a"]),
    "no id": json.dumps({"job": JOBS[0]}).encode(),
    "id of another kind": hint(id=["a"]),
    "long id": hint(id="a" * 65),
    "job of another kind": hint(job=None),
    "job as a list": hint(job=[JOBS[0]]),
    "a list": b"[]",
    "deep": b"[" * 190,
    "long": b" " * 1_000_000 + hint(),
    "no text": b"\xff\xfe",
    "nothing": b"",
}


def test_nothing_in_the_queue_is_run(waker: Waker, tmp_path: Path) -> None:
    swept: list[int] = []
    waker.body = lambda: swept.append(1)
    marker = tmp_path / "touched"
    waker.queue.storage.enqueue(pickle.dumps(Touch(marker)))
    pickle.loads(pickle.dumps(Touch(tmp_path / "proof")))  # noqa: S301 - that it would be run
    waker.sweep_now()
    assert len(run_all(waker.queue)) == 1
    assert (tmp_path / "proof").exists()
    assert not marker.exists()
    assert swept == [1]


def test_what_is_kept_beside_the_queue_is_not_run_either(waker: Waker, tmp_path: Path) -> None:
    marker, queue = tmp_path / "touched", waker.queue
    queue.storage.put_data("rt:lti_bridge.queue.sweep", pickle.dumps(Touch(marker)))
    with pytest.raises(ValueError, match="not a hint"):
        queue.get("rt:lti_bridge.queue.sweep")
    assert not marker.exists()


@pytest.mark.parametrize("payload", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_hint_is_dropped_and_the_next_one_counts(waker: Waker, payload: bytes) -> None:
    swept: list[int] = []
    waker.body = lambda: swept.append(1)
    waker.queue.storage.enqueue(payload)
    waker.sweep_now()
    assert run_all(waker.queue) == ["not a hint of ours: dropped"]
    assert swept == [1]


@pytest.mark.parametrize("value", [10**12, "text", None, 1.5])
def test_a_column_that_holds_no_bytes_is_no_hint(value: object) -> None:
    with pytest.raises(ValueError, match="not a hint"):
        Hints().deserialize(value)


def test_a_hint_carries_nothing_but_its_job(waker: Waker) -> None:
    waker.sweep_now()
    (data,) = waker.queue.storage.enqueued_items()
    assert json.loads(bytes(data)).keys() == {"id", "job"}
    waker.queue.storage.flush_queue()
    with pytest.raises(ValueError, match="nothing more"):
        waker.queue.serialize_task(waker._hint.s("an argument"))


OPENED = """
import sys
from lti_bridge.errors import ConfigurationError
from lti_bridge.queue import check, open_queue
print(*sorted({"psycopg", "redis"} & sys.modules.keys()))
try:
    check(open_queue(sys.argv[1]), sys.argv[1])
except ConfigurationError as error:
    print(error.detail)
print(*sorted({"psycopg", "redis"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("url", "driver", "said"),
    [
        ("sqlite:///:memory:", "", ""),
        ("redis://127.0.0.1:1", "redis", "no queue answers at redis://127.0.0.1:1 (Connection"),
        ("postgresql://127.0.0.1:1/x", "psycopg", "no queue answers at postgresql://127.0.0.1:1/x"),
    ],
)
def test_a_driver_is_loaded_where_the_queue_is_on_its_server(
    url: str, driver: str, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENED, url], capture_output=True, text=True, check=True
    )
    before, *told, after = done.stdout.splitlines()
    assert (before, after) == ("", driver)
    assert said in "".join(told)
    assert "ConfigurationError" not in "".join(told)  # that of a driver that is not there
