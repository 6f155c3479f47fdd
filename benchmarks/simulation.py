"""What a simulation costs: requests drawn, counted and evaluated in virtual time at 100 a second. CPU of one thread.

The scenario has day and week, bursts, errors in clusters, three slices, incidents, and three SLOs of two objectives: an
error rate, a latency, and an error rate per slice. It is evaluated every 60 s. Without --days it runs 6 and then 18
hours, and what the second adds is what 30 days are extrapolated from. Usage:

    python benchmarks/simulation.py [--days 30] [--rate 100] [--json benchmarks/results/simulation.json]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from alerting.state import AlertTiming
from tailwatch.simulation.events import EventSource
from tailwatch.simulation.reading import load_scenario
from tailwatch.simulation.run import simulate
from tailwatch.simulation.scenario import Scenario

SCENARIO = """version: 1
name: benchmark
service: chat
duration: {hours}h
slos:
  - {{name: errors, service: chat, sli: {{errors: {{}}}}, objective: 99.9%}}
  - {{name: latency, service: chat, sli: {{latency: {{measure: duration, below: 2500ms}}}}, objective: 99%}}
  - {{name: errors-by-input, service: chat, sli: {{errors: {{}}}}, per: [input_type], objective: 99%}}
traffic: {{rate: {rate:g}, daily: 50%, weekend: 0.6, jitter: 15%, bursts: {{per_day: 4, factor: 2, duration: 5m}}}}
errors: {{rate: 0.03%, dispersion: 3}}
measures:
  duration: [{{share: 92%, median: 400ms, sigma: 0.4}}, {{share: 8%, median: 1s, sigma: 0.3}}]
slices:
  - {{share: 60%, labels: {{input_type: chat}}}}
  - {{share: 30%, labels: {{input_type: code}}, errors: 1.5}}
  - {{share: 10%, labels: {{input_type: long}}, measures: {{duration: 1.3}}}}
incidents:
  - {{name: outage, start: 2h, duration: 5m, errors: 30%}}
  - {{name: slow slice, start: 3h, duration: 30m, ramp: 10m, where: {{input_type: code}}, measures: {{duration: 5}}}}
"""
MONTH_HOURS = 720


def scenario(hours: int, rate: float) -> Scenario:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(SCENARIO.format(hours=hours, rate=rate), encoding="utf-8")
        return load_scenario(path)


def drawing(one: Scenario) -> float:
    """CPU seconds of drawing the requests alone."""
    began = time.process_time()
    for _ in EventSource(one, one.fields).pieces():
        pass
    return time.process_time() - began


def measured(hours: int, rate: float) -> dict[str, float]:
    one = scenario(hours, rate)
    began = time.process_time()
    simulated = simulate(one, AlertTiming(), max_groups=2000)
    cpu_s = time.process_time() - began
    score = simulated.outcome.score
    found = {
        "hours": hours, "events": simulated.events, "cpu_s": cpu_s, "drawing_cpu_s": drawing(one),
        "us_per_event": 1e6 * cpu_s / simulated.events, "calls": len(simulated.outcome.calls),
        "recall": score.recall if score and score.recall is not None else 0.0,
    }  # fmt: skip
    took = f"{cpu_s:7.1f} s of CPU ({found['drawing_cpu_s']:.1f} s drawing), {found['us_per_event']:.2f} µs each"
    caught = f"{found['calls']} calls, {100 * found['recall']:.0f} % of incidents caught"
    print(f"{hours:4d} h: {simulated.events:11,} requests, {took}; {caught}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, help="run so many days instead of extrapolating")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second, on average")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    rate = arguments.rate
    if arguments.days:
        runs = [measured(24 * arguments.days, rate)]
    else:
        runs = [measured(hours, rate) for hours in (6, 18)]
        short, longer = runs
        hourly = (longer["cpu_s"] - short["cpu_s"]) / (longer["hours"] - short["hours"])
        whole = short["cpu_s"] + hourly * (MONTH_HOURS - short["hours"])
        print(f"extrapolated to 30 days: {whole:.0f} s of CPU")
        runs.append({"hours": MONTH_HOURS, "cpu_s": whole, "extrapolated": 1.0})
    if arguments.json:
        arguments.json.write_text(json.dumps({"rate": rate, "runs": runs}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
