from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.compression import decompress
from telemetry.errors import PayloadError

MIB = 1024 * 1024


def status_of(body: bytes, encoding: str) -> int:
    try:
        decompress(body, encoding, MIB)
    except PayloadError as error:
        return error.status
    return 200


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


def zstd_of_unknown_size(body: bytes) -> bytes:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return stream.compress(body) + stream.flush()


WRITERS = [
    ("identity", bytes),
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:])),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("zstd", zstd_of_unknown_size),
    ("zstd", lambda body: zstd_of_unknown_size(body[:5]) + zstd_of_unknown_size(body[5:])),
]


@pytest.mark.parametrize(("encoding", "write"), WRITERS)
@settings(max_examples=25, deadline=None)
@given(body=st.binary(max_size=3000))
def test_what_was_compressed_comes_back(encoding: str, write: object, body: bytes) -> None:
    assert decompress(write(body), encoding, 3000) == body  # type: ignore[operator]


@pytest.mark.parametrize(("encoding", "write"), WRITERS)
def test_the_limit_holds_to_the_byte(encoding: str, write: object) -> None:
    body = write(b"x" * 1001)  # type: ignore[operator]
    assert len(decompress(body, encoding, 1001)) == 1001
    with pytest.raises(PayloadError) as caught:
        decompress(body, encoding, 1000)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("encoding", "write"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)]
)
def test_a_bomb_is_stopped_before_it_expands(encoding: str, write: object) -> None:
    bomb = write(bytes(64 * MIB))  # type: ignore[operator]
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError) as caught:
            decompress(bomb, encoding, MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413
    assert peak < 16 * MIB


@pytest.mark.parametrize(("encoding", "write"), [case for case in WRITERS if case[0] != "identity"])
def test_what_ends_too_early_is_400(encoding: str, write: object) -> None:
    body = write(b"some text that is long enough" * 50)  # type: ignore[operator]
    with pytest.raises(PayloadError) as caught:
        decompress(body[:-3], encoding, MIB)
    assert caught.value.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@settings(max_examples=50, deadline=None)
@given(body=st.binary(min_size=1, max_size=100))
def test_garbage_is_400(encoding: str, body: bytes) -> None:
    assert status_of(body, encoding) in (200, 400)


def test_an_unknown_encoding_is_415_and_names_the_known() -> None:
    with pytest.raises(PayloadError, match="gzip, ") as caught:
        decompress(b"", "br", 10)
    assert caught.value.status == 415
