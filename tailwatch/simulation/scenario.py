"""A scenario as values: traffic, what requests are like, and what goes wrong when. It draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors.slo.spec import SloSet
from telemetry.corrections import Correction
from telemetry.windows import BUCKET_NS, NANOS

DAY_NS: Final = 86400 * NANOS


@dataclass(frozen=True, slots=True)
class Bursts:
    """Short rushes: ``per_day`` on average, each of ``factor`` times the traffic, ``duration_ns`` long on average."""

    per_day: float
    factor: float
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many requests end, and when.

    Attributes:
        rate: a second, on average over the run, bursts and incidents not counted.
        daily: how far the day swings around its mean, within 0..1: traffic is largest at ``peak_hour`` (UTC).
        weekend: traffic of Saturdays and Sundays over that of other days.
        jitter: coefficient of variation of a minute's rate, beyond that of a Poisson process.
    """

    rate: float
    daily: float = 0.0
    peak_hour: float = 14.0
    weekend: float = 1.0
    jitter: float = 0.0
    bursts: Bursts | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """How requests fail when nothing is wrong.

    Attributes:
        rate: share that fails.
        dispersion: variance of the failures in a block of ``block`` consecutive requests of a slice over that of
            independent failures (beta-binomial); 1 is independent.
        types: weights of the values of ``error_type``.
    """

    rate: float
    dispersion: float = 1.0
    block: int = 100
    types: tuple[tuple[str, float], ...] = (("error", 1.0),)


@dataclass(frozen=True, slots=True)
class Component:
    """One lognormal part of a measure's mixture: ``share`` of the requests, their ``median``, and ``sigma`` of ln."""

    share: float
    median: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Requests of one kind: their labels, their share, and how much worse or better than the whole they are."""

    share: float
    labels: Mapping[str, str]
    errors: float = 1.0
    measures: Mapping[str, float] | None = None
    mistakes: float = 1.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge that one process of the service sends every 10 s.

    Its logarithm swings around that of ``median`` with standard deviation ``sigma``, and forgets by half within
    ``memory_ns`` (a first-order autoregression).

    Attributes:
        key: as the scenario calls it; ``name`` is the metric's.
        load: the value follows the traffic that is expected, to this power.
        highest: no value is above; None for no bound.
    """

    key: str
    name: str
    labels: Mapping[str, str]
    median: float
    sigma: float
    load: float
    highest: float | None
    memory_ns: int


@dataclass(frozen=True, slots=True)
class Predictions:
    """What requests predict, and the labels that say later whether it was right.

    Attributes:
        mistakes: share of predictions that are wrong.
        labelled: share of requests that get a label.
        delay_ns, delay_sigma: until the label is given, lognormal: median and sigma of ln.
        wrong: share of labels that say the contrary of the truth.
        revised_ns: after which a wrong label is put right; None for never.
    """

    mistakes: float
    labelled: float = 1.0
    delay_ns: int = 3600 * NANOS
    delay_sigma: float = 0.5
    wrong: float = 0.0
    revised_ns: int | None = None


@dataclass(frozen=True, slots=True)
class LabelTrouble:
    """What happens to the labels of requests: a share is ``lost``, a share ``wrong``, and ``delay`` is a factor."""

    lost: float = 0.0
    wrong: float = 0.0
    delay: float = 1.0


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that happens from ``start_ns`` after the beginning for ``duration_ns``, growing over ``ramp_ns``.

    Attributes:
        where: labels of the slices that it strikes; empty for all.
        errors: share of the requests that fail because of it.
        measures: factor by measure, on ``portion`` of the requests.
        traffic: factor on the traffic; 0 is a time without requests.
        gauges: factor by gauge, as the scenario calls it.
        missing: share of requests that lack a measure, by measure.
        mistakes: share of predictions that are wrong because of it.
        labels: what happens to the labels of requests of that time.
        silent: nothing is sent, neither requests nor gauges, while the service may work.
        delay_ns: requests come in so much later, by their full strength.
        incident: whether alerts are expected; otherwise those that come count as false.
        slo: the SLO that is expected to tell; None for any.
    """

    name: str
    start_ns: int
    duration_ns: int
    ramp_ns: int
    where: Mapping[str, str]
    errors: float
    measures: Mapping[str, float]
    portion: float
    traffic: float
    incident: bool
    slo: str | None
    gauges: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, float] = field(default_factory=dict)
    mistakes: float = 0.0
    labels: LabelTrouble = LabelTrouble()
    silent: bool = False
    delay_ns: int = 0

    def strikes(self, piece: Slice | Gauge) -> bool:
        """Whether requests of a slice, or the values of a gauge, are struck."""
        return all(piece.labels.get(name) == value for name, value in self.where.items())


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a simulation needs; equal scenarios with equal seeds are equal simulations.

    Attributes:
        start_ns: since the epoch; a whole bucket, as ``duration_ns`` and ``step_ns`` are.
        step_ns: between evaluations.
        measures: the mixture that each numeric field is drawn from.
        gauges: a series each.
        predictions: None where requests predict nothing that is labelled.
        corrections: what is taken out of budgets, known from the beginning.
    """

    name: str
    start_ns: int
    duration_ns: int
    step_ns: int
    seed: int
    service: str
    traffic: Traffic
    failures: Failures
    measures: Mapping[str, tuple[Component, ...]]
    slices: tuple[Slice, ...]
    disturbances: tuple[Disturbance, ...]
    slos: SloSet
    gauges: tuple[Gauge, ...] = ()
    predictions: Predictions | None = None
    corrections: tuple[Correction, ...] = ()

    @property
    def buckets(self) -> int:
        """How many 10 s buckets it lasts."""
        return self.duration_ns // BUCKET_NS

    @property
    def fields(self) -> frozenset[str]:
        """The fields that its requests have."""
        labels = frozenset(name for piece in self.slices for name in piece.labels)
        judged = {"prediction"} if self.predictions is not None else frozenset()
        return labels | frozenset(self.measures) | judged | {"service", "error_type"}
