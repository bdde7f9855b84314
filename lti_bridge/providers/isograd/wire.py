"""One POST per action to Isograd's API: the token, one repeat on 401, and what the answer means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from lti_bridge.errors import (
    AnswerLost,
    BridgeError,
    NetworkFailed,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
)
from lti_bridge.net import Response
from lti_bridge.providers.addresses import address_of
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.isograd.answers import members_of, refusal
from lti_bridge.providers.isograd.connections import ApiConnection
from lti_bridge.providers.isograd.errors import AccountRefused, OtherCandidate
from lti_bridge.providers.isograd.tokens import FORM, Tokens

# Carried out twice these cost a credit, send an e-mail or make something a second time, so that
# an answer which cannot be read leaves open what happened. All others may simply be repeated.
ONCE = frozenset({2, 8, 9, 11, 16, 42, 58})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Wire:
    """Carries out actions of one account.

    Everything raises the errors of `errors.ERRORS` for a refusal, ProviderDown, ProviderBusy or
    ProviderError when nothing was carried out or nothing could be learned, and AnswerLost when an
    action of ONCE may have been carried out.
    """

    def __init__(self, settings: ApiConnection, tools: Tools) -> None:
        self._url = settings.base_url
        self._tools = tools
        self.tokens = Tokens(settings, tools)

    def call(
        self, act_id: int, fields: Mapping[str, str], latest: datetime | None = None
    ) -> dict[str, Any]:
        """The members of a successful answer. After `latest` nothing is sent any more."""
        return self._members(act_id, self._post(act_id, fields, latest))

    def location(self, act_id: int, fields: Mapping[str, str]) -> str:
        """Where an action that answers with a redirect leads to."""
        answer = self._post(act_id, fields, None)
        if answer.status not in _REDIRECTS:
            self._members(act_id, answer)
        if not (address := address_of(answer.headers.get("Location"))):
            raise broken(act_id, f"status {answer.status} without an address")
        return address

    def _post(self, act_id: int, fields: Mapping[str, str], latest: datetime | None) -> Response:
        token = self.tokens.get()
        answer = self._send(act_id, fields, token, latest)
        if answer.status != 401:
            return answer
        self.tokens.forget(token)
        return self._send(act_id, fields, self.tokens.get(), latest)

    def _send(
        self, act_id: int, fields: Mapping[str, str], token: str, latest: datetime | None
    ) -> Response:
        if latest is not None and self._tools.clock() > latest:
            raise ProviderDown(f"action {act_id}: Isograd is too slow to begin it now")
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": FORM,
            "Accept": "application/json",
        }
        body = urlencode({"act_id": str(act_id), **fields}).encode("ascii")
        try:
            return self._tools.send("POST", self._url, headers=headers, body=body)
        except NetworkFailed as error:
            if isinstance(error, AnswerLost) and act_id in ONCE:
                raise
            raise ProviderDown(f"action {act_id}: {error.detail}") from error

    def _members(self, act_id: int, answer: Response) -> dict[str, Any]:
        """Read the envelope, if there is one: the guide names no HTTP status for a failure."""
        members, status = members_of(answer.body), answer.status
        if answer.too_many:
            raise ProviderBusy(f"action {act_id}: status {status}")
        if members.get("success") is False:
            raise refusal(act_id, members)
        if members.get("success") is True and 200 <= status < 300:
            return members
        if status in (401, 403):
            raise AccountRefused(f"action {act_id}: status {status}")
        if 400 <= status < 500 and status != 408:
            raise ProviderRefused(f"action {act_id}: status {status}")
        raise broken(act_id, f"status {status} without a usable answer")


def broken(act_id: int, what: str) -> BridgeError:
    """The error for an answer that cannot be read."""
    return (AnswerLost if act_id in ONCE else ProviderError)(f"action {act_id}: {what}")


def other(act_id: int, what: str) -> BridgeError:
    """The error for an answer about somebody else: what was bought by it waits for a person."""
    return (AnswerLost if act_id in ONCE else OtherCandidate)(f"action {act_id}: {what}")
