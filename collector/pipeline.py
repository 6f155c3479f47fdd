"""The way of a batch of requests as one pure function: decompress, decode, normalise, derive, roll up. It does no I/O.

What requests share, from NumPy's price of a call to the transaction, is paid once a batch; what comes of a request
does not depend on its companions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

import numpy as np

from collector.cardinality import DEFAULT_LIMIT, CardinalityGuard
from collector.compression import decompress
from collector.decode import DECODERS, Encoding, RawColumns, Task
from collector.derive import derive
from collector.feedback import feedback_of
from collector.limits import Limits
from collector.metrics.decode import decode_metrics
from collector.metrics.places import SeriesPlaces
from collector.normalise import FIELD_ATTRIBUTES, attributes_among, normalise
from collector.request import Body, Kind, Prepared, Request, Tally
from collector.rollup import roll_up
from collector.skew import SourceClocks
from storage.ingest import PreparedPayload
from telemetry.columns import Columns
from telemetry.points import MetricPoint
from telemetry.prices import PriceTable
from telemetry.rules import SERIES_RULE, RollupRule

_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that decides what a request turns into; replace it as a whole to change rules or prices.

    Attributes:
        rules: what is counted.
        prices: what calls cost.
        guard: which groups have a place; it is shared with the pipeline that comes after this one.
        places: which metric series have a place; shared likewise.
        clocks: how far senders' clocks are from ours; shared likewise.
        limits: what one request may ask.
        keep_rows: whether records are kept for drill-down, or only counted.
        fingerprint_key: secret for prompt fingerprints, equal for all collectors; None makes none.
    """

    rules: tuple[RollupRule, ...] = (SERIES_RULE,)
    prices: PriceTable = field(default_factory=PriceTable)
    guard: CardinalityGuard = field(default_factory=CardinalityGuard)
    places: SeriesPlaces = field(default_factory=lambda: SeriesPlaces(DEFAULT_LIMIT))
    clocks: SourceClocks = field(default_factory=SourceClocks)
    limits: Limits = field(default_factory=Limits)
    keep_rows: bool = True
    fingerprint_key: bytes | None = None
    _named: frozenset[str] = field(init=False, repr=False)
    _rule_ids: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = [name for rule in self.rules for name in rule.names]
        names += [name for price in self.prices.prices for name in price.where.names]
        object.__setattr__(self, "_named", attributes_among(names))
        object.__setattr__(self, "_rule_ids", frozenset(rule.id for rule in self.rules))

    def unpack(self, request: Request) -> Body:
        """The body of ``request`` without its compression; the same bytes give the same digest, and are counted once.

        Raises:
            PayloadError: the body is broken, too large, or compressed in an unknown way.
        """
        data = decompress(request.body, request.compression, self.limits.body_bytes)
        return Body(data, _digest(request.kind, data))

    def prepare(self, kind: Kind, bodies: Sequence[Body], now_ns: int) -> Prepared:
        """What unpacked bodies of one kind commit together, no two of them equal.

        A body that cannot be used as a whole has its error in its tally, and the others are as if it had not come.

        Raises:
            CrowdedError: there are several bodies, and they have to be prepared one by one.
        """
        if kind.signal == "metric":
            return self._prepare_points(kind.encoding, bodies, now_ns)
        task = Task(kind.signal, FIELD_ATTRIBUTES | self._named, now_ns, keep_raw=self.keep_rows, limits=self.limits)
        return self._prepare_records(task, kind.encoding, bodies)

    def _prepare_points(self, encoding: Encoding, bodies: Sequence[Body], now_ns: int) -> Prepared:
        """Metric points; there are few, so bodies share nothing but the commit."""
        tallies: list[Tally] = []
        points: list[MetricPoint] = []
        for body in bodies:
            decoded = decode_metrics(body.data, encoding, now_ns, self.limits)
            placed = self.places.admit(decoded, now_ns)
            points += chain.from_iterable(placed)
            tallies.append(Tally(decoded.report, records=len(placed), passed_over=decoded.passed_over))
        digests = tuple(body.digest for body, tally in zip(bodies, tallies, strict=True) if tally.is_committed)
        payload = PreparedPayload(digests, points=tuple(points)) if digests else None
        return Prepared(payload, tuple(tallies))

    def _prepare_records(self, task: Task, encoding: Encoding, bodies: Sequence[Body]) -> Prepared:
        """Spans and log records."""
        now_ns = task.now_ns
        raw = DECODERS[encoding]([body.data for body in bodies], task)
        feedback = feedback_of(raw, self.limits.text_length)
        columns = replace(self._understood(raw), received_ns=now_ns)
        self.clocks.observe(columns, now_ns)
        kept = columns if task.signal == "span" else columns.take(columns.is_inference)
        tallies = _tallies(raw, columns, [body for body, _ in feedback])
        digests = tuple(body.digest for body, tally in zip(bodies, tallies, strict=True) if tally.is_committed)
        if not digests:
            return Prepared(None, tallies)
        deltas = roll_up(kept, self.rules, self.guard, now_ns)
        payload = PreparedPayload(
            digests=digests,
            columns=(kept,),
            feedback=tuple(row for _, row in feedback),
            sli=deltas.sli,
            distributions=deltas.distributions,
            spans=len(kept),
            rules=self._rule_ids,
        )
        return Prepared(payload, tallies, _unpriced(kept))

    def _understood(self, raw: RawColumns) -> Columns:
        columns = normalise(raw, self._named, self.limits.text_length)
        return derive(columns, raw, self.prices, self.fingerprint_key)


def _digest(kind: Kind, body: bytes) -> bytes:
    """Identity of a request: the same bytes for another signal, or read in another way, are another request.

    SHA-256, since processors have instructions for it: it takes half the time of BLAKE2.
    """
    digest = hashlib.sha256(f"{kind.signal} {kind.encoding} ".encode())
    digest.update(body)
    return digest.digest()[:_DIGEST_BYTES]


def _tallies(raw: RawColumns, columns: Columns, feedback_bodies: Sequence[int]) -> tuple[Tally, ...]:
    """What each body came to; of a span, everything is kept."""
    n = len(raw.reports)
    decoded = np.bincount(raw.body, minlength=n)
    kept = decoded if raw.signal == "span" else np.bincount(raw.body[columns.is_inference], minlength=n)
    labels = np.bincount(np.asarray(feedback_bodies, dtype=np.intp), minlength=n)
    unnamed = [report.rejections.reasons["feedback_without_request"] for report in raw.reports]
    passed_over = decoded - kept - labels - unnamed
    return tuple(
        Tally(*row) for row in zip(raw.reports, kept.tolist(), labels.tolist(), passed_over.tolist(), strict=True)
    )


def _unpriced(columns: Columns) -> Counter[str]:
    """Inference spans without a cost although they used tokens, by model (``""`` when unnamed)."""
    used = ~np.isnan(columns.number("tokens_total")) & np.isnan(columns.number("cost")) & columns.is_inference
    return Counter(columns.string("model").take(used).tolist() if columns.signal == "span" else [])
