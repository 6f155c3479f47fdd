"""Connections over TLS hold no place for long before there is a request on them."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from collector import connections
from collector.intake import Intake
from telemetry.clock import SystemClock
from tests.collector.messages import span, traces
from tests.collector.serving import serve
from tests.tailwatch.access.certificates import Authority


def test_who_ends_no_handshake_is_cut_off_and_others_are_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connections, "_HANDSHAKE_S", 0.3)
    authority = Authority(tmp_path)
    issued = authority.issue()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    taken: list[object] = []
    with serve(Intake(taken.extend, SystemClock()), tls=context) as url:
        address = "127.0.0.1", urlsplit(url).port
        for beginning in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(beginning)
                while connection.recv(1000):
                    pass  # an alert of TLS, perhaps
        answer = httpx.post(
            f"{url.replace('http', 'https')}/v1/traces", content=traces([span()]).SerializeToString(), timeout=30,
            headers={"Content-Type": "application/x-protobuf"},
            verify=ssl.create_default_context(cafile=authority.ca_file),
        )  # fmt: skip
    assert answer.status_code == 200
    assert len(taken) == 1
