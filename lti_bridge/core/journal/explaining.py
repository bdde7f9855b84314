"""Finding out why messages were refused: after the answer, and so many a minute."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from lti_bridge.core.journal.hop import Hop
from lti_bridge.errors import Finding

log = logging.getLogger("lti_bridge.journal")

MOST = 10  # a minute, of one party
OF_ALL = 60  # a minute: two seconds of a processor, whoever knows many consumer keys
MINUTE_S = 60.0
TOO_MANY = Finding("explanation", "", "", "Not explained: too many were refused in that minute.")
BROKE = Finding("explanation", "", "", "Not explained: finding out why has failed; see the log.")


class Explaining:
    """Asks refusals for their reasons; only the thread that writes the journal does."""

    def __init__(self) -> None:
        self._minute = 0
        self._done: Counter[str] = Counter()

    def of(self, hop: Hop) -> Sequence[Finding]:
        """What is found out about a hop that failed; raises nothing."""
        explain, hop.explain = hop.explain, None
        if explain is None:
            return ()
        if (minute := int(hop.at // MINUTE_S)) != self._minute:
            self._minute = minute
            self._done.clear()
        who = hop.party or f"?{hop.registration}"
        if self._done[who] >= MOST or self._done.total() >= OF_ALL:
            return (TOO_MANY,)
        self._done[who] += 1
        try:
            return tuple(explain())
        except Exception:
            log.exception("journal.not-explained")
            return (BROKE,)
