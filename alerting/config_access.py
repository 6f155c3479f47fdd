"""How receivers are called, made from its checked configuration; it reads no secret and no certificate."""

from __future__ import annotations

from pathlib import Path

from alerting.config_access_models import HttpModel, TlsModel
from alerting.receivers.access import Access, Credentials, Proxy
from alerting.receivers.tls import Tls
from alerting.secret_references import SecretReference


def reference(env: str | None, file: str | None, folder: Path) -> SecretReference | None:
    """The secret's place; None when there is none."""
    if env is not None:
        return SecretReference("env", env)
    return SecretReference("file", str(folder / file)) if file is not None else None


def needed(env: str | None, file: str | None, folder: Path) -> SecretReference:
    """The place of a secret that must be."""
    found = reference(env, file, folder)
    assert found is not None, "the model demands one of the two"
    return found


def access_of(model: HttpModel, folder: Path) -> Access:
    """All of it; relative paths start at ``folder``."""
    proxy = model.proxy_url or reference(model.proxy_url_env, model.proxy_url_file, folder)
    return Access(
        _credentials(model, folder),
        tuple(_headers(model, folder)),
        Proxy(proxy, model.proxy_from_environment and proxy is None, model.no_proxy),
        tls_of(model.tls_config, folder),
    )


def tls_of(model: TlsModel, folder: Path) -> Tls:
    """TLS; relative paths start at ``folder``."""

    def at(file: str | None) -> Path | None:
        return None if file is None else folder / file

    return Tls(
        at(model.ca_file), at(model.cert_file), at(model.key_file), model.server_name, model.min_version,
        model.max_version,
    )  # fmt: skip


def _credentials(model: HttpModel, folder: Path) -> Credentials | None:
    if model.basic_auth is not None:
        basic = model.basic_auth
        user = basic.username or needed(basic.username_env, basic.username_file, folder)
        return Credentials(needed(basic.password_env, basic.password_file, folder), "Basic", user)
    if model.authorization is not None:
        secret = needed(model.authorization.credentials_env, model.authorization.credentials_file, folder)
        return Credentials(secret, model.authorization.type)
    token = reference(model.bearer_token_env, model.bearer_token_file, folder)
    return None if token is None else Credentials(token)


def _headers(model: HttpModel, folder: Path) -> list[tuple[str, str | SecretReference]]:
    found: list[tuple[str, str | SecretReference]] = []
    for name, header in model.http_headers.items():
        found += [(name, value) for value in header.values]
        found += [(name, SecretReference("file", str(folder / file))) for file in header.files]
        found += [(name, SecretReference("env", variable)) for variable in header.env]
    return found
