"""What one evaluation of many SLOs costs: new deltas of every group into budgets, burn, evidence, states and findings.

Every group has a history of 30 days, of which the last hour is known to 10 s, and sends a delta every 10 s; some
burn their budget. A tick takes in what is new and evaluates; statuses are put together when somebody asks, so their
cost stands apart. CPU seconds of one process; a figure is the median over ticks and the largest of them. Memory is that
of the buckets, and the most that the process has held so far, Python and its libraries included. Beside it, what
reading the same deltas from SQLite costs. Usage:

    python benchmarks/evaluation.py [--ticks 30] [--json benchmarks/results/evaluation.json]
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine
from detectors.slo.ledger import HOUR_NS, MIDDLE_NS, MIDDLE_SPAN_NS
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.rollups import load, read_since
from telemetry.deltas import SliColumns, SliDelta, group_key
from telemetry.windows import BUCKET_NS, NANOS

NOW_NS = 1_700_006_400 * NANOS
EVENTS = 20
"""Mean events of a group in 10 s."""
BURNING = 0.01
"""Share of the groups whose error rate is 50 times what the objective allows; the others stand at half of it."""
CASES = ((1, 10_000), (100, 100), (1_000, 1), (1, 4))
"""SLOs, and groups of each."""


def declared(slos: int) -> SloSet:
    """Errors SLOs of 30 days, with the default policy."""
    fixed = "service: chat, sli: {errors: {}}, per: [tenant], objective: 99.9%, window: 30d, alert: page-and-ticket"
    lines = "".join(f"  - {{name: slo-{i}, {fixed}}}\n" for i in range(slos))
    return parse_slos([("slos.yaml", f"version: 1\nslos:\n{lines}")])


class Traffic:
    """Deltas of every group of every SLO."""

    def __init__(self, slos: SloSet, groups: int) -> None:
        keys = [(rule_id(slo), group_key({"tenant": f"t{g}"})) for slo in slos.slos for g in range(groups)]
        self.rules, self.groups = zip(*keys, strict=True)
        self._rng = np.random.default_rng(len(keys))
        self._rate = np.full(len(keys), 0.0005)
        self._burning = self._rng.random(len(keys)) < BURNING

    def bucket(self, start_ns: int, width_ns: int, *, trouble: bool) -> SliColumns:
        """One delta a group."""
        total = self._rng.poisson(EVENTS * width_ns // BUCKET_NS, len(self.rules))
        bad = self._rng.binomial(total, np.where(self._burning & trouble, 0.05, self._rate))
        return SliColumns(self.rules, self.groups, np.full(len(total), start_ns), total - bad, total)

    def history(self, engine: Engine) -> None:
        """30 days until ``NOW_NS``, the last hour of them to 10 s."""
        for oldest_ns, newest_ns, width_ns in (
            (30 * 24 * HOUR_NS, MIDDLE_SPAN_NS, HOUR_NS), (MIDDLE_SPAN_NS, HOUR_NS, MIDDLE_NS),
            (HOUR_NS, 0, BUCKET_NS),
        ):  # fmt: skip
            for start_ns in range(NOW_NS - oldest_ns, NOW_NS - newest_ns, width_ns):
                engine.ingest_sli(self.bucket(start_ns, width_ns, trouble=False))
                engine.absorb(NOW_NS)


def summary(times_ms: list[float]) -> dict[str, float]:
    return {"median_ms": round(statistics.median(times_ms), 2), "largest_ms": round(max(times_ms), 2)}


def measure(slos: int, groups: int, ticks: int) -> dict[str, object]:
    """One case."""
    engine = Engine(declared(slos))
    traffic = Traffic(engine.slos, groups)
    traffic.history(engine)
    started = time.process_time()
    evaluation = engine.step(NOW_NS)
    first_s = time.process_time() - started
    took: dict[str, list[float]] = {"take in": [], "evaluate": [], "tick": [], "documents": []}
    for tick in range(1, ticks + 1):
        columns = traffic.bucket(NOW_NS + (tick - 1) * BUCKET_NS, BUCKET_NS, trouble=True)
        clock = [time.process_time()]
        engine.ingest_sli(columns)
        clock.append(time.process_time())
        evaluation = engine.step(NOW_NS + tick * BUCKET_NS)
        clock.append(time.process_time())
        taking, evaluating = 1e3 * np.diff(clock)
        took["take in"].append(taking)
        took["evaluate"].append(evaluating)
        took["tick"].append(taking + evaluating)
        if tick % 10 == 0:
            clock[0] = time.process_time()
            shown = [status.to_json() for status in evaluation.statuses]
            took["documents"].append(1e3 * (time.process_time() - clock[0]))
            assert len(shown) == slos
    return {
        "slos": slos, "groups": groups, "findings": len(evaluation.findings), "first step, s": round(first_s, 2),
        "buckets, KiB a group": round(engine.nbytes / 1024 / (slos * groups), 1),
        "peak of the process, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        **{name: summary(times_ms) for name, times_ms in took.items()},
    }  # fmt: skip


def reading(groups: int, ticks: int) -> dict[str, float]:
    """Reading one delta of each group from SQLite."""
    slos = declared(1)
    traffic = Traffic(slos, groups)
    times_ms = []
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/t.db") as database:
        database.upgrade()
        position = load(database, [], 0, 1).position
        for tick in range(ticks):
            start_ns = NOW_NS + tick * BUCKET_NS
            rows = tuple(map(SliDelta._make, traffic.bucket(start_ns, BUCKET_NS, trouble=True)))
            commit(database, [PreparedPayload((tick.to_bytes(16, "big"),), sli=rows)], start_ns)
            started = time.process_time()
            position = read_since(database, position).position
            times_ms.append(1e3 * (time.process_time() - started))
    return summary(times_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=30, help="at least 10")
    parser.add_argument("--json", type=Path, help="also write the result here")
    chosen = parser.parse_args()
    cases = []
    for slos, groups in CASES:
        case = measure(slos, groups, chosen.ticks)
        cases.append(case)
        print(f"{slos} SLOs x {groups} groups", flush=True)
        for name, value in case.items():
            if isinstance(value, dict):
                print(f"  {name:24} {value['median_ms']:9.2f} ms CPU (largest {value['largest_ms']:.2f})")
            elif name not in ("slos", "groups"):
                print(f"  {name:24} {value:>9}")
    read = reading(10_000, min(chosen.ticks, 10))
    print(f"reading 10000 deltas from SQLite: {read['median_ms']:.1f} ms CPU (largest {read['largest_ms']:.1f})")
    if chosen.json:
        chosen.json.write_text(json.dumps({"cases": cases, "read_since": read}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
