"""What a request is on its way through the collector, as values; they neither read nor do anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from collector.admission import Lease
from collector.decode import BodyReport, Encoding
from collector.decode import Signal as RecordSignal
from storage.ingest import PreparedPayload

Signal: TypeAlias = RecordSignal | Literal["metric"]
"""What a request carries: records, which become columns, or metric points."""


class Kind(NamedTuple):
    """What requests have in common that can be decoded together."""

    signal: Signal
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Request:
    """What a sender sent: an Export request of ``signal`` in ``encoding``, its body under ``compression``."""

    signal: Signal
    encoding: Encoding
    body: bytes
    compression: str = "identity"

    @property
    def kind(self) -> Kind:
        """What it can be decoded together with."""
        return Kind(self.signal, self.encoding)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body without its compression, and the digest that it is known again by."""

    data: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """What one body of a batch came to.

    Attributes:
        report: what the decoder says: an error, rejections, values beyond a limit.
        records: spans, or inference logs, or metric points taken in.
        feedback: labels for earlier requests.
        passed_over: log records that are neither inference logs nor feedback; they are accepted and not kept.
    """

    report: BodyReport
    records: int = 0
    feedback: int = 0
    passed_over: int = 0

    @property
    def is_committed(self) -> bool:
        """Whether the body carried anything that has to be stored."""
        return self.records > 0 or self.feedback > 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch ready to be committed, and what is to be said about it.

    Attributes:
        payload: what is committed; None when no body carries a single usable record.
        tallies: one a body.
        unpriced: inference spans without a price and without a stated cost, by model.
    """

    payload: PreparedPayload | None
    tallies: tuple[Tally, ...]
    unpriced: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a request that is on the disk.

    Attributes:
        rejected: records refused.
        message: why, for the sender; empty when none was.
        repeated: whether the request had been counted before, and was not counted again.
    """

    rejected: int = 0
    message: str = ""
    repeated: bool = False


Outcome = Receipt | Exception
"""A receipt; or PayloadError (refused for good), or OverloadedError (not stored, come again)."""

Reply = Callable[[Outcome], None]
"""Takes the outcome to the sender; called once, in any thread. It must not block, nor raise."""


@dataclass(slots=True, eq=False)
class Job:
    """A request that has to be answered.

    Attributes:
        kind: of the request.
        request: as it was sent, until it is unpacked.
        body: what was in it, from then on.
        lease: its share of memory, to be given back with the answer.
        reply: whom to answer.
    """

    kind: Kind
    request: Request | None
    lease: Lease
    reply: Reply
    body: Body | None = None

    @property
    def size(self) -> int:
        """Bytes that it holds now."""
        return len(self.unpacked.data) if self.request is None else len(self.request.body)

    @property
    def unpacked(self) -> Body:
        """The body of a job that is known to be unpacked."""
        assert self.body is not None
        return self.body
