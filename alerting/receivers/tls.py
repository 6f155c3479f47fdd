"""TLS towards receivers: who vouches for them, and who Tailwatch is to them; certificates are always verified."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from alerting.receivers.trust import Trust, add_authorities
from telemetry.errors import ConfigError

Version = Literal["TLS12", "TLS13"]
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class Tls:
    """What is particular to one receiver.

    Attributes:
        ca_file: the only authorities (PEM) that count for it; None for those that count for all.
        cert_file: the certificate (PEM) that it is shown; ``key_file`` holds its key, without a passphrase.
        server_name: whom its certificate must name, where that is not the host of its address.
        min_version, max_version: bounds of the protocol; TLS 1.2 is the least in any case.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    min_version: Version | None = None
    max_version: Version | None = None

    def check(self) -> None:
        """Raise unless its files hold what they should.

        Raises:
            ConfigError: one does not.
        """
        if self != USUAL:
            particular(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self)


USUAL: Final = Tls()
"""Nothing particular."""


class _Named(ssl.SSLContext):
    """Wants the certificate of ``server_name`` from whoever is called, also behind a proxy."""

    server_name: str

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *_: Any, **__: Any) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_hostname=self.server_name)

    def wrap_socket(self, sock: socket.socket, *_: Any, **__: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, server_hostname=self.server_name)


def particular(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    """The context, which knows its authorities unless ``tls`` has its own, with all that is particular.

    Raises:
        ConfigError: a file holds no certificate, or none that its key belongs to.
    """
    context.minimum_version = _VERSIONS[tls.min_version or "TLS12"]
    if tls.max_version is not None:
        context.maximum_version = _VERSIONS[tls.max_version]
    if tls.ca_file is not None:
        add_authorities(context, tls.ca_file)
    if tls.cert_file is not None:
        _show(context, tls.cert_file, tls.key_file)
    if tls.server_name is not None:
        context.__class__ = _Named  # a context cannot be copied into one of another class
        assert isinstance(context, _Named)
        context.server_name = tls.server_name
    return context


def context_of(trust: Trust, tls: Tls) -> ssl.SSLContext:
    """What verifies a receiver; made anew when a file of its own has changed, so that renewed certificates count.

    Raises:
        ConfigError: a file holds no certificate, or none that its key belongs to.
    """
    if tls == USUAL:
        return _usual(trust.ca_file)
    files = (tls.ca_file, tls.cert_file, tls.key_file)
    return _particular(trust.ca_file, tls, tuple(_stamp(file) for file in files if file is not None))


@cache
def _usual(ca_file: Path | None) -> ssl.SSLContext:
    """The well-known authorities and those of ``ca_file``; read once, since that takes tens of milliseconds."""
    return _well_known(ca_file)


@lru_cache(maxsize=64)
def _particular(ca_file: Path | None, tls: Tls, _stamps: tuple[tuple[int, int], ...]) -> ssl.SSLContext:
    context = _well_known(ca_file) if tls.ca_file is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return particular(context, tls)


def _well_known(ca_file: Path | None) -> ssl.SSLContext:
    import httpx  # noqa: PLC0415 - it takes 0.1 s to import

    context = httpx.create_ssl_context()
    if ca_file is not None:
        add_authorities(context, ca_file)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # Without an answer to it OpenSSL would ask for a passphrase at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        what = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise ConfigError(
            f"cert_file and key_file cannot be used: {what}",
            remedy="name PEM files of a certificate and of its key, which has no passphrase",
        ) from None


def _stamp(file: Path) -> tuple[int, int]:
    """When a file was changed and how long it is; nothing for one that is not there, which is said when it is read."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
