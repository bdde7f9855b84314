"""The journal of a process: where its hops go, and what stands for whom in them."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from lti_bridge import log
from lti_bridge.assembly.basics import Basics
from lti_bridge.core.journal.journal import Journal, Written
from lti_bridge.core.journal.record import Recording
from lti_bridge.core.journal.traces import Traces
from lti_bridge.keyring import Keyring
from lti_bridge.store.journal import Hops

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge
    from lti_bridge.metrics.recorder import Recorder

PURPOSE = "persons of the journal"  # of the key


def build_journal(basics: Basics, recorder: Recorder | None) -> Journal:
    """The journal of this process; it keeps nothing where the settings say so."""
    recording = Recording(log.redact, partial(person, basics.keyring))
    rows = Hops(basics.store.database)

    def keep(batch: Sequence[Written]) -> None:
        rows.write([recording.columns(one) for one in batch])

    return Journal(
        keep if basics.settings.journal.keep_days else None,
        reference=log.fresh,
        over=log.end,
        lost=recorder.left_out if recorder is not None else lambda why, count: None,
    )


def traces(bridge: Bridge) -> Traces:
    """What finds traces, for commands and pages."""

    names = bridge.lms.directory.names
    return Traces(Hops(bridge.store.database), partial(person, bridge.keyring), names)


def person(keyring: Keyring, registration: str, user_id: str) -> str:
    """What stands for an LMS's user of whom there is no learner."""
    said = f"{registration}\n{user_id}".encode("utf-8", "replace")
    return hmac.digest(keyring.secret(PURPOSE), said, "sha256").hex()[:32]
