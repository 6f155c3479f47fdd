"""Stored gauges for a run in virtual time: fine values as they were, folded ones as verdicts or as signs of life.

Values are kept in buckets of 10 s for some hours and folded then. Of a folded bucket the least, greatest, last and mean
value are known, so each slice of time that lies in it is judged by all of it: a peak of a minute fills the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detectors.slo.compile import slices_rule_id
from detectors.slo.engine import Engine
from detectors.slo.gauge_groups import measured_group
from detectors.slo.gauge_slices import GaugeSlices
from detectors.slo.slices import GRACE_NS
from detectors.slo.spec import Slo, SloSet
from storage.database import Database
from storage.gauges import gauge_history
from telemetry.deltas import SliDelta
from telemetry.gauges import GaugeReading
from telemetry.windows import BUCKET_NS

Gauge = tuple[str, str]
"""Service and name."""


@dataclass(frozen=True, slots=True)
class StoredGauges:
    """What is stored of the gauges that SLOs are judged by.

    Attributes:
        readings: each with the width of its bucket (ns).
        of_slo: the gauges of each SLO that has any, by its name.
        fine_from_ns: from when on the values of each SLO are held in buckets of 10 s.
    """

    readings: tuple[tuple[GaugeReading, int], ...]
    of_slo: Mapping[str, frozenset[Gauge]]
    fine_from_ns: Mapping[str, int]

    def judge(self, slo: Slo) -> bool:
        """Whether an SLO's slices are judged by the values; else, if it has gauges, they are signs of life."""
        return slo.name in self.of_slo and isinstance(slo.sli.slices(slices_rule_id(slo)), GaugeSlices)

    def of(self, slo: Slo) -> Iterator[tuple[GaugeReading, int]]:
        """The readings of an SLO's gauges."""
        wanted = self.of_slo.get(slo.name, frozenset())
        return ((one, width_ns) for one, width_ns in self.readings if (one.series.service, one.series.name) in wanted)

    def known(self, slos: SloSet) -> Iterator[tuple[int, GaugeReading]]:
        """What the engine is given, each with the time from which on it is known: fine values, and signs of life."""
        grids_ns: dict[Gauge, int] = {}
        fine_from_ns: dict[Gauge, int] = {}
        for slo in slos.slos:
            for gauge in self.of_slo.get(slo.name, ()):
                fine_from_ns[gauge] = max(fine_from_ns.get(gauge, 0), self.fine_from_ns[slo.name])
            if slo.slice_ns is not None and not self.judge(slo):
                for gauge in self.of_slo.get(slo.name, ()):
                    grids_ns[gauge] = min(grids_ns.get(gauge, slo.slice_ns), slo.slice_ns)
        for one, width_ns in self.readings:
            grid_ns = grids_ns.get((one.series.service, one.series.name), 0)
            if width_ns <= BUCKET_NS and (
                grid_ns or one.bucket_ns >= fine_from_ns[one.series.service, one.series.name]
            ):
                yield one.bucket_ns + BUCKET_NS, one
            elif grid_ns:
                # Whoever was alive was so all along, as far as anybody knows now: it is no news at the bucket's end.
                # A verdict that is stored knows better, and is there first.
                for bucket_ns in range(one.bucket_ns, one.bucket_ns + width_ns, grid_ns):
                    yield bucket_ns + grid_ns + GRACE_NS, one._replace(bucket_ns=bucket_ns)

    def verdicts(self, slo: Slo, start_ns: int) -> Iterator[tuple[int, SliDelta]]:
        """Verdicts over slices from ``start_ns`` on whose values are folded, each known when its bucket is over."""
        book = slo.sli.slices(slices_rule_id(slo))
        if not isinstance(book, GaugeSlices) or slo.slice_ns is None:
            return
        known_ns: dict[int, int] = {}
        for one, width_ns in self.of(slo):
            group = measured_group(slo, one.series)
            if width_ns <= BUCKET_NS or group is None:
                continue
            for bucket_ns in range(one.bucket_ns, one.bucket_ns + width_ns, slo.slice_ns):
                slice_ns = bucket_ns - bucket_ns % slo.slice_ns
                if start_ns <= slice_ns < self.fine_from_ns[slo.name]:
                    book.add(group, one._replace(bucket_ns=bucket_ns))
                    ends_ns = max(one.bucket_ns + width_ns, slice_ns + slo.slice_ns) + GRACE_NS
                    known_ns[slice_ns] = max(known_ns.get(slice_ns, 0), ends_ns)
        end_ns = max(known_ns.values(), default=0)
        yield from ((known_ns[delta.bucket_ns], delta) for delta in book.judge(end_ns))

    def folds(self, slo: Slo) -> dict[int, int]:
        """End (ns) of what is folded to each width that is wider than a slice of the SLO."""
        ends: dict[int, int] = {}
        for one, width_ns in self.of(slo):
            if width_ns > (slo.slice_ns or BUCKET_NS):
                ends[width_ns] = max(ends.get(width_ns, 0), one.bucket_ns + width_ns)
        return ends

    def first_ns(self, slo: Slo) -> int | None:
        """Start of the first bucket that has a value."""
        return min((one.bucket_ns for one, _ in self.of(slo)), default=None)


def read_gauges(database: Database, slos: SloSet, start_ns: int, end_ns: int) -> StoredGauges:
    """Everything stored in [start, end) of the gauges that ``slos`` are judged by.

    Raises:
        StorageError: the database cannot be used.
    """
    of_slo = {slo.name: Engine(SloSet((slo,))).gauges for slo in slos.slos}
    wanted = frozenset().union(*of_slo.values())
    services, names = {service for service, _ in wanted}, {name for _, name in wanted}
    found = gauge_history(database, names, services, start_ns, end_ns) if wanted else []
    readings = tuple(sorted(
        (row for row in found if (row[0].series.service, row[0].series.name) in wanted),
        key=lambda row: (row[0].bucket_ns, row[0].series.id),
    ))  # fmt: skip
    fine_from_ns = {
        name: max(
            (
                one.bucket_ns + width_ns for one, width_ns in readings
                if width_ns > BUCKET_NS and (one.series.service, one.series.name) in gauges
            ),
            default=start_ns,
        )
        for name, gauges in of_slo.items()
    }  # fmt: skip
    return StoredGauges(readings, {name: gauges for name, gauges in of_slo.items() if gauges}, fine_from_ns)
