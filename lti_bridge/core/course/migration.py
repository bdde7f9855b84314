"""Learners and links of an LMS that moved from LTI 1.1 to 1.3: found under both names.

What was there before is taken over, unless something has begun under the new name already: then
both stay what they are, and each person goes on where their own attempts at this place are.
"""

from __future__ import annotations

from dataclasses import replace

from lti_bridge.core.launch.message import Former, Launch
from lti_bridge.core.records import Link
from lti_bridge.core.store import Transaction


def learner(tx: Transaction, launch: Launch, fresh: str) -> str:
    """The id of the learner who clicked; `fresh` is the id of one who was never here."""
    registration, user_id, now = launch.registration, launch.person.id, launch.received_at
    if launch.former is None:
        return tx.learner(registration, user_id, fresh, now)
    old = _formerly(launch, launch.former)
    before = tx.known_learner(old.registration, old.person.id)
    known = tx.known_learner(registration, user_id)
    if before and known != before and not (known and tx.has_begun(learner_id=known)):
        tx.alias_learner(registration, user_id, before)
        return before
    if before and known and known != before and (where := begun(tx, launch)):
        return where[0]
    if not known:
        known = tx.learner(registration, user_id, fresh, now)
    if not before:
        tx.alias_learner(old.registration, old.person.id, known)
    return known


def find_link(tx: Transaction, launch: Launch) -> Link | None:
    """The link that this launch came by, if it was seen before under any of its names."""
    link = tx.find_link(launch)
    if launch.former is None:
        return link
    old = _formerly(launch, launch.former)
    before = tx.find_link(old)
    if before is None or (link is not None and link.id == before.id):
        return link
    if link is not None and tx.has_begun(link_id=link.id):
        where = begun(tx, launch)
        return where[1] if where else link
    tx.alias_link(launch, before.id)
    return before


def at_home(launch: Launch, link: Link | None) -> Launch:
    """The launch, knowing by which id its course was first known, where an admin joined the two."""
    if link is None or launch.former or link.context_id in ("", launch.context.id):
        return launch
    return replace(launch, home=link.context_id)


def keep_link(tx: Transaction, launch: Launch, link: Link) -> None:
    """Let a launch under the former name find this link too, if it finds none."""
    if launch.former is not None:
        old = _formerly(launch, launch.former)
        if tx.find_link(old) is None:
            tx.alias_link(old, link.id)


def begun(tx: Transaction, launch: Launch) -> tuple[str, Link] | None:
    """As which learner, and at which link, the person of a launch has attempts, if any.

    Both may stand under the names of now or the former ones.
    """
    ways = [launch] if launch.former is None else [launch, _formerly(launch, launch.former)]
    names = [tx.known_learner(one.registration, one.person.id) for one in ways]
    for link in map(tx.find_link, ways):
        for name in names:
            if link and name and tx.last_attempt(link.id, name)[0]:
                return name, link
    return None


def _formerly(launch: Launch, former: Former) -> Launch:
    """The same click as the LMS would have sent it by LTI 1.1, where deployments are unknown."""
    return replace(
        launch,
        registration=former.registration,
        deployment_id="",
        person=replace(launch.person, id=former.user_id),
        context=replace(launch.context, id=former.context_id),
        resource_link=replace(launch.resource_link, id=former.resource_link_id),
        former=None,
    )
