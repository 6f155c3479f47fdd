"""The one interface behind which OTLP is decoded: a body and what is wanted of it go in, raw columns come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from collector.decode.raw_columns import RawColumns
from collector.limits import Limits
from telemetry.columns import Signal


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted of a body.

    Attributes:
        signal: spans or log records.
        wanted: names of the attributes to read, of records and of resources; features and the embedding are
            always read.
        now_ns: when the body arrived; a record without a time of its own gets this one.
        keep_raw: whether each record's own bytes are kept.
    """

    signal: Signal
    wanted: frozenset[str]
    now_ns: int
    keep_raw: bool = True
    limits: Limits = field(default_factory=Limits)


class Decoder(Protocol):
    """Reads one encoding of OTLP."""

    def __call__(self, body: bytes, task: Task) -> RawColumns:
        """The records of ``body``; those that cannot be used are left out and counted.

        Raises:
            PayloadError: the body as a whole is not a request (400), or holds too many records (413).
        """
        ...


__all__ = ["Decoder", "Signal", "Task"]
