"""A learner's extra time: what each provider does with it, and how an LTI launch tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExtraTime:
    """What a provider does with extra time at one activity.

    `taken` False: it cannot be told, so that nobody may promise it. `note` is what staff have to
    know besides. `parameter` is the custom parameter in which an LTI launch tells the percentage.
    """

    taken: bool = False
    note: str = "This provider cannot be told of extra time: arrange it there by hand."
    parameter: str = ""

    def told(self, custom: Mapping[str, str], percent: int) -> dict[str, str]:
        """The custom parameters of a launch of somebody with `percent` more time.

        What the activity itself gives everybody stays, where it is more.
        """
        if not self.parameter or percent <= 0:
            return dict(custom)
        given = custom.get(self.parameter, "")
        more = max(percent, int(given) if given.isascii() and given.isdigit() else 0)
        return {**custom, self.parameter: str(more)}
