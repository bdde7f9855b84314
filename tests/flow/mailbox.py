"""A real mail server with a certificate, and a receiver of web hooks, both of this machine."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask, request

from lti_bridge.sandbox import serving
from tests.flow.world import free_port

USER, PASSWORD = "bridge", "password-of-the-mailbox"
TOKEN = "token-of-the-web-hook"


def certificate(folder: Path, name: str = "127.0.0.1", days: int = 30) -> Path:
    """A self-signed certificate of this machine with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"certificate-{name}-{days}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@dataclass
class Mailbox:
    """A mail server that wants STARTTLS and a login, and keeps what it gets."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        if self.refuses:
            return "451 not now"
        made = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        made["X-Envelope-To"] = ",".join(envelope.rcpt_tos)
        self.mails.append(made)
        return "250 taken"

    @property
    def subjects(self) -> list[str]:
        """What all mails are about, in the order of their coming."""
        return [str(mail["Subject"]).strip() for mail in self.mails]  # long ones are folded


@contextmanager
def mailbox(certificate_file: Path) -> Iterator[Mailbox]:
    """The mail server, while this lasts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    made = Mailbox(free_port())

    def known(_server: Any, _session: Any, _envelope: Any, _how: str, who: Any) -> AuthResult:
        wanted = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=who == wanted)

    controller = Controller(
        made,
        hostname="127.0.0.1",
        port=made.port,
        tls_context=context,
        require_starttls=True,
        authenticator=known,
        auth_required=True,
    )
    controller.start()
    try:
        yield made
    finally:
        controller.stop()


@dataclass
class Hook:
    """A receiver of web hooks that keeps what it gets."""

    url: str = ""
    status: int = 204
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def states(self) -> list[tuple[str, str]]:
        """All matters that were told, with what was told of them."""
        told = [one for message in self.messages for one in message["matters"]]
        return [(one["matter"], one["state"]) for one in told]


@contextmanager
def hook() -> Iterator[Hook]:
    """The receiver, while this lasts."""
    made = Hook()

    def app(_url: str) -> Flask:
        served = Flask("hook")

        @served.post("/told")
        def told() -> tuple[str, int]:
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            if made.status < 300:
                made.messages.append(json.loads(request.get_data()))
            return "", made.status

        return served

    running = serving.start(app)
    made.url = f"{running.url}/told"
    try:
        yield made
    finally:
        running.stop()
