"""Why records fail their schema or predictions are wrong: a release, or inputs or answers that drifted.

There is no cause of its own for a single failing slice: the slice is named, with the drift that goes with it or, where
there is none, as ``unknown``.
"""

from __future__ import annotations

from dataclasses import replace

from detectors.attribution import attribute
from detectors.diagnosis.drift import diagnose_drift
from detectors.diagnosis.releases import release_of, releases
from detectors.diagnosis.situation import Situation, Verdict, described


def diagnose_quality(situation: Situation) -> Verdict:
    """Find what goes with the bad records."""
    drifted = diagnose_drift(situation)
    if situation.good is None:
        return drifted
    found = attribute(situation.before, situation.after, situation.good)
    labels = found.labels
    evidence = {**drifted.evidence, "attribution": found.evidence()}
    release = release_of(labels, releases(situation.before, situation.after))
    lead = f"{found.bad} of {found.total} records are bad, {found.expected:.0f} were expected"
    if release is not None:
        summary = f"{lead}; {release.text(situation.onset_ns)}"
        return replace(
            drifted, cause="bad-release", summary=summary, confidence=found.explained, slice=labels, evidence=evidence
        )
    where = f"; they have {described(labels)}" if labels else ""
    return replace(
        drifted, summary=f"{lead}{where}; {drifted.summary}", slice=labels or drifted.slice, evidence=evidence
    )
