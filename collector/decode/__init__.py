"""From bytes to raw columns: the wire formats of OTLP end here, and nothing after this package knows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from collector.decode.decoder import CrowdedError, Decoder, Signal, Task
from collector.decode.otlp_json import decode_json
from collector.decode.protobuf import decode_protobuf
from collector.decode.raw_columns import AttributeColumn, BodyReport, RawColumns
from collector.decode.rejections import Rejections

Encoding = Literal["protobuf", "json"]

DECODERS: Final[Mapping[Encoding, Decoder]] = MappingProxyType({"protobuf": decode_protobuf, "json": decode_json})
"""How each encoding is read; a faster decoder takes the place of one of these and nothing else changes."""

__all__ = [
    "DECODERS",
    "AttributeColumn",
    "BodyReport",
    "CrowdedError",
    "Decoder",
    "Encoding",
    "RawColumns",
    "Rejections",
    "Signal",
    "Task",
]
