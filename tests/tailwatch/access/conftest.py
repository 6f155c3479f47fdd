"""A real server that speaks TLS and asks for tokens."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database import Database
from tailwatch.access.scopes import SCOPES
from tests.tailwatch.access.certificates import Authority
from tests.tailwatch.access.house import House, wait_for
from tests.tailwatch.running import serving, write_config


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def house(authority: Authority, folder: Path) -> Iterator[House]:
    issued = authority.issue()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    files = {"tls_cert_file": str(issued.cert_file), "tls_key_file": str(issued.key_file)}
    config = write_config(folder, {"evaluation_interval": "200ms", "http": f"127.0.0.1:{port}", **files})
    with Database(f"sqlite:///{folder / 'data' / 'tailwatch.db'}") as database:
        database.upgrade()
        with serving(config, tls=ssl.create_default_context(cafile=authority.ca_file)) as running:
            assert running.url == f"https://127.0.0.1:{port}"
            made = House(running, database)
            for scope in SCOPES:
                made.make(scope, scope)
            wait_for(lambda: made.ask("GET", "/api/v1/slos").status_code, 401)
            yield made
            assert "Traceback" not in running.log.read_text()
