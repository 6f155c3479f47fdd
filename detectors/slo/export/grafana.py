"""A Grafana dashboard over the exported rules and Tailwatch's own metrics, as its JSON; it talks to no Grafana.

The upper row reads Tailwatch's gauges, which exist for every kind of SLO; the lower one the recording rules.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from detectors.slo.export.names import BUDGET_REMAINING, ERROR_BUDGET, OBJECTIVE, PERIOD_BURN, error_ratio
from detectors.slo.export.omissions import SCRAPE_NS, expressible
from detectors.slo.export.panels import Layout, Query, mark, percent, stat, states, timeseries
from detectors.slo.export.recording import alert_windows
from detectors.slo.spec import SloSet
from telemetry.windows import format_duration

SCHEMA_VERSION: Final = 39
"""Grafana 11; later ones migrate it when they load it."""
_CHOSEN: Final = '{slo="$slo"}'


def dashboard(slos: SloSet, scrape_ns: int = SCRAPE_NS) -> str:
    """The dashboard's JSON, to import or to provision; the same SLOs give the same text."""
    names = [slo.name for slo in slos.slos]
    digest = hashlib.blake2b("\n".join(names).encode(), digest_size=4).hexdigest()
    document: dict[str, Any] = {
        "annotations": {"list": []},
        "description": "Service level objectives as Tailwatch counts them, and as Prometheus records them.",
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": _panels(slos, scrape_ns),
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["slo", "tailwatch"],
        "templating": {"list": [_datasource_variable(), _slo_variable(names)]},
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "",
        "title": "Tailwatch SLOs",
        "uid": f"tailwatch-slo-{digest}",
        "version": 1,
        "weekStart": "",
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _panels(slos: SloSet, scrape_ns: int) -> list[dict[str, Any]]:
    layout = Layout()
    layout.row("Counted by Tailwatch")
    layout.add(stat("Objective", percent(), Query(f"tailwatch_slo_objective_ratio{_CHOSEN}", "objective")), 4, 6)
    layout.add(stat("SLI", percent(), Query(f"tailwatch_slo_sli_ratio{_CHOSEN}", "{{group}}")), 10, 6)
    left = Query(f"tailwatch_slo_budget_remaining_ratio{_CHOSEN}", "{{group}}")
    layout.add(stat("Budget remaining", percent(red_below=0), left), 10, 6)
    layout.add(
        timeseries("Burn by window", mark("none"), Query(f"tailwatch_slo_burn_rate{_CHOSEN}", "{{group}} {{window}}")),
        12, 8,
    )  # fmt: skip
    layout.add(
        states("State", Query(f"max by (group, state) (tailwatch_slo_state{_CHOSEN})", "{{group}} {{state}}")), 12, 8
    )
    layout.row("Recorded by Prometheus")
    sli = f"1 - {PERIOD_BURN}{_CHOSEN} * on (slo) group_left () {ERROR_BUDGET}{_CHOSEN}"
    objective = Query(f"{OBJECTIVE}{_CHOSEN}", "objective")
    layout.add(timeseries("SLI over the window", percent(), Query(sli), objective), 12, 8)
    layout.add(timeseries("Budget remaining", percent(), Query(f"{BUDGET_REMAINING}{_CHOSEN}")), 12, 8)
    layout.add(timeseries("Burn by window", mark("none"), *_burns(slos, scrape_ns)), 12, 8)
    firing = 'max by (alertname, severity, window, alertstate) (ALERTS{slo="$slo"})'
    layout.add(states("Alerts", Query(firing, "{{alertname}} {{severity}} {{window}} {{alertstate}}")), 12, 8)
    return layout.panels


def _burns(slos: SloSet, scrape_ns: int) -> list[Query]:
    """A query for every window that any of the SLOs is recorded over."""
    windows = {length for slo in slos.slos if expressible(slo) for length in alert_windows(slo, scrape_ns)}
    return [
        Query(
            f"{error_ratio(length)}{_CHOSEN} / on (slo) group_left () {ERROR_BUDGET}{_CHOSEN}",
            f"{format_duration(length)} {{{{service}}}}",
        )
        for length in sorted(windows)
    ]


def _datasource_variable() -> dict[str, Any]:
    return {
        "current": {}, "hide": 0, "includeAll": False, "label": "Data source", "multi": False, "name": "datasource",
        "options": [], "query": "prometheus", "refresh": 1, "regex": "", "skipUrlSync": False, "type": "datasource",
    }  # fmt: skip


def _slo_variable(names: list[str]) -> dict[str, Any]:
    options = [{"selected": place == 0, "text": name, "value": name} for place, name in enumerate(names)]
    return {
        "current": options[0] if options else {}, "hide": 0, "includeAll": False, "label": "SLO", "multi": False,
        "name": "slo", "options": options, "query": ",".join(names), "skipUrlSync": False, "type": "custom",
    }  # fmt: skip
