"""A call of the demo provider whose answer was lost, or is none: whether it may be made again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lti_bridge.errors import AnswerLost, ProviderDown, ProviderError
from lti_bridge.net import Response
from lti_bridge.providers.demo.client import Client
from lti_bridge.providers.demo.settings import ConnectionSettings

SETTINGS = ConnectionSettings.model_validate(
    {"base_url": "https://demo.example.org", "api_key": "key"}
)


def client(answer: Response | Exception) -> Client:
    """One whose calls all end so."""

    def send(method: str, url: str, **more: Any) -> Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client(SETTINGS, SimpleNamespace(send=send))  # type: ignore[arg-type]


def test_only_a_purchase_may_have_been_made_when_its_answer_is_lost() -> None:
    cut = client(AnswerLost("cut off"))
    with pytest.raises(AnswerLost):
        cut.open({})
    for call in (lambda: cut.session("1"), lambda: cut.delete("1"), cut.tests):
        with pytest.raises(ProviderDown):
            call()


@pytest.mark.parametrize("status", [500, 503, 302])
def test_a_status_of_the_server_s_says_nothing_of_the_purchase(status: int) -> None:
    broken = client(Response(status, {}, b"{}"))
    with pytest.raises(AnswerLost):
        broken.open({})
    with pytest.raises(ProviderError) as caught:
        broken.session("1")
    assert caught.value.detail == f"status {status}"
