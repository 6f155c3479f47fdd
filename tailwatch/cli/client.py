"""How commands ask the running service: where it listens, with which token, and what its errors mean for people.

The service of one's own settings is known by the certificate that they name, whatever its names and its issuer; any
other by one that a known authority has issued for its name.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx

from alerting.receivers.trust import add_authorities
from tailwatch.settings import load_settings
from telemetry.errors import ConfigError, TailwatchError

CA_FILE: Final = "TAILWATCH_CA_FILE"
TOKEN: Final = "TAILWATCH_TOKEN"  # noqa: S105 - the name of a variable, not its value
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not bound
_PATIENCE_S: Final = 30.0
_END: Final = "-----END CERTIFICATE-----"


class OwnService(str):
    """The address of the service of one's own settings, with the file of the certificate by which to know it."""

    __slots__ = ("certificate",)
    certificate: Path

    def __new__(cls, url: str, certificate: Path) -> Self:
        """As a text it is the URL."""
        made = super().__new__(cls, url)
        made.certificate = certificate
        return made


def service_url(config: Path | None, url: str | None) -> str:
    """The address given, else where the settings say that the service listens."""
    if url is not None:
        return url.rstrip("/")
    settings = load_settings(config)
    address = settings.http_address
    place = f"{_ANYWHERE.get(address.host, address.host)}:{address.port}"
    if settings.tls_cert_file is None:
        return f"http://{place}"
    return OwnService(f"https://{place}", settings.tls_cert_file)


def ask(
    url: str, method: str, path: str, *, body: Mapping[str, Any] | None = None, patience_s: float = _PATIENCE_S
) -> httpx.Response:
    """The service's answer, as whoever holds the token in ``TAILWATCH_TOKEN``.

    Raises:
        TailwatchError: there is no answer, or it is an error, in the service's own words.
    """
    answer = exchange(url, method, path, body=body, patience_s=patience_s)
    if answer.is_error:
        raise refusal(answer, url)
    return answer


def exchange(
    url: str, method: str, path: str, *, body: Mapping[str, Any] | None = None, patience_s: float = _PATIENCE_S
) -> httpx.Response:
    """The same, errors among the answers.

    Raises:
        TailwatchError: there is no answer.
    """
    token = os.environ.get(TOKEN, "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return httpx.request(
            method, f"{url}{path}", json=body, headers=headers, timeout=patience_s, verify=_tls_context(url)
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        unknown = "CERTIFICATE_VERIFY_FAILED" in str(error)
        remedy = f"name in {CA_FILE} who issues its certificate" if unknown else "check that it runs"
        raise TailwatchError(
            f"the service gave no answer: {error}", where=url, remedy=f"{remedy}, or give another --url"
        ) from None


def _tls_context(url: str) -> ssl.SSLContext:
    """What verifies that it is the service that answers.

    Raises:
        ConfigError: the file to verify it by cannot be used.
    """
    if isinstance(url, OwnService):
        try:
            # the first of the chain is its own; whatever else the others issued is not the service
            own = url.certificate.read_text("ascii").partition(_END)[0] + _END
            context = ssl.create_default_context(cadata=own)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"it holds no certificate to know the service by: {type(error).__name__}",
                where=f"tls_cert_file: {url.certificate}", remedy="check the file, or give --url",
            ) from None  # fmt: skip
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
    context = httpx.create_ssl_context()
    if os.environ.get(CA_FILE):
        add_authorities(context, Path(os.environ[CA_FILE]))
    return context


def refusal(answer: httpx.Response, url: str) -> TailwatchError:
    """The service's own words for an error."""
    try:
        said = answer.json()["error"]
        what, where, remedy = (str(said.get(key) or "") for key in ("what", "where", "remedy"))
    except (ValueError, KeyError, TypeError, AttributeError):
        what, where, remedy = f"the service answered {answer.status_code}", url, "check --url"
    if answer.status_code in (401, 403):
        remedy = f"set {TOKEN} to a token that may; {remedy}".rstrip("; ")
    return TailwatchError(what, where=where, remedy=remedy)
