"""What the service tells about itself: clocks, overflow, refusals, rates, collectors; also without its database."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from dashboard.documents.collector import CollectorStatus, Sources
from dashboard.documents.slos import Slos
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS, TAIL
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces
from tests.tailwatch.test_metrics import key, scraped

HOUR_NS = 3600 * NANOS


def take_models(running: InProcess, *models: str, first_id: int = 1) -> None:
    """One call of each model."""
    for place, model in enumerate(models):
        attributes = {"gen_ai.request.model": model}
        running.take(traces(1, end_ns=START_NS, first_id=first_id + place, attributes=attributes))


def get(running: InProcess, path: str) -> dict:
    with api_of(running.service) as api:
        answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_clocks_of_senders_are_shown(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        running.take(traces(2, end_ns=START_NS + 90 * NANOS, service="fast"))
        running.take(traces(2, end_ns=START_NS - 300 * NANOS, first_id=5, service="slow"))
        running.take(traces(2, end_ns=START_NS - 4 * NANOS, first_id=9, service="sound"))
        found = get(running, "/api/v1/sources")
        status = get(running, "/api/v1/status")
        metrics = scraped(running)
    Sources.model_validate(found)
    by_name = {one["service"]: one for one in found["sources"]}
    assert {name: (one["ahead_s"], one["lag_min_s"], one["concern"]) for name, one in by_name.items()} == {
        "fast": (90, -90, "ahead"),
        "slow": (0, 300, "behind_or_late"),
        "sound": (0, 4, None),
    }
    assert by_name["sound"]["last_seen"] == START_NS / NANOS
    assert status["sources"] == {"total": 3, "ahead": 1, "late": 1}
    assert metrics[key("tailwatch_source_clock_ahead_seconds", service="fast")] == 90
    assert metrics[key("tailwatch_source_lag_min_seconds", service="slow")] == 300
    assert metrics[key("tailwatch_sources", service="sound")] == 1


def test_a_record_beyond_the_horizon_is_counted_and_explained(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        with api_of(running.service) as api:
            body = traces(3, end_ns=START_NS + 2 * HOUR_NS)
            api.post("/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"})
            (rejected,) = api.get("/api/v1/status").json()["rejected"]
        assert (rejected["reason"], rejected["records"]) == ("in_future", 3)
        assert "clock" in rejected["text"]
        assert scraped(running)[key("tailwatch_rejected_records_total", reason="in_future")] == 3


def test_groups_beyond_the_limit_are_told_wherever_one_looks(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY + TAIL, max_groups=2) as running:
        take_models(running, "a", "b", "c", "d")
        running.evaluate()
        status, slos = get(running, "/api/v1/status"), get(running, "/api/v1/slos")["slos"]
        metrics = scraped(running)
    Slos.model_validate({"slos": slos})
    CollectorStatus.model_validate(status)
    availability, tail = slos
    assert availability["overflow"] == {"events": 2, "limit": 2}
    assert tail["overflow"] is None
    assert {group["group"]["model"] for group in availability["groups"]} == {"a", "b", OVERFLOW_GROUP}
    by_slo = {one["slo"]: one for one in status["overflow"]}
    assert set(by_slo) == {"availability", None}
    assert (by_slo["availability"]["events"], by_slo["availability"]["limit"]) == (2, 2)
    assert "SLO availability" in by_slo["availability"]["what"]
    assert "of the series of service chat" in by_slo[None]["what"]
    assert "TAILWATCH_MAX_GROUPS" in by_slo["availability"]["remedy"]
    assert metrics[key("tailwatch_cardinality_overflow_events_total", scope="series: chat")] == 2


def test_groups_keep_their_places_over_a_restart(tmp_path: Path, database_url: str) -> None:
    with service_on(tmp_path, database_url, AVAILABILITY, max_groups=2) as running:
        take_models(running, "a", "b", "c")
    with service_on(tmp_path, database_url, AVAILABILITY, max_groups=2) as running:
        take_models(running, "stranger", "b", "a", first_id=50)
        running.evaluate()
        groups = {one["group"]["model"]: one["total"] for one in get(running, "/api/v1/slos/availability")["groups"]}
        overflowed = {one["scope"]: one["events"] for one in get(running, "/api/v1/status")["overflow"]}
    assert groups == {"a": 2, "b": 2, OVERFLOW_GROUP: 2}
    assert set(overflowed.values()) == {1}


def test_rates_are_those_of_the_last_minute(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        service = running.service
        for second in range(0, 121, 5):
            running.clock.advance(5 if second else 0)
            if second > 60:
                running.take(traces(50, end_ns=START_NS, first_id=1 + second * 100))
            service.rates.sample(service.intake.counters(), running.clock.now_ns())
        rates = get(running, "/api/v1/status")["rates"]
    assert rates["over_s"] == 60
    assert rates["records_per_s"] == pytest.approx(10)
    assert rates["requests_per_s"] == pytest.approx(0.2)
    assert [point["records_per_s"] for point in rates["history"]] == [0] * 12 + [10] * 12


def test_without_samples_there_is_no_rate(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url) as running:
        status = get(running, "/api/v1/status")
    assert (status["rates"]["records_per_s"], status["rates"]["history"]) == (None, [])
    assert status["queue"]["capacity_bytes"] == running.service.settings.queue_mib * 1024 * 1024
    assert status["database_bytes"] > 100_000
    CollectorStatus.model_validate(status)


def test_collectors_with_other_slos_are_warned_of(tmp_path: Path, database_url: str) -> None:
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("one", "other")]
        for folder in folders:
            folder.mkdir()
        one = stack.enter_context(service_on(folders[0], database_url, AVAILABILITY))
        other = stack.enter_context(service_on(folders[1], database_url, AVAILABILITY + TAIL))
        for running in (one, other, one):
            running.service.membership.step(START_NS)
        status = get(one, "/api/v1/status")
        assert [(row["this"], row["lacks"]) for row in status["collectors"]] == [(True, ["tail"]), (False, [])] or [
            (row["this"], row["lacks"]) for row in status["collectors"]
        ] == [(False, []), (True, ["tail"])]
        (warning,) = status["config_problems"]
        assert "does not count SLOs that others on this database count: tail;" in warning
        assert get(other, "/api/v1/status")["config_problems"] == [warning]
        other.service.membership.leave()
        one.service.membership.step(START_NS)
        alone = get(one, "/api/v1/status")
        assert (len(alone["collectors"]), alone["config_problems"]) == (1, [])


def test_status_is_told_while_the_database_is_away(tmp_path: Path, migrated_sqlite_url: str) -> None:
    path = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    away = path.with_suffix(".away")
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        running.take(traces(5, end_ns=START_NS))
        running.service.database.close()
        path.rename(away)
        path.mkdir()
        try:
            status = get(running, "/api/v1/status")
        finally:
            path.rmdir()
            away.rename(path)
    assert status["counters"]["spans"] == 5
    assert (status["database_bytes"], status["receivers"]) == (None, None)
    assert str(path) in status["database_problem"]
    CollectorStatus.model_validate(status)
