"""The way to the gradebooks of LMSs, and the columns that the bridge found or made there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from lti_bridge.core.records import Column, Delivery, DeliveryState, Shown


class Columns(Protocol):
    """The line items that the bridge found or made itself. Every method is one transaction."""

    def column(self, grade_id: str) -> Column:
        """The column that a grade belongs into."""

    def claim(self, link_id: str, lease: str, now: datetime, lease_s: float) -> bool:
        """Lease the search for a link's line item, or lease it longer.

        False when it is known already or another lease lasts.
        """

    def settle(
        self,
        link_id: str,
        lease: str,
        line_item: str,
        renewed_at: datetime | None = None,
        lost: str = "",
    ) -> None:
        """Remember what was found (nothing: an empty string) and give the lease back.

        `renewed_at`: it is an empty column in the place of another, so all grades that were
        delivered for this link are due again at that time; only those whose launch named `lost`,
        if that was the other one.
        """

    def forget(self, link_id: str, line_item: str) -> None:
        """Forget this line item, which is gone, unless another one is remembered by now."""

    def put_away(self, link_id: str, line_item: str, said: str, until: datetime) -> bool:
        """Forget a line item that was made and took no score, and let none be made before `until`.

        `said` is what was answered to the scores. False, and nothing changes, when it is another
        one by now, or a grade of the link was delivered.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try of a delivery ended: delivered, or when (if ever) to try again.

    `later_stamp`: the next try tells the LMS a later time, as far ahead as clocks may differ.
    `read_at` is when to look what the LMS shows, None: it cannot be looked at. `unanswered`: a
    request was sent, and nobody knows whether the LMS carries it out.
    """

    state: DeliveryState
    due_at: datetime | None = None
    error: str = ""
    count_try: bool = True
    later_stamp: bool = False
    read_at: datetime | None = None
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A look at what the LMS shows: `text` is for people, `overridden` that it is not ours.

    Both None: it could not be seen, and what was seen last stays. `read_at` is when to look again,
    None: never. `late` is the older value of ours that stands there, of a request that was carried
    out late; `answered`: none is expected any more.
    """

    text: str | None
    overridden: bool | None
    read_at: datetime | None
    late: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an LMS said when it took a grade."""

    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Gradebook(Protocol):
    """The way to the gradebooks of all connected LMSs."""

    def deliver(self, delivery: Delivery) -> Receipt:
        """Bring one grade to its LMS. Raises DeliveryFailed (again later) or DeliveryRefused."""

    def readable(self, delivery: Delivery) -> bool:
        """Whether the LMS lets us see what it shows for this grade."""

    def read(self, delivery: Delivery) -> Shown:
        """What the LMS shows. Raises DeliveryFailed (later, perhaps) or DeliveryRefused."""
