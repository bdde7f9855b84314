"""Which activity a launch is for."""

from __future__ import annotations

from lti_bridge.core.launch import Launch
from lti_bridge.core.ports import Catalogue, Transaction
from lti_bridge.core.records import Activity, Link
from lti_bridge.errors import NotConfigured

DEEP_LINKED = "lti_bridge_activity"  # written into the link by deep linking
NAMED = "activity"  # written by hand in the LMS


def find_activity(
    launch: Launch, link: Link | None, catalogue: Catalogue, tx: Transaction
) -> Activity:
    """The activity of this launch; the first of four ways wins.

    1. the id that deep linking wrote into the link's custom parameters; 2. a custom parameter
    `activity=<id>`; 3. the activity written out in the custom parameters, where the LMS may do
    that; 4. what this link opened before. What a link says now comes before what is remembered of
    it, so that an author can correct it. Raises NotConfigured when none names one.
    """
    for name in (DEEP_LINKED, NAMED):
        if activity_id := launch.custom.get(name):
            return _allowed(_by_id(activity_id, catalogue, tx), activity_id, launch)
    if catalogue.allows_inline(launch.registration):
        inline = catalogue.inline(launch.custom)
        if inline is not None:
            tx.save_activity(inline, launch.custom, launch.received_at)
            return _allowed(inline, inline.id, launch)
    if link is not None:
        return _allowed(_by_id(link.activity_id, catalogue, tx), link.activity_id, launch)
    raise NotConfigured("the link has no custom parameter activity=<id>")


def _by_id(activity_id: str, catalogue: Catalogue, tx: Transaction) -> Activity | None:
    configured = catalogue.activity(activity_id)
    if configured is not None:
        return configured
    stored = tx.stored_activity(activity_id)
    return catalogue.inline(stored.settings) if stored else None


def _allowed(activity: Activity | None, activity_id: str, launch: Launch) -> Activity:
    if activity is None:
        raise NotConfigured(f"no activity has the id {activity_id[:80]!r}")
    if activity.registrations and launch.registration not in activity.registrations:
        raise NotConfigured(f"activity {activity.id!r} is not open to {launch.registration!r}")
    return activity
