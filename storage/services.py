"""Which services send telemetry, with their operations, models and traffic: read from the counters, not from rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from storage.database import Database
from storage.rollups import SliTotal, sli_totals
from telemetry.rules import SERIES_RULE_ID


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """One service over a range: sorted names, and inference calls with how many of them failed."""

    service: str
    operations: tuple[str, ...]
    models: tuple[str, ...]
    environments: tuple[str, ...]
    requests: int
    errors: int


def services(db: Database, start_ns: int, end_ns: int) -> list[ServiceSummary]:
    """Services with inference calls within [start, end), by name.

    Raises:
        StorageError: the database cannot be used.
    """
    groups: dict[str, list[SliTotal]] = defaultdict(list)
    for total in sli_totals(db, SERIES_RULE_ID, start_ns, end_ns):
        groups[total.labels.get("service", "")].append(total)
    return [
        ServiceSummary(
            service=service,
            operations=_values(totals, "operation"),
            models=_values(totals, "model"),
            environments=_values(totals, "environment"),
            requests=sum(total.total for total in totals),
            errors=sum(total.total - total.good for total in totals),
        )
        for service, totals in sorted(groups.items())
    ]


def _values(totals: list[SliTotal], label: str) -> tuple[str, ...]:
    return tuple(sorted({total.labels[label] for total in totals if total.labels.get(label)}))
