"""Extra time goes to Isograd with a new candidate, and with nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lti_bridge.providers.isograd import KIND

ACTIONS = (1, 2, 6, 8, 9, 38, 58)


@pytest.mark.parametrize("act_id", ACTIONS)
def test_which_actions_take_it(act_id: int) -> None:
    told = KIND.extra_time(SimpleNamespace(act_id=act_id), None)
    taken = act_id in (1, 8)
    assert (told.taken, told.parameter) == (taken, "xtr_tim_fac" if taken else "")
    assert (f"act_id {act_id} makes none" in told.note) is not taken
