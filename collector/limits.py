"""What one request may ask of the collector, as one value; every number here guards memory against a hostile sender."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.schema import TEXT_LENGTH
from telemetry.windows import NANOS

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request.

    Attributes:
        body_bytes: size of a body, before and after decompression.
        records: records in one request; SDKs send 512.
        future_ns: how far ahead of our clock a record may be; beyond it the sender's clock is wrong.
        text_length: characters kept of an attribute's text; the row keeps the record's own bytes in full.
        features: distinct ``tailwatch.feature.*`` names in one request.
        cells: rows times columns that features, or rows times dimensions that embeddings, may fill.
    """

    body_bytes: int = 64 * MIB
    records: int = 131_072
    future_ns: int = 3600 * NANOS
    text_length: int = TEXT_LENGTH
    features: int = 256
    cells: int = 16_000_000
