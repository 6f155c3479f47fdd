"""Holds what a server counted and stored against what it acknowledged: what is fast and wrong is worthless."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rig.generator import Outcome
from benchmarks.rig.server import Server


class WrongError(Exception):
    """The server's numbers are not those of what it acknowledged."""


def check_all_acknowledged(outcomes: Sequence[Outcome]) -> None:
    """Raise unless every request was answered 200 and no record was rejected.

    Raises:
        WrongError: says what else happened.
    """
    for outcome in outcomes:
        if set(outcome.statuses) != {200} or outcome.cut or outcome.unsent or outcome.partial:
            raise WrongError(
                f"not every request was acknowledged: answers {outcome.statuses}, {outcome.cut} cut off,"
                f" {outcome.unsent} not sent, {outcome.partial} with rejected records"
            )


def check_counts(server: Server, spans: int, *, rows: bool, unsure: int = 0) -> None:
    """Raise unless the counters, and with ``rows`` the stored rows, are exactly the ``spans`` acknowledged.

    Requests that were cut off may or may not be stored: ``unsure`` spans more are no fault, but all counts must agree.

    Raises:
        WrongError: says what was found.
    """
    found = server.counted()
    found["rows"] = server.rows()
    wanted = found["total"] if spans <= found["total"] <= spans + unsure else spans
    expected = {"total": wanted, "series": wanted, "rows": wanted if rows else 0}
    if found != expected:
        raise WrongError(f"{server.name}: acknowledged {spans} spans, expected {expected}, found {found}")
