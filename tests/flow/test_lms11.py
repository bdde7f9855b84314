"""LTI 1.1 launches into the running bridge: what they may hold and what that does."""

from __future__ import annotations

import pytest

from tests.flow.browser import Browser
from tests.flow.campus11 import send
from tests.flow.scene import Scene, refusal, way_back


@pytest.mark.spec("T11L-01")
def test_a_signed_launch_opens_the_test(scene: Scene) -> None:
    minimal = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": "minimal",
    }
    kept = [f for f in scene.campus.fields(**minimal) if f[0].startswith(("oauth", *minimal))]
    fields = [*kept, ("user_id", "ann"), ("custom_activity", "plain")]
    page = send(scene.campus.url, scene.campus.signed(fields))
    assert page.status == 200
    assert page.form().action == f"{scene.tool.running.url}/plain"
