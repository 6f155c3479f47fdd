"""What Prometheus reads of a real service: families, values, and no scrape that fails because the database does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from telemetry.errors import StorageError
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS
from tests.tailwatch.inprocess import InProcess, service_on
from tests.tailwatch.running import traces

GROUP = {"slo": "availability", "service": "chat", "group": '{"model":"m"}'}


def scraped(running: InProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = generate_latest(running.service.registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, labels: Mapping[str, str] | None = None, **more: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset({**(labels or {}), **more}.items())


def test_values_are_those_of_the_service(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        body = traces(200, end_ns=START_NS, bad=150)
        running.take(body)
        running.take(body)
        running.evaluate()
        found = scraped(running)
    expected = {
        key("tailwatch_requests_total", outcome="committed"): 1,
        key("tailwatch_requests_total", outcome="repeated"): 1,
        key("tailwatch_requests_total", outcome="refused"): 0,
        key("tailwatch_records_total", kind="span"): 200,
        key("tailwatch_received_bytes_total"): 2 * len(body),
        key("tailwatch_intake_held_bytes"): 0,
        key("tailwatch_intake_unanswered_requests"): 0,
        key("tailwatch_batch_requests_count"): 1,
        key("tailwatch_batch_requests_bucket", le="1.0"): 1,
        key("tailwatch_commit_seconds_count"): 1,
        key("tailwatch_commit_seconds_bucket", le="+Inf"): 1,
        key("tailwatch_evaluations_total"): 1,
        key("tailwatch_last_evaluation_timestamp_seconds"): START_NS / NANOS,
        key("tailwatch_slo_objective_ratio", slo="availability"): 0.99,
        key("tailwatch_slo_sli_ratio", GROUP): 0.25,
        key("tailwatch_slo_window_events", GROUP, verdict="good"): 50,
        key("tailwatch_slo_window_events", GROUP, verdict="bad"): 150,
        key("tailwatch_slo_burn_rate", GROUP, window="5m"): 75,
        key("tailwatch_open_incidents", severity="page"): 1,
        key("tailwatch_prices_stale"): 0,
    }
    assert {name: round(found[name], 9) for name in expected} == expected
    assert [labels for (name, labels), value in found.items() if name == "tailwatch_slo_state" and value == 1] == [
        key("", GROUP, state="burning")[1]
    ]


def test_every_family_has_a_help_text_and_is_given_once(tmp_path: Path, migrated_sqlite_url: str) -> None:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        families = [family for family in running.service.registry.collect() if family.name.startswith("tailwatch_")]
        names = [family.name for family in families]
        assert len(names) == len(set(names))
        assert all(family.documentation.endswith(".") for family in families)


def test_without_the_database_the_other_numbers_are_still_given(tmp_path: Path, migrated_sqlite_url: str) -> None:
    path = Path(migrated_sqlite_url.removeprefix("sqlite:///"))
    away = path.with_suffix(".away")
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as running:
        running.take(traces(5, end_ns=START_NS))
        running.service.database.close()
        path.rename(away)
        path.mkdir()
        try:
            running.service.alerting.incidents()
            raise AssertionError("the database could be read")
        except StorageError:
            found = scraped(running)
        finally:
            path.rmdir()
            away.rename(path)
    assert found[key("tailwatch_records_total", kind="span")] == 5
    assert not [name for name, _ in found if name == "tailwatch_open_incidents"]
