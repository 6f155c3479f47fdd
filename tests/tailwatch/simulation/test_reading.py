"""Scenario files: what is read, and every mistake at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailwatch.simulation.reading import load_scenario
from tailwatch.simulation.scenario import Bursts, Component, Failures, Slice
from telemetry.errors import FileProblemsError
from telemetry.windows import NANOS

HOUR_NS = 3600 * NANOS
EXAMPLES = Path(__file__).parents[3] / "examples" / "simulation"

WHOLE = """version: 1
name: small
start: 2026-03-02T00:00:00Z
duration: 2d
step: 30s
seed: 9
service: chat
slos:
  - name: errs
    service: chat
    sli: {errors: {}}
    objective: 99%
traffic: {rate: 2.5, daily: 40%, peak: 9, weekend: 0.5, jitter: 10%, bursts: {per_day: 2, factor: 3, duration: 5m}}
errors: {rate: 0.5%, dispersion: 3, block: 50, types: {timeout: 2, "500": 1}}
measures:
  duration: [{share: 90%, median: 400ms, sigma: 0.5}, {share: 10%, median: 2, sigma: 0.3}]
  cost: {median: 0.002, sigma: 0.4}
slices:
  - {share: 75%, labels: {input_type: chat}}
  - {share: 25%, labels: {input_type: code}, errors: 2, measures: {duration: 1.5}}
incidents:
  - {name: late, start: 30h, duration: 1h, traffic: 0, incident: off}
  - {name: bad, start: 0, duration: 1h, ramp: 10m, where: {input_type: code}, errors: 20%, slo: errs}
"""
LEAST = """version: 1
service: chat
slos:
  - {name: errs, service: chat, sli: {errors: {}}, objective: 99%}
traffic: {rate: 1}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(FileProblemsError) as raised:
        load_scenario(written(folder, text))
    return [f"{problem.line} {problem.field}: {problem.message}" for problem in raised.value.problems]


def test_everything_that_can_be_written_is_read(tmp_path: Path):
    found = load_scenario(written(tmp_path, WHOLE))
    assert (found.name, found.seed, found.service, found.step_ns) == ("small", 9, "chat", 30 * NANOS)
    assert (found.start_ns, found.duration_ns) == (1_772_409_600 * NANOS, 48 * HOUR_NS)
    traffic = found.traffic
    assert (traffic.rate, traffic.daily, traffic.peak_hour, traffic.weekend, traffic.jitter) == (2.5, 0.4, 9, 0.5, 0.1)
    assert traffic.bursts == Bursts(2, 3, 300 * NANOS)
    assert found.failures == Failures(0.005, 3, 50, (("timeout", 2), ("500", 1)))
    assert found.measures["duration"] == (Component(0.9, 0.4, 0.5), Component(0.1, 2, 0.3))
    assert found.measures["cost"] == (Component(1.0, 0.002, 0.4),)
    assert found.slices[1] == Slice(0.25, {"input_type": "code"}, 2, {"duration": 1.5})
    bad, late = found.disturbances
    assert (bad.start_ns, bad.duration_ns, bad.ramp_ns, bad.errors, bad.slo) == (0, HOUR_NS, 600 * NANOS, 0.2, "errs")
    assert (late.traffic, late.incident, bad.incident) == (0.0, False, True)
    assert [slo.name for slo in found.slos.slos] == ["errs"]


def test_little_needs_to_be_written_and_a_seed_may_be_given(tmp_path: Path):
    found = load_scenario(written(tmp_path, LEAST), seed=77)
    assert (found.seed, found.duration_ns, found.slices) == (77, 30 * 24 * HOUR_NS, (Slice(1.0, {}),))


def test_slos_may_stand_in_files_beside_it(tmp_path: Path):
    (tmp_path / "slos.yaml").write_text(
        "version: 1\nslos: [{name: a, service: chat, sli: {errors: {}}, objective: 99%}]\n", encoding="utf-8"
    )
    for named in ("slos.yaml", "[slos.yaml]", "'*los.yaml'"):
        text = f"version: 1\nservice: chat\nslos: {named}\ntraffic: {{rate: 1}}\n"
        assert [slo.name for slo in load_scenario(written(tmp_path, text)).slos.slos] == ["a"]


def test_every_mistake_is_reported_at_once_with_its_line(tmp_path: Path):
    text = WHOLE.replace("duration: 2d", "duration: 2d5s").replace("seed: 9", "seed: -1").replace("peak: 9", "peak: 24")
    text = text.replace("dispersion: 3", "dispersion: 60").replace("share: 75%", "share: 70%").replace("99%", "99")
    text = (
        text.replace("start: 30h", "start: 48h")
        .replace("errors: 20%, slo", "erors: 20%, slo")
        .replace("cost:", "costs:")
    )
    found = problems(tmp_path, text)
    assert [one.split(":")[0] for one in found] == [
        "4 duration", "6 seed", "12 slos[0].objective", "13 traffic.peak", "14 errors.dispersion", "17 measures.costs",
        "19 slices", "23 incidents[1].erors", "23 incidents[1]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("{errors: {}}", "{latency: {measure: ttft, below: 1s}}"), "11 errs: reads ttft, which"),
        (("sli: {errors: {}}", "sli: {errors: {}}\n    per: [tenant]"), "11 errs: reads tenant, which"),
        (("input_type: code}, errors: 20%", "input_type: kode}, errors: 20%"), "no slice has input_type=kode"),
        (("start: 30h", "start: 48h"), "22 incidents[0].start: ends after the simulation"),
        (("ramp: 10m", "ramp: 2h"), "23 incidents[1].ramp: is longer than it lasts"),
        (("slo: errs", "slo: errors"), "there is no SLO 'errors'"),
        (("{duration: 1.5}", "{ttft: 1.5}"), "ttft is not among the scenario's measures"),
        (("labels: {input_type: chat}", "labels: {duration: chat}"), "duration is no label of a slice"),
        (("start: 2026-03-02T00:00:00Z", "start: soon"), "3 start: is not the beginning of an hour"),
        (("rate: 2.5", "rate: 0"), "traffic.rate: 0 is not a number above 0"),
        (("version: 1", "version: 2"), "1 version: '2' is not a version of this format"),
    ],
)
def test_each_mistake_is_said(tmp_path: Path, change: tuple[str, str], said: str):
    assert any(said in one for one in problems(tmp_path, WHOLE.replace(*change)))


@pytest.mark.parametrize(
    "text", ["", "[]", "version: 1", "{", "slos: nowhere.yaml\nversion: 1\nservice: s\ntraffic: 1"]
)
def test_a_file_that_is_none_gives_sentences(tmp_path: Path, text: str):
    assert problems(tmp_path, text)


def test_a_file_that_is_not_there_gives_a_sentence(tmp_path: Path):
    with pytest.raises(FileProblemsError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_read(path: Path):
    assert load_scenario(path).disturbances


@pytest.mark.parametrize(
    ("written_so", "instead", "said"),
    [
        ("traffic: {rate: 1}", "traffic: {rate: 1.0e+30}", "5 traffic.rate: 1e+30 is beyond all measure"),
        ("traffic: {rate: 1}", "traffic: {rate: 2000000}", "5 traffic: would be 2,000,000 requests a second"),
        ("rate: 1}", "rate: 1}\ngauges: {queue_depth: {median: 2, sigma: 99}}", "99 is beyond all measure"),
        ("rate: 1}", "rate: 1}\ngauges: {queue_depth: {}}", "gauges.queue_depth.median: is missing"),
        ("rate: 1}", "rate: 1}\ngauges: {queue_depth: []}", "gauges.queue_depth: has no series"),
        ("rate: 1}", "rate: 1}\ngauges: {queue_depth: [{median: 1}, {median: 2}]}", "two series with the same labels"),
        ("rate: 1}", "rate: 1}\ngauges: {kv_cache_usage: {median: 2, highest: 1}}", "is above the highest value, 1"),
        ("rate: 1}", 'rate: 1}\ngauges: {"vllm:num_preemptions_total": {median: 2}}', "is a sum and no gauge"),
        ("rate: 1}", "rate: 1}\npredictions: {mistakes: 5}", "6 predictions.mistakes: 5 is not between 0 and 1"),
        ("rate: 1}", "rate: 1}\npredictions: {mistakes: 5%, revised: 1h}", "predictions.revised: no label is wrong"),
        ("rate: 1}", "rate: 1}\nincidents: [{start: 1h, duration: 0, errors: 5%}]", "duration: is no time at all"),
        ("rate: 1}", "rate: 1}\nincidents: [{start: 1h, duration: 1h, mistakes: 5%}]", "requests predict nothing"),
        (
            "rate: 1}",
            "rate: 1}\nincidents: [{start: 1h, duration: 1h, gauges: {a: 2}}]",
            "not among the scenario's gauges",
        ),
        ("rate: 1}", "rate: 1}\nincidents: [{start: 1h, duration: 1h}]", "incidents[0]: changes nothing"),
        ("rate: 1}", "rate: 1}\ncorrections: [{start: 1h, duration: 1h, slos: [ers]}]", "there is no SLO 'ers'"),
        ("rate: 1}", "rate: 1}\ncorrections: [{start: 40d, duration: 1h}]", "[0].start: ends after the simulation"),
        ("rate: 1}", "rate: 1}\ncorrections: [{start: 1h, duration: 1h, match: ['x']}]", "corrections[0]: "),
        ("{errors: {}}", "{saturation: {gauge: queue_depth, below: 5}}", "is judged by the gauge one of"),
        ("{errors: {}}", "{accuracy: {}}", "errs.sli: judges predictions, and the simulation's requests make none"),
    ],
)
def test_what_cannot_be_simulated_is_said_with_its_place(tmp_path: Path, written_so: str, instead: str, said: str):
    found = problems(tmp_path, LEAST.replace(written_so, instead))
    assert any(said in one for one in found), found
