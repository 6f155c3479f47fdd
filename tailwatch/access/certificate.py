"""The certificate of Tailwatch's own listeners, read anew when its files change; it listens on nothing itself.

Every handshake uses what was read last. Files that cannot be used, such as those of a renewal that is half done, change
nothing and are told.
"""

from __future__ import annotations

import datetime as dt
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from telemetry.errors import ConfigError
from telemetry.windows import NANOS

_LEFT: Final = dt.timedelta(days=14)
_LEFT_OF_SHORT: Final = 0.3
"""How long before its end a certificate should have been renewed; of one made for less than weeks, the share of its
life: ACME clients renew when a third is left (letsencrypt.org/docs/integration-guide)."""
_NO_KEY: Final = (
    "there is no key in it that can be used",
    "name a PEM file with the certificate's private key, not encrypted",
)
_KEY_FAULTS: Final = {
    "KEY_VALUES_MISMATCH": ("the key is not that of the certificate", "name the key that belongs to tls_cert_file"),
    "EE_KEY_TOO_SMALL": ("the certificate's key is too short to protect anything", "renew it with a longer key"),
}
"""What is wrong and what to do, by OpenSSL's reasons."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pair:
    """What was read: ``stamp`` says of which state of the files."""

    stamp: tuple[object, ...]
    context: ssl.SSLContext
    chain: bytes
    key: bytes
    begins: dt.datetime
    ends: dt.datetime


class Certificate:
    """A chain of certificates with the key of the first, in PEM.

    Attributes:
        context: for servers; its handshakes use the newest.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Read the files.

        Raises:
            ConfigError: they cannot be used.
        """
        self._cert_file, self._key_file = cert_file, key_file
        self._newest = _read(cert_file, key_file)
        self._failed: tuple[object, ...] = ()
        self._told: list[str] | None = None
        self.context = self._newest.context
        self.context.sni_callback = self._use_newest

    @property
    def ends_s(self) -> float:
        """When the newest ends, in seconds since the epoch."""
        return self._newest.ends.timestamp()

    def pem(self) -> tuple[bytes, bytes]:
        """The newest key, and its chain."""
        return self._newest.key, self._newest.chain

    def step(self, now_ns: int) -> None:
        """Read the files anew if they have changed, and log what is to be done about them when that changes.

        What is to be done at the first step has been told at the start.
        """
        self._renew()
        warnings = self.warnings(now_ns)
        if self._told is not None and warnings != self._told:
            for warning in warnings:
                _log.warning("%s", warning)
        self._told = warnings

    def _renew(self) -> None:
        stamp = _stamp(self._cert_file, self._key_file)
        if stamp in (self._newest.stamp, self._failed):
            return
        try:
            self._newest = _read(self._cert_file, self._key_file)
        except ConfigError as error:
            self._failed = stamp
            _log.error("the certificate was not renewed, and the one before goes on: %s", error)
            return
        self._failed = ()
        _log.info("the certificate was renewed: it now ends at %s", _told(self._newest.ends))

    def warnings(self, now_ns: int) -> list[str]:
        """What somebody should do about it."""
        pair, now = self._newest, dt.datetime.fromtimestamp(now_ns / NANOS, dt.UTC)
        if now >= pair.ends:
            what = f"the certificate has expired at {_told(pair.ends)}, so that clients refuse it; renew it"
        elif now < pair.begins:
            what = f"the certificate counts from {_told(pair.begins)} on, and clients refuse it until then"
        elif pair.ends - now < min(_LEFT, (pair.ends - pair.begins) * _LEFT_OF_SHORT):
            what = f"the certificate ends at {_told(pair.ends)}; renew it"
        else:
            return []
        return [f"tls_cert_file: {self._cert_file}: {what}"]

    def _use_newest(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest.context


def _stamp(*files: Path) -> tuple[object, ...]:
    """Differs whenever a file was written or another took its place."""
    found: list[object] = []
    for file in files:
        try:
            stat = file.stat()
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except OSError as error:
            found.append(error.errno)
    return tuple(found)


def _read(cert_file: Path, key_file: Path) -> _Pair:
    stamp = _stamp(cert_file, key_file)
    chain, key = _content("tls_cert_file", cert_file), _content("tls_key_file", key_file)
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise ConfigError(
            "there is no certificate in it", where=f"tls_cert_file: {cert_file}",
            remedy="name a PEM file that begins with the server's own certificate, those of its issuers after it",
        ) from None  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # without a password to give, OpenSSL would ask for one on the terminal
        context.load_cert_chain(cert_file, key_file, password="")
    except (ssl.SSLError, OSError) as error:
        what, remedy = _KEY_FAULTS.get(getattr(error, "reason", None) or "", _NO_KEY)
        raise ConfigError(what, where=f"tls_key_file: {key_file}", remedy=remedy) from None
    return _Pair(stamp, context, chain, key, first.not_valid_before_utc, first.not_valid_after_utc)


def _content(setting: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the file cannot be read: {error.strerror}", where=f"{setting}: {file}",
            remedy="check the path, and that the service's user may read it",
        ) from None  # fmt: skip


def _told(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
