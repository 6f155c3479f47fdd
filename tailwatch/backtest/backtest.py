"""A backtest: SLOs run over stored history in virtual time, and what history cannot tell. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from alerting.state import AlertTiming
from detectors.slo.spec import SloSet
from storage import corrections
from storage.database import Database
from tailwatch.backtest.moments import lasting, moment
from tailwatch.backtest.outcome import Outcome, corrections_within
from tailwatch.backtest.scoring import LabelledIncident, calls_of, score
from tailwatch.backtest.stored import Held, History, read_history
from tailwatch.backtest.virtual import VirtualRun
from telemetry.errors import ConfigError
from telemetry.windows import BUCKET_NS, NANOS, format_duration

SAMPLES: Final = 720
"""Points of a budget curve, about: one an hour in 30 days."""

Progress = Callable[[int], object]
"""Told how many steps were taken since it was last told."""


def backtest(
    database: Database,
    slos: SloSet,
    *,
    timing: AlertTiming,
    max_groups: int,
    start_ns: int,
    end_ns: int,
    step_ns: int,
    incidents: Sequence[LabelledIncident] | None = None,
    tolerance_ns: int = 0,
    progress: Progress = lambda _steps: None,
) -> Outcome:
    """What ``slos`` would have said from ``start_ns`` to ``end_ns``, looked at every ``step_ns``.

    Budgets begin with what is stored from before ``start_ns``.

    Raises:
        ConfigError: the times make no run.
        StorageError: the database cannot be used.
    """
    if step_ns < BUCKET_NS or step_ns % BUCKET_NS:
        what = f"{format_duration(step_ns)} is not a multiple of {format_duration(BUCKET_NS)}"
        raise ConfigError(what, where="--step", remedy="counts are kept in buckets of that width; write 60s")
    start_ns, end_ns = start_ns - start_ns % step_ns, end_ns - end_ns % step_ns
    if end_ns <= start_ns:
        raise ConfigError("the backtest has no length", where="--since", remedy="begin at least a step before --until")
    corrected = corrections.load(database)
    scored, notes = _within(incidents, start_ns, end_ns)
    sampled_ns = sample_ns(end_ns - start_ns, step_ns)
    run = VirtualRun(slos, timing, sampled_ns, corrected, scored or (), tolerance_ns)
    history = read_history(database, run.engine, max_groups, start_ns - run.engine.history_ns, end_ns)
    for now_ns in range(start_ns, end_ns + 1, step_ns):
        run.step(history.timeline, now_ns)
        progress(1)
    calls = calls_of(run.episodes(), timing.reopen_within_ns)
    return Outcome(
        start_ns, end_ns, step_ns, tuple(slo.name for slo in slos.slos), calls, tuple(run.curves()),
        scored, None if scored is None else score(calls, scored, tolerance_ns, run.costs()),
        (*_limits(history, slos, start_ns), *notes), corrections_within(corrected, slos, start_ns, end_ns),
    )  # fmt: skip


def sample_ns(length_ns: int, step_ns: int) -> int:
    """How often budgets are looked at in a run of this length: a number of steps."""
    return max(length_ns // SAMPLES // step_ns, 1) * step_ns


def _within(
    incidents: Sequence[LabelledIncident] | None, start_ns: int, end_ns: int
) -> tuple[tuple[LabelledIncident, ...] | None, list[str]]:
    """The incidents that began within the run, and a note if others were given."""
    if incidents is None:
        return None, []
    inside = tuple(one for one in incidents if start_ns <= one.start_ns < end_ns)
    left = len(incidents) - len(inside)
    return inside, [f"{left} of {len(incidents)} incidents began outside of the run and are not scored"] if left else []


def _limits(history: History, slos: SloSet, start_ns: int) -> list[str]:
    """What history cannot tell, a sentence each."""
    notes = []
    for held, slo in zip(history.held, slos.slos, strict=True):
        notes.extend(_limits_of(held, start_ns, slo.longest_window_ns))
    notes.append("Records are taken in the order of their own times: what came late then comes on time here")
    return notes


def _limits_of(held: Held, start_ns: int, window_ns: int) -> list[str]:
    if held.first_ns is None:
        return [f"{held.slo}: there is no event of it in the history"]
    notes = []
    if held.first_ns > start_ns:
        notes.append(f"{held.slo}: the first event is of {moment(held.first_ns)}, and nothing before can be told")
    elif held.first_ns > start_ns - window_ns:
        known = lasting((start_ns - held.first_ns) // (60 * NANOS) * 60 * NANOS)
        notes.append(f"{held.slo}: the budget begins with {known} of history, its window is longer")
    for width_ns, end_ns in held.folds:
        if end_ns > start_ns:
            notes.append(
                f"{held.slo}: counters before {moment(end_ns)} are folded to {format_duration(width_ns)}: "
                "alerts come up to so much late there, and shorter bursts are averaged out"
            )
    for width_ns, end_ns in held.gauge_folds:
        if end_ns > start_ns:
            notes.append(
                f"{held.slo}: values before {moment(end_ns)} are folded to {format_duration(width_ns)}: "
                "a slice is judged by all of it, so that a peak fills it"
            )
    if held.arrival_unknown:
        notes.append(f"{held.slo}: it was not counted when its records came in, so none of them passes for late")
    if held.rows_from_ns is not None and start_ns < held.rows_from_ns:
        notes.append(f"{held.slo}: rows are complete since {moment(held.rows_from_ns)}; before, its counters are read")
    return notes
