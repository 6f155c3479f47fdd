"""What is shown of predictions that have no label yet: estimates apart from counts, and states that say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from tailwatch.estimates import OVER_NS, Estimates, estimate
from tailwatch.evaluator import Evaluator
from tailwatch.labels import Labels
from tailwatch.observing import observe
from tailwatch.standing import evaluate_now
from tests.tailwatch.declared import MINUTE_NS, START_NS, slo_set
from tests.tailwatch.test_labels import judge, requests, rules_of, store

ACCURACY = """
  - name: right
    service: classify
    sli: {accuracy: {min_labels: 100}}
    per: [model_version]
    objective: 90%
"""


def send(database: Database, slos: SloSet, numbers: list[int], confidence: list[float], at_ns: int = START_NS) -> None:
    """Inference logs as the collector stores them, counted."""
    columns = requests(numbers, at_ns=at_ns, confidence=confidence, doubt=[1 - one for one in confidence])
    deltas = roll_up(columns, rules_of(slos), CardinalityGuard(), at_ns)
    digest = b"sent" + numbers[0].to_bytes(12, "big")
    payload = PreparedPayload((digest,), (columns,), sli=deltas.sli, distributions=deltas.distributions)
    commit(database, [payload], at_ns)


def label(database: Database, slos: SloSet, share: float) -> None:
    """Label the even ones (v1) of the first 600 requests; ``share`` of them were right."""
    rows = [judge(number, "cat" if number <= 600 * share else "dog") for number in range(2, 602, 2)]
    store(database, feedback=tuple(rows))
    Labels(database, lambda: rules_of(slos), CardinalityGuard()).step(START_NS)


@pytest.fixture
def slos(tmp_path: Path) -> SloSet:
    return slo_set(tmp_path, ACCURACY)


def test_estimates_stand_apart_from_what_labels_say(database: Database, slos: SloSet) -> None:
    send(database, slos, [*range(1, 1001)], [0.9] * 1000)
    label(database, slos, 0.8)
    made = estimate(database, slos, START_NS + MINUTE_NS)["right"]
    labelled, unlabelled = made['{"model_version":"v1"}'], made['{"model_version":"v2"}']
    assert (labelled["predictions"], labelled["labels"]) == (500, 300)
    assert labelled["low"] < 0.8 < labelled["high"]
    assert labelled["mean_confidence"] == pytest.approx(0.9)
    assert unlabelled == {
        "over_s": 3600.0, "predictions": 500, "labels": 0,
        "unknown": "0 labels with a confidence; an estimate needs 100",
    }  # fmt: skip
    (status,) = evaluate_now(database, slos, 100, START_NS + MINUTE_NS)
    first, second = sorted(status["groups"], key=lambda group: group["group"]["model_version"])
    assert first["total"] == 300
    assert first["sli"] == pytest.approx(0.8)
    assert first["detail"]["predictions"] == 500
    assert first["detail"]["estimate"] == labelled
    assert (second["state"], second["sli"], second["budget_remaining"]) == ("not_enough_data", None, None)
    assert second["detail"]["estimate"] == unlabelled


def test_without_any_label_nothing_reads_as_all_right(database: Database, slos: SloSet) -> None:
    send(database, slos, [2, 4, 6], [0.9] * 3)
    (status,) = evaluate_now(database, slos, 100, START_NS + MINUTE_NS)
    (group,) = status["groups"]
    assert group["group"] == {"model_version": "v1"}
    assert (group["state"], group["sli"], group["total"]) == ("not_enough_data", None, 0)
    (later,) = evaluate_now(database, slos, 100, START_NS + OVER_NS + MINUTE_NS)
    assert [one["state"] for one in later["groups"]] == ["no_telemetry"]


def test_an_slo_may_do_without(database: Database, tmp_path: Path) -> None:
    slos = slo_set(tmp_path, ACCURACY.replace("min_labels: 100", "estimate: false"))
    send(database, slos, [2], [0.9])
    assert estimate(database, slos, START_NS + MINUTE_NS) == {}


def test_the_evaluation_counts_labels_only(database: Database, slos: SloSet) -> None:
    """What is estimated never reaches budget or alerts."""
    send(database, slos, [*range(1, 1001)], [0.2] * 1000)  # a model that all but says that it guesses
    label(database, slos, 1.0)
    findings = []
    one = Evaluator(database, slos, lambda group: None, lambda found, now_ns: findings.extend(found))
    one.start(START_NS + MINUTE_NS)
    one.step(START_NS + MINUTE_NS)
    shown = Estimates(database, lambda: slos)
    shown.step(START_NS + MINUTE_NS)
    document = shown.shown_in(dict(one.statuses()["right"]))
    one.stop()
    assert findings == []
    (group,) = [group for group in document["groups"] if group["group"]["model_version"] == "v1"]
    assert (group["sli"], group["budget_remaining"]) == (1.0, 1.0)
    assert "estimate" not in one.statuses()["right"]["groups"][0]["detail"], "what is stored is what was counted"


def test_labels_are_the_events_that_lint_holds_an_slo_against(database: Database, slos: SloSet) -> None:
    send(database, slos, [*range(1, 1001)], [0.9] * 1000)
    label(database, slos, 0.8)
    seen = observe(database, slos, since_ns=0, now_ns=START_NS + MINUTE_NS, max_groups=100)["right"]
    assert seen.groups == {'{"model_version":"v1"}': (240, 300)}
