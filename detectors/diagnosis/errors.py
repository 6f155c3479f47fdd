"""Why there are more errors: a slice, a release, a queue that turns requests away, or everything at once."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.attribution import Attribution, attribute
from detectors.diagnosis.latency import queue_growth
from detectors.diagnosis.releases import Release, release_of, releases
from detectors.diagnosis.situation import Situation, Verdict, described, matching, percent, worst_first
from telemetry.columns import Columns, empty_columns
from telemetry.rules import GoodWhen, NoError
from telemetry.schema import THROTTLED_ERRORS

TURNED_AWAY: Final = 0.5
"""Share of the bad events that are refusals, from which the queue is looked at."""
QUEUE_GREW: Final = 2.0


def diagnose_errors(situation: Situation) -> Verdict:
    """Attribute the excess of bad events, and read the cause off where it sits."""
    good = situation.good or NoError()
    since = _since_first_failure(situation.after, good)
    found = attribute(situation.before, since, good)
    risen = found.risen
    if not risen:
        # The baseline is as bad: it may reach into the trouble. Where bad events sit now is still telling.
        now = attribute(empty_columns(), since, good)
        found = now if now.explanation else found
    bad = _bad_rows(situation.after, good)
    labels = dict(found.explanation[0].labels) if found.explanation else {}
    labels = found.labels or labels
    rows = bad & matching(situation.after, labels)
    evidence = {"attribution": found.evidence()}
    worst = worst_first(situation.after.number("duration"), rows)
    arrived = releases(situation.before, situation.after)
    release = release_of(labels, arrived) or _took_over(labels, arrived)
    if release is not None and (risen or labels):
        slice_ = {**labels, "model_version": release.version}
        share = found.explained if labels else None
        return Verdict("bad-release", _sentence(found, slice_, release), share, slice_, evidence, worst)
    if labels:
        return Verdict("slice-errors", _sentence(found, labels), found.explained, labels, evidence, worst)
    if not risen:
        return Verdict("unknown", f"{found.bad} of {found.total} requests failed, no more than before", None,
                       situation.scope, evidence, worst)  # fmt: skip
    if _turned_away(situation.after, bad) >= TURNED_AWAY and queue_growth(situation) >= QUEUE_GREW:
        summary = f"{found.bad} of {found.total} requests failed, most of them turned away while the queue grew"
        share = _turned_away(situation.after, bad)
        return Verdict("queue-saturation", summary, share, situation.scope, evidence, worst)
    summary = (
        f"{found.bad} of {found.total} requests failed where {found.expected:.0f} were expected, "
        "and no slice of the traffic stands out"
    )
    return Verdict("error-burst", summary, evenness(found), situation.scope, evidence, worst)


def evenness(found: Attribution) -> float:
    """Share of the excess that would be where it is, were it spread evenly: 1 less the largest surplus of a slice."""
    surplus = [item.excess_share - item.total / max(found.total, 1) for item in found.slices]
    return 1.0 - max([0.0, *surplus])


def _sentence(found: Attribution, labels: dict[str, str], release: Release | None = None) -> str:
    bad = sum(item.bad for item in found.explanation) or found.bad
    total = sum(item.total for item in found.explanation) or found.total
    lead = f"{bad} of {total} requests with {described(labels)} failed"
    if found.explanation:
        lead += f", {percent(found.explained)} of the excess"
    return f"{lead}; {release.text(None)}" if release else lead


def _took_over(labels: dict[str, str], arrived: list[Release]) -> Release | None:
    """The new version that nearly all traffic moved to: nothing is left to compare it with, but it began with it."""
    return next((item for item in arrived if not labels and item.new and item.dominant), None)


def _since_first_failure(columns: Columns, good: GoodWhen) -> Columns:
    """The requests since the first that failed began: the onset is known to 10 s only.

    What was replaced in those seconds (an instance, a version) would look like a healthy rest of the traffic.
    """
    bad = _bad_rows(columns, good)
    return columns.take(columns.start_ns >= columns.start_ns[bad].min()) if bad.any() else columns


def _bad_rows(columns: Columns, good: GoodWhen) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    valid, fine = good.masks(columns)
    return valid & ~fine


def _turned_away(columns: Columns, bad: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    errors = columns.string("error_type")
    refused = errors.mask([value in THROTTLED_ERRORS for value in errors.values], missing=False)
    return float((refused & bad).sum()) / max(int(bad.sum()), 1)
