r"""The state of one alert as a pure function of its findings and the time; it stores and notifies nothing.

::

    inactive -> pending -> firing -> resolved -> inactive
        \_________\________/  ^  \-> withdrawn -> inactive
             suppressed <----/

Three dampers keep an alert from chattering. It resolves only when its finding has been absent for
``keep_firing_for``. One that fires again within ``reopen_within`` of its end is *damped*: it fires, but says nothing
until it has held for ``renotify_after``. And each such return doubles how long it must then be absent, up to
``reopen_within``: what flaps is soon held open. So flapping is quiet, and an outage that returns is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from telemetry.findings import Finding
from telemetry.windows import NANOS

Status = Literal["inactive", "pending", "firing", "suppressed", "resolved", "withdrawn"]
Event = Literal[
    "pending", "fired", "reopened", "sustained", "suppressed", "cleared", "resolved", "withdrawn", "forgotten"
]

LIVING: Final = ("pending", "firing", "suppressed")
"""The states of an alert that is not over, or has not begun."""

LEGAL: Final[dict[Status, frozenset[Status]]] = {
    "inactive": frozenset({"inactive", "pending", "firing", "suppressed"}),
    "pending": frozenset({"pending", "firing", "suppressed", "inactive"}),
    "firing": frozenset({"firing", "suppressed", "resolved", "withdrawn"}),
    "suppressed": frozenset({"suppressed", "pending", "firing", "resolved", "withdrawn", "inactive"}),
    "resolved": frozenset({"resolved", "firing", "suppressed", "pending", "inactive"}),
    "withdrawn": frozenset({"withdrawn", "firing", "suppressed", "pending", "inactive"}),
}
"""Which state may follow which within one step."""


@dataclass(frozen=True, slots=True)
class AlertTiming:
    """How long an alert waits before it changes, in nanoseconds.

    Attributes:
        pending_for_ns: a finding must hold this long before its alert fires.
        keep_firing_for_ns: a finding must be absent this long before its alert resolves; twice as long after each
            return.
        reopen_within_ns: an alert that fires again this soon after its end is damped.
        renotify_after_ns: a damped alert that has held this long speaks up after all.
    """

    pending_for_ns: int = 0
    keep_firing_for_ns: int = 60 * NANOS
    reopen_within_ns: int = 30 * 60 * NANOS
    renotify_after_ns: int = 5 * 60 * NANOS

    def keep_after_ns(self, returns: int) -> int:
        """How long a finding must be absent before an alert that came back so often resolves."""
        longest_ns = max(self.keep_firing_for_ns, self.reopen_within_ns)
        return min(self.keep_firing_for_ns << min(returns, 32), longest_ns)


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where one alert stands; times are nanoseconds since the epoch.

    Attributes:
        since_ns: when it entered ``status``.
        held_since_ns: since when its finding has held; None while it does not.
        absent_since_ns: when its finding was first missed; None while it holds.
        fired_ns: when it last began to fire; None if it has not since it was last inactive.
        damped: it fires again too soon after its end to be worth a notification.
        returns: how often it has fired again soon after its end.
    """

    status: Status = "inactive"
    since_ns: int = 0
    held_since_ns: int | None = None
    absent_since_ns: int | None = None
    fired_ns: int | None = None
    damped: bool = False
    returns: int = 0

    @property
    def active(self) -> bool:
        """Its condition is taken to hold, whether or not anybody is told."""
        return self.status in ("firing", "suppressed")

    @property
    def loud(self) -> bool:
        """It is worth a notification."""
        return self.status == "firing" and not self.damped


def step(
    state: AlertState,
    finding: Finding | None,
    now_ns: int,
    timing: AlertTiming,
    *,
    suppressed: bool | None = None,
    withdrawn: bool = False,
) -> tuple[AlertState, tuple[Event, ...]]:
    """The next state, and what happened on the way there.

    Args:
        state: the state after the previous step.
        finding: the finding as it holds now; None when it does not.
        now_ns: nanoseconds since the epoch.
        timing: how long changes take.
        suppressed: whether somebody silences the alert (a page of the same budget, a silence, an inhibition);
            None takes the finding's own word.
        withdrawn: late data proved the absent finding wrong: end at once, and as ``withdrawn``.
    """
    state = _not_after(state, now_ns)
    if finding is None:
        return _absent(state, now_ns, timing, withdrawn=withdrawn)
    quiet = finding.suppressed_by is not None if suppressed is None else suppressed
    held_since_ns = now_ns if state.held_since_ns is None else state.held_since_ns
    state = replace(state, held_since_ns=held_since_ns, absent_since_ns=None)
    if quiet:
        return _suppress(state, now_ns)
    if state.status in ("resolved", "withdrawn"):
        return _fire_again(state, now_ns, timing)
    if state.status == "firing":
        return _keep_firing(state, now_ns, timing)
    return _fire_when_due(state, now_ns, timing)


def _not_after(state: AlertState, now_ns: int) -> AlertState:
    """The state with what is to come taken as now: the clock was set back, and nobody waits until it has caught up."""
    times = (state.since_ns, state.held_since_ns or 0, state.absent_since_ns or 0, state.fired_ns or 0)
    if max(times) <= now_ns:
        return state
    return replace(
        state,
        since_ns=min(state.since_ns, now_ns),
        held_since_ns=None if state.held_since_ns is None else min(state.held_since_ns, now_ns),
        absent_since_ns=None if state.absent_since_ns is None else min(state.absent_since_ns, now_ns),
        fired_ns=None if state.fired_ns is None else min(state.fired_ns, now_ns),
    )


def _suppress(state: AlertState, now_ns: int) -> tuple[AlertState, tuple[Event, ...]]:
    if state.status == "suppressed":
        return state, ()
    return replace(state, status="suppressed", since_ns=now_ns, damped=False), ("suppressed",)


def _fire_again(state: AlertState, now_ns: int, timing: AlertTiming) -> tuple[AlertState, tuple[Event, ...]]:
    if state.fired_ns is None or now_ns - state.since_ns > timing.reopen_within_ns:
        return _fire_when_due(AlertState(held_since_ns=state.held_since_ns), now_ns, timing)
    again = replace(state, status="firing", since_ns=now_ns, fired_ns=now_ns, damped=True, returns=state.returns + 1)
    return again, ("reopened",)


def _keep_firing(state: AlertState, now_ns: int, timing: AlertTiming) -> tuple[AlertState, tuple[Event, ...]]:
    if state.damped and now_ns - state.since_ns >= timing.renotify_after_ns:
        return replace(state, damped=False), ("sustained",)
    return state, ()


def _fire_when_due(state: AlertState, now_ns: int, timing: AlertTiming) -> tuple[AlertState, tuple[Event, ...]]:
    held_since_ns = now_ns if state.held_since_ns is None else state.held_since_ns
    if now_ns - held_since_ns >= timing.pending_for_ns:
        return replace(state, status="firing", since_ns=now_ns, fired_ns=now_ns, damped=False), ("fired",)
    if state.status == "pending":
        return state, ()
    return replace(state, status="pending", since_ns=now_ns), ("pending",)


def _absent(
    state: AlertState, now_ns: int, timing: AlertTiming, *, withdrawn: bool
) -> tuple[AlertState, tuple[Event, ...]]:
    if state.status == "pending":
        return AlertState(since_ns=now_ns), ("cleared",)
    if state.active:
        return _end_when_due(state, now_ns, timing, withdrawn=withdrawn)
    if state.status != "inactive" and now_ns - state.since_ns > timing.reopen_within_ns:
        return AlertState(since_ns=now_ns), ("forgotten",)
    return state, ()


def _end_when_due(
    state: AlertState, now_ns: int, timing: AlertTiming, *, withdrawn: bool
) -> tuple[AlertState, tuple[Event, ...]]:
    absent_since_ns = now_ns if state.absent_since_ns is None else state.absent_since_ns
    state = replace(state, held_since_ns=None, absent_since_ns=absent_since_ns)
    if not withdrawn and now_ns - absent_since_ns < timing.keep_after_ns(state.returns):
        return state, ()
    if state.fired_ns is None:
        return AlertState(since_ns=now_ns), ("cleared",)
    ended: Literal["withdrawn", "resolved"] = "withdrawn" if withdrawn else "resolved"
    return replace(state, status=ended, since_ns=now_ns, damped=False), (ended,)
