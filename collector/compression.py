"""Undoes Content-Encoding in bounded steps: a bomb is stopped at the limit and never expands."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import zstandard

from telemetry.errors import PayloadError

_STEP: Final = 1024 * 1024
_ZLIB_SLICE: Final = 64 * 1024
_ZSTD_SLICE: Final = 256
"""Compressed bytes decoded at once: at most 64 blocks, 8 MiB."""

_MAX_ZSTD_WINDOW: Final = 128 * 1024 * 1024
"""The largest window that ``zstd --long`` writes by default; a frame may ask for terabytes."""


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """``body`` without its content ``encoding`` (a key of :data:`ENCODINGS`, in lower case).

    Raises:
        PayloadError: more than ``limit`` bytes come out (413), the data are broken (400), or the encoding is
            not known (415).
    """
    open_stream = ENCODINGS.get(encoding)
    if open_stream is None:
        raise PayloadError(
            f"Content-Encoding {encoding!r} is not supported", status=415, remedy=f"use one of {', '.join(ENCODINGS)}"
        )
    parts: list[bytes] = []
    size = 0
    try:
        for part in open_stream(body):
            size += len(part)
            if size > limit:
                raise PayloadError(
                    f"the body exceeds {limit} bytes once decompressed", status=413, remedy="send smaller batches"
                )
            parts.append(part)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise PayloadError(
            f"the body is not {encoding}: {error}", status=400, remedy="send what Content-Encoding says"
        ) from None
    return b"".join(parts)


def _identity(body: bytes) -> Iterator[bytes]:
    yield body


def _gzip(body: bytes) -> Iterator[bytes]:
    """A gzip file may have several members, one after the other."""
    rest = memoryview(body)
    while rest:
        unused = yield from _inflate(zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), rest)
        rest = rest[len(rest) - unused :]


def _deflate(body: bytes) -> Iterator[bytes]:
    """``deflate`` means the zlib format (RFC 9110), yet some senders leave its two bytes of header out."""
    has_header = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    unused = yield from _inflate(
        zlib.decompressobj(wbits=zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS), memoryview(body)
    )
    if unused:
        raise EOFError("data after the end")


def _inflate(stream: zlib._Decompress, rest: memoryview) -> Generator[bytes, None, int]:
    """What ``rest`` begins with, fed in slices: zlib copies what it has not come to yet at every step.

    Returns how many bytes are left at the end of the stream.
    """
    pending: bytes | memoryview = b""
    while not stream.eof:
        if not pending:
            pending, rest = rest[:_ZLIB_SLICE], rest[_ZLIB_SLICE:]
        part = stream.decompress(pending, _STEP)
        pending = stream.unconsumed_tail
        if not part and not pending and not rest and not stream.eof:
            raise EOFError("it ends too early")
        yield part
    return len(stream.unused_data) + len(rest)


def _zstd(body: bytes) -> Iterator[bytes]:
    """Frame after frame, fed in slices so small that what one expands to is bounded: a block is at most 128 KiB."""
    rest = memoryview(body)
    while rest:
        frame = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW).decompressobj()
        while not frame.eof:
            if not rest:
                raise EOFError("it ends too early")
            yield frame.decompress(rest[:_ZSTD_SLICE])
            rest = rest[_ZSTD_SLICE:]
        unused = len(frame.unused_data)
        rest = memoryview(body)[len(body) - len(rest) - unused :]


ENCODINGS: Final[Mapping[str, Callable[[bytes], Iterator[bytes]]]] = MappingProxyType(
    {"identity": _identity, "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "zstd": _zstd}
)
