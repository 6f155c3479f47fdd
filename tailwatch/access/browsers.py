"""What pages in a browser may not do: use an open server by a name that is not its own, or change something from afar.

A page of any site can make its reader's browser send requests to the reader's own machine. Two things give it away:
the name that it used for this server (DNS rebinding), and the origin that the browser adds to what changes something.
Clients that are no browsers send neither a foreign name nor an origin.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from telemetry.errors import AccessError

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOCAL: Final = "localhost"


def is_loopback(host: str) -> bool:
    """Whether a host, as settings name it, is only this machine."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() == _LOCAL or host.lower().endswith(f".{_LOCAL}")
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def host_of(authority: str) -> str:
    """The host of ``host:port``, in lower case, without the brackets of IPv6."""
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit() or authority.endswith("]"):
        host = authority
    return host.strip("[]").lower()


def check_host(authority: str, allowed: Collection[str]) -> None:
    """Refuse a request to an open server by a name that is neither this machine's nor allowed.

    Raises:
        AccessError: it is.
    """
    host = host_of(authority)
    if not authority or is_loopback(host) or host in allowed:
        return
    raise AccessError(
        f"this server is open to this machine only, and was asked for as {host[:100]!r}", status=403, where="Host",
        remedy=f"if that is its name, write allowed_hosts: [{host[:100]}], or make a token with: "
        "tailwatch token create NAME --scope SCOPE",
    )  # fmt: skip


def check_origin(method: str, origin: str, authority: str, allowed: Collection[str]) -> None:
    """Refuse to let a page of another site change something.

    Raises:
        AccessError: it tries to.
    """
    if not origin or method not in _CHANGING:
        return
    try:
        parts = urlsplit(origin)
    except ValueError:
        parts = urlsplit("")
    same = bool(parts.netloc) and _with_port(parts.netloc, parts.scheme) == _with_port(authority, parts.scheme)
    if same or (parts.hostname or "") in allowed:
        return
    raise AccessError(
        f"a page of {origin[:100]!r} may not change anything here", status=403, where="Origin",
        remedy="use the API from a program or its own pages, or name the page's host in allowed_hosts",
    )  # fmt: skip


def _with_port(authority: str, scheme: str) -> tuple[str, str]:
    """Host and port; the scheme's own port where none is written."""
    host, port = host_of(authority), authority.rpartition(":")[2]
    return host, port if port.isdigit() else {"https": "443"}.get(scheme, "80")
