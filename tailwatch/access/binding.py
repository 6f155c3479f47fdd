"""Whether and how a server may listen where it is told to: where others can connect, who may must have been decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailwatch.access.browsers import is_loopback
from tailwatch.settings import Settings
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from tailwatch.access.certificate import Certificate


def check_binding(settings: Settings, *, has_tokens: bool) -> None:
    """Refuse to be open to other machines by mistake.

    Raises:
        ConfigError: an address that others reach, no token, and no setting that says what may be done without one.
    """
    if has_tokens or settings.anonymous_scopes is not None:
        return
    for place in _open_to_others(settings):
        raise ConfigError(
            "other machines can connect there, and there is no token, so anybody could read and change everything",
            where=place,
            remedy="make a token first, with: tailwatch token create NAME --scope admin; or say what needs none, "
            "with TAILWATCH_ANONYMOUS_ACCESS=all or =ingest",
        )


def in_clear(settings: Settings, *, has_tokens: bool) -> list[str]:
    """Sentences about addresses at which tokens cross a network unencrypted."""
    if not has_tokens or settings.tls_cert_file is not None:
        return []
    return [
        f"{place}: whoever reads the network reads the tokens; set tls_cert_file and tls_key_file, "
        "or see to it that only a proxy with TLS connects there"
        for place in _open_to_others(settings)
    ]


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate by which the settings say that TLS is spoken; None: it is not.

    Raises:
        ConfigError: it cannot be used.
    """
    if settings.tls_cert_file is None and settings.tls_key_file is None:
        return None
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        there, missing = ("tls_cert_file", "tls_key_file")[:: 1 if settings.tls_key_file is None else -1]
        raise ConfigError(f"{there} is set, and {missing} is not", where=missing, remedy="TLS needs both: set it too")
    from tailwatch.access.certificate import Certificate  # noqa: PLC0415 - cryptography takes 0.1 s to import

    return Certificate(settings.tls_cert_file, settings.tls_key_file)


def _open_to_others(settings: Settings) -> list[str]:
    places = (("http", settings.http_address), ("grpc", settings.grpc_address))
    return [f"{key}: {address}" for key, address in places if address is not None and not is_loopback(address.host)]
