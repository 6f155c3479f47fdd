"""The compiled decoder against the protobuf library: random requests, damaged ones, noise, and what is odd by hand."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.decode import CrowdedError, Signal, Task
from collector.decode.protobuf import decode_protobuf
from collector.limits import Limits
from tests.collector.decode_cases import (
    WANTED,
    agreement,
    alone,
    batch,
    body,
    chunk,
    compiled,
    damage,
    settle,
    task,
)
from tests.collector.messages import NOW_NS, log, logs, span, traces

SIGNALS = st.sampled_from(["span", "log"])
SPANS = Task("span", WANTED, NOW_NS)


def agrees(*bodies: bytes, chosen: Task = SPANS) -> None:
    agreement(compiled(), decode_protobuf)(bodies, chosen)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), signal=SIGNALS)
def test_batches_of_requests_whole_damaged_and_noise(seed: int, signal: Signal) -> None:
    rng = random.Random(seed)
    agrees(*batch(rng, signal), chosen=task(rng, signal))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), signal=SIGNALS, at=st.floats(0, 1), new=st.binary(max_size=3), old=st.integers(0, 3))
def test_a_request_with_a_few_bytes_changed(seed: int, signal: Signal, at: float, new: bytes, old: int) -> None:
    whole = body(random.Random(seed), signal)
    place = round(at * len(whole))
    agrees(whole[:place] + new + whole[place + old :], chosen=Task(signal, WANTED, NOW_NS))


@settings(max_examples=100, deadline=None)
@given(seeds=st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)), signal=SIGNALS, at=st.floats(0, 1))
def test_two_requests_spliced(seeds: tuple[int, int], signal: Signal, at: float) -> None:
    one, other = (body(random.Random(seed), signal) for seed in seeds)
    agrees(one[: round(at * len(one))] + other[round(at * len(other)) :], chosen=Task(signal, WANTED, NOW_NS))


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=300), signal=SIGNALS)
def test_noise(noise: bytes, signal: Signal) -> None:
    agrees(noise, chunk(1, chunk(2, chunk(2, noise))), chosen=Task(signal, WANTED, NOW_NS))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.tuples(st.sampled_from(sorted(WANTED)), VALUES), max_size=6))
def test_every_kind_of_value(values: list[tuple[str, object]]) -> None:
    sent = span()
    for key, value in values:
        sent.attributes.add(key=key).value.CopyFrom(AnyValue() if value is None else any_value(value))
    agrees(traces([sent, span(2, custom="x")]).SerializeToString())


def any_value(value: object) -> AnyValue:
    """``None`` may be inside, too."""
    if isinstance(value, list):
        result = AnyValue()
        result.array_value.SetInParent()
        result.array_value.values.extend(any_value(item) for item in value)
        return result
    if isinstance(value, dict):
        result = AnyValue()
        result.kvlist_value.SetInParent()
        result.kvlist_value.values.extend(KeyValue(key=key, value=any_value(item)) for key, item in value.items())
        return result
    return AnyValue() if value is None else _scalar(value)


def _scalar(value: object) -> AnyValue:
    field = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
    result = AnyValue()
    setattr(result, field[type(value)], value)
    return result


def test_what_a_body_yields_does_not_depend_on_its_companions() -> None:
    limits = Limits(features=2, cells=20)
    chosen = Task("log", frozenset(), NOW_NS, limits=limits)
    bodies = [
        logs([log(values={f"tailwatch.feature.f{i}": i, "tailwatch.embedding": [1.0] * size})]).SerializeToString()
        for i, size in enumerate((3, 3, 4, 2, 21))
    ]
    assert settle(compiled(), bodies, chosen) == alone(decode_protobuf, bodies, chosen)
    with pytest.raises(CrowdedError):
        compiled()(bodies, chosen)
    assert len(compiled()(bodies[:2], chosen)) == 2


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), signal=SIGNALS, piece=st.sampled_from([1, 300]))
def test_batches_that_are_read_in_pieces(seed: int, signal: Signal, piece: int) -> None:
    rng = random.Random(seed)
    compiled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.decode.kernel.scan._PIECE", piece)
        agrees(*(body(rng, signal) for _ in range(6)), chosen=task(rng, signal))


def test_a_failed_body_leaves_the_others_as_they_are() -> None:
    good, broken = traces([span(custom="x")]).SerializeToString(), b"\x0a\xff"
    resource = chunk(1, chunk(1, chunk(1, b"\xff")))
    crowd = traces([span(1), span(2), span(3)]).SerializeToString()
    chosen = Task("span", WANTED, NOW_NS, limits=Limits(records=2))
    raw = compiled()([broken, good, resource, crowd, good], chosen)
    assert [report.error.status if report.error else 200 for report in raw.reports] == [400, 200, 400, 413, 200]
    assert raw.body.tolist() == [1, 4]
    agrees(broken, good, resource, crowd, good, chosen=chosen)


def test_the_first_fault_of_a_body_is_the_one_that_is_told() -> None:
    chosen = Task("span", WANTED, NOW_NS, limits=Limits(records=1))
    crowd, bad = traces([span(1), span(2)]).SerializeToString(), chunk(1, chunk(1, b"\xff"))
    agrees(crowd + bad, bad + crowd, crowd + b"\xff", chunk(1, chunk(1, b"\xff") + b"\xff"), chosen=chosen)


@pytest.mark.timeout(900)
def test_no_index_leaves_its_array() -> None:
    """Compiled code does not check indices; a second one that does meets hundreds of hostile batches."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.collector.fuzz_decode", "--seconds", "0", "--batches", "600", "--seed", "7"],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


_SHORT = """
from importlib import import_module
import numpy as np
from collector.decode.compiled import object_file
from tests.collector.decode_cases import compiled

compiled()
program = import_module("collector.decode.kernel.program").load_program(object_file(None))
data, entries = np.zeros(9, dtype=np.uint8), np.asarray([[0, 0, 0, 9, 0]])
try:
    program.join_strings(data, entries, np.zeros(1, dtype=np.int64), np.zeros(3, dtype=np.uint8))
except IndexError:
    print("checked")
"""


def test_the_check_of_indices_does_check() -> None:
    """The check above would find nothing otherwise."""
    found = subprocess.run(
        [sys.executable, "-c", _SHORT],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == "checked\n", found.stderr


def test_the_damage_that_is_tried_is_not_always_fatal() -> None:
    """Otherwise the comparisons above would compare refusals only."""
    rng = random.Random(5)
    outcomes = [settle(compiled(), [damage(rng, body(rng, "span"))], SPANS)[0] for _ in range(200)]
    assert sum(len(outcome) == 3 and len(outcome[2]) > 0 for outcome in outcomes) > 20
    assert sum(len(outcome) == 1 for outcome in outcomes) > 20
