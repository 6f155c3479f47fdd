"""Which alerts are diagnosed in one evaluation, and that a diagnosis that fails costs no page; it explains nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from alerting.correlation import precedence
from alerting.incidents import Alert
from telemetry.errors import TailwatchError
from telemetry.findings import Diagnosis, Finding

Diagnose = Callable[[Finding], Diagnosis | None]

MAX_DIAGNOSES: Final = 8
"""In one evaluation: when hundreds of alerts fire at once, the page must not wait until each has been explained."""

logger = logging.getLogger(__name__)


def diagnose_some(alerts: Iterable[Alert], findings: Sequence[Finding], diagnose: Diagnose) -> dict[str, Diagnosis]:
    """Diagnoses, by fingerprint: of every service the most important alert, then of each the next, and so on.

    Alerts without a finding are left out: theirs no longer holds, or somebody else has posted them.
    """
    held = {finding.fingerprint: finding for finding in findings}
    firing = sorted((alert for alert in alerts if alert.fingerprint in held), key=precedence)
    rank: dict[str, int] = {}
    ranked: list[tuple[int, int, Alert]] = []
    for place, alert in enumerate(firing):
        service = alert.labels.get("service", "")
        rank[service] = rank.get(service, -1) + 1
        ranked.append((rank[service], place, alert))
    found: dict[str, Diagnosis] = {}
    for _rank, _place, alert in sorted(ranked, key=lambda entry: entry[:2])[:MAX_DIAGNOSES]:
        try:
            diagnosis = diagnose(held[alert.fingerprint])
        except TailwatchError as error:
            name = alert.labels.get("alertname", alert.fingerprint)
            logger.error("the diagnosis of %s failed: %s", name, error)  # noqa: TRY400  # the sentence says it all
            continue
        except Exception:
            # Why is worth less than that: the alert fires, undiagnosed, and the fault is logged.
            logger.exception("the diagnosis of %s failed", alert.labels.get("alertname", alert.fingerprint))
            continue
        if diagnosis is not None:
            found[alert.fingerprint] = diagnosis
    return found
