"""Where a load generator gets its bodies from: distinct every time, at little cost; it sends nothing."""

from __future__ import annotations

import time
import zlib
from typing import Final, Protocol

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from benchmarks.payloads import template

TEMPLATES: Final = 16

_GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Bodies(Protocol):
    """Gives one body after the other; no two are equal, nor equal to those of another seed."""

    compression: str | None

    def next(self) -> bytes:
        """The next body."""


class FreshBodies:
    """Every body has ids and times of its own, as real exporters send them; about 0.4 us a span."""

    compression: str | None = None

    def __init__(self, seed: int, spans: int, spans_a_trace: int) -> None:
        self._templates = [template(number, spans, spans_a_trace) for number in range(TEMPLATES)]
        self._rng = np.random.default_rng(seed)
        self._given = 0

    def next(self) -> bytes:
        """A body as of now."""
        self._given += 1
        return self._templates[self._given % TEMPLATES].body(self._rng, time.time_ns())


class NumberedBodies:
    """Bodies that differ in a number at their end only: offering more than a server can take must be cheap.

    The number is the ``schema_url`` of a second, empty ResourceSpans. Compressed bodies end with an uncompressed
    deflate block that holds it, so nothing is compressed while the load runs.
    """

    def __init__(self, seed: int, spans: int, spans_a_trace: int, *, compressed: bool) -> None:
        self.compression: str | None = "gzip" if compressed else None
        rng = np.random.default_rng(seed)
        made = [
            template(number, spans, spans_a_trace).body(rng, time.time_ns()) for number in range(4 if compressed else 8)
        ]
        self._plain = [] if compressed else made
        self._packed = [(_deflated(body), zlib.crc32(body), len(body)) for body in made] if compressed else []
        self._seed = seed
        self._given = 0

    def next(self) -> bytes:
        """A body with the next number."""
        self._given += 1
        tail = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(schema_url=f"urn:bench:{self._seed}:{self._given:08d}")]
        ).SerializeToString()
        if self._plain:
            return self._plain[self._given % len(self._plain)] + tail
        packed, crc, size = self._packed[self._given % len(self._packed)]
        length = len(tail).to_bytes(2, "little")
        stored = b"\x01" + length + bytes(byte ^ 0xFF for byte in length) + tail
        ending = zlib.crc32(tail, crc).to_bytes(4, "little") + (size + len(tail)).to_bytes(4, "little")
        return b"".join((_GZIP_HEAD, packed, stored, ending))


def _deflated(body: bytes) -> bytes:
    """The deflate blocks of ``body``, ending at a byte and without the last one."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush(zlib.Z_FULL_FLUSH)
