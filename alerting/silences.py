"""Silences as values: what one accepts, when it is in force, and what becomes of one that is changed; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from telemetry.errors import ConflictError, PayloadError
from telemetry.matchers import Matchers
from telemetry.windows import NANOS

SilenceState = Literal["pending", "active", "expired"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that ``matchers`` accept tell nobody from ``starts_ns`` until before ``ends_ns``.

    Attributes:
        id: given when it is made, a UUID.
        created_by, comment: who made it, and why.
        updated_ns: when it was last changed.
    """

    id: str
    matchers: Matchers
    starts_ns: int
    ends_ns: int
    created_by: str
    comment: str
    updated_ns: int

    def state(self, now_ns: int) -> SilenceState:
        """Whether it is yet to come, in force, or over."""
        if now_ns < self.starts_ns:
            return "pending"
        return "active" if now_ns < self.ends_ns else "expired"

    def accepts(self, labels: Mapping[str, str], now_ns: int) -> bool:
        """Whether it keeps an alert with these labels quiet now."""
        return self.state(now_ns) == "active" and self.matchers.accepts(labels)


def check(silence: Silence, now_ns: int) -> None:
    """Raise unless it can be made now.

    Raises:
        PayloadError: it ends before it begins or has ended, or it would silence every alert there is.
    """
    if silence.starts_ns >= silence.ends_ns:
        raise _refused("start time must be before end time", "endsAt", "choose a later end")
    if silence.ends_ns <= now_ns:
        raise _refused("end time can't be in the past", "endsAt", "choose a later end")
    if not silence.matchers.items:
        raise _refused("at least one matcher required", "matchers", "say which alerts are meant")
    if all(matcher.accepts("") for matcher in silence.matchers.items):
        what = "at least one matcher must not match the empty string"
        raise _refused(what, "matchers", "name a label that the alerts have")


def changed(before: Silence, wanted: Silence, now_ns: int) -> tuple[Silence, ...]:
    """What to store when ``before`` is to become ``wanted``, which comes with a new id; the last one is the result.

    As in Alertmanager a silence is changed in place only where history stays true: matchers never, the start (to the
    second, which is as exact as clients write it) only before it has come. Otherwise it ends now, and the wanted one
    takes its place.
    """
    state = before.state(now_ns)
    same = set(before.matchers.items) == set(wanted.matchers.items)
    in_place = (
        (state == "active" and same and wanted.starts_ns // NANOS == before.starts_ns // NANOS)
        or (state == "pending" and same and wanted.starts_ns >= now_ns)
    )  # fmt: skip
    if in_place:
        starts_ns = before.starts_ns if state == "active" else wanted.starts_ns
        return (replace(wanted, id=before.id, starts_ns=starts_ns),)
    ended = () if state == "expired" else (expired(before, now_ns),)
    return *ended, begun(wanted, now_ns)


def begun(silence: Silence, now_ns: int) -> Silence:
    """A new silence: it cannot have begun before now."""
    return replace(silence, starts_ns=max(silence.starts_ns, now_ns))


def expired(silence: Silence, now_ns: int) -> Silence:
    """The silence, over from now on; one that has not begun never does.

    Raises:
        ConflictError: it is over already.
    """
    state = silence.state(now_ns)
    if state == "expired":
        raise ConflictError(f"silence {silence.id} already expired", remedy="nothing needs to be done")
    starts_ns = now_ns if state == "pending" else silence.starts_ns
    return replace(silence, starts_ns=starts_ns, ends_ns=now_ns, updated_ns=now_ns)


def _refused(what: str, where: str, remedy: str) -> PayloadError:
    return PayloadError(what, status=400, where=where, remedy=remedy)
