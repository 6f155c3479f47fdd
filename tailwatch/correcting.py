"""What may be corrected: SLOs that there are. It stores nothing."""

from __future__ import annotations

from detectors.slo.spec import SloSet
from telemetry.corrections import NewCorrection
from telemetry.errors import NotFoundError


def check_slos(asked: NewCorrection, slos: SloSet) -> None:
    """Raise unless every SLO that is named exists, and some SLO is meant.

    Raises:
        NotFoundError: an SLO is unknown, or no SLO's name and service are accepted.
    """
    unknown = [name for name in asked.slos if slos.named(name) is None]
    if unknown:
        raise NotFoundError(f"there is no SLO {', '.join(unknown)}", where="slos", remedy="GET /api/v1/slos lists them")
    if not any(asked.about(slo.name, slo.service) for slo in slos.slos):
        raise NotFoundError(
            "no SLO's name and service satisfy the matchers", where="matchers", remedy="GET /api/v1/slos lists them"
        )
