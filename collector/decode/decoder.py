"""The one interface behind which OTLP is decoded: bodies and what is wanted of them go in, raw columns come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collector.decode.raw_columns import RawColumns
from collector.limits import Limits
from telemetry.columns import Signal


@dataclass(frozen=True, slots=True)
class Task:
    """What is wanted of bodies.

    Attributes:
        signal: spans or log records.
        wanted: names of the attributes to read, of records and of resources; features and the embedding are
            always read.
        now_ns: when the bodies arrived; a record without a time of its own gets this one.
        keep_raw: whether each record's own bytes are kept.
    """

    signal: Signal
    wanted: frozenset[str]
    now_ns: int
    keep_raw: bool = True
    limits: Limits = field(default_factory=Limits)


class CrowdedError(Exception):
    """Several bodies together exceed a limit that each alone may keep: decode them one by one.

    What a body yields must not depend on its companions.
    """


class Decoder(Protocol):
    """Reads one encoding of OTLP."""

    def __call__(self, bodies: Sequence[bytes], task: Task) -> RawColumns:
        """The records of ``bodies``, each one a request; records that cannot be used are left out and counted.

        A body that is no request (400), or holds too many records (413), gives no records and has its error in
        its report; the others are as if it had not been there.

        Raises:
            CrowdedError: there are several bodies, and they have to be decoded one by one.
        """
        ...


__all__ = ["CrowdedError", "Decoder", "Signal", "Task"]
