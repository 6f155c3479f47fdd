"""States of metric points as bytes and back: compact, little-endian, each with its format; it merges nothing."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

from telemetry.errors import TailwatchError
from telemetry.histograms import Buckets, Count, ExponentialHistogram, Histogram
from telemetry.points import GaugeState, Increment, Quantity, Segment, State, Total

_GAUGE: Final = struct.Struct("<Bqdddqd")
_TIMES: Final = struct.Struct("<Bqq")
_TOTAL: Final = struct.Struct("<d")
_COUNTS: Final = struct.Struct("<cI")
_EXPONENTIAL: Final = struct.Struct("<bqddii")

_FORMAT_GAUGE, _FORMAT_INCREMENT, _FORMAT_SEGMENT, _FORMAT_VALUE = 1, 2, 3, 4
_TOTAL_TAG, _HISTOGRAM_TAG, _EXPONENTIAL_TAG = b"t", b"h", b"e"
_WIDTHS: Final = ((b"B", 2**8), (b"H", 2**16), (b"I", 2**32), (b"q", 2**63))
"""Counts are as wide as the largest needs: most are small."""


def encode(state: State) -> bytes:
    """``state`` as :func:`decode` reads it."""
    match state:
        case GaugeState(count, total, low, high, last_ns, last):
            return _GAUGE.pack(_FORMAT_GAUGE, count, total, low, high, last_ns, last)
        case Increment(since_ns, until_ns, quantity):
            return _TIMES.pack(_FORMAT_INCREMENT, since_ns, until_ns) + _quantity(quantity)
        case Segment(first_ns, first, last_ns, last) if (first_ns, first) == (last_ns, last):
            return _TIMES.pack(_FORMAT_VALUE, first_ns, last_ns) + _quantity(first)
        case Segment(first_ns, first, last_ns, last):
            return _TIMES.pack(_FORMAT_SEGMENT, first_ns, last_ns) + _quantity(first) + _quantity(last)


def decode(body: bytes, bounds: tuple[float, ...]) -> State:
    """Read :func:`encode` back; ``bounds`` are the series'.

    Raises:
        TailwatchError: the bytes are not a state of a known format.
    """
    try:
        reader = _Reader(body, bounds)
        match body[0]:
            case 1:
                _, count, total, low, high, last_ns, last = reader.unpack(_GAUGE)
                return GaugeState(count, total, low, high, last_ns, last)
            case 2:
                _, since_ns, until_ns = reader.unpack(_TIMES)
                return Increment(since_ns, until_ns, reader.quantity())
            case 3:
                _, first_ns, last_ns = reader.unpack(_TIMES)
                first = reader.quantity()
                return Segment(first_ns, first, last_ns, reader.quantity())
            case 4:
                _, first_ns, last_ns = reader.unpack(_TIMES)
                only = reader.quantity()
                return Segment(first_ns, only, last_ns, only)
    except (struct.error, IndexError):
        pass
    raise TailwatchError("a stored metric point cannot be read", remedy="use the Tailwatch that wrote it, or newer")


def _quantity(quantity: Quantity) -> bytes:
    match quantity:
        case Total(value):
            return _TOTAL_TAG + _TOTAL.pack(value)
        case Histogram(counts=counts, total=total):
            return _HISTOGRAM_TAG + _TOTAL.pack(total) + _counts(counts)
        case ExponentialHistogram(scale, zero_count, zero_threshold, positive, negative, total):
            head = _EXPONENTIAL.pack(scale, int(zero_count), zero_threshold, total, positive.offset, negative.offset)
            return _EXPONENTIAL_TAG + head + _counts(positive.counts) + _counts(negative.counts)


def _counts(counts: Sequence[Count]) -> bytes:
    most = max(counts, default=0)
    code = next(code for code, limit in _WIDTHS if most < limit)
    return _COUNTS.pack(code, len(counts)) + struct.pack(f"<{len(counts)}{code.decode()}", *counts)


class _Reader:
    """Reads one body from its beginning."""

    def __init__(self, body: bytes, bounds: tuple[float, ...]) -> None:
        self._body = body
        self._bounds = bounds
        self._at = 0

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        self._at += form.size
        return form.unpack_from(self._body, self._at - form.size)

    def quantity(self) -> Quantity:
        self._at += 1
        tag = self._body[self._at - 1 : self._at]
        if tag == _TOTAL_TAG:
            return Total(*self.unpack(_TOTAL))
        if tag == _HISTOGRAM_TAG:
            (total,) = self.unpack(_TOTAL)
            return Histogram(self._bounds, self._counts(), total)
        if tag == _EXPONENTIAL_TAG:
            scale, zero_count, zero_threshold, total, positive, negative = self.unpack(_EXPONENTIAL)
            sides = Buckets(positive, self._counts()), Buckets(negative, self._counts())
            return ExponentialHistogram(scale, zero_count, zero_threshold, sides[0], sides[1], total)
        raise IndexError

    def _counts(self) -> tuple[int, ...]:
        code, n = _COUNTS.unpack_from(self._body, self._at)
        self._at += _COUNTS.size
        return self.unpack(struct.Struct(f"<{n}{code.decode()}"))
