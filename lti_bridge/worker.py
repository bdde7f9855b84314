"""The worker: delivers grades that are due, woken by the queue and by the clock."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from lti_bridge.alerts.watch import Watch
from lti_bridge.assembly.bridge import Bridge
from lti_bridge.assembly.presence import Presence
from lti_bridge.assembly.warming import Warming

log = logging.getLogger("lti_bridge.worker")

SOON = timedelta(seconds=5)  # a sweep at least this often: a hint may be lost with its sender
A_MOMENT = timedelta(seconds=0.1)
PARENT_CHECK_S = 1.0


class Worker:
    """Runs the queue's consumer until it is told to stop.

    Every sweep delivers all that is due; nothing is kept in the job itself, so a lost job costs
    at most the wait for the next sweep, and a killed worker at most that for its leases. Asking
    providers, looking at gradebooks and asking LMSs for notices have threads of their own, beside
    deliveries.
    """

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.pool = ThreadPoolExecutor(bridge.passback.lanes.most, thread_name_prefix="deliver")
        self._polls = _Beside("ask", bridge.polling.lanes.most, bridge.polling.poll_due)
        self._looks = _Beside("look", bridge.readback.lanes.most, bridge.readback.read_due)
        self._stopping = threading.Event()
        self._purge = _Beside("purge", 1, self._forget)
        handlers = bridge.notice_handlers
        self._handlers = _Beside("notices", handlers.lanes.most, handlers.set_due)
        self._sweeping = threading.Lock()
        self._wake: threading.Timer | None = None
        self.queue = bridge.waker.queue
        bridge.waker.body = self.sweep
        bridge.waker.every_minute(self.minute)

    def sweep(self) -> None:
        """Deliver what is due, and come back in time for what is due soon; raises nothing."""
        with self._sweeping:
            self._polls.start()
            _tried(self.bridge.passback.deliver_due, self.pool)
            self._looks.start()
            self._handlers.start()
            self._come_back()

    def minute(self) -> None:
        """What happens every minute: a sweep, and deleting what is too old, beside it."""
        self._purge.start()
        if days := self.bridge.settings.bridge.rotate_keys_days:
            for role in self.bridge.keyring.roles():
                self.bridge.keyring.rotate_old(role, self.bridge.clock(), timedelta(days=days))
        self.sweep()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; deliveries under way are finished first."""
        log.info("worker.started", extra={"kind": type(self.queue).__name__})
        consumer = self.queue.create_consumer(
            workers=2,
            periodic=True,
            initial_delay=0.05,
            backoff=1.2,
            max_delay=0.5,
            check_worker_health=True,
        )
        self._purge.start()
        self._come_back(timedelta())  # once the consumer hears signals
        consumer.run()
        self._end()
        log.info("worker.stopped")

    def _forget(self, _pool: ThreadPoolExecutor) -> int:
        """Delete what is too old, step by step, until all of it is gone or the worker stops."""
        count = 0
        for step in self.bridge.purge.steps(self.bridge.clock()):
            count += step.rows
            if self._stopping.wait(step.rest_s):
                break
        if count:
            log.info("worker.purged", extra={"count": count})
        return count

    def _end(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        bridge = self.bridge
        self._stopping.set()
        for one in (bridge.passback, bridge.polling, bridge.readback, bridge.notice_handlers):
            one.lanes.close()
        with self._sweeping:
            if self._wake is not None:
                self._wake.cancel()
            self.pool.shutdown(wait=True)
            for beside in (self._polls, self._looks, self._handlers, self._purge):
                beside.end()

    def _come_back(self, pause: timedelta | None = None) -> None:
        if self._wake is not None:
            self._wake.cancel()
        seconds = (self._pause() if pause is None else pause).total_seconds()
        self._wake = threading.Timer(seconds, self.sweep)
        self._wake.daemon = True
        self._wake.start()

    def _pause(self) -> timedelta:
        try:
            due = (self.bridge.passback.next_due(), self.bridge.polling.next_due())
            times = [time for time in due if time]
        except Exception as error:  # the database is away; it may be back by then
            log.warning("worker.no-database", extra={"reason": type(error).__name__})
            return SOON
        return min(max(min(times) - self.bridge.clock(), A_MOMENT), SOON) if times else SOON


Work = Callable[[ThreadPoolExecutor], int]


def _tried(work: Work, pool: ThreadPoolExecutor) -> None:
    """Do one kind of work; what stops it is no reason for the others to stop, or for the next try.

    As a rule it is the database that is away, and is looked for until it is back.
    """
    try:
        work(pool)
    except Exception:
        log.exception("worker.sweep-failed")


class _Beside:
    """Work that has threads of its own, and goes on while sweeps come and go."""

    def __init__(self, name: str, threads: int, work: Work) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-all")
        self._done: Future[None] | None = None

    def start(self) -> None:
        """Begin, unless it is still going on."""
        if self._done is None or self._done.done():
            self._done = self._thread.submit(_tried, self._work, self._pool)

    def end(self) -> None:
        """Wait until it is done."""
        self._thread.shutdown(wait=True)
        self._pool.shutdown(wait=True)


def stop_with_parent(parent: int) -> None:
    """End this process when the one that started it is gone, however it went."""

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(PARENT_CHECK_S)
        log.warning("process.parent-gone")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def run(bridge: Bridge) -> None:
    """Run a worker in this process until it is stopped."""
    presence = Presence(bridge, "worker")
    presence.begin()
    Watch(bridge, "worker").begin()
    Warming(bridge, "worker").begin()
    Worker(bridge).run()
    bridge.journal.stop()
    presence.end()
