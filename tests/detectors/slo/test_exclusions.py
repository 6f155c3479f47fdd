"""Budget corrections in the engine: what they cover counts nowhere, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.slo.compile import slices_rule_id
from detectors.slo.engine import Engine
from detectors.slo.exclusions import Exclusions, edges
from detectors.slo.spec import SloSet
from telemetry.corrections import Cancellation, Correction, NewCorrection
from telemetry.deltas import SliDelta, group_key
from telemetry.windows import BUCKET_NS, NANOS
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, errors_slo, play, row, slos_of

GROUP = group_key({"input_type": "code"})


def correction(start_ns: int, end_ns: int, *matchers: str, slo: str = "request-errors", number: int = 1) -> Correction:
    asked = NewCorrection.checked(
        start_ns=start_ns, end_ns=end_ns, slos=[slo], matchers=matchers, author="ada", reason="drain"
    )
    return Correction(number, asked, T0)


def minutes(slos: SloSet, bad: range, total: range, input_type: str = "code") -> list[SliDelta]:
    """Four events a bucket, all bad where ``bad`` says so."""
    return [row(slos, T0 + s * NANOS, 4 if s in bad else 0, 4, input_type) for s in total]


SPANS = st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 900)), max_size=4)


@settings(max_examples=80, deadline=None)
@given(spans=SPANS, cancelled=st.sets(st.integers(0, 3)))
def test_a_bucket_counts_unless_a_part_of_it_lies_in_an_active_correction(
    spans: list[tuple[int, int]], cancelled: set[int]
) -> None:
    made = [
        Correction(
            i, correction(T0 + start * NANOS, T0 + (start + length) * NANOS).asked, T0,
            Cancellation("bob", "no", T0) if i in cancelled else None,
        )
        for i, (start, length) in enumerate(spans)
    ]  # fmt: skip
    rows = [SliDelta("r", GROUP, T0 + k * BUCKET_NS, 1, 1) for k in range(500)]
    counted, excluded = Exclusions(errors_slo().slos[0], made).part(rows)
    naive = [
        one for one in rows
        if not any(
            one.bucket_ns < c.asked.end_ns and c.asked.start_ns < one.bucket_ns + BUCKET_NS for c in made if c.active
        )
    ]  # fmt: skip
    assert counted == naive
    assert sorted(counted + excluded) == rows


def test_the_budget_is_what_it_would_have_been() -> None:
    """Engines with and without the bad hour agree, to the last count, and the hour is shown as excluded."""
    slos = errors_slo()
    whole, outage = range(0, 7200, 10), range(3000, 3600)
    given_out = Engine(slos, [correction(T0 + 3000 * NANOS, T0 + 3600 * NANOS)])
    given_out.ingest_sli(minutes(slos, outage, whole))
    without = Engine(slos)
    without.ingest_sli(one for one in minutes(slos, outage, whole) if (one.bucket_ns - T0) // NANOS not in outage)
    now_ns = T0 + 7200 * NANOS
    (shown,), (expected,) = (engine.step(now_ns).statuses[0].groups for engine in (given_out, without))
    assert shown.excluded == 4 * 60
    assert {**shown.to_json(), "excluded": 0} == expected.to_json()


def test_an_outage_within_a_correction_calls_nobody() -> None:
    engine = Engine(errors_slo(), [correction(T0 + 60 * NANOS, T0 + 400 * NANOS)])
    seen = dict(play(engine, range(500), lambda s: (4 if s > 70 else 0, 4)))
    assert not any(seen[s].findings for s in range(400))
    assert any(seen[s].findings for s in range(400, 500)), "what is bad after the end counts"
    states = [seen[s].statuses[0].groups[0].state for s in (59, 60, 399, 400)]
    assert states == ["ok", "corrected", "corrected", "burning"], "four failures of four are enough by themselves"


def test_an_alert_that_holds_ends_when_a_correction_covers_now() -> None:
    slos = errors_slo()
    engine = Engine(slos)
    *_, (_, burning) = play(engine, range(120), lambda s: (4 if s > 60 else 0, 4))
    assert burning.findings
    corrected = Engine(slos, [correction(T0 + 119 * NANOS, T0 + 300 * NANOS)])
    corrected.ingest_sli(minutes(slos, range(61, 120), range(119)))
    evaluation = corrected.step(T0 + 119 * NANOS)
    assert evaluation.findings == ()
    assert evaluation.statuses[0].groups[0].budget_remaining is not None


def test_only_the_groups_that_match_are_corrected() -> None:
    slos = errors_slo()
    engine = Engine(slos, [correction(T0, T0 + ns("1h"), 'input_type=~"co.*"')])
    engine.ingest_sli([*minutes(slos, range(60), range(60)), *minutes(slos, range(60), range(60), "chat")])
    groups = {one.group["input_type"]: one for one in engine.step(T0 + 60 * NANOS).statuses[0].groups}
    assert (groups["code"].total, groups["code"].excluded, groups["code"].state) == (0, 240, "corrected")
    assert (groups["chat"].total, groups["chat"].excluded) == (240, 0)


@pytest.mark.parametrize("budgeting", ["{timeslices: {slice: 1m, target: 90%}}", "{ratio-timeslices: {slice: 1m}}"])
def test_slices_that_a_correction_touches_are_left_out_and_judged_all_the_same(budgeting: str) -> None:
    """The verdicts that go to storage know of no correction: cancelling it brings them back."""
    sli = "sli: {latency: {measure: duration, below: 1s}}"
    slos = slos_of(f"{{name: a, service: chat, {sli}, objective: 95%, budgeting: {budgeting}}}")
    at_ns = T0 - T0 % ns("1m")
    made = correction(at_ns + 150 * NANOS, at_ns + 200 * NANOS, slo="a")
    plain, engine = Engine(slos), Engine(slos, [made])
    for one in (plain, engine):
        one.ingest_sli(row(slos, at_ns + s * NANOS, 1 if 120 <= s < 240 else 0, 2) for s in range(600))
    raw, seen = plain.step(at_ns + 700 * NANOS), engine.step(at_ns + 700 * NANOS)
    assert seen.slice_deltas == raw.slice_deltas
    (group,) = seen.statuses[0].groups
    assert (group.good, group.total, group.excluded) == (8, 8, 2)
    restarted = Engine(slos, [made])
    restarted.ingest_sli(seen.slice_deltas)
    assert {delta.rule for delta in seen.slice_deltas} == {slices_rule_id(slos.slos[0])}
    (again,) = restarted.step(at_ns + 700 * NANOS).statuses[0].groups
    assert (again.good, again.total, again.excluded) == (8, 8, 2)


def test_engines_tell_which_slos_a_change_concerns() -> None:
    slos = slos_of(
        "{name: a, service: chat, sli: {errors: {}}, objective: 95%}\n"
        "{name: b, service: search, sli: {errors: {}}, objective: 95%}"
    )
    made = correction(T0, T0 + 1, slo="b")
    engine = Engine(slos)
    assert [slo.name for slo in engine.differing([made]).slos] == ["b"]
    assert not len(engine.differing([correction(T0, T0 + 1, 'service="mail"', slo="b")]))
    changed = Engine(engine.differing([made]), [made])
    changed.ingest_sli([SliDelta(next(r.id for r in changed.rules), "{}", T0 + BUCKET_NS, 3, 3)])
    engine.adopt(changed)
    assert not len(engine.differing([made]))
    assert [group.total for status in engine.step(T0 + ns("1m")).statuses for group in status.groups] == [0, 3]


def test_edges_are_on_the_grid_of_the_counts_and_end_with_the_correction() -> None:
    made = correction(T0 + 3, T0 + 25 * NANOS + 1)
    assert edges([made], T0, T0 + ns("1h")) == [T0, T0 + 30 * NANOS]
    assert edges([made], T0 + 1, T0 + 30 * NANOS) == []
    assert edges([Correction(1, made.asked, T0, Cancellation("bob", "no", T0))], 0, 2**62) == []
