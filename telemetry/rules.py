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
from telemetry.matchers import Matchers
from telemetry.schema import THROTTLED_ERRORS

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


GoodWhen = NoError | Below | Present


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
