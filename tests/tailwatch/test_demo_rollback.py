"""The demo's closed loop: what it writes is a configuration, for every drill of a release, and for no other drill."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from detectors.slo.parse import load_slos
from reference_model.drills import DRILLS
from tailwatch.cli import main
from tailwatch.demo.rollback import DRILLS_OF_RELEASES, hooks_section, loop_of, quick_to_end
from tests.alerting import makers

SLOS = (resources.files("tailwatch.demo") / "slos.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DRILLS_OF_RELEASES)
def test_the_slo_that_shows_a_release_gets_enough_traffic_to_judge_every_slice(name: str, tmp_path: Path) -> None:
    file = tmp_path / "slos.yaml"
    file.write_text(quick_to_end(SLOS), encoding="utf-8")
    truth = DRILLS[name].truth
    (slo,) = [one for one in load_slos([file]).slos if one.name == truth.slo]
    (operation,) = [matcher.value for matcher in slo.where.items if matcher.name == "operation"]
    drift = yaml.safe_load(file.read_text(encoding="utf-8"))["slos"][0]["sli"]["drift"]
    traffic = loop_of(truth.slo).traffic
    share = traffic.operations[operation] / sum(traffic.operations.values())
    assert traffic.arrivals.rate * share * 30 >= 2 * drift["min_events"]
    assert drift["slice"] == "30s"


@pytest.mark.parametrize("name", DRILLS_OF_RELEASES)
def test_a_hook_waits_for_the_verdict_of_each_drill(name: str) -> None:
    truth = DRILLS[name].truth
    hooks = makers.parse({"allow_private": ["127.0.0.1"], "hooks": hooks_section("http://127.0.0.1:8600")}).hooks
    labels = {"cause": truth.cause, "slo": truth.slo, **truth.slice}
    assert [hook.name for hook in hooks.hooks if hook.match.accepts(labels)] == [loop_of(truth.slo).hook]


@pytest.mark.parametrize("name", sorted(set(DRILLS) - set(DRILLS_OF_RELEASES)))
def test_what_is_no_release_is_not_rolled_back(name: str) -> None:
    refused = CliRunner().invoke(main, ["demo", "--drill", name, "--hooks"])
    assert refused.exit_code == 2
    assert f"{name} is no release that could be rolled back" in refused.output
