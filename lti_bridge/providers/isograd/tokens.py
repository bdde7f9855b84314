"""The access token of Isograd's API: fetched by client_credentials, kept while it lasts."""

from __future__ import annotations

import hmac
import re
import threading
from datetime import datetime, timedelta
from urllib.parse import urlencode

from lti_bridge.errors import NetworkFailed, ProviderBusy, ProviderDown
from lti_bridge.net import Response
from lti_bridge.providers.contract import Tools
from lti_bridge.providers.isograd.answers import members_of
from lti_bridge.providers.isograd.connections import ApiConnection
from lti_bridge.providers.isograd.errors import AccountRefused

FORM = "application/x-www-form-urlencoded"
# The guide writes `scopes`, not the standard's `scope`, and wants both in the query.
GRANT = "grant_type=client_credentials&scopes=usage"
UNSAID_LIFE_S = 300  # the guide names no lifetime
LONGEST_LIFE_S = 86_400
SKEW = timedelta(seconds=30)
WAIT_S = 10.0


class Tokens:
    """One token for all threads of a process; one of them fetches, the others wait for it."""

    def __init__(self, settings: ApiConnection, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._lock = threading.Lock()
        self._token = ""
        self._usable_until: datetime | None = None

    def get(self) -> str:
        """A token. Raises AccountRefused, ProviderDown or ProviderBusy."""
        if not self._lock.acquire(timeout=WAIT_S):
            raise ProviderBusy("another thread is waiting for a token")
        try:
            now = self._tools.clock()
            if self._usable_until is None or now >= self._usable_until:
                self._token, life = _read(self._ask())
                self._usable_until = now + life - SKEW
            return self._token
        finally:
            self._lock.release()

    def forget(self, token: str) -> None:
        """Do not use this token again; a newer one stays."""
        with self._lock:
            if hmac.compare_digest(token.encode(), self._token.encode()):
                self._usable_until = None

    def _ask(self) -> Response:
        url = self._settings.token_url
        fields = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        try:
            return self._tools.send(
                "POST",
                f"{url}{'&' if '?' in url else '?'}{GRANT}",
                headers={"Content-Type": FORM, "Accept": "application/json"},
                body=urlencode(fields).encode("ascii"),
            )
        except NetworkFailed as error:  # AnswerLost too: a token costs nothing
            raise ProviderDown(f"token: {error.detail}") from error


def _read(answer: Response) -> tuple[str, timedelta]:
    members = members_of(answer.body)
    if answer.too_many:
        raise ProviderBusy(f"token: status {answer.status}")
    if answer.status in (400, 401, 403):
        reason = re.sub("[^a-z_]", "", str(members.get("error", "")))[:40]
        raise AccountRefused(f"token: status {answer.status} {reason}")
    token = members.get("access_token")
    if (
        not 200 <= answer.status < 300
        or not isinstance(token, str)
        or not re.fullmatch("[!-~]+", token)
    ):
        raise ProviderDown(f"token: status {answer.status} without a token")
    try:
        life = int(str(members.get("expires_in", UNSAID_LIFE_S)))
    except ValueError:
        life = UNSAID_LIFE_S
    return token, timedelta(seconds=min(max(life, 0), LONGEST_LIFE_S))
