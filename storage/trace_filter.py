"""Tells, of a set of trace ids, which are certainly not in it, from a few bits an id; it keeps no id.

A split block Bloom filter as in Apache Parquet (https://parquet.apache.org/docs/file-format/bloomfilter/; Putze,
Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007): an id sets one bit in each of the eight
32-bit words of one block of 32 bytes. So a database compares 32 bytes of a filter, wherever that block lies, and
need not hand over the rest. At 20 bits an id fewer than 1 of 1000 ids that are not in the set are taken for one that
is: among a thousand blocks one is read in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES: Final = 32
_WORDS: Final = 8
_BITS_PER_ID: Final = 20
_SALTS: Final = np.asarray(
    [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31], dtype=np.uint32
)
"""Parquet's."""
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_NO_ID: Final = np.uint64(0)
"""The hash of the id of all zero, and of one other id in 2**64."""
_MIX: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Probe:
    """What to look for: block ``place`` modulo the number of blocks must have the bits ``mask`` (8,) uint32."""

    place: int
    mask: NDArray[np.uint32]


def build(trace_ids: NDArray[np.uint8]) -> bytes | None:
    """The filter of the ids (n, 16), those of all zero left out; None without any."""
    hashes = np.sort(_hashes(trace_ids))
    hashes = hashes[np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)] & (hashes != _NO_ID)]
    if not len(hashes):
        return None
    blocks = -(-len(hashes) * _BITS_PER_ID // (8 * BLOCK_BYTES))
    words = (_places(hashes) % blocks)[:, None] * _WORDS + np.arange(_WORDS)
    bits = np.zeros(blocks * 8 * BLOCK_BYTES, dtype=np.bool_)
    bits[words * 32 + _bit_numbers(hashes)] = True
    return np.packbits(bits, bitorder="little").tobytes()


def probes(trace_ids: NDArray[np.uint8]) -> list[Probe]:
    """What to look for, for each of the ids (n, 16)."""
    hashes = _hashes(trace_ids)
    masks = np.left_shift(np.uint32(1), _bit_numbers(hashes).astype(np.uint32))
    return [Probe(place, mask) for place, mask in zip(_places(hashes).tolist(), masks, strict=True)]


def may_hold(blocks: bytes, probe: Probe) -> NDArray[np.bool_]:
    """For each of the blocks in ``blocks``, one a filter and the one that the probe names, whether the id may be in."""
    words = np.frombuffer(blocks, dtype="<u4").reshape(-1, _WORDS)
    return np.asarray(((words & probe.mask) == probe.mask).all(axis=1))


def may_hold_any(filter_bytes: bytes, looked_for: list[Probe]) -> bool:
    """Whether a filter may hold one of the ids."""
    words = np.frombuffer(filter_bytes, dtype="<u4").reshape(-1, _WORDS)
    places = np.asarray([probe.place for probe in looked_for], dtype=np.int64) % len(words)
    masks = np.asarray([probe.mask for probe in looked_for])
    return bool(((words[places] & masks) == masks).all(axis=1).any())


def _hashes(trace_ids: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits of each id, mixed (splitmix64's finaliser): ids need not be random in every bit."""
    halves = np.ascontiguousarray(trace_ids).view("<u8").reshape(-1, 2)
    mixed = halves[:, 0] * _ODD ^ halves[:, 1]
    for shift, factor in zip((30, 27), _MIX, strict=True):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _places(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """31 bits, which either engine can divide as an integer."""
    return np.asarray(hashes >> np.uint64(33), dtype=np.int64)


def _bit_numbers(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(n, 8), one of 32 bits for each word."""
    low = hashes.astype(np.uint32)
    return np.asarray((low[:, None] * _SALTS) >> np.uint32(27), dtype=np.int64)
