"""Whether a server may listen where it is told to: where others can connect, somebody must have decided who may."""

from __future__ import annotations

from tailwatch.access.browsers import is_loopback
from tailwatch.settings import Settings
from telemetry.errors import ConfigError


def check_binding(settings: Settings, *, has_tokens: bool) -> None:
    """Refuse to be open to other machines by mistake.

    Raises:
        ConfigError: an address that others reach, no token, and no setting that says what may be done without one.
    """
    if has_tokens or settings.anonymous_scopes is not None:
        return
    for key, address in (("http", settings.http_address), ("grpc", settings.grpc_address)):
        if address is not None and not is_loopback(address.host):
            raise ConfigError(
                "other machines can connect there, and there is no token, so anybody could read and change everything",
                where=f"{key}: {address}",
                remedy="make a token first, with: tailwatch token create NAME --scope admin; or say what needs none, "
                "with TAILWATCH_ANONYMOUS_ACCESS=all or =ingest",
            )
