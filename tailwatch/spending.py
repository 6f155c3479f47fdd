"""Month-end spend of a service, forecast from the costs of its requests as the built-in series gathered them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.forecast.history import DAY_HOURS, HOUR_NS
from detectors.forecast.sentence import spend_sentence
from detectors.forecast.spend import forecast_spend
from detectors.slo.calendar import Calendar
from storage.database import Database
from storage.series import measure_series
from telemetry.matchers import Matcher, Matchers

_HISTORY_DAYS: Final = 28
"""Four weeks: sketches of every hour are merged for an answer."""


def month_end_spend(
    database: Database, service: str, *, timezone: str, limit: float | None, now_ns: int
) -> dict[str, Any]:
    """What will have been spent when the month of ``timezone`` ends, as the API shows it.

    Raises:
        StorageError: the database cannot be used.
    """
    month = Calendar("month", timezone).period(now_ns)
    start_ns = min(month.start_ns, now_ns - _HISTORY_DAYS * DAY_HOURS * HOUR_NS) // HOUR_NS * HOUR_NS
    where = Matchers((Matcher("service", "=", service),))
    found = measure_series(database, "cost", start_ns, now_ns + 1, HOUR_NS, where=where)
    spent = np.asarray([sketch.total for sketch in found[0].sketches] if found else [], dtype=np.float64)
    starts = found[0].time_ns if found else np.zeros(0, dtype=np.int64)
    seen = np.flatnonzero(spent)
    first = int(seen[0]) if len(seen) else len(spent)
    made = forecast_spend(
        starts[first:], spent[first:], now_ns=now_ns, start_ns=month.start_ns, end_ns=month.end_ns,
        seed=f"spend {service}", limit=limit,
    )  # fmt: skip
    sentence = spend_sentence(made, timezone)
    return {"service": service, "timezone": timezone, "limit": limit, **made.to_json(), "sentence": sentence}
