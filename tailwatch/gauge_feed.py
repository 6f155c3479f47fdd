"""Gauges read from storage for the evaluation, again and again while a slice can still change; it judges none.

Points are written without a position that could be read on from, and folded while they are new. So what is recent is
read whole: a reading replaces the one before, and who judges sees what changed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from detectors.slo.kinds.values import LONGEST_SLICE_NS
from detectors.slo.slices import LATE_NS
from storage.database import Database, Moment
from storage.gauges import gauge_readings
from telemetry.gauges import GaugeReading
from telemetry.windows import BUCKET_NS, NANOS

_AHEAD_NS: Final = 60 * NANOS
"""Points may be so much ahead of our clock."""
_RECENT_NS: Final = 300 * NANOS
"""What comes with the usual delay is read every 10 s, what comes later once a minute."""
_LATE_EVERY_NS: Final = 60 * NANOS
_KEPT_FINE_NS: Final = 6 * 3600 * NANOS
"""How long points keep their buckets of 10 s, see ``storage.compaction``."""


class GaugeFeed:
    """What is due to be read of the gauges that SLOs ask for."""

    def __init__(self) -> None:
        self._read_ns: int | None = None
        self._read_late_ns = 0

    def begin(self) -> None:
        """Read everything at the next opportunity, as for an engine that knows nothing."""
        self._read_ns = None

    def read(self, db: Database | Moment, wanted: Collection[tuple[str, str]], now_ns: int) -> list[GaugeReading]:
        """Readings of the gauges ``wanted``, as (service, name); none while none are due.

        Raises:
            StorageError: the database cannot be used.
        """
        if not wanted or (self._read_ns is not None and 0 <= now_ns - self._read_ns < BUCKET_NS):
            return []
        back_ns = _RECENT_NS
        if self._read_ns is None:
            back_ns = _KEPT_FINE_NS
        elif now_ns - self._read_late_ns >= _LATE_EVERY_NS:
            back_ns = max(LATE_NS + LONGEST_SLICE_NS, now_ns - self._read_ns + _RECENT_NS)
        if back_ns != _RECENT_NS:
            self._read_late_ns = now_ns
        services, names = {service for service, _ in wanted}, {name for _, name in wanted}
        found = gauge_readings(db, names, services, now_ns - back_ns, now_ns + _AHEAD_NS)
        self._read_ns = now_ns
        return [one for one in found if (one.series.service, one.series.name) in wanted]
