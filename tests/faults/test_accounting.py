"""The judge of the fault tests must be able to condemn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.accounting import Found, Ledger, problems

Counted = dict[str, tuple[int, int]]
Stored = dict[int, int]


def _ledger() -> Ledger:
    """Payload 0 (spans 1 to 3, one bad) and 1 (4, 5) are acknowledged, 2 (6, 7) is not."""
    ledger = Ledger()
    for tenant, spans, bad in (("a", 3, 1), ("b", 2, 0), ("a", 2, 0)):
        sent = ledger.next(tenant, spans, bad)
        if sent.number < 2:
            ledger.acknowledge(sent)
    return ledger


def _truth() -> tuple[Stored, Counted]:
    return dict.fromkeys(range(1, 6), 1), {"a": (2, 3), "b": (2, 2)}


def _judge(stored: Stored, counted: Counted) -> list[str]:
    ledger = _ledger()
    return problems(ledger.sent, ledger.acknowledged, Found(stored, counted))


def test_what_is_as_it_must_be_is_not_condemned() -> None:
    assert _judge(*_truth()) == []


def test_an_unacknowledged_payload_may_be_stored_whole() -> None:
    stored, counted = _truth()
    assert _judge(stored | {6: 1, 7: 1}, counted | {"a": (4, 5)}) == []


def _lose(stored: Stored, counted: Counted) -> None:
    del stored[4], stored[5], counted["b"]


def _tear(stored: Stored, counted: Counted) -> None:
    stored[6] = 1
    counted["a"] = (3, 4)


def _repeat(stored: Stored, counted: Counted) -> None:
    stored[5] = 2
    counted["b"] = (3, 3)


def _invent(stored: Stored, counted: Counted) -> None:
    stored[99] = 1


def _count_twice(stored: Stored, counted: Counted) -> None:
    counted["b"] = (4, 4)


def _count_bad_as_good(stored: Stored, counted: Counted) -> None:
    counted["a"] = (3, 3)


def _count_a_stranger(stored: Stored, counted: Counted) -> None:
    counted["c"] = (1, 1)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_lose, "acknowledged and not stored: payload 1"),
        (_tear, "stored in part: payload 2"),
        (_repeat, "stored more than once: span 5"),
        (_invent, "stored and never sent: span 99"),
        (_count_twice, "b: rows say good, total = (2, 2), counters say (4, 4)"),
        (_count_bad_as_good, "a: rows say good, total = (2, 3), counters say (3, 3)"),
        (_count_a_stranger, "c: rows say good, total = (0, 0), counters say (1, 1)"),
    ],
)
def test_every_broken_promise_is_found(spoil: Callable[[Stored, Counted], None], sentence: str) -> None:
    stored, counted = _truth()
    spoil(stored, counted)
    assert _judge(stored, counted) == [sentence]


def test_payloads_are_told_apart_by_ids_and_times() -> None:
    sent = _ledger().sent
    assert [list(one.ids) for one in sent] == [[1, 2, 3], [4, 5], [6, 7]]
    assert len({one.time_ns for one in sent}) == 3
