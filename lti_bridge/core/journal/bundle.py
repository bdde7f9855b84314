"""A trace for somebody outside, an LMS's admin or a vendor: as JSON and as a page, of nobody.

What was found out about refusals is not in it: that may name other LMSs and connections.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from lti_bridge.core.journal.record import Recorded
from lti_bridge.core.journal.story import picture, words
from lti_bridge.core.journal.traces import Trace

OURS = ("learner", "user", "link", "attempt", "grade")  # ids that say nothing to anybody else
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
<p>Times are UTC. Learners are numbered; no name, address or id of theirs is in here.</p>
<h2>The way</h2>
<pre>{picture}</pre>
<h2>What happened, and what to do</h2>
<pre>{words}</pre>
<h2>Every step</h2>
<pre>{steps}</pre>
</html>
"""


def as_json(trace: Trace) -> str:
    """All hops of a trace and of what belongs to it, for a program."""
    hops = _for_others(trace)
    who = _numbers(hops)
    told = {"reference": trace.ref, "hops": [_plain(one, who) for one in hops]}
    return json.dumps(told, indent=2, ensure_ascii=False, default=str) + "\n"


def as_html(trace: Trace) -> str:
    """The same as a page that stands for itself."""
    hops = _for_others(trace)
    who = _numbers(hops)
    steps = [_plain(one, who) for one in hops]
    return PAGE.format(
        title=html.escape(f"Trace {trace.ref}"),
        picture=html.escape("\n".join(picture(hops))),
        words=html.escape("\n".join(words(hops))),
        steps=html.escape(json.dumps(steps, indent=2, ensure_ascii=False, default=str)),
    )


def _for_others(trace: Trace) -> list[Recorded]:
    return [replace(one, findings=()) for one in trace.all]


def _numbers(hops: Sequence[Recorded]) -> dict[str, str]:
    """What stands for each learner in here."""
    learners = dict.fromkeys(one.learner for one in hops if one.learner)
    return {learner: f"learner {number}" for number, learner in enumerate(learners, 1)}


def _plain(hop: Recorded, who: dict[str, str]) -> dict[str, Any]:
    told = {name: value for name, value in asdict(hop).items() if value not in ("", (), 0)}
    for name in OURS:
        told.pop(name, None)
    if hop.learner:
        told["whose"] = who[hop.learner]
    return told
