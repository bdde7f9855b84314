"""Mail to whoever runs the bridge: sent over TLS to the server of the settings, in bounded time."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr

from lti_bridge.errors import NetworkFailed, NetworkRefused
from lti_bridge.transactions import in_database


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `tls` is starttls, tls (from the first byte) or none."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = ""
    timeout_s: float = 10.0

    def send(
        self, sender: str, to: Sequence[str], subject: str, text: str, *, at: datetime
    ) -> None:
        """Hand in one mail. Raises NetworkFailed when the server does not take it for everybody.

        Nothing is said to a server whose certificate is not the one of its name.
        """
        if in_database():
            raise NetworkRefused("nothing is sent with the database in hand")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
        message.set_content(text)
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            # not "from error": a server's text may quote the login
            raise NetworkFailed(f"mail to {self.host}: {_reason(error)}") from None
        if refused:
            raise NetworkFailed(f"mail to {self.host}: {len(refused)} addresses were refused")

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        if self.tls == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused ({error.verify_message})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it does not offer what is asked of it (STARTTLS, or a login)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__
