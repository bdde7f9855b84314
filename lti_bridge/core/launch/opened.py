"""A recorded click, as the steps of a launch hand it on."""

from __future__ import annotations

from dataclasses import dataclass

from lti_bridge.core.attempt.provider import Connection
from lti_bridge.core.attempt.retakes import Again
from lti_bridge.core.launch.handoff import Handoff
from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Activity, Adjustment, Attempt, Link


@dataclass(frozen=True, slots=True)
class Opened:
    """A recorded click. `attempt` is None unless the launch may make one.

    `again` is what to ask first where the one before is over; a `repeated` click only goes on with
    what has begun. `learner_id` is empty for an anonymous click. `handoff` is set where it was made
    in the same commit, and `held` is the token of the launch where it was kept with it.
    `extra_time_percent` is what the learner of an attempt was given besides. `clicked` is the id of
    the link that the click came by, where its attempts are at another one. `more` is what the
    learner gets more of at the activity, once that was read; a `newcomer` has nothing here yet.
    """

    launch_id: str
    launch: Launch
    activity: Activity
    connection: Connection
    link: Link
    learner_id: str = ""
    attempt: Attempt | None = None
    again: Again | None = None
    repeated: bool = False
    handoff: Handoff | None = None
    held: str = ""
    extra_time_percent: int = 0
    clicked: str = ""
    more: Adjustment | None = None
    newcomer: bool = False
