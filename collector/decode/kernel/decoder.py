"""Decodes a batch with the compiled functions; what they do not read goes to the protobuf library."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from collector.decode.decoder import CrowdedError, Decoder, Task
from collector.decode.kernel.columns import columns_of
from collector.decode.kernel.keys import keys_of
from collector.decode.kernel.program import Program, load_program
from collector.decode.kernel.resources import resource_reader
from collector.decode.kernel.scan import Scan
from collector.decode.protobuf import decode_protobuf
from collector.decode.raw_columns import RawColumns

_TASKS: Final = 8
"""Sets of wanted names whose tables are kept: a collector has one, until its rules change."""


def load_decoder(file: Path) -> Decoder:
    """The decoder in an object ``file``, see ``export``; it has decoded once when it is returned."""
    decode = decoder_of(load_program(file))
    decode([b""], Task("span", frozenset(), now_ns=0))
    return decode


def decoder_of(program: Program) -> Decoder:
    """A decoder that runs ``program``."""
    keys = lru_cache(_TASKS)(partial(keys_of, program))
    resources = lru_cache(_TASKS)(resource_reader)

    def decode(bodies: Sequence[bytes], task: Task) -> RawColumns:
        names = keys(task.wanted, task.limits.features)
        scan = Scan(program, names, bodies, task)
        if scan.run():
            return columns_of(scan, names, resources(task.wanted), task)
        if len(bodies) > 1:
            raise CrowdedError
        return decode_protobuf(bodies, task)

    return decode
