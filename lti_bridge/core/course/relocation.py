"""The same placement in a course whose id has changed, or is missing for once.

An LMS that moves to another host may call its courses anew, while consumer key, users and resource
links stay what they were. A resource link id is unique in its LMS (LTI 1.1.1 §3) or deployment
(Core 1.3 §5.3.5), so a learner who comes by one with an attempt behind it goes on there. Some LMSs
use an id again in other courses: those courses are alive at the same time, which the clicks show.
"""

from __future__ import annotations

from collections.abc import Sequence

from lti_bridge.core.launch.message import Launch
from lti_bridge.core.records import Begun
from lti_bridge.core.store import Transaction
from lti_bridge.errors import PlaceUnclear


def find(tx: Transaction, launch: Launch, begun: Sequence[Begun]) -> Begun | None:
    """The learner's last attempt at the place of a launch, under another name of its course.

    `begun` are all their attempts in this LMS. Raises PlaceUnclear where there are several such
    places and the launch names no course: nothing is begun, and so nothing is bought twice.
    """
    context = launch.context.id
    place = (launch.deployment_id, launch.resource_link.id)
    here = [one for one in begun if (one.deployment_id, one.resource_link_id) == place]
    # begun before an admin joined this course with another one
    if exact := [one for one in here if one.context_id == context]:
        return exact[-1]
    courses = {one.context_id for one in here}
    if len(courses) > 1 and not context:
        raise PlaceUnclear("attempts in several courses by this resource link id")
    if len(courses) != 1:
        return None
    before = here[-1]
    if context and before.context_id and tx.in_use_since(launch, before.context_id):
        return None
    return before
