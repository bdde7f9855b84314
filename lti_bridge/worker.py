"""The worker: delivers grades that are due, woken by the queue and by the clock."""

from __future__ import annotations

import logging
import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from huey import crontab

from lti_bridge.assembly.basics import now
from lti_bridge.assembly.bridge import Bridge

log = logging.getLogger("lti_bridge.worker")

IN_FLIGHT = 16  # deliveries at the same time in one worker
LOOKS = 4  # gradebooks looked at, at the same time: beside deliveries, never in their way
SOON = timedelta(seconds=5)  # a sweep at least this often: a hint may be lost with its sender
A_MOMENT = timedelta(seconds=0.1)
PARENT_CHECK_S = 1.0


class Worker:
    """Runs the queue's consumer until it is told to stop.

    Every sweep delivers all that is due; nothing is kept in the job itself, so a lost job costs
    at most the wait for the next sweep, and a killed worker at most that for its leases.
    """

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="deliver")
        self.eyes = ThreadPoolExecutor(LOOKS, thread_name_prefix="look")
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="looker")
        self._looking: Future[int] | None = None
        self._sweeping = threading.Lock()
        self._wake: threading.Timer | None = None
        self.queue = bridge.waker.queue
        bridge.waker.body = self.sweep
        self.queue.periodic_task(crontab(minute="*"), name="minute")(self.minute)

    def sweep(self) -> None:
        """Deliver what is due, and come back in time for what is due soon."""
        with self._sweeping:
            try:
                self.bridge.polling.poll_due(self.pool)
                self.bridge.passback.deliver_due(self.pool)
                self._look()
            finally:
                self._come_back()

    def minute(self) -> None:
        """What happens every minute: a sweep, and forgetting what has expired."""
        self.bridge.store.forget(now(), self.bridge.settings.bridge.keep_launches_days)
        if days := self.bridge.settings.bridge.rotate_keys_days:
            for role in self.bridge.keyring.roles():
                self.bridge.keyring.rotate_old(role, now(), timedelta(days=days))
        self.sweep()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; deliveries under way are finished first."""
        log.info("worker.started", extra={"kind": type(self.queue).__name__})
        self.sweep()
        consumer = self.queue.create_consumer(
            workers=2,
            periodic=True,
            initial_delay=0.05,
            backoff=1.2,
            max_delay=0.5,
            check_worker_health=True,
        )
        consumer.run()
        for pool in (self.pool, self._looker, self.eyes):
            pool.shutdown(wait=True)
        log.info("worker.stopped")

    def _look(self) -> None:
        """Look at gradebooks beside the next sweeps, unless that is still going on."""
        if self._looking is None or self._looking.done():
            self._looking = self._looker.submit(self.bridge.readback.read_due, self.eyes)

    def _come_back(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = threading.Timer(self._pause().total_seconds(), self.sweep)
        self._wake.daemon = True
        self._wake.start()

    def _pause(self) -> timedelta:
        try:
            store = self.bridge.store
            times = [time for time in (store.next_due(), store.next_poll()) if time]
        except Exception as error:  # the database is away; it may be back by then
            log.warning("worker.no-database", extra={"reason": type(error).__name__})
            return SOON
        return min(max(min(times) - now(), A_MOMENT), SOON) if times else SOON


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
    Worker(bridge).run()
