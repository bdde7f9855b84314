"""Whether those whose grades and attempts are listed are in their courses, as their LMSs say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from lti_bridge.errors import BridgeError, MembersComing

if TYPE_CHECKING:
    from lti_bridge.assembly.bridge import Bridge

PATIENCE_S = 60  # for one list
LEFT, MISSING = "no longer active in the course", "not among the members of the course"
members_option = click.option(
    "--members", "ask", is_flag=True, help="Ask the LMSs who is in their courses, and say who not."
)


def note(bridge: Bridge, rows: Sequence[dict[str, Any]], *, ask: bool) -> None:
    """Add to each row, by its `id`, as `member` what is to be said of its learner; mostly nothing.

    What a list has said before is known here; `ask`: lists are read now, too. An LMS may leave
    out whoever is suspended, and takes their grades all the same (Moodle).
    """
    from lti_bridge.store.rosters import Rosters

    places = Rosters(bridge.store.database).places([row["id"] for row in rows])
    lists: dict[tuple[str, str, str], set[str] | str] = {}
    for row in rows:
        row["member"] = ""
        if (place := places.get(row["id"])) is None:
            continue
        row["member"] = LEFT if place.left else ""
        if ask and not place.left:
            if place.course not in lists:
                lists[place.course] = _listed(bridge, *place.course)
            found = lists[place.course]
            if isinstance(found, str):
                row["member"] = found
            elif place.user_id not in found:
                row["member"] = MISSING


def _listed(bridge: Bridge, registration: str, deployment_id: str, course: str) -> set[str] | str:
    """The ids of a course's members, or why nobody knows them."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = bridge.roster.members(registration, deployment_id, course)
        except MembersComing as error:
            if time.monotonic() > until:
                return f"members not known: {error.detail}"
            time.sleep(0.2)
        except BridgeError as error:
            return f"members not known: {error.detail or error.sentence}"
        else:
            if found is None:
                return "members not known: the LMS offers no list"
            return {one.person.id for one in found}
