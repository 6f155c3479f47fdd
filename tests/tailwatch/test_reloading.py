"""A reload puts in force what the files say, counts what is new from stored rows, and leaves everything on an error."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from detectors.slo.compile import rule_id
from storage.rollups import sli_totals
from tailwatch import backfill as filling
from tailwatch import reloading as subject
from tailwatch.cli import main
from telemetry.errors import StorageError
from telemetry.windows import NANOS
from tests.tailwatch.declared import AVAILABILITY, START_NS, TAIL
from tests.tailwatch.inprocess import InProcess, api_of, service_on
from tests.tailwatch.running import traces

HOUR_NS = 3600 * NANOS
NARROWER = AVAILABILITY + "    where: ['operation=\"chat\"']\n"
STRICTER = AVAILABILITY.replace("99%", "99.9%").replace("page-and-ticket", "ticket-only") + "    window: 7d\n"
PRICES = "version: 1\nprices:\n  - {{model: m, effective: 2025-01-01, per_request: {usd}}}\n"


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url, AVAILABILITY) as service:
        yield service


def declare(folder: Path, *slos: str) -> None:
    (folder / "slos.yaml").write_text("version: 1\nslos:" + ("".join(slos) or " []\n"), encoding="utf-8")


def reload(running: InProcess) -> Any:
    running.clock.advance(1)
    return running.service.reloader.reload(running.clock.now_ns())


def counts(running: InProcess, name: str) -> tuple[int, int]:
    """Good and total of all groups as the evaluation shows them."""
    running.evaluate()
    groups = running.service.evaluator.statuses()[name]["groups"]
    return sum(one["good"] for one in groups), sum(one["total"] for one in groups)


def stored(running: InProcess, name: str) -> tuple[int, int]:
    slo = running.service.slo(name)
    assert slo is not None
    totals = sli_totals(running.service.database, rule_id(slo), 0, 2**62)
    return sum(one.good for one in totals), sum(one.total for one in totals)


def test_a_new_slo_holds_what_is_stored_and_what_comes_in(running: InProcess, tmp_path: Path) -> None:
    running.take(traces(20, end_ns=START_NS, bad=2))
    declare(tmp_path, AVAILABILITY, NARROWER.replace("availability", "chat-only"))
    assert reload(running).successful
    running.take(traces(5, end_ns=START_NS, bad=1, first_id=500))
    assert counts(running, "chat-only") == counts(running, "availability") == (22, 25)
    assert stored(running, "chat-only") == (22, 25)


def test_a_changed_objective_window_or_alert_keeps_the_counts(
    running: InProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running.take(traces(20, end_ns=START_NS, bad=2))
    before = running.service.slo("availability")
    assert before is not None
    declare(tmp_path, STRICTER)
    assert reload(running).successful
    after = running.service.slo("availability")
    assert after is not None
    assert rule_id(after) == rule_id(before)
    assert counts(running, "availability") == (18, 20)
    assert running.service.evaluator.statuses()["availability"]["objective"] == 0.999
    assert "stored events" not in caplog.text, "nothing had to be counted anew"


def test_a_changed_meaning_is_counted_anew_and_its_former_one_too_when_it_returns(
    running: InProcess, tmp_path: Path
) -> None:
    running.take(traces(10, end_ns=START_NS, bad=1))
    running.take(traces(10, end_ns=START_NS, first_id=100, attributes={"gen_ai.operation.name": "embeddings"}))
    declare(tmp_path, NARROWER)
    reload(running)
    running.take(traces(10, end_ns=START_NS, bad=3, first_id=200))
    assert counts(running, "availability") == (16, 20)
    declare(tmp_path, AVAILABILITY)
    reload(running)
    assert counts(running, "availability") == stored(running, "availability") == (26, 30)


def test_what_comes_in_before_between_and_after_its_slices_is_counted_once(
    running: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests come in at every step of the backfill, which is cut into three slices."""
    firsts = itertools.count(1, 100)

    def take(hours_ago: int) -> None:
        running.take(traces(10, end_ns=START_NS - hours_ago * HOUR_NS, first_id=next(firsts), bad=1))

    fill = filling._fill

    def busy(*args: Any, **slices: Any) -> int:
        take(6)
        events = fill(*args, **slices)
        take(6)
        take(0)
        return events

    for hours_ago in (6, 3, 0):
        take(hours_ago)
    monkeypatch.setattr(filling, "_SLICE_RECORDS", 1)
    monkeypatch.setattr(filling, "_fill", busy)
    declare(tmp_path, AVAILABILITY, NARROWER.replace("availability", "chat-only"))
    assert reload(running).successful
    take(3)
    came = 10 * (next(firsts) // 100)
    assert came == 10 * (3 + 3 * 3 + 1)
    assert counts(running, "chat-only") == stored(running, "chat-only") == (came * 9 // 10, came)
    assert {rule.id for rule in running.service.reloader.catalogue.rules[1:]} <= filling.backfilled(
        running.service.database
    )


def test_slos_that_did_not_change_go_on_with_what_they_know(running: InProcess, tmp_path: Path) -> None:
    """Evaluated anew they would have forgotten which events came late, as after a restart."""

    def shown() -> Any:
        running.evaluate()
        (group,) = running.service.evaluator.statuses()["availability"]["groups"]
        return group

    running.take(traces(20, end_ns=START_NS, bad=2))
    running.evaluate()
    running.clock.advance(2 * 3600)
    running.take(traces(5, end_ns=START_NS, bad=1, first_id=500))
    before = shown()
    assert before["detail"]["late"] == 5
    declare(tmp_path, TAIL, AVAILABILITY)
    reload(running)
    running.take(traces(10, end_ns=running.clock.now_ns(), bad=1, first_id=900))
    after = shown()
    assert (after["good"], after["total"], after["detail"]["late"]) == (31, 35, 5)
    assert list(running.service.evaluator.statuses()) == ["tail", "availability"]
    declare(tmp_path, AVAILABILITY.replace("99%", "95%"))
    reload(running)
    again = shown()
    assert (again["good"], again["total"]) == (31, 35)
    assert "late" not in again["detail"], "a changed one is evaluated anew"


def test_slices_of_a_new_slo_are_judged_from_stored_rows(running: InProcess, tmp_path: Path) -> None:
    for minute in range(4):
        slow = 5_000_000_000 if minute % 2 else 100_000_000
        at_ns = START_NS - (10 - minute) * 60 * NANOS
        running.take(traces(20, end_ns=at_ns, first_id=1 + 100 * minute, duration_ns=slow))
    declare(tmp_path, AVAILABILITY, TAIL)
    reload(running)
    assert counts(running, "tail") == (2, 4)
    assert counts(running, "tail") == (2, 4), "and stored once"


def test_an_slo_that_was_removed_is_gone_everywhere_and_its_incident_says_why(
    running: InProcess, tmp_path: Path
) -> None:
    service = running.service
    for minute in range(20):
        running.take(traces(100, end_ns=running.clock.now_ns(), bad=100, first_id=1 + 100 * minute))
        running.clock.advance(60)
        running.evaluate()
    (incident,) = service.alerting.incidents()
    declare(tmp_path, TAIL)
    reload(running)
    running.evaluate()
    assert list(service.evaluator.statuses()) == ["tail"]
    assert service.slo("availability") is None
    running.clock.advance(3600)
    running.evaluate()
    running.clock.advance(3600)
    running.evaluate()
    after = service.alerting.incident(incident["id"])
    assert {alert["state"] for alert in after["alerts"]} <= {"resolved", "inactive"}
    assert "availability: no longer in the SLO files, so its alerts end" in [one["text"] for one in after["timeline"]]


def test_an_error_changes_nothing_and_every_error_is_told(
    running: InProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running.take(traces(10, end_ns=START_NS))
    began_ns = running.service.reloader.state.since_ns
    declare(tmp_path, AVAILABILITY.replace("99%", "990%"), TAIL.replace("p90", "p900"))
    state = reload(running)
    first_ns = running.clock.now_ns()
    reload(running)
    assert [(problem.line, problem.field) for problem in state.problems] == [
        (7, "slos[0].objective"), (12, "slos[1].sli.quantile.quantile"),
    ]  # fmt: skip
    assert "stays what it was" in caplog.text
    with api_of(running.service) as client:
        config = client.get("/api/v1/status").json()["config"]
        assert (config["successful"], config["in_force_since"]) == (False, began_ns / NANOS)
        assert config["failing_since"] == first_ns / NANOS, "since the first of the readings that failed"
        assert config["problems"][0]["file"].endswith("slos.yaml")
        assert config["problems"][0]["remedy"]
        assert "tailwatch_config_last_reload_successful 0.0" in client.get("/metrics").text
        answer = client.post("/api/v1/config/reload")
        assert answer.status_code == 422
        assert len(answer.json()["problems"]) == 2
        assert "slos.yaml:7" in answer.json()["error"]["where"]
        assert counts(running, "availability") == (10, 10)
        declare(tmp_path, AVAILABILITY, TAIL)
        assert client.post("/api/v1/config/reload").json()["successful"]
        assert client.get("/api/v1/config").json()["failing_since"] is None
        assert "tailwatch_config_last_reload_successful 1.0" in client.get("/metrics").text


def test_a_file_that_went_is_told_together_with_the_errors_of_the_others(running: InProcess, tmp_path: Path) -> None:
    config = tmp_path / "tailwatch.yaml"
    config.write_text(config.read_text().replace("- slos.yaml", "- more.yaml\n- slos.yaml") + "prices: none.yaml\n")
    declare(tmp_path, AVAILABILITY.replace("99%", "nine"))
    state = reload(running)
    assert [Path(problem.file).name for problem in state.problems] == ["more.yaml", "slos.yaml", "none.yaml"]
    assert running.service.slo("availability") is not None


def test_the_configuration_file_is_read_anew_and_says_what_needs_a_restart(running: InProcess, tmp_path: Path) -> None:
    (tmp_path / "second.yaml").write_text(f"version: 1\nslos:{TAIL}")
    (tmp_path / "prices.yaml").write_text(PRICES.format(usd=0.5))
    config = tmp_path / "tailwatch.yaml"
    text = config.read_text().replace("- slos.yaml", "- slos.yaml\n- second.yaml")
    config.write_text(text + "prices: prices.yaml\nmax_groups: 7\n")
    state = reload(running)
    assert (state.successful, state.restart) == (True, ("max_groups",))
    assert running.service.slo("tail") is not None
    assert len(running.service.intake.pipeline.prices.prices) == 1
    assert any("max_groups was changed" in str(warning) for warning in running.service.warnings())
    config.write_text(text)
    assert reload(running).restart == ()
    assert running.service.intake.pipeline.prices.prices == ()


def test_a_step_notices_changed_files_once_they_stopped_changing(running: InProcess, tmp_path: Path) -> None:
    reloader = running.service.reloader

    def step() -> None:
        running.clock.advance(1)
        reloader.step(running.clock.now_ns())

    step()
    read_ns = reloader.state.at_ns
    declare(tmp_path, AVAILABILITY, TAIL)
    step()
    assert reloader.state.at_ns == read_ns, "it may still be written"
    step()
    assert running.service.slo("tail") is not None
    noticed_ns = reloader.state.at_ns
    step()
    assert reloader.state.at_ns == noticed_ns
    os.utime(tmp_path / "slos.yaml", ns=(START_NS, START_NS))
    step()
    step()
    assert reloader.state.at_ns > noticed_ns
    asked_ns = reloader.state.at_ns
    reloader.request()
    step()
    assert reloader.state.at_ns > asked_ns


def test_a_failure_of_the_database_keeps_what_was_in_force_and_is_tried_again(
    running: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.take(traces(10, end_ns=START_NS))
    before = running.service.intake.pipeline

    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full", where="test", remedy="free some space")

    declare(tmp_path, AVAILABILITY, TAIL)
    with monkeypatch.context() as patch:
        patch.setattr(subject, "backfill", full)
        state = reload(running)
    assert (state.successful, state.problems[0].message) == (False, "the disk is full")
    assert running.service.intake.pipeline is before
    assert running.service.slo("tail") is None
    running.service.reloader.step(running.clock.now_ns())
    assert running.service.slo("tail") is not None


def test_counters_for_prometheus_go_on(running: InProcess, tmp_path: Path) -> None:
    def scraped() -> dict[str, int]:
        return {one.slo.name: one.valid for one in running.service.evaluator.events.counts()}

    running.take(traces(10, end_ns=START_NS))
    running.evaluate()
    running.take(traces(3, end_ns=START_NS, first_id=100))
    declare(tmp_path, STRICTER, NARROWER.replace("availability", "chat-only"))
    reload(running)
    running.take(traces(2, end_ns=START_NS, first_id=200))
    running.evaluate()
    running.take(traces(1, end_ns=START_NS, first_id=300))
    running.evaluate()
    assert scraped()["availability"] == 16
    assert scraped()["chat-only"] == 1, "what was counted before it was evaluated is history, as after a start"


def test_several_collectors_make_a_rule_whole_once_the_last_counts_by_it(
    tmp_path: Path, migrated_postgres_url: str
) -> None:
    """The second collector takes requests in by the old rules until it reloads; then nothing is missing any more."""
    for name in "ab":
        (tmp_path / name).mkdir()
    with (
        service_on(tmp_path / "a", migrated_postgres_url, AVAILABILITY) as first,
        service_on(tmp_path / "b", migrated_postgres_url, AVAILABILITY) as second,
    ):
        both = (first, second)

        def heartbeat() -> None:
            for one in both:
                one.clock.advance(15)
                one.service.membership.step(one.clock.now_ns())
            for one in both:
                one.service.membership.step(one.clock.now_ns())
                one.service.reloader.step(one.clock.now_ns())

        heartbeat()
        first.take(traces(10, end_ns=START_NS, bad=1))
        declare(tmp_path / "a", NARROWER)
        reload(first)
        first.take(traces(10, end_ns=START_NS, first_id=100))
        second.take(traces(10, end_ns=START_NS, first_id=200, bad=2))
        heartbeat()
        assert stored(first, "availability") == (19, 20), "the other collector does not count by it"
        assert any("does not count SLOs" in str(warning) for warning in first.service.warnings())
        declare(tmp_path / "b", NARROWER)
        reload(second)
        second.take(traces(10, end_ns=START_NS, first_id=300))
        assert stored(first, "availability") == (37, 40)
        heartbeat()
        assert counts(first, "availability") == (37, 40), "who evaluates loads what the other counted anew"
        assert not first.service.membership.warnings()


def test_the_command_reloads_and_tells_what_is_wrong(running: InProcess, tmp_path: Path) -> None:
    def reload_at(url: str) -> Result:
        return CliRunner().invoke(main, ["reload", "--url", url])

    with api_of(running.service) as client:
        url = str(client.base_url)
        declare(tmp_path, AVAILABILITY, TAIL)
        found = reload_at(url)
        assert (found.exit_code, found.output) == (0, "reloaded\n")
        assert running.service.slo("tail") is not None
        declare(tmp_path, AVAILABILITY.replace("99%", "nine"))
        found = reload_at(url)
        assert found.exit_code == 1
        assert "slos.yaml:7: slos[0].objective: 'nine' is not a share (write a share such as 99.5%)" in found.output
        assert "1 error; everything goes on as it was" in found.output
    found = reload_at("http://127.0.0.1:9")
    assert (found.exit_code, "the service gave no answer" in found.output) == (1, True)
    assert (reload_at("nonsense").exit_code, reload_at("http://[").exit_code) == (1, 1)
