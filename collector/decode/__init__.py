"""From bytes to raw columns: the wire formats of OTLP end here, and nothing after this package knows them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from collector.decode.compiled import CompiledDecoder
from collector.decode.decoder import CrowdedError, Decoder, Signal, Task
from collector.decode.otlp_json import decode_json
from collector.decode.raw_columns import AttributeColumn, BodyReport, RawColumns
from collector.decode.rejections import Rejections

Encoding = Literal["protobuf", "json"]

PROTOBUF: Final = CompiledDecoder()
"""The decoder of this process; whoever starts a server warms it."""

DECODERS: Final[Mapping[Encoding, Decoder]] = MappingProxyType(
    {"protobuf": PROTOBUF, "json": partial(decode_json, PROTOBUF)}
)
"""How each encoding is read."""

__all__ = [
    "DECODERS",
    "PROTOBUF",
    "AttributeColumn",
    "BodyReport",
    "CompiledDecoder",
    "CrowdedError",
    "Decoder",
    "Encoding",
    "RawColumns",
    "Rejections",
    "Signal",
    "Task",
]
