"""A real SMTP server on this machine that keeps what it is sent, with STARTTLS, a login and refusals if so told."""

from __future__ import annotations

import email
import ssl
import subprocess
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.external import require_program


def make_certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A self-signed certificate for ``name``, and its key."""
    openssl = require_program("openssl", "openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def make_expired(certificate: Path, key: Path) -> tuple[Path, Path]:
    """The same certificate as it would be a day after its end."""
    expired = certificate.with_name("expired.pem")
    openssl = require_program("openssl", "openssl")
    subprocess.run(
        [openssl, "x509", "-in", str(certificate), "-signkey", str(key), "-days", "-1", "-out", str(expired)],
        check=True, capture_output=True,
    )  # fmt: skip
    return expired, key


class MailServer(Controller):
    """Listens on a free port; ``refuse`` is answered to every recipient, if set."""

    def __init__(
        self, certificate: tuple[Path, Path] | None = None, *, direct: bool = False, login: bool = False
    ) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.refuse: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, certificate))
        options: dict[str, Any] = {"enable_SMTPUTF8": True}
        if login:
            options |= {"authenticator": self._log_in, "auth_required": True, "auth_require_tls": True}
        if context and not direct:
            options |= {"tls_context": context, "require_starttls": True}
        super().__init__(
            self, hostname="127.0.0.1", port=0, ssl_context=context if direct else None, ready_timeout=20, **options
        )

    @property
    def address(self) -> int:
        """The port."""
        assert self.server is not None
        return int(self.server.sockets[0].getsockname()[1])

    def _trigger_server(self) -> None:
        """The controller would try the port that it was given, which is 0."""
        self.port = self.address
        super()._trigger_server()

    def _log_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"
