"""Reads a GGUF version 3 file: metadata and tensors by name; it maps the file and never writes or executes anything.

Own code because the ``gguf`` package needs 3.5 s for this file (it makes an array of every token), this 0.2 s.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_model.errors import WeightsError
from reference_model.weights.quantised_blocks import dequantise, stored_bytes

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True, slots=True)
class _TensorPlace:
    shape: tuple[int, ...]
    kind: int
    offset: int


class _Cursor:
    """Reads little-endian values one after another."""

    def __init__(self, buffer: mmap.mmap) -> None:
        self._buffer = buffer
        self.at = 0

    def scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self._buffer, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def text(self) -> str:
        length = self.scalar("Q")
        raw = self._buffer[self.at : self.at + length]
        if len(raw) != length:
            raise struct.error("string runs past the end of the file")
        self.at += length
        return raw.decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            item_kind, length = self.scalar("I"), self.scalar("Q")
            return [self.value(item_kind) for _ in range(length)]
        if kind not in _SCALARS:
            raise struct.error(f"unknown metadata type {kind}")
        return self.scalar(_SCALARS[kind])


class GgufFile:
    """Metadata (``file.metadata[key]``) and tensors (``file.tensor(name)``, float32) of one GGUF file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            self._buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.metadata: dict[str, Any] = {}
        self._places: dict[str, _TensorPlace] = {}
        try:
            self._read_header()
        except (struct.error, MemoryError) as error:
            raise WeightsError(f"{path.name} is damaged: {error}.") from error

    def _read_header(self) -> None:
        if self._buffer[:4] != b"GGUF":
            raise WeightsError("Not a GGUF file: it does not begin with the letters GGUF.")
        cursor = _Cursor(self._buffer)
        cursor.at = 4
        version = cursor.scalar("I")
        if version != 3:
            raise WeightsError(f"GGUF version {version} is not supported; version 3 is.")
        tensors, entries = cursor.scalar("Q"), cursor.scalar("Q")
        for _ in range(entries):
            key = cursor.text()
            self.metadata[key] = cursor.value(cursor.scalar("I"))
        places: dict[str, _TensorPlace] = {}
        for _ in range(tensors):
            name = cursor.text()
            columns_first = [cursor.scalar("Q") for _ in range(cursor.scalar("I"))]
            places[name] = _TensorPlace(tuple(reversed(columns_first)), cursor.scalar("I"), cursor.scalar("Q"))
        alignment = int(self.metadata.get("general.alignment", _DEFAULT_ALIGNMENT))
        data = -(-cursor.at // alignment) * alignment
        self._places = {n: _TensorPlace(p.shape, p.kind, data + p.offset) for n, p in places.items()}

    def tensor(self, name: str) -> NDArray[np.float32]:
        """The tensor as float32, rows first. Raises WeightsError when it is absent, unsupported or cut off."""
        place = self._places.get(name)
        if place is None:
            raise WeightsError(f"The GGUF file has no tensor {name!r}.")
        length = stored_bytes(place.kind, prod(place.shape))
        if place.offset + length > len(self._buffer):
            raise WeightsError(f"The GGUF file ends inside tensor {name!r}; it was cut off.")
        raw = np.frombuffer(self._buffer, dtype=np.uint8, count=length, offset=place.offset)
        return dequantise(raw, place.kind, place.shape)
