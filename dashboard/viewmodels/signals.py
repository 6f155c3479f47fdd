"""What an SLO of each kind looks at beside the requests' latency: a gauge, arrivals, or other SLOs; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard import formats
from dashboard.documents.metrics import GaugeColumn, Metric, MetricSeries
from dashboard.documents.slos import Slo

_COLUMNS: Final[Mapping[str, GaugeColumn]] = {"max": "max", "mean": "avg", "last": "last"}


def gauges(slo: Slo, metrics: Sequence[Metric]) -> list[Metric]:
    """The gauges that a saturation SLO judges: of its service, by the name or the role that it names."""
    named = _detail(slo, "gauge")
    mine = (metric for metric in metrics if metric.service == slo.service and metric.kind == "gauge")
    return [metric for metric in mine if named in (metric.name, metric.role)]


def gauge_column(slo: Slo) -> GaugeColumn:
    """What a series' values within a step are taken for, as within a slice."""
    return _COLUMNS.get(str(_detail(slo, "aggregate")), "max")


def gauge_bound(slo: Slo) -> float | None:
    """What the gauge shall be below."""
    bound = _detail(slo, "below")
    return float(bound) if isinstance(bound, int | float) else None


def gauge_split(slo: Slo) -> str:
    """The labels that the chart has a line for: those of the SLO's groups."""
    return ",".join(slo.per) or "service"


def gauge_line(series: MetricSeries) -> str:
    """What a line is called: `gpu-0`, `gpu-0, llama`."""
    return ", ".join(value for _, value in sorted(series.labels.items()) if value) or "all"


def gauge_note(slo: Slo, step_s: float) -> str:
    """How the chart is to be read."""
    by = f", by {', '.join(slo.per)}" if slo.per else ""
    return f"{_detail(slo, 'aggregate')} per {formats.seconds(step_s)}{by}"


def components(slo: Slo, every: Sequence[Slo]) -> list[Slo]:
    """The SLOs that a composite is made of, in its order."""
    named = _detail(slo, "of")
    by_name = {one.name: one for one in every}
    return [by_name[name] for name in named if name in by_name] if isinstance(named, Mapping) else []


def _detail(slo: Slo, key: str) -> Any:
    return next((group.detail[key] for group in slo.groups if key in group.detail), None)
