"""Traffic as values: arrivals, prompts, replay and drills, without a service."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from reference_model.drills import DRILLS
from reference_model.faults.registry import FAULTS, parameters_of
from reference_model.load.arrivals import TraceRow, next_gap, rate_at, read_trace
from reference_model.load.prompts import PromptSource
from reference_model.load.summary import Summary
from reference_model.load.traffic import OPERATIONS, Arrivals, LoadChange, Traffic, parse_mix
from reference_model.models.tokenizers import EncoderTokenizer
from reference_model.weights.packages import MINILM


def _arrivals_in(arrivals: Arrivals, seconds: float) -> list[float]:
    rng = random.Random(1)
    at, times = 0.0, []
    while at < seconds:
        gap, arrives = next_gap(arrivals, at, rng)
        at += gap
        if arrives:
            times.append(at)
    return times


def test_poisson_arrivals_keep_their_rate_and_variance() -> None:
    times = _arrivals_in(Arrivals(rate=5), 2000)
    # Ten thousand expected; five standard deviations of a Poisson count are 500.
    assert abs(len(times) - 10_000) < 500
    per_second = Counter(int(at) for at in times)
    counts = [per_second[second] for second in range(2000)]
    variance = sum((count - 5) ** 2 for count in counts) / len(counts)
    assert 4 < variance < 6


def test_slow_rates_are_not_distorted_by_the_longest_gap() -> None:
    assert abs(len(_arrivals_in(Arrivals(rate=0.2), 20_000)) - 4000) < 320


def test_bursts_and_swing_change_the_rate_when_they_should() -> None:
    bursts = Arrivals(rate=2, burst_factor=5, burst_period_s=50)
    assert rate_at(bursts, 5) == 10
    assert rate_at(bursts, 20) == 2
    inside = sum(at % 50 < 10 for at in _arrivals_in(bursts, 2000))
    outside = sum(at % 50 >= 10 for at in _arrivals_in(bursts, 2000))
    assert inside > outside
    swing = Arrivals(rate=2, swing=0.5, day_s=100)
    assert rate_at(swing, 25) == pytest.approx(3)
    assert rate_at(swing, 75) == pytest.approx(1)


def test_no_rate_means_no_arrivals() -> None:
    assert _arrivals_in(Arrivals(rate=0), 10) == []


def test_prompts_follow_the_mix_and_repeat_with_their_seed() -> None:
    traffic = replace(Traffic(), repeat_share=0.0)
    source, again = PromptSource(4), PromptSource(4)
    asks = [source.draw(traffic) for _ in range(3000)]
    assert asks == [again.draw(traffic) for _ in range(3000)]
    assert 0.80 < sum(ask.operation == "classify" for ask in asks) / 3000 < 0.88
    assert 0.11 < sum(ask.input_type == "code" for ask in asks) / 3000 < 0.19
    assert 0.45 < sum(ask.tenant == "acme" for ask in asks) / 3000 < 0.55
    assert all(ask.topic is not None for ask in asks if ask.input_type == "chat")


def test_repeats_are_word_for_word() -> None:
    source = PromptSource(4)
    traffic = replace(Traffic(), repeat_share=0.5)
    texts = [source.draw(traffic).text for _ in range(1000)]
    assert 400 < 1000 - len(set(texts)) < 700


def test_every_classification_fits_the_encoder() -> None:
    tokenizer = EncoderTokenizer(MINILM.locate().parent / "tokenizer.json")
    source = PromptSource(8)
    for drill in (None, *DRILLS.values()):
        traffic = drill.load.apply(Traffic()) if drill and drill.load else Traffic()
        for _ in range(400):
            ask = source.draw(traffic)
            assert ask.operation == "chat" or len(tokenizer.encode(ask.text)) <= 256


def test_a_change_applies_to_rate_and_fields_and_leaves_the_rest() -> None:
    traffic = Traffic(Arrivals(rate=10, burst_factor=2))
    changed = LoadChange(1.5, {"topics": ("trivia",)}).apply(traffic)
    assert changed.arrivals == Arrivals(rate=15, burst_factor=2)
    assert changed.topics == ("trivia",)
    assert replace(changed, arrivals=traffic.arrivals, topics=()) == traffic


def test_a_mix_is_parsed_or_refused_in_one_sentence() -> None:
    assert parse_mix("classify=0.9, chat=0.1", OPERATIONS) == {"classify": 0.9, "chat": 0.1}
    for text, reason in (
        ("draw=1", "may name"),
        ("chat", "write e.g."),
        ("chat=-1", "negative"),
        ("chat=0", "above 0"),
    ):
        with pytest.raises(ValueError, match=reason):
            parse_mix(text, OPERATIONS)


def test_a_trace_is_read_with_its_offsets(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n"
        "2023-11-16 18:15:50.9951690,3960,109\n"
    )
    rows = list(read_trace(path))
    assert rows[0] == TraceRow(0.0, 374, 44)
    assert rows[1].offset_s == pytest.approx(4.314579, abs=1e-5)
    ask = PromptSource(1).replayed(rows[1], Traffic())
    assert (ask.operation, ask.input_type, ask.max_tokens, len(ask.text)) == ("chat", "long", 32, 2048)


@pytest.mark.parametrize("line", ["yesterday,1,2", "2023-11-16 18:15:46,x,2", "2023-11-16 18:15:46"])
def test_a_bad_trace_names_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{line}\n")
    with pytest.raises(ValueError, match=r"trace.csv, line 2: .*; expected TIMESTAMP"):
        list(read_trace(path))


def test_the_summary_tells_refusals_from_errors() -> None:
    summary = Summary(sent=4)
    for status in ("200", "429", "500", "ReadTimeout"):
        summary.record("chat", status, 0.5)
    told = summary.as_dict()
    assert (told["ok"], told["throttled"], told["errors"]) == (1, 1, 2)
    assert told["latency_s"]["chat"]["p99"] == 0.5


def test_drills_name_faults_that_exist() -> None:
    faults = {fault.name: parameters_of(fault) for fault in FAULTS}
    for drill in DRILLS.values():
        assert drill.fault or drill.load
        if drill.fault:
            assert set(drill.parameters) <= set(faults[drill.fault])


def test_drills_and_load_import_nothing_heavy() -> None:
    code = "import sys, reference_model.drills, reference_model.load.generator as g; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
