from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.price_file import load_prices, parse_prices
from telemetry.columns import columns_of
from telemetry.errors import ConfigError, FileProblemsError
from telemetry.windows import NANOS

DAY_NS = 24 * 3600 * NANOS

GOOD = """
version: 1
stale_after: 30d
prices:
  - model: small
    provider: acme
    effective: 2025-01-01
    per_million_tokens: {input: 2.0, cached_input: 1.0, cache_write: 3.0, output: 8.0, reasoning: 10.0}
    per_request: 0.001
  - where: ['model=~"own-.*"']
    effective: 2025-01-01T12:00:00+02:00
    per_gpu_hour: 3.6
"""


def at(text: str) -> int:
    return round(dt.datetime.fromisoformat(text).timestamp()) * NANOS


def test_a_file_becomes_a_price_table() -> None:
    found = parse_prices(GOOD, "prices.yaml")
    small, own = found.table.prices
    assert small.effective_ns == at("2025-01-01T00:00:00+00:00")
    assert own.effective_ns == at("2025-01-01T10:00:00+00:00")
    columns = columns_of(
        "span",
        np.full(3, at("2025-01-02T00:00:00+00:00")),
        strings={"model": ["small", "own-7b", "small"], "provider": ["acme", None, "other"]},
        numbers={
            "tokens_in": [1000, np.nan, 1000], "tokens_out": [100, np.nan, 1], "tokens_cached": [400, np.nan, 0],
            "tokens_cache_write": [100, np.nan, 0], "tokens_reasoning": [50, np.nan, 0],
            "gpu_seconds": [np.nan, 10, np.nan],
        },
    )  # fmt: skip
    expected = (500 * 2 + 400 * 1 + 100 * 3 + 50 * 8 + 50 * 10) / 1e6 + 0.001
    np.testing.assert_allclose(found.table.cost(columns), [expected, 0.01, np.nan])


def test_a_table_whose_newest_price_is_old_is_stale() -> None:
    found = parse_prices(GOOD, "prices.yaml")
    newest = found.table.latest_effective_ns
    assert newest is not None
    assert not found.is_stale(newest + 30 * DAY_NS)
    assert found.is_stale(newest + 30 * DAY_NS + 1)


def test_an_empty_table_is_never_stale() -> None:
    found = parse_prices("version: 1\nprices: []\n", "prices.yaml")
    assert found.table.prices == ()
    assert not found.is_stale(2**62)


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        ("version: 1", "version: 2", 2, "version", "'2' is not known"),
        ("version: 1", "", 1, "version", "is missing"),
        ("stale_after: 30d", "stale_after: soon", 3, "stale_after", "'soon' is not a duration"),
        ("stale_after: 30d", "stale: 30d", 3, "file.stale", "is not known"),
        ("provider: acme", "provider: [acme]", 6, "prices[0].provider", "is not a single value"),
        ("provider: acme", "model: again", 6, "prices[0].model", "is given twice"),
        ("effective: 2025-01-01\n", "effective: last week\n", 7, "prices[0].effective", "is not a date"),
        ("    effective: 2025-01-01\n", "", 5, "prices[0].effective", "is missing"),
        ("input: 2.0", "input: -2", 8, "prices[0].per_million_tokens.input", "'-2' is not an amount"),
        ("input: 2.0", "input: .nan", 8, "prices[0].per_million_tokens.input", "is not an amount"),
        ("input: 2.0", "inptu: 2", 8, "prices[0].per_million_tokens.inptu", "is not known"),
        ("per_request: 0.001", "per_request: free", 9, "prices[0].per_request", "'free' is not an amount"),
        ("model=~", "model", 10, "prices[1].where[0]", "is not a matcher"),
        (
            "- where: ['model=~\"own-.*\"']\n    effective",
            "- effective",
            10,
            "prices[1]",
            "does not say what it prices",
        ),
        ("    per_gpu_hour: 3.6\n", "", 10, "prices[1]", "has no price"),
        ("per_gpu_hour: 3.6", "per_gpu_hour: {a: 1}", 12, "prices[1].per_gpu_hour", "is not a single value"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, field: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(FileProblemsError) as caught:
        parse_prices(GOOD.replace(old, new, 1), "prices.yaml")
    first = caught.value.problems[0]
    assert (first.file, first.line, first.field) == ("prices.yaml", line, field)
    assert message in first.message
    assert first.remedy


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(FileProblemsError) as caught:
        parse_prices("version: 3\nprices: [{model: m}, 7, {effective: x}]\nextra: 1\n", "p.yaml")
    assert len(caught.value.problems) >= 6


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "\t", "- 1", "prices: 3", "version: 1\n---\nversion: 1", "\x00", "[" * 500]
)
def test_what_is_no_price_file_is_a_problem_not_a_traceback(text: str) -> None:
    with pytest.raises(FileProblemsError):
        parse_prices(text, "p.yaml")


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet="version: 1prces\n-[]{}&*!|>'\"#%@,", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_prices(text, "p.yaml")
    except FileProblemsError as error:
        told = str(error)
    else:
        told = "read"
    assert told


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prices(tmp_path / "missing.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prices(binary)
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    assert len(load_prices(good).table.prices) == 2
