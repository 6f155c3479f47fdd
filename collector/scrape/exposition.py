"""From Prometheus' text formats to metric points: counters, gauges, histograms and summaries of one target.

Counters and histograms are cumulative; they start at ``_created`` where the target tells, and else nowhere, so that a
fall shows a reset. Classic histograms lose their cumulative buckets, and summaries are gauges a quantile. Samples'
own timestamps are not used: a scrape is of the time at which it was made, as its neighbours are.
Sources: https://prometheus.io/docs/instrumenting/exposition_formats/, https://openmetrics.io
"""

from __future__ import annotations

import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_fd_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_fd_to_metric_families as parse_text
from prometheus_client.samples import Sample

from collector.metrics.decode import DecodedMetrics
from collector.metrics.values import FaultError, finite
from collector.scrape.targets import Target
from telemetry.deltas import group_key
from telemetry.errors import TailwatchError
from telemetry.histograms import Histogram
from telemetry.metric_names import KNOWN_METRICS
from telemetry.points import MetricKind, MetricPoint, MetricSeries, Total, point
from telemetry.windows import NANOS

_OWN_LABELS: Final = frozenset({"service", "instance"})
_UNITS: Final = {"seconds": "s", "bytes": "By", "ratio": "1", "celsius": "Cel", "joules": "J", "watts": "W"}
"""Prometheus' base units as UCUM writes them; they end a metric's name (before ``_total``)."""
_SUFFIX: Final = re.compile(r"_([a-z]+?)(?:_total|_sum)?$")
_COUNTER_TYPE: Final = re.compile(r"^# TYPE ([^ ]+) counter", re.MULTILINE)
_MAX_TEXT: Final = 512
_MAX_BOUNDS: Final = 1024
_MAX_NAME: Final = 255
_MAX_LABELS: Final = 64
_MAX_LABELS_LENGTH: Final = 8192

Labels = tuple[tuple[str, str], ...]


class ScrapeError(TailwatchError):
    """A target could not be scraped."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a scrape brought: its points, and how many samples there were."""

    decoded: DecodedMetrics
    samples: int


def read_exposition(text: str, *, openmetrics: bool, target: Target, time_ns: int) -> Scraped:
    """The points in ``text``; samples that cannot be used are counted in the report.

    Raises:
        ScrapeError: the text is in neither format, or holds more samples than the target may have.
    """
    try:
        families = _limited((parse_openmetrics if openmetrics else parse_text)(io.StringIO(text)), target.max_samples)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        # the parsers raise these for lines that they cannot read
        raise ScrapeError(
            f"the answer is not Prometheus' text format: {error}", remedy="check the path of the target"
        ) from None
    without_suffix = frozenset() if openmetrics else frozenset(_COUNTER_TYPE.findall(text))
    reader = _Reader(target, time_ns, without_suffix, _created(families))
    decoded = DecodedMetrics()
    for family in families:
        if family.name not in reader.created_families:
            reader.read(family, decoded)
    return Scraped(decoded, sum(len(family.samples) for family in families))


def gauge_of(target: Target, name: str, time_ns: int, value: float) -> MetricPoint:
    """A gauge about the target itself, such as ``up``."""
    return point(_series(target, name, {}), time_ns, 0, value)


def _limited(families: Iterable[Metric], most: int) -> list[Metric]:
    kept: list[Metric] = []
    samples = 0
    for family in families:
        samples += len(family.samples)
        if samples > most:
            raise ScrapeError(
                f"the answer has more than {most} samples", remedy="raise max_samples, or have the target expose fewer"
            )
        kept.append(family)
    return kept


def _created(families: Sequence[Metric]) -> dict[str, dict[Labels, float]]:
    """When things began to count, in seconds by the family's name and labels.

    The text format has them as gauges of their own, OpenMetrics among the family's samples.
    """
    names = {family.name for family in families}
    found: dict[str, dict[Labels, float]] = defaultdict(dict)
    for family in families:
        base = family.name.removesuffix("_created")
        of_base = base != family.name and base in names
        for sample in family.samples:
            if of_base or (sample.name == f"{family.name}_created" and family.type != "gauge"):
                found[base if of_base else family.name][_key(sample.labels)] = sample.value
    return found


class _Reader:
    """Reads the families of one scrape."""

    def __init__(
        self,
        target: Target,
        time_ns: int,
        without_suffix: frozenset[str],
        created: Mapping[str, Mapping[Labels, float]],
    ) -> None:
        self._target = target
        self._time_ns = time_ns
        self._without_suffix = without_suffix
        self._created = created
        self.created_families = frozenset(f"{name}_created" for name in created)

    def read(self, family: Metric, decoded: DecodedMetrics) -> None:
        """Add the points of ``family``."""
        if family.type in ("histogram", "gaugehistogram"):
            by_labels: dict[Labels, list[Sample]] = defaultdict(list)
            for sample in family.samples:
                by_labels[_key(sample.labels, "le")].append(sample)
            for key, samples in by_labels.items():
                with _counted(decoded):
                    decoded.points.append((self._histogram(family, key, samples),))
            return
        for sample in family.samples:
            nothing_observed = family.type == "summary" and math.isnan(sample.value)
            is_created = sample.name == f"{family.name}_created" and family.type in ("counter", "summary")
            if not nothing_observed and not is_created:
                with _counted(decoded):
                    decoded.points.append((self._number(family, sample),))

    def _number(self, family: Metric, sample: Sample) -> MetricPoint:
        value = finite(float(sample.value))
        name = sample.name
        if family.type == "counter" and family.name in self._without_suffix:
            name = family.name  # the parser appends a _total that the target does not send
        if family.type == "counter" or (family.type == "summary" and "quantile" not in sample.labels):
            series = _series(self._target, name, sample.labels, family, kind="sum")
            return point(series, self._time_ns, self._start_ns(family.name, _key(sample.labels)), Total(value))
        return point(_series(self._target, name, sample.labels, family), self._time_ns, 0, value)

    def _histogram(self, family: Metric, key: Labels, samples: Sequence[Sample]) -> MetricPoint:
        buckets = sorted((float(one.labels["le"]), one.value) for one in samples if "le" in one.labels)
        totals = [one.value for one in samples if one.name.endswith("_sum")]
        bounds, counts = tuple(bound for bound, _ in buckets), [count for _, count in buckets]
        if not buckets or bounds[-1] != math.inf or len(set(bounds)) < len(bounds) or len(bounds) > _MAX_BOUNDS:
            raise FaultError("bad_buckets")
        within = [now - before for before, now in zip([0.0, *counts], counts, strict=False)]
        if not all(count >= 0 and float(count).is_integer() and count < 2**53 for count in within):
            raise FaultError("bad_buckets")
        total = finite(totals[0]) if totals else math.nan
        series = _series(self._target, family.name, dict(key), family, kind="histogram", bounds=bounds[:-1])
        histogram = Histogram(bounds[:-1], tuple(map(int, within)), total)
        return point(series, self._time_ns, self._start_ns(family.name, key), histogram)

    def _start_ns(self, family: str, key: Labels) -> int:
        created = self._created.get(family, {}).get(key, 0.0)
        return round(created * NANOS) if 0 < created * NANOS <= self._time_ns else 0


@contextmanager
def _counted(decoded: DecodedMetrics) -> Iterator[None]:
    """Count what cannot be used instead of raising it."""
    try:
        yield
    except FaultError as fault:
        decoded.report.rejections.add(str(fault))


def _series(
    target: Target,
    name: str,
    sent: Mapping[str, str],
    family: Metric | None = None,
    *,
    kind: MetricKind = "gauge",
    bounds: tuple[float, ...] = (),
) -> MetricSeries:
    """The series of a sample; a label of it that the target has too is kept as ``exported_...``, as Prometheus does."""
    if len(name) > _MAX_NAME:
        raise FaultError("no_name")
    taken = _OWN_LABELS | target.labels.keys()
    labels = {(f"exported_{key}" if key in taken else key): value[:_MAX_TEXT] for key, value in sent.items()}
    text = group_key({**labels, **target.labels})
    if len(labels) > _MAX_LABELS or len(text) > _MAX_LABELS_LENGTH:
        raise FaultError("too_many_attributes")
    return MetricSeries(
        name,
        _unit(name, family.unit if family else ""),
        kind,
        "" if kind == "gauge" else "cumulative",
        target.service,
        target.instance,
        text,
        bounds=bounds,
        description=family.documentation[:_MAX_TEXT] if family else "",
    )


def _unit(name: str, stated: str) -> str:
    """The unit in UCUM: of a well-known metric, else as stated, else as the name's ending says."""
    if name in KNOWN_METRICS:
        return KNOWN_METRICS[name].unit
    ending = _SUFFIX.search(name)
    return _UNITS.get(stated, stated) if stated else _UNITS.get(ending[1] if ending else "", "")


def _key(labels: Mapping[str, str], without: str = "") -> Labels:
    return tuple(sorted((name, value) for name, value in labels.items() if name != without))
