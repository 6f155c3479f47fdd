"""Whom receivers are trusted to be: their addresses, and who vouches for their names; it opens no connection.

A receiver's name may lead anywhere, also to where Tailwatch can reach and its owner cannot: the cloud's metadata
service, a database, another service on this machine. So an address that is not public must be allowed by the user.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from telemetry.errors import ConfigError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_EMBEDDING: Final = (ip_network("64:ff9b::/96"), ip_network("::/96"), ip_network("::ffff:0:0:0/96"))
"""IPv6 networks whose last 32 bits are an IPv4 address: NAT64, and two forms that are obsolete."""
_NEVER_PUBLIC: Final = (ip_network("64:ff9b:1::/48"), ip_network("192.0.0.0/24"), ip_network("fec0::/10"))
"""What some releases of Python call public and is not: local NAT64, protocol assignments, site-local."""


_CERTIFICATES: Final = {
    9: "its certificate is not valid yet", 10: "its certificate has expired",
    18: "its certificate is signed by itself", 19: "its certificate is of an authority that is not trusted",
    20: "its certificate is of an authority that is not trusted", 62: "its certificate is of another name",
    64: "its certificate is of another name",
}  # fmt: skip
"""What a certificate fails for, by OpenSSL's X509_V_ERR codes; its own texts hold names, which may be secret."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Where receivers may be, and whose certificates count.

    Attributes:
        private: networks that may be called beside the public internet.
        ca_file: certificate authorities (PEM) beside the well-known ones.
    """

    private: tuple[Network, ...] = ()
    ca_file: Path | None = None

    def check(self) -> None:
        """Raise unless ``ca_file`` holds certificates.

        Raises:
            ConfigError: it does not.
        """
        if self.ca_file is not None:
            add_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.ca_file)

    def permit(self, address: str) -> bool:
        """Whether an IP address may be called; False for what is none."""
        try:
            forms = {*_forms(ip_address(address.partition("%")[0]))}
        except ValueError:
            return False
        return any(form in network for form in forms for network in self.private) or all(map(_is_public, forms))


def tls_failure(error: ssl.SSLError) -> str:
    """Why a handshake failed, in words that name no host."""
    certificate = _CERTIFICATES.get(getattr(error, "verify_code", 0))
    return f"TLS failed: {certificate or error.reason or type(error).__name__}"


PUBLIC_ONLY: Final = Trust()
"""No private address, and the well-known authorities."""


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks that ``texts`` name, in CIDR notation or as single addresses.

    Raises:
        ValueError: one is neither, with what to write instead.
    """
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            raise ValueError(f"{text[:50]!r} is no network ({error}); write 10.0.0.0/8, or one address") from None
    return tuple(found)


def literal_address(host: str) -> str | None:
    """``host`` if it is an IP address in any spelling that resolvers take (``127.1``), else None."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return str(found[0][4][0])


def add_authorities(context: ssl.SSLContext, ca_file: Path) -> None:
    """Let ``context`` believe the authorities in a file too.

    Raises:
        ConfigError: there are none in it.
    """
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"ca_file holds no certificates: {error.strerror or type(error).__name__}",
            remedy="name a PEM file of certificate authorities",
        ) from None


def _forms(address: Address) -> Iterable[Address]:
    """The address itself and the IPv4 address that it stands for, if it does."""
    yield address
    if isinstance(address, IPv6Address):
        inner = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
        yield from (one for one in inner if one is not None)
        if any(address in network for network in _EMBEDDING):
            yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True  # what counts is the address that it stands for
    return address.is_global and not address.is_multicast and not any(address in one for one in _NEVER_PUBLIC)
