"""What the collector counts at ingest: rules as values, run vectorised on columns. They know no SLO.

The composition root compiles every SLO into such rules, and adds one for the service series that
percentiles and heatmaps are drawn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns
from telemetry.conformance import Conforms
from telemetry.matchers import Matchers
from telemetry.schema import LABEL_CORRECT, THROTTLED_ERRORS

Throttled = Literal["bad", "ignore", "separate"]


@dataclass(frozen=True, slots=True)
class NoError:
    """Good: the record has no error.

    ``throttled``: refused requests are ``bad``, or no events (``ignore``; ``separate`` leaves them out here too,
    and has them counted by a rule of their own).
    """

    throttled: Throttled = "bad"

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        errors = columns.string("error_type")
        good = errors.codes < 0
        if self.throttled == "bad":
            return np.ones(len(columns), dtype=np.bool_), good
        refused = errors.mask([value in THROTTLED_ERRORS for value in errors.values], missing=False)
        return ~refused, good

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({"error_type"})


@dataclass(frozen=True, slots=True)
class Below:
    """Good: ``measure`` is strictly below ``threshold`` (s, USD or 1, as the field says). Valid: it is present."""

    measure: str
    threshold: float

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        values = columns.number(self.measure)
        valid = ~np.isnan(values)
        return valid, values < self.threshold  # no comparison with NaN holds

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({self.measure})


@dataclass(frozen=True, slots=True)
class Present:
    """Good and valid: any of ``fields`` is present; for rules that only gather distributions."""

    fields: tuple[str, ...]

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        found = np.zeros(len(columns), dtype=np.bool_)
        for field in self.fields:
            if field in columns.numbers:
                found |= ~np.isnan(columns.numbers[field])
            if field in columns.strings:
                found |= columns.strings[field].codes >= 0
        return found, found

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset(self.fields)


@dataclass(frozen=True, slots=True)
class Correct:
    """Good: the prediction was right. Valid: a judgement says so or the contrary; records as they come in have none."""

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        correct = columns.number(LABEL_CORRECT)
        return ~np.isnan(correct), correct == 1

    @property
    def names(self) -> frozenset[str]:
        """Nothing that a sender's record could carry."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Spent:
    """Nothing is good; the total is not of events but of what they cost, in :data:`MONEY_UNIT` parts of a dollar.

    Each event's cost is rounded by itself, so that sums do not depend on the batches in which events came.
    """

    field: str = "cost"

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the events that cost something known, and none."""
        return ~np.isnan(columns.number(self.field)), np.zeros(len(columns), dtype=np.bool_)

    def amounts(self, columns: Columns) -> NDArray[np.int64]:
        """(n,) what each event cost in parts, 0 where unknown, and at most :data:`DEAREST_USD` dollars."""
        usd = np.clip(np.nan_to_num(columns.number(self.field), nan=0.0), 0.0, DEAREST_USD)
        return np.asarray(np.rint(usd * MONEY_UNIT), dtype=np.int64)

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({self.field})


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Nothing is good; valid: what the event cost is not known."""

    field: str = "cost"

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        return np.isnan(columns.number(self.field)), np.zeros(len(columns), dtype=np.bool_)

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({self.field})


MONEY_UNIT: Final = 1_000_000_000
"""Parts of a US dollar in which money is counted: ten tokens at $0.02 a million are 200 of them."""
DEAREST_USD: Final = 1e6
"""What a single request can cost at most: more is a sender's mistake, which must not overflow the sum of a month."""


@dataclass(frozen=True, slots=True)
class OnTime:
    """Good: the record came in at most ``max_delay_ns`` after its event time. Every event is valid.

    By the sender's clock and ours. Of records whose arrival is not known, none is called late.
    """

    max_delay_ns: int

    def masks(self, columns: Columns) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(n,) bool each: the valid events, and those of them that are good."""
        every = np.ones(len(columns), dtype=np.bool_)
        if columns.received_ns is None:
            return every, every
        return every, columns.time_ns >= columns.received_ns - self.max_delay_ns

    @property
    def names(self) -> frozenset[str]:
        """No field: every record has a time."""
        return frozenset()


GoodWhen = NoError | Below | Present | Correct | Spent | Unpriced | Conforms | OnTime


@dataclass(frozen=True, slots=True)
class RollupRule:
    """Count good and total, and gather distributions, per group and 10 s bucket of event time.

    Attributes:
        id: stable name of what is counted; a changed meaning has another id.
        where: which inference records are events at all.
        per: fields whose values form the group.
        good: which events are valid, and which of those good.
        distributions: fields whose distribution is gathered: numbers as DDSketch, strings as counts per value.
    """

    id: str
    where: Matchers
    per: tuple[str, ...]
    good: GoodWhen
    distributions: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Every field or attribute that the rule reads; the decoder must provide them."""
        return self.where.names | self.good.names | frozenset(self.per) | frozenset(self.distributions)


SERIES_RULE_ID: Final = "series"
SERIES_MEASURES: Final = (
    "duration", "ttft", "tpot", "queue", "prefill", "decode", "batch_size", "tokens_in", "tokens_out", "cost",
    "confidence",
)  # fmt: skip
SERIES_RULE: Final = RollupRule(
    id=SERIES_RULE_ID,
    where=Matchers(),
    per=("service", "environment", "operation", "model", "model_version", "input_type"),
    good=NoError(),
    distributions=SERIES_MEASURES,
)
"""The built-in rule behind percentiles, heatmaps and the list of services."""
