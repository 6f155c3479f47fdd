"""How a receiver is called over HTTP beyond its address: credentials, headers, a proxy and TLS; it sends nothing.

Names and meaning are those of ``http_config`` of Prometheus and Alertmanager. Secrets are read for each request, and no
setting lets a certificate go unverified.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.request import getproxies, proxy_bypass

from alerting.receivers.tls import USUAL, Tls
from alerting.secret_references import SecretReference
from telemetry.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the header ``Authorization`` holds: a scheme and a secret, or with ``user`` name and password."""

    secret: SecretReference
    scheme: str = "Bearer"
    user: str | SecretReference | None = None

    def header(self) -> str:
        """The header as it is now.

        Raises:
            ConfigError: a secret is missing.
        """
        if self.user is None:
            return f"{self.scheme} {self.secret.read()}"
        user = self.user.read() if isinstance(self.user, SecretReference) else self.user
        return f"Basic {base64.b64encode(f'{user}:{self.secret.read()}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """By way of whom a receiver is called.

    Attributes:
        url: the proxy, which may hold a password where it is a secret; None for that of the environment.
        environment: whether ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` count where there is no ``url``.
        bypassed_for: names, addresses and networks that are called directly all the same.
    """

    url: str | SecretReference | None = None
    environment: bool = True
    bypassed_for: tuple[str, ...] = ()

    def to(self, scheme: str, host: str, port: int) -> str | None:
        """The proxy's URL; None for a direct call.

        Raises:
            ConfigError: it is a secret that is missing.
        """
        if self.url is None:
            return None if not self.environment or proxy_bypass(host) else getproxies().get(scheme)
        if self.bypassed_for and (_is_here(host) or any(_covers(one, host, port) for one in self.bypassed_for)):
            return None
        return self.url.read() if isinstance(self.url, SecretReference) else self.url


@dataclass(frozen=True, slots=True)
class Access:
    """All of it; ``headers`` are sent beside those of the receiver's own, perhaps several of one name."""

    credentials: Credentials | None = None
    headers: tuple[tuple[str, str | SecretReference], ...] = ()
    proxy: Proxy = Proxy()
    tls: Tls = USUAL

    def said(self) -> Iterator[tuple[str, str]]:
        """The headers as they are now.

        Raises:
            ConfigError: a secret is missing, or cannot be a header.
        """
        if self.credentials is not None:
            yield "Authorization", _one_line(self.credentials.header(), "Authorization")
        for name, value in self.headers:
            yield name, _one_line(value.read() if isinstance(value, SecretReference) else value, name)

    def check(self) -> None:
        """Raise unless its secrets and certificates are there.

        Raises:
            ConfigError: one is missing.
        """
        list(self.said())
        if isinstance(self.proxy.url, SecretReference):
            self.proxy.url.read()
        self.tls.check()


PLAIN: Final = Access()
"""With nothing of it, through the proxy of the environment if there is one."""


def _one_line(value: str, name: str) -> str:
    if not value.isprintable():
        raise ConfigError(f"the header {name} would hold more than one line", remedy="put one line of text there")
    return value


def _is_here(host: str) -> bool:
    """Whether it is this machine, which Go's clients call directly wherever exceptions are given."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _covers(exception: str, host: str, port: int) -> bool:
    """Whether an entry of ``no_proxy`` means a host, as Go's httpproxy reads it: a network, an address or a domain.

    A domain stands for what is below it too, with a dot in front for that only; each may name a port.
    """
    host = host.strip("[]").lower().rstrip(".")
    name, colon, wanted = exception.lower().rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.startswith("[")):
        if int(wanted) != port:
            return False
        exception = name
    exception = exception.lower().strip("[]").removeprefix("*") or "*"
    try:
        return ip_address(host) in ip_network(exception, strict=False)
    except ValueError:
        pass
    return exception in ("*", host) or host.endswith(f".{exception.lstrip('.')}")
