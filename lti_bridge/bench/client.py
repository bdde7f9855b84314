"""The client process: sends prepared requests over kept connections and times every answer."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
CHUNK = 65_536
STUCK_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: prepared requests until they or the seconds run out.

    An answer counts as right when it begins with `status` and holds `marker`. `repeat` sends the
    requests again from the first one when they run out; `keep` returns the answers.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    status: bytes
    marker: bytes = b""
    repeat: bool = False
    keep: bool = False


@dataclass(slots=True)
class Run:
    """How it went: answers per second, and milliseconds from the first byte out to the last in."""

    per_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    answers: int = 0
    wrong: int = 0
    first_wrong: str = ""
    kept: list[tuple[int, bytes]] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    number: int = 0
    started: float = 0.0
    received: bytearray = field(default_factory=bytearray)


def pin(core: int | None) -> None:
    """Keep this process, and what it starts, on one core; None leaves it where it is."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def drive(load: Load) -> Run:
    """Send the load and return how it went."""
    selector = selectors.DefaultSelector()
    numbers = iter(range(len(load.requests)))
    if load.repeat:
        numbers = cycle(range(len(load.requests)))
    run, times = Run(), []
    began = time.perf_counter()
    until = began + load.seconds
    for _ in range(load.connections):
        connection = _Connection(socket.create_connection(("127.0.0.1", load.port)))
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        _send_next(load, numbers, connection, selector)
    while selector.get_map():
        ready = selector.select(STUCK_S)
        if not ready:
            raise TimeoutError(f"no answer for {STUCK_S:.0f} s")
        for key, _ in ready:
            answer = _receive(key.data)
            if answer is None:
                continue
            ended = time.perf_counter()
            times.append(ended - key.data.started)
            _judge(load, run, key.data.number, answer)
            _send_next(load, numbers if ended < until else iter(()), key.data, selector)
    _sum_up(run, times, time.perf_counter() - began)
    return run


def _send_next(load: Load, numbers: object, connection: _Connection, selector: object) -> None:
    number = next(numbers, None)  # type: ignore[call-overload]  # an iterator of numbers
    if number is None:
        selector.unregister(connection.sock)  # type: ignore[attr-defined]
        connection.sock.close()
        return
    connection.number = number
    connection.received.clear()
    connection.started = time.perf_counter()
    connection.sock.sendall(load.requests[number])


def _receive(connection: _Connection) -> bytes | None:
    """The whole answer, or None while some of it is missing."""
    part = connection.sock.recv(CHUNK)
    if not part:
        raise ConnectionError("the server closed a connection")
    connection.received += part
    head, found, body = bytes(connection.received).partition(HEAD_END)
    if not found:
        return None
    length = int(head.lower().partition(LENGTH)[2].partition(b"\r\n")[0] or 0)
    return bytes(connection.received) if len(body) >= length else None


def _judge(load: Load, run: Run, number: int, answer: bytes) -> None:
    run.answers += 1
    if not answer.startswith(load.status) or load.marker not in answer:
        run.wrong += 1
        run.first_wrong = run.first_wrong or answer[:2000].decode("utf-8", "replace")
    elif load.keep:
        run.kept.append((number, answer))


def _sum_up(run: Run, times: list[float], elapsed: float) -> None:
    times.sort()
    run.times_ms = [one * 1000 for one in times]
    run.per_second = run.answers / elapsed
    run.p50_ms = times[len(times) // 2] * 1000
    run.p99_ms = times[min(len(times) - 1, len(times) * 99 // 100)] * 1000
