"""Opens connections to receivers at addresses that may be called: what is looked at is what is connected to.

A name is resolved once, here; whoever owns it could answer the check and the connection differently. TLS above still
verifies the name.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import Any, Final

import httpcore

from alerting.receivers.trust import Trust

_MOST_FOR_ONE_S: Final = 2.0
"""For one of several addresses: the first may be on a network that leads nowhere."""


class ForbiddenAddressError(Exception):
    """Every address of a receiver is private; it says of the first what to do."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"its address {address} is not public, and such addresses are called only where that is allowed; "
            f"if it is meant, write allow_private: [{address}] below alerting:"
        )


class Dialler(httpcore.AsyncNetworkBackend):
    """Connects by TCP where ``trust`` permits it."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that may be called and answers.

        Raises:
            ForbiddenAddressError: there is no address that may be called.
            httpcore.ConnectError: the name is unknown, or nobody answers.
        """
        deadline_s = time.monotonic() + (timeout or 60.0)
        addresses = await _resolve(host, port)
        permitted = [address for address in addresses if self._trust.permit(address)]
        if not permitted:
            raise ForbiddenAddressError(addresses[0])
        for last, address in ((place == len(permitted) - 1, one) for place, one in enumerate(permitted)):
            left_s = max(deadline_s - time.monotonic(), 0.001)
            try:
                return await self._network.connect_tcp(
                    address, port, left_s if last else min(left_s, _MOST_FOR_ONE_S), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("there is a last one")


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"the name is unknown: {type(error).__name__}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
