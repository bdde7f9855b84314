"""By which ways an operator is told, as the settings say; the log is always one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lti_bridge.core.matters import Notice, document, subject, text
from lti_bridge.errors import NetworkFailed
from lti_bridge.net import Client
from lti_bridge.net.mail import MailServer
from lti_bridge.settings import Settings

log = logging.getLogger("lti_bridge.alerts")

LOG, MAIL, WEBHOOK = "log", "mail", "webhook"
Way = Callable[[Sequence[Notice], datetime], None]
"""Tells of all these in one message. Raises a BridgeError when it did not get there."""


def ways(settings: Settings, client: Client) -> Mapping[str, Way]:
    """All ways, by name."""
    found: dict[str, Way] = {LOG: _written}
    if settings.alerts.mail_to:
        found[MAIL] = _mailed(settings)
    if settings.alerts.webhook_url:
        found[WEBHOOK] = _posted(settings, client)
    return found


def _written(notices: Sequence[Notice], at: datetime) -> None:
    for one in notices:
        event = "alert.over" if one.over else "alert.open"
        log.warning(event, extra={"kind": one.matter.key, "reason": one.matter.said})


def _mailed(settings: Settings) -> Way:
    told, bridge = settings.alerts, settings.bridge
    server = MailServer(
        host=told.smtp_host,
        port=told.smtp_port,
        tls=told.smtp_tls,
        user=told.smtp_user,
        password=told.smtp_password.get_secret_value(),
        timeout_s=bridge.call_timeout_s,
    )

    def tell(notices: Sequence[Notice], at: datetime) -> None:
        about, words = subject(bridge.name, notices), text(bridge.public_url, notices)
        server.send(told.mail_from, told.mail_to, about, words, at=at)

    return tell


def _posted(settings: Settings, client: Client) -> Way:
    url, token = settings.alerts.webhook_url, settings.alerts.webhook_token.get_secret_value()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"

    def tell(notices: Sequence[Notice], at: datetime) -> None:
        body = json.dumps(document(settings.bridge.public_url, notices)).encode()
        answer = client.send("POST", url, headers=headers, body=body)
        if not 200 <= answer.status < 300:
            raise NetworkFailed(f"webhook: status {answer.status}")

    return tell
