"""Prometheus itself evaluates the exported rules and fires when the engine does, on the table of the SRE workbook.

Tolerance: one evaluation interval. Both look only at their steps, so a time that lies between two steps is seen at the
next one, and rounding may put a pair that just exceeds its factor on either side of a step. The engine's windows beyond
six hours are also blurred at the far edge by 5 min (docs/slo.md), which moves a detection by up to 150 s where it takes
days; those rows are stepped by five and ten minutes, and the others as finely as a quick test allows.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from detectors.slo.export.prometheus import PrometheusOptions, prometheus_rules
from telemetry.windows import NANOS
from tests.detectors.slo.export.scenarios import Scenario, with_pairs
from tests.external import require_program

HOUR = 3600
AFTER_1H, AFTER_6H, AFTER_1D, AFTER_3D = HOUR + 600, 6 * HOUR + 600, 25 * HOUR, 73 * HOUR
"""Clean stretches that fill the long window before the onset."""
P1H, P6H, P1D, P3D = ("1h",), ("6h",), ("1d",), ("3d",)

FAST = (
    Scenario("outage", P1H, 10, AFTER_1H, 1.0, 600, 600, {"1h": 51.84}, {"1h": 4 * 60 + 55.7}),
    Scenario("15 % for 10 min", P1H, 10, AFTER_1H, 0.15, 600, 600, {"1h": 5.76 * 60}, {"1h": 4.52 * 60}),
    Scenario("10 %", P1H, 10, AFTER_1H, 0.1, 1200, 0, {"1h": 8.64 * 60}),
    Scenario("2 %", P1H, 10, AFTER_1H, 0.02, HOUR, 0, {"1h": 43.2 * 60}),
    Scenario("1 %", P1H, 10, AFTER_1H, 0.01, HOUR + 600, 0, {"1h": None}),
)
PAGES = (
    Scenario("outage", P6H, 60, AFTER_6H, 1.0, 600, 2100, {"6h": 129.6}, {"6h": 1800 - 10.8}),
    Scenario("10 %", P6H, 60, AFTER_6H, 0.1, HOUR, 0, {"6h": 21.6 * 60}),
    Scenario("2 %", P6H, 60, AFTER_6H, 0.02, 2 * HOUR, 0, {"6h": 108 * 60}),
    Scenario("1 %", P6H, 60, AFTER_6H, 0.01, 13_800, 0, {"6h": 216 * 60}),
)
TICKETS = (
    Scenario("outage", P1D, 120, AFTER_1D, 1.0, 600, 7500, {"1d": 259.2}, {"1d": 7200 - 21.6}),
    Scenario("10 %", P1D, 120, AFTER_1D, 0.1, HOUR, 0, {"1d": 43.2 * 60}),
    Scenario("2 %", P1D, 120, AFTER_1D, 0.02, 4 * HOUR, 0, {"1d": 216 * 60}),
)
DAYS = (
    Scenario("outage", P3D, 300, AFTER_3D, 1.0, 600, 7 * HOUR, {"3d": 259.2}, {"3d": 6 * HOUR - 21.6}),
    Scenario("10 %", P3D, 300, AFTER_3D, 0.1, HOUR, 0, {"3d": 43.2 * 60}),
    Scenario("2 %", P3D, 300, AFTER_3D, 0.02, 4 * HOUR, 0, {"3d": 216 * 60}),
)
LONG = (
    Scenario("1 %", (*P1D, *P3D), 600, AFTER_3D, 0.01, 8 * HOUR, 0, {"1d": 432 * 60, "3d": 432 * 60}),
    Scenario("0.2 %", P3D, 600, AFTER_3D, 0.002, 38 * HOUR, 0, {"3d": 36 * HOUR}),
    Scenario("0.1 %", P3D, 600, AFTER_3D, 0.001, 73 * HOUR, 0, {"3d": None}),
)


@pytest.mark.parametrize(
    "scenario", [*FAST, *PAGES, *TICKETS, *DAYS, *LONG], ids=lambda one: f"{one.name} {one.windows}"
)
def test_the_engine_s_times_are_the_workbook_s(scenario: Scenario) -> None:
    for window, expected_s in scenario.detected_s.items():
        began = [now_s - scenario.clean_s for now_s, holds in scenario.turns(window) if holds]
        if expected_s is None:
            assert began == [], window
        else:
            assert began[0] == pytest.approx(expected_s, abs=scenario.step_s), window
    for window, expected_s in scenario.reset_s.items():
        ended = [now_s - scenario.clean_s - scenario.bad_s for now_s, holds in scenario.turns(window) if not holds]
        assert ended[0] == pytest.approx(expected_s, abs=scenario.step_s), window


def promtool_on(folder: Path, scenarios: tuple[Scenario, ...], rules: str = "") -> subprocess.CompletedProcess[str]:
    """``promtool test rules`` over the exported rules, evaluated every step."""
    promtool = require_program("promtool", "prometheus")
    step_s, windows = scenarios[0].step_s, tuple(dict.fromkeys(name for one in scenarios for name in one.windows))
    options = PrometheusOptions(interval_ns=step_s * NANOS)
    (folder / "rules.yaml").write_text(rules or prometheus_rules(with_pairs(windows), options), encoding="utf-8")
    document = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{step_s}s",
        "tests": [scenario.promtool_test() for scenario in scenarios],
    }
    (folder / "tests.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return subprocess.run(
        [promtool, "test", "rules", str(folder / "tests.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("scenarios", [FAST, PAGES, TICKETS, DAYS, LONG], ids=["1h", "6h", "1d", "3d", "days"])
def test_prometheus_fires_and_clears_when_the_engine_does(tmp_path: Path, scenarios: tuple[Scenario, ...]) -> None:
    assert all(len(scenario.checks()) >= 1 for scenario in scenarios)
    done = promtool_on(tmp_path, scenarios)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_factor_would_be_found(tmp_path: Path) -> None:
    """The comparison can fail: a page at 12x instead of 14.4x comes ten seconds and more too soon."""
    rules = prometheus_rules(with_pairs(P1H), PrometheusOptions(interval_ns=10 * NANOS))
    assert "> 14.4 *" in rules
    done = promtool_on(tmp_path, FAST[2:3], rules.replace("> 14.4 *", "> 12 *"))
    assert done.returncode == 1, done.stdout
