"""The signature of a webhook's body: HMAC-SHA256 over its time and its bytes; it encrypts nothing.

``X-Tailwatch-Signature: sha256=<hex>`` is the HMAC of ``<X-Tailwatch-Timestamp>.<body>`` under the shared secret.
The time is signed too, so that a recorded request cannot be sent again later.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

TIMESTAMP_HEADER: Final = "X-Tailwatch-Timestamp"
SIGNATURE_HEADER: Final = "X-Tailwatch-Signature"

_PREFIX: Final = "sha256="


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header; ``timestamp`` is that of the timestamp header, seconds since the epoch."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return _PREFIX + digest.hexdigest()


def verify(
    secret: str, timestamp: str, body: bytes, signature: str, *, now_s: float, tolerance_s: float = 300.0
) -> bool:
    """Whether a request is genuine and fresh: what a receiver of ours should check, in constant time."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now_s - int(timestamp)) > tolerance_s:
        return False
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode("utf-8", "replace"))
