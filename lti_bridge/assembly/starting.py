"""What a process does once before it works: the schema, and that it fits the other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lti_bridge import queue
from lti_bridge.assembly.bridge import Bridge, build
from lti_bridge.assembly.presence import refuse_other_keys
from lti_bridge.core.attempt.owners import adopt
from lti_bridge.settings import Settings

if TYPE_CHECKING:
    from lti_bridge.metrics.recorder import Recorder


def started(settings: Settings, recorder: Recorder | None = None) -> Bridge:
    """A bridge that can begin to work, with a queue that answers. Raises ConfigurationError."""
    bridge = build(settings, recorder)
    queue.check(bridge.waker.queue, settings.bridge.queue_url)
    return prepare(bridge)


def prepare(bridge: Bridge) -> Bridge:
    """Bring the database up to date, and see that this process fits the others."""
    bridge.store.database.migrate()
    refuse_other_keys(bridge)
    adopt(bridge.owners, bridge.store, bridge.catalogue.connections())
    return bridge
