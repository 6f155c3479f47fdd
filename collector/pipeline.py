"""The way of one request as one pure function: decompress, decode, normalise, derive, roll up. It does no I/O."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from collector.cardinality import CardinalityGuard
from collector.compression import decompress
from collector.decode import DECODERS, Encoding, Rejections, Signal, Task
from collector.derive import derive
from collector.feedback import feedback_of
from collector.limits import Limits
from collector.normalise import FIELD_ATTRIBUTES, attributes_among, normalise
from collector.rollup import roll_up
from storage.ingest import PreparedPayload
from telemetry.columns import Columns
from telemetry.prices import PriceTable
from telemetry.rules import SERIES_RULE, RollupRule


@dataclass(frozen=True, slots=True)
class Request:
    """What a sender sent: an Export request of ``signal`` in ``encoding``, its body under ``compression``."""

    signal: Signal
    encoding: Encoding
    body: bytes
    compression: str = "identity"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be committed, and what is to be said about it.

    Attributes:
        payload: what is committed; None for a request without a single usable record.
        spans, log_records, feedback: records taken in.
        passed_over: log records that are neither inference logs nor feedback; they are accepted and not kept.
        rejections: records refused, told to the sender.
        unpriced: inference spans without a price and without a stated cost, by model.
        ignored_values: attribute values beyond a limit.
    """

    payload: PreparedPayload | None
    rejections: Rejections
    spans: int = 0
    log_records: int = 0
    feedback: int = 0
    passed_over: int = 0
    unpriced: Mapping[str, int] = field(default_factory=dict)
    ignored_values: int = 0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that decides what a request turns into; replace it as a whole to change rules or prices.

    Attributes:
        rules: what is counted.
        prices: what calls cost.
        guard: which groups have a place; it is shared with the pipeline that comes after this one.
        limits: what one request may ask.
        keep_rows: whether records are kept for drill-down, or only counted.
        fingerprint_key: secret for prompt fingerprints, equal for all collectors; None makes none.
    """

    rules: tuple[RollupRule, ...] = (SERIES_RULE,)
    prices: PriceTable = field(default_factory=PriceTable)
    guard: CardinalityGuard = field(default_factory=CardinalityGuard)
    limits: Limits = field(default_factory=Limits)
    keep_rows: bool = True
    fingerprint_key: bytes | None = None
    _named: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [name for rule in self.rules for name in rule.names]
        names += [name for price in self.prices.prices for name in price.where.names]
        object.__setattr__(self, "_named", attributes_among(names))

    def unpack(self, request: Request) -> Request:
        """``request`` without its compression.

        Raises:
            PayloadError: the body is broken, too large, or compressed in an unknown way.
        """
        body = decompress(request.body, request.compression, self.limits.body_bytes)
        return replace(request, body=body, compression="identity")

    def prepare(self, request: Request, now_ns: int) -> Prepared:
        """What an unpacked ``request`` commits; the same bytes give the same digest, and are counted once.

        Raises:
            PayloadError: the request as a whole cannot be used; its ``status`` is the answer's.
        """
        wanted = FIELD_ATTRIBUTES | self._named
        task = Task(request.signal, wanted, now_ns, keep_raw=self.keep_rows, limits=self.limits)
        raw = DECODERS[request.encoding]([request.body], task)
        (report,) = raw.reports
        if report.error is not None:
            raise report.error
        feedback = feedback_of(raw, self.limits.text_length)
        columns = normalise(raw, self._named, self.limits.text_length)
        columns = derive(columns, raw, self.prices, self.fingerprint_key)
        kept = columns if request.signal == "span" else columns.take(columns.is_inference)
        deltas = roll_up(kept, self.rules, self.guard, now_ns)
        payload = PreparedPayload(
            digests=(_digest(request.signal, request.body),),
            columns=(kept,),
            feedback=tuple(feedback),
            sli=deltas.sli,
            distributions=deltas.distributions,
            spans=len(kept),
        )
        return Prepared(
            payload if len(kept) or feedback else None,
            report.rejections,
            spans=len(kept) if request.signal == "span" else 0,
            log_records=len(kept) if request.signal == "log" else 0,
            feedback=len(feedback),
            passed_over=len(raw) - len(kept) - len(feedback) - report.rejections.reasons["feedback_without_request"],
            unpriced=_unpriced(kept),
            ignored_values=report.ignored_values,
        )


def _digest(signal: Signal, body: bytes) -> bytes:
    """Identity of a request: the same bytes for another signal are another request."""
    return hashlib.blake2b(body, digest_size=16, person=signal.encode()).digest()


def _unpriced(columns: Columns) -> Counter[str]:
    """Inference spans without a cost although they used tokens, by model (``""`` when unnamed)."""
    used = ~np.isnan(columns.number("tokens_total")) & np.isnan(columns.number("cost")) & columns.is_inference
    return Counter(columns.string("model").take(used).tolist() if columns.signal == "span" else [])
