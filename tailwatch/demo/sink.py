"""The demo's own receiver of notifications: it takes Slack messages and webhooks, checks signatures, keeps all."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from telemetry.windows import NANOS

_MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One notification: when (ns), on which path, whether its signature holds, and the JSON document."""

    at_ns: int
    path: str
    signed: bool
    document: Mapping[str, Any]


class NotificationSink:
    """An HTTP server on loopback that keeps what it receives, in memory and as files in ``folder``."""

    def __init__(self, folder: Path, secret: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.received: list[Received] = []
        self.arrived = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _MAX_BODY))
                stamp = self.headers.get("X-Tailwatch-Timestamp", "")
                signature = self.headers.get("X-Tailwatch-Signature", "")
                ok = sink.keep(self.path, body, _is_signed(secret, stamp, signature, body))
                self.send_response(200 if ok else 400)
                self.end_headers()
                self.wfile.write(b"ok" if ok else b"not JSON")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing: the demo shows what arrives."""

        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="notification-sink", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Base URL; ``/webhook`` and ``/slack`` are meant to be posted to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def keep(self, path: str, body: bytes, signed: bool) -> bool:
        """Keep one notification; False when it is not a JSON object."""
        try:
            document = json.loads(body)
        except ValueError:
            return False
        if not isinstance(document, dict):
            return False
        with self.arrived:
            self.received.append(Received(time.time_ns(), path, signed, document))
            name = f"{len(self.received):03d}-{path.strip('/').replace('/', '-') or 'root'}.json"
            (self._folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            self.arrived.notify_all()
        return True

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _is_signed(secret: str, stamp: str, signature: str, body: bytes) -> bool:
    expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    fresh = stamp.isdigit() and abs(time.time_ns() // NANOS - int(stamp)) <= 300
    return fresh and hmac.compare_digest(signature.removeprefix("sha256="), expected)
