"""Labels become counts of accuracy SLOs: each once, whatever comes first, is repeated, corrected or cut off."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.compile import compile_rules, rule_id
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.feedback import FeedbackRow
from storage.ingest import PreparedPayload, commit
from storage.labels import label_counts
from storage.rollups import load_distributions, load_sli, sli_totals
from tailwatch import labels
from tailwatch.backfill import backfill, count_stored
from tailwatch.labels import GIVE_UP_NS, Labels
from telemetry.columns import Columns, columns_of
from telemetry.deltas import count_of, group_labels
from telemetry.errors import StorageError
from telemetry.rules import RollupRule
from telemetry.schema import DOUBT_RIGHT, DOUBT_WRONG
from telemetry.windows import BUCKET_NS, NANOS
from tests.tailwatch.declared import MINUTE_NS, START_NS, slo_set

ACCURACY = """
  - name: right
    service: classify
    sli: {accuracy: {min_labels: 100}}
    where: ['tokens_in<1000']
    per: [model_version]
    objective: 90%
"""
FOREVER_NS = 2**62
_numbers = itertools.count(1)


def rules_of(slos: SloSet) -> tuple[RollupRule, ...]:
    return tuple(rule for slo in slos.slos for rule in compile_rules(slo))


def key(number: int) -> tuple[bytes, bytes]:
    return number.to_bytes(16, "big"), number.to_bytes(8, "big")


def requests(numbers: list[int], *, signal: str = "log", at_ns: int = START_NS, **fields: object) -> Columns:
    """Records of the requests of these numbers: odd ones are of v2, predictions are ``cat``."""
    n = len(numbers)
    strings = {"service": ["classify"] * n, "model_version": [f"v{1 + number % 2}" for number in numbers]}
    numeric: dict[str, list[float]] = {}
    if signal == "log":
        strings["prediction"] = ["cat"] * n
        numeric["confidence"] = [0.9] * n
    else:
        numeric["tokens_in"] = [10.0] * n
    columns = columns_of(signal, np.full(n, at_ns), strings=strings, numbers=numeric | fields)
    ids = [np.frombuffer(b"".join(key(number)[part] for number in numbers), np.uint8) for part in (0, 1)]
    return replace(columns, trace_id=ids[0].reshape(n, 16), span_id=ids[1].reshape(n, 8))


def store(database: Database, *columns: Columns, feedback: tuple[FeedbackRow, ...] = ()) -> None:
    digest = next(_numbers).to_bytes(16, "big")
    commit(database, [PreparedPayload((digest,), columns=columns, feedback=feedback)], START_NS)


def judge(number: int, label: str | None = "cat", *, at_ns: int = START_NS, correct: bool | None = None) -> FeedbackRow:
    return FeedbackRow(at_ns, *key(number), label=label, correct=correct)


def counted(
    database: Database, slos: SloSet, start_ns: int = 0, end_ns: int = FOREVER_NS
) -> dict[str, tuple[int, int]]:
    totals = sli_totals(database, rule_id(slos.slos[0]), start_ns, end_ns)
    return {one.labels["model_version"]: (one.good, one.total) for one in totals if (one.good, one.total) != (0, 0)}


@pytest.fixture
def slos(tmp_path: Path) -> SloSet:
    return slo_set(tmp_path, ACCURACY)


@pytest.fixture
def job(database: Database, slos: SloSet) -> Labels:
    return Labels(database, lambda: rules_of(slos), CardinalityGuard())


def test_labels_count_in_the_group_of_their_request_when_they_were_given(
    database: Database, slos: SloSet, job: Labels
) -> None:
    numbers = [1, 2, 3, 4, 5]
    spans = requests(numbers, signal="span", tokens_in=[10.0, 10.0, 10.0, 10.0, 5000.0])
    later_ns = START_NS + 7 * MINUTE_NS
    feedback = (
        judge(1, at_ns=later_ns), judge(2, "dog", at_ns=later_ns), judge(3, "dog", correct=True, at_ns=later_ns),
        judge(4, None, at_ns=later_ns), judge(5, at_ns=later_ns),
    )  # fmt: skip
    store(database, requests(numbers), spans, feedback=feedback)
    job.step(later_ns)
    # 1 and 3 are of v2; 4 is no verdict, 5 has too many tokens, which only its span says.
    assert counted(database, slos) == {"v2": (2, 2), "v1": (0, 1)}
    assert counted(database, slos, later_ns, later_ns + BUCKET_NS) == counted(database, slos), "the label's time"
    assert label_counts(database) == {"waiting": 0, "matched": 5, "unmatched": 0}
    job.step(later_ns + MINUTE_NS)
    assert counted(database, slos) == {"v2": (2, 2), "v1": (0, 1)}, "once"


def test_a_label_may_come_before_its_request(database: Database, slos: SloSet, job: Labels) -> None:
    store(database, feedback=(judge(1), judge(2)))
    job.step(START_NS)
    assert counted(database, slos) == {}
    store(database, requests([1]), requests([1], signal="span"))
    job.step(START_NS + NANOS)
    assert counted(database, slos) == {}, "it pauses: looking through all rows is dear"
    job.step(START_NS + 6 * NANOS)
    assert counted(database, slos) == {"v2": (1, 1)}
    job.step(START_NS + GIVE_UP_NS)
    assert label_counts(database) == {"waiting": 0, "matched": 1, "unmatched": 1}
    store(database, requests([2]), requests([2], signal="span"))
    job.step(START_NS + 2 * GIVE_UP_NS)
    assert counted(database, slos) == {"v2": (1, 1)}, "given up"


def test_old_labels_are_not_given_up_before_they_had_their_day(database: Database, slos: SloSet, job: Labels) -> None:
    now_ns = START_NS + 30 * GIVE_UP_NS
    store(database, feedback=(judge(1),))
    job.step(now_ns)
    job.step(now_ns + GIVE_UP_NS - NANOS)
    assert label_counts(database)["waiting"] == 1
    job.step(now_ns + GIVE_UP_NS + 301 * NANOS)
    assert label_counts(database)["unmatched"] == 1


def test_the_last_label_of_a_request_counts_alone(database: Database, slos: SloSet, job: Labels) -> None:
    store(database, requests([1, 2]), requests([1, 2], signal="span"))
    store(database, feedback=(judge(1), judge(2)))
    job.step(START_NS)
    later_ns = START_NS + MINUTE_NS
    store(database, feedback=(judge(1, "dog", at_ns=later_ns), judge(2, "dog", at_ns=START_NS - MINUTE_NS)))
    job.step(later_ns)
    assert counted(database, slos) == {"v2": (0, 1), "v1": (1, 1)}, "an earlier judgement that comes late is outdated"
    assert counted(database, slos, later_ns) == {"v2": (0, 1)}
    store(database, feedback=(judge(1, "cat", at_ns=later_ns + 1), judge(1, "dog", at_ns=later_ns + 2)))
    job.step(later_ns + MINUTE_NS)
    assert counted(database, slos) == {"v2": (0, 1), "v1": (1, 1)}


def test_a_job_that_dies_between_counting_and_storing_counts_once(
    database: Database, slos: SloSet, job: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, requests([1]), requests([1], signal="span"), feedback=(judge(1),))

    def lost(*_: object) -> None:
        raise StorageError("gone", remedy="wait")

    with monkeypatch.context() as patched:
        patched.setattr(labels, "settle", lost)
        with pytest.raises(StorageError):
            job.step(START_NS)
    assert counted(database, slos) == {}
    for one in (job, Labels(database, lambda: rules_of(slos), CardinalityGuard())):
        one.step(START_NS + MINUTE_NS)
    assert counted(database, slos) == {"v2": (1, 1)}


def test_nothing_is_settled_while_no_slo_counts_labels(database: Database, slos: SloSet) -> None:
    store(database, requests([1]), requests([1], signal="span"), feedback=(judge(1),))
    Labels(database, lambda: (), CardinalityGuard()).step(START_NS)
    assert label_counts(database)["waiting"] == 1
    Labels(database, lambda: rules_of(slos), CardinalityGuard()).step(START_NS)
    assert counted(database, slos) == {"v2": (1, 1)}


def test_what_a_confidence_means_is_gathered_from_labels(database: Database, slos: SloSet, job: Labels) -> None:
    numbers = [2, 4, 6]
    logs = requests(numbers, confidence=[0.75, 0.5, 0.99])
    store(database, logs, requests(numbers, signal="span"), feedback=(judge(2), judge(4, "dog"), judge(6)))
    job.step(START_NS)
    series = load_distributions(database, [rule_id(slos.slos[0])], 0, FOREVER_NS)
    found = {one.field: one.distributions[0] for one in series}
    assert {name: count_of(one) for name, one in found.items()} == {DOUBT_RIGHT: 2, DOUBT_WRONG: 1}
    assert found[DOUBT_RIGHT].quantile(0) == pytest.approx(0.01, rel=0.01)
    assert found[DOUBT_WRONG].quantile(0) == pytest.approx(0.5, rel=0.01)


def test_records_as_they_come_in_count_no_labels(slos: SloSet) -> None:
    columns = requests([1, 2, 3])
    deltas = roll_up(columns, [rule for rule in rules_of(slos) if rule.where.items], CardinalityGuard(), START_NS)
    assert {delta.rule for delta in deltas.sli} <= {f"{rule_id(slos.slos[0])}:predictions"}


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_requests_labels_and_steps_counts_what_a_naive_count_does(
    database: Database, slos: SloSet, job: Labels, seed: int
) -> None:
    random = np.random.default_rng(seed)
    numbers = list(range(1, 121))
    judged = [
        judge(int(number), str(random.choice(["cat", "dog"])), at_ns=START_NS + int(random.integers(0, 3600)) * NANOS)
        for number in random.choice(numbers, 150)
    ]
    events: list[object] = [*judged, *(("request", number) for number in numbers)]
    order = random.permutation(len(events))
    now_ns = START_NS
    for place, index in enumerate(order.tolist()):
        event = events[index]
        if isinstance(event, FeedbackRow):
            store(database, feedback=(event,))
        else:
            store(database, requests([event[1]]), requests([event[1]], signal="span"))
        if place % 20 == 0:
            now_ns += 400 * NANOS
            job.step(now_ns)
        if place % 90 == 0:
            job = Labels(database, lambda: rules_of(slos), CardinalityGuard())
    job.step(now_ns + 400 * NANOS)
    arrived = [events[index] for index in order.tolist() if isinstance(events[index], FeedbackRow)]
    last: dict[bytes, FeedbackRow] = {}
    for row in arrived:
        if row.trace_id not in last or row.time_ns >= last[row.trace_id].time_ns:
            last[row.trace_id] = row
    expected: Counter[tuple[str, int, bool]] = Counter()
    for row in last.values():
        version = f"v{1 + int.from_bytes(row.trace_id, 'big') % 2}"
        expected[version, row.time_ns // BUCKET_NS, row.label == "cat"] += 1
    found: Counter[tuple[str, int, bool]] = Counter()
    for series in load_sli(database, [rule_id(slos.slos[0])], 0, FOREVER_NS):
        version = group_labels(series.group)["model_version"]
        for bucket_ns, good, total in zip(series.bucket_ns, series.good, series.total, strict=True):
            found[version, int(bucket_ns) // BUCKET_NS, True] += int(good)
            found[version, int(bucket_ns) // BUCKET_NS, False] += int(total - good)
    assert +found == expected


def test_labels_that_were_counted_by_former_rules_are_counted_anew(
    database: Database, slos: SloSet, tmp_path: Path
) -> None:
    """New rules come into force between a label's count and its commit: their backfill has not seen the label."""
    store(database, requests([1]), requests([1], signal="span"), feedback=(judge(1),))
    in_force = [rules_of(slos)]
    job = Labels(database, lambda: in_force[0] if len(in_force) == 1 else in_force.pop(0), CardinalityGuard())
    more = slo_set(tmp_path, ACCURACY, ACCURACY.replace("right", "right-too").replace("90%", "80%"))
    in_force.append(rules_of(more))
    job.step(START_NS)
    assert counted(database, more) == {}
    assert label_counts(database)["waiting"] == 1
    job.step(START_NS + MINUTE_NS)
    assert counted(database, more) == {"v2": (1, 1)}
    assert [(one.good, one.total) for one in sli_totals(database, rule_id(more.slos[1]), 0, FOREVER_NS)] == [(1, 1)]


def test_a_new_slo_counts_the_labels_that_others_counted_before_it(
    database: Database, slos: SloSet, job: Labels, tmp_path: Path
) -> None:
    numbers = [1, 2, 3]
    store(database, requests(numbers), requests(numbers, signal="span"), feedback=(judge(1), judge(2, "dog")))
    job.step(START_NS)
    store(database, feedback=(judge(3), judge(1, "dog", at_ns=START_NS + NANOS)))
    all_of_it = slo_set(tmp_path, ACCURACY.replace("    where: ['tokens_in<1000']\n", ""))
    count = count_stored(database, rules_of(all_of_it), CardinalityGuard(), START_NS)
    assert sorted(delta[1:] for delta in count.sli if delta.rule == rule_id(all_of_it.slos[0])) == [
        ('{"model_version":"v1"}', START_NS, 0, 1),
        ('{"model_version":"v2"}', START_NS, 1, 2),
    ], "all labels, for who asks without a server"
    backfill(database, rules_of(all_of_it), CardinalityGuard(), START_NS)
    assert counted(database, all_of_it) == {"v1": (0, 1), "v2": (1, 1)}
    Labels(database, lambda: rules_of(all_of_it), CardinalityGuard()).step(START_NS + MINUTE_NS)
    assert counted(database, all_of_it) == {"v1": (0, 1), "v2": (1, 2)}
