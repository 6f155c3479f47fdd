"""Scrape files are read whole, and every fault is told at once with its line, field and remedy, never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.scrape.targets import Target, load_targets, parse_targets
from telemetry.errors import ConfigError, FileProblemsError
from telemetry.windows import NANOS

WHOLE = """
version: 1
jobs:
  - name: vllm
    url: https://gpu-a:8000/metrics?detail=1
    interval_s: 5
    timeout_s: 2.5
    service: chat
    labels: {environment: production}
    headers: {Authorization: {env: VLLM_AUTHORIZATION}}
    max_samples: 500
  - name: dcgm
    targets: [gpu-a:9400, "[::1]:9400"]
    path: gpu/metrics
"""


def test_a_whole_file() -> None:
    vllm, dcgm, last = parse_targets(WHOLE, "scrape.yaml", {"VLLM_AUTHORIZATION": "Bearer s3cret"})
    assert vllm == Target(
        "vllm", "https://gpu-a:8000/metrics?detail=1", "gpu-a:8000", "chat",
        {"environment": "production", "job": "vllm"}, 5 * NANOS, 2.5, {"Authorization": "VLLM_AUTHORIZATION"}, 500,
    )  # fmt: skip
    assert "s3cret" not in repr(vllm)
    assert (dcgm.url, dcgm.service, dcgm.interval_ns, dcgm.timeout_s) == (
        "http://gpu-a:9400/gpu/metrics", "dcgm", 15 * NANOS, 10.0,
    )  # fmt: skip
    assert last.instance == "[::1]:9400"


def test_a_short_interval_shortens_the_default_timeout() -> None:
    (target,) = parse_targets("version: 1\njobs: [{name: a, url: http://a, interval_s: 2}]", "f", {})
    assert target.timeout_s == 2.0


@pytest.mark.parametrize(
    ("job", "line", "field", "words"),
    [
        ("{url: http://a}", 3, "jobs[0].name", "is missing"),
        ("{name: '', url: http://a}", 3, "jobs[0].name", "is empty"),
        ("{name: a}", 3, "jobs[0]", "needs either url or targets"),
        ("{name: a, url: http://a, targets: [a:1]}", 3, "jobs[0]", "needs either"),
        ("{name: a, url: ftp://a}", 3, "jobs[0].url", "not an http address"),
        ("{name: a, url: 'http://a:port/'}", 3, "jobs[0].url", "not an http address"),
        ("{name: a, url: 'http://user:s3cret@a/'}", 3, "jobs[0].url", "user or a password"),
        ("{name: a, targets: []}", 3, "jobs[0].targets", "is empty"),
        ("{name: a, targets: ['a:1/metrics']}", 3, "jobs[0].targets[0]", "not host:port"),
        ("{name: a, targets: ['a:1', 'a:1']}", 3, "jobs[0].targets[1]", "listed twice"),
        ("{name: a, url: http://a, path: /x}", 3, "jobs[0].path", "belongs to targets"),
        ("{name: a, url: http://a, interval_s: 0}", 3, "jobs[0].interval_s", "not a number from 1 to 3600"),
        ("{name: a, url: http://a, interval_s: 5, timeout_s: 6}", 3, "jobs[0].timeout_s", "from 0.1 to 5"),
        ("{name: a, url: http://a, max_samples: many}", 3, "jobs[0].max_samples", "not a number"),
        ("{name: a, url: http://a, labels: {service: x}}", 3, "jobs[0].labels.service", "cannot be the name"),
        ("{name: a, url: http://a, labels: [x]}", 3, "jobs[0].labels", "not a mapping"),
        ("{name: a, url: http://a, headers: {Authorization: s3cret}}", 3, "jobs[0].headers.Authorization", "itself"),
        ("{name: a, url: http://a, headers: {A: {env: 1x}}}", 3, "jobs[0].headers.A", "names no environment"),
        ("{name: a, url: http://a, headers: {A: {env: UNSET}}}", 3, "jobs[0].headers.A.env", "UNSET is not set"),
        ("{name: a, url: http://a, headers: {'A b': {env: SET}}}", 3, "jobs[0].headers.A b", "name of a header"),
        ("{name: a, url: http://a, interval: 5}", 3, "jobs[0].interval", "is not known"),
    ],
)
def test_a_fault_names_file_line_field_and_remedy(job: str, line: int, field: str, words: str) -> None:
    with pytest.raises(FileProblemsError) as caught:
        parse_targets(f"version: 1\njobs:\n  - {job}\n", "scrape.yaml", {"SET": "x"})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.field) == ("scrape.yaml", line, field)
    assert words in problem.message
    assert problem.remedy
    assert "s3cret" not in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    text = "jobs:\n  - name: a\n    url: http://a\n    interval_s: x\n  - name: a\n    url: nonsense\nmore: 1\n"
    with pytest.raises(FileProblemsError) as caught:
        parse_targets(text, "scrape.yaml", {})
    assert {(problem.line, problem.field) for problem in caught.value.problems} == {
        (1, "version"), (4, "jobs[0].interval_s"), (5, "jobs[1].name"), (6, "jobs[1].url"), (7, "file.more"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["a: [", "", "[]", "version: 2\njobs: []"])
def test_what_is_no_scrape_file_is_refused(text: str) -> None:
    with pytest.raises(FileProblemsError):
        parse_targets(text, "scrape.yaml", {})


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_targets(tmp_path / "none.yaml", {})
