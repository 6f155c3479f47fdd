"""What an incident shows for itself: one JSON document, complete in its keys; it judges nothing.

Findings and diagnoses come from elsewhere and may lack parts, or hold numbers that JSON cannot (NaN, NumPy's).
Whoever reads the document, a template, a receiver or the dashboard, finds every key there, of the right shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Final

from pydantic_core import to_json

from telemetry.findings import Diagnosis

_LISTS: Final = ("burn", "attribution", "tail", "changes", "exemplars", "drift")
_MAX_ENTRIES: Final = 50
_MAX_DEPTH: Final = 12
_BIG: Final = 2**63


def assemble(
    summary: str, finding_evidence: Mapping[str, Any], diagnosis: Diagnosis | None, *, cause: str
) -> dict[str, Any]:
    """The evidence document; the diagnosis's entries win over the finding's of the same name.

    Args:
        summary: the finding's sentence, used when there is no diagnosis.
        finding_evidence: ``budget``, ``burn``, ``objective`` and facts of the kind of SLO; :func:`cleaned`.
        diagnosis: why; None when it is not known.
        cause: a key of ``telemetry.findings.CAUSES``.
    """
    document = {**finding_evidence, **(cleaned(diagnosis.evidence) if diagnosis else {})}
    for name in _LISTS:
        value = document.get(name)
        document[name] = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    budget = document.get("budget")
    budget = budget if isinstance(budget, dict) else {}
    document["budget"] = {"remaining": None, "objective": document.get("objective"), **budget}
    document["summary"] = clean(diagnosis.summary if diagnosis and diagnosis.summary else summary)
    document["cause"] = cause
    document["confidence"] = clean(diagnosis.confidence) if diagnosis else None
    document["slice"] = clean(dict(diagnosis.slice)) if diagnosis else {}
    report = document.get("report")
    document["report"] = report if isinstance(report, str) else None
    return document


def refreshed(document: Mapping[str, Any], finding_evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The document with budget and burn as they are now, and everything that explains the onset as it was."""
    now = cleaned({name: finding_evidence[name] for name in ("budget", "burn") if name in finding_evidence})
    fresh = dict(document)
    if isinstance(now.get("budget"), dict):
        fresh["budget"] = {**document.get("budget", {}), **now["budget"]}
    if isinstance(now.get("burn"), list):
        fresh["burn"] = [entry for entry in now["burn"] if isinstance(entry, dict)]
    return fresh


def cleaned(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """A finding's or diagnosis's evidence, cleaned, and its lists cut to as much as people read."""
    document: dict[str, Any] = clean(dict(evidence), entries=_MAX_ENTRIES)
    return document


def clean(value: Any, *, entries: int | None = None, depth: int = 0) -> Any:
    """The value as JSON can hold it: finite numbers or None, lists cut to ``entries``, other objects as their text.

    NUL is dropped from texts, since PostgreSQL cannot store it; lone surrogates are replaced, since UTF-8 cannot
    write them.
    """
    # By the usual types first: a burst of alerts cleans millions of values.
    kind = type(value)
    if kind is str and value.isascii() and "\x00" not in value:
        return value
    if value is None or kind is bool or (kind is int and -_BIG < value < _BIG):
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict and depth < _MAX_DEPTH:
        return {_text(name): clean(entry, entries=entries, depth=depth + 1) for name, entry in value.items()}
    if kind is list and depth < _MAX_DEPTH:
        return [clean(entry, entries=entries, depth=depth + 1) for entry in value[:entries]]
    return _cleaned_of_other(value, entries, depth)


def _cleaned_of_other(value: Any, entries: int | None, depth: int) -> Any:
    if isinstance(value, Real):
        return _number(value)
    if depth >= _MAX_DEPTH or isinstance(value, str | bytes | bytearray):
        return _text(value)
    if isinstance(value, Mapping):
        return clean({**value}, entries=entries, depth=depth)
    if hasattr(value, "tolist"):  # an array or a number of NumPy's
        return clean(value.tolist(), entries=entries, depth=depth + 1)
    if isinstance(value, Sequence | set | frozenset):
        return [clean(entry, entries=entries, depth=depth + 1) for entry in list(value)[:entries]]
    return _text(value)


def _number(value: Real) -> int | float | None:
    if isinstance(value, Integral) and -_BIG < int(value) < _BIG:
        return int(value)
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if type(value) is str and value.isascii() and "\x00" not in value:
        return value
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()


def dumps(value: Any) -> str:
    """The value, cleaned, as compact JSON."""
    return encoded(clean(value))


def encoded(value: Any) -> str:
    """What is clean already as compact JSON."""
    return to_json(value).decode()
