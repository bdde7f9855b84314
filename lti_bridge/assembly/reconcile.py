"""After a backup was restored: every gradebook cell of an LMS is looked at, several at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from lti_bridge.assembly.bridge import MARKS, Bridge
from lti_bridge.core.grade.marks import was_sent
from lti_bridge.core.grade.read_back import MOST
from lti_bridge.core.grade.reconcile import Reconciled, Reconciling

AT_ONCE = MOST * 4


def reconciled(
    bridge: Bridge, lms: str, marks: Collection[str], *, dry_run: bool
) -> Iterator[Reconciled]:
    """What became of each cell, in turn; `marks` are those of logs from after the backup."""
    work = Reconciling(
        store=bridge.store,
        gradebook=bridge.lms.gradebooks,
        polling=bridge.polling,
        results=bridge.results,
        clock=bridge.clock,
        was_sent=partial(was_sent, bridge.keyring.secret(MARKS), marks),
        dry_run=dry_run,
    )
    with ThreadPoolExecutor(MOST) as pool:
        cells = work.cells(lms)
        while some := list(islice(cells, AT_ONCE)):
            yield from pool.map(work.look, some)
