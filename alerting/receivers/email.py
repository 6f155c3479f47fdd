"""E-mail over SMTP, as text and HTML, an incident's in one thread; it trusts no server without a certificate.

The whole exchange has one deadline: smtplib bounds each read only, so a server that sends a byte now and then would
hold the receiver for ever.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Final, Literal

from alerting.notifications import Notification
from alerting.outcomes import Outcome
from alerting.receivers.http import DEADLINE_S
from alerting.receivers.protocol import identity
from alerting.receivers.story import facts, footer, headline, story
from alerting.receivers.tls import USUAL, Tls, particular
from alerting.receivers.trust import PUBLIC_ONLY, Trust, add_authorities, tls_failure
from alerting.secret_references import SecretReference
from alerting.texts import cut
from telemetry.windows import NANOS

Security = Literal["starttls", "tls", "none"]

MAX_SUBJECT: Final = 200
_MAX_REASON: Final = 300
_READY: Final = 220


@dataclass(frozen=True, slots=True)
class EmailReceiver:
    """Sends mail through a server.

    Attributes:
        security: ``starttls`` (the server must offer it), ``tls`` from the first byte, or ``none``.
        user, password: to log in with; without a user nobody logs in.
        trust: who vouches for the server's name, beside the system's authorities; it may be at any address.
        hello: who says hello; None for the name of this machine.
        tls: what is particular to this server.
    """

    name: str
    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: Security = "starttls"
    user: str | None = None
    password: SecretReference | None = None
    send_resolved: bool = True
    deadline_s: float = DEADLINE_S
    trust: Trust = PUBLIC_ONLY
    part: str = ""
    hello: str | None = None
    tls: Tls = USUAL

    @property
    def id(self) -> str:
        """Unique: the name, the kind, and the part where there are several of it."""
        return identity(self.name, "email", self.part)

    def check(self) -> None:
        """Raise unless the password is there.

        Raises:
            ConfigError: it is missing.
        """
        if self.password is not None:
            self.password.read()
        self.tls.check()

    def send(self, notification: Notification, idempotency_key: str, now_ns: int) -> Outcome:
        """Tell it once.

        Raises:
            ConfigError: the password or the file of authorities cannot be read.
        """
        mail = message(notification, self.sender, self.recipients, idempotency_key, now_ns)
        password = self.password.read() if self.password is not None else ""
        try:
            with self._connected() as server:
                if self.user is not None:
                    server.login(self.user, password)
                refused = server.send_message(mail)
        except smtplib.SMTPException as error:
            return _judge(error)
        except TimeoutError:
            return Outcome("transient", f"no answer within {self.deadline_s:g} s")
        except ssl.SSLError as error:
            return Outcome("transient", tls_failure(error))
        except (OSError, ValueError) as error:
            return Outcome("transient", f"could not be reached: {type(error).__name__}")
        # Who was accepted has been told; to send again for the others would tell them twice.
        return Outcome("delivered", f"{len(refused)} of the recipients were refused" if refused else "")

    def _context(self) -> ssl.SSLContext:
        if self.tls.ca_file is not None:
            return particular(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.tls)
        context = ssl.create_default_context()
        if self.trust.ca_file is not None:
            add_authorities(context, self.trust.ca_file)
        return particular(context, self.tls)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = self._context()
        direct = self.security == "tls"
        name = self.hello or _own_name()
        server = smtplib.SMTP_SSL(local_hostname=name, context=context) if direct else smtplib.SMTP(local_hostname=name)
        server.timeout = self.deadline_s
        # Whom the certificate must name: smtplib learns it only where it connects as it is made, before any watchdog.
        server._host = self.host  # type: ignore[attr-defined]
        late = threading.Event()

        def give_up() -> None:
            late.set()
            if server.sock is not None:
                # To close it would not wake who waits for it to speak.
                with suppress(OSError):
                    server.sock.shutdown(socket.SHUT_RDWR)

        watchdog = threading.Timer(self.deadline_s, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            code, said = server.connect(self.host, self.port)
            if code != _READY:
                raise smtplib.SMTPConnectError(code, said)
            if self.security == "starttls":
                server.starttls(context=context)
            yield server
            server.quit()
        except (smtplib.SMTPServerDisconnected, OSError, ValueError) as error:
            raise TimeoutError if late.is_set() else error from None
        finally:
            watchdog.cancel()
            server.close()


def message(
    notification: Notification, sender: str, recipients: tuple[str, ...], idempotency_key: str, now_ns: int
) -> EmailMessage:
    """The mail; a repeat has the same id, and all of an incident's refer to one thread."""
    incident = notification.incident
    domain = sender.rpartition("@")[2].rstrip(">") or "tailwatch"
    thread = hashlib.blake2b(f"{incident['id']}|{incident['opened_at']}|{domain}".encode(), digest_size=12).hexdigest()
    mail = EmailMessage()
    mail["Subject"] = cut(headline(notification), MAX_SUBJECT)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(dt.datetime.fromtimestamp(now_ns // NANOS, tz=dt.UTC))
    mail["Message-ID"] = f"<{idempotency_key}@{domain}>"
    mail["References"] = mail["In-Reply-To"] = f"<incident-{thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Tailwatch-Incident"] = str(incident["id"])
    mail.set_content(_text(notification))
    mail.add_alternative(_html(notification), subtype="html")
    return mail


def _text(notification: Notification) -> str:
    parts = [headline(notification), "\n".join(f"{name}: {value}" for name, value in facts(notification).items())]
    for title, lines in story(notification):
        parts.append("\n".join([f"{title}:"] * bool(title) + [f"  {line}" if title else line for line in lines]))
    parts += [notification.incident_url] * bool(notification.incident_url)
    return "\n\n".join([*parts, f"-- \n{footer(notification)}"]) + "\n"


def _html(notification: Notification) -> str:
    rows = "".join(
        f"<tr><th align=left>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts(notification).items()
    )
    sections = "".join(
        f"{f'<h3>{escape(title)}</h3>' if title else ''}<p>{'<br>'.join(escape(line) for line in lines)}</p>"
        for title, lines in story(notification)
    )
    url = escape(notification.incident_url, quote=True)
    link = f'<p><a href="{url}">Open incident and runbook</a></p>' if url else ""
    head, foot = escape(headline(notification)), escape(footer(notification))
    return f"<html><body><h2>{head}</h2><table>{rows}</table>{sections}{link}<p><small>{foot}</small></p></body></html>"


def _own_name() -> str:
    """Who says hello: smtplib would ask the name service for longer than the deadline."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _judge(error: smtplib.SMTPException) -> Outcome:
    """4xx passes with time, and so does a refused login, once the password is mended; other 5xx never."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = min(error.recipients.values())
        return _answered(code, f"refused every recipient: {code} {_decoded(said)}")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome("permanent", "does not offer what is configured (STARTTLS, or a login)")
    if isinstance(error, smtplib.SMTPResponseException):
        login = isinstance(error, smtplib.SMTPAuthenticationError)
        reason = f"answered {error.smtp_code}: {_decoded(error.smtp_error)}"
        return _answered(0 if login else error.smtp_code, reason)
    return Outcome("transient", f"broke the exchange off: {type(error).__name__}")


def _answered(code: int, reason: str) -> Outcome:
    text = cut(" ".join(reason.split()), _MAX_REASON)
    return Outcome("permanent", text) if code >= 500 else Outcome("transient", text)


def _decoded(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")
