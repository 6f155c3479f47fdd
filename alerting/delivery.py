"""Delivers what waits in the outbox: lease, send, conclude, each receiver on its own; it decides nothing to say.

Sending happens between two short transactions, never within one. A pass over one receiver ends at its first
transient failure, begins no attempt once it has taken its time, and leaves a receiver alone that an earlier pass is
still busy with. So a slow receiver holds up itself only: however many hang, a pass ends about as soon as one attempt
does, and the next one serves all the others.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from alerting import outbox
from alerting.notifications import Notification
from alerting.outbox import Leased
from alerting.outcomes import Backoff, NotTellableError, Outcome
from alerting.receivers.protocol import Receiver
from storage.database import Database
from telemetry.clock import Clock
from telemetry.errors import ConfigError, StorageError
from telemetry.windows import NANOS

logger = logging.getLogger(__name__)

_FAULTS = 5
"""Attempts that end in a fault of our own before a notification is given up."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How deliveries are tried.

    Attributes:
        lease_s: how long a row is one process's; longer than any receiver takes, and the delay after a kill.
        stale_s: what has waited this long is superseded by what followed it.
        unknown_s: what waits this long for a receiver that was never configured here is given up.
        per_pass: rows for one receiver in one pass.
        pass_s: after this long a pass begins no further attempt; those that run are waited for.
        backoff: the wait after a transient failure.
    """

    lease_s: float = 30.0
    stale_s: float = 60.0
    unknown_s: float = 300.0
    per_pass: int = 50
    pass_s: float = 2.0
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """How many notifications one pass delivered, will try again, and gave up."""

    delivered: int = 0
    retried: int = 0
    failed: int = 0


class Courier:
    """Delivers to the given receivers; any number of them, in any number of processes, may share an outbox.

    ``compose`` puts together what a leased row tells at a time.
    """

    def __init__(
        self,
        database: Database,
        receivers: Sequence[Receiver],
        policy: DeliveryPolicy,
        clock: Clock,
        compose: Callable[[Leased, int], Notification],
    ) -> None:
        self._database = database
        self._compose = compose
        self._receivers: Mapping[str, Receiver] = {}
        self._gone: frozenset[str] = frozenset()
        self._policy = policy
        self._lease_ns = round(policy.lease_s * NANOS)
        self._clock = clock
        self._busy: dict[str, threading.Lock] = {}
        self.use(receivers)

    def use(self, receivers: Sequence[Receiver]) -> None:
        """Deliver to these from the next pass on; what waits for one that is not among them is given up."""
        following = {receiver.id: receiver for receiver in receivers}
        for name in following:
            # A pass that is under way goes on under the same lock, so that order within an incident is kept.
            self._busy.setdefault(name, threading.Lock())
        self._gone = self._gone.union(self._receivers).difference(following)
        self._receivers = following

    def deliver(self, now_ns: int) -> DeliveryReport:
        """Send what is due, and wait for it; an unreachable receiver takes its deadline, all of them at once.

        Raises:
            StorageError: the database cannot be used; what was sent and not concluded is sent again later.
        """
        with self._database.read() as connection:
            due = outbox.due_receivers(connection, now_ns, self._lease_ns)
        if not due:
            return DeliveryReport()
        # Looked at after the outbox: what is queued for a new receiver is queued when it is here already.
        receivers = self._receivers
        if any(receiver not in receivers for receiver in due):
            with self._database.write() as connection:
                outbox.fail_unknown(connection, receivers, self._gone, now_ns, round(self._policy.unknown_s * NANOS))
        started_ns = self._clock.now_ns()
        known = [receivers[receiver] for receiver in due if receiver in receivers]
        if not known:
            return DeliveryReport()
        counts: Counter[str] = Counter()
        # A thread for each, or those that hang would hold up whoever waits for a thread.
        with ThreadPoolExecutor(len(known), thread_name_prefix="deliver") as pool:
            passes = [pool.submit(self._pass, receiver, now_ns, started_ns) for receiver in known]
        for finished in passes:
            counts.update(finished.result())
        return DeliveryReport(counts["delivered"], counts["transient"], counts["permanent"])

    def _pass(self, receiver: Receiver, now_ns: int, started_ns: int) -> Counter[str]:
        counts: Counter[str] = Counter()
        lock = self._busy[receiver.id]
        if not lock.acquire(blocking=False):
            return counts
        try:
            for _ in range(self._policy.per_pass):
                leased = self._lease(receiver, self._at(now_ns, started_ns))
                if leased is None:
                    break
                outcome = self._send(receiver, leased, self._at(now_ns, started_ns))
                self._conclude(leased, outcome, self._at(now_ns, started_ns))
                counts[outcome.kind] += 1
                if outcome.kind == "transient" or self._passed_ns(started_ns) >= self._policy.pass_s * NANOS:
                    break
        finally:
            lock.release()
        return counts

    def _at(self, now_ns: int, started_ns: int) -> int:
        """The caller's time, moved on by what has passed since: leases must not be shorter than they say."""
        return now_ns + self._passed_ns(started_ns)

    def _passed_ns(self, started_ns: int) -> int:
        return max(self._clock.now_ns() - started_ns, 0)

    def _lease(self, receiver: Receiver, now_ns: int) -> Leased | None:
        stale_ns = round(self._policy.stale_s * NANOS)
        with self._database.write() as connection:
            return outbox.lease(connection, receiver.id, now_ns, self._lease_ns, stale_ns)

    def _send(self, receiver: Receiver, leased: Leased, now_ns: int) -> Outcome:
        try:
            return receiver.send(self._compose(leased, now_ns), leased.idempotency_key, now_ns)
        except StorageError:
            raise
        except NotTellableError as error:
            return Outcome("permanent", str(error))
        except ConfigError as error:
            return Outcome("transient", error.what)
        except Exception as error:
            # A fault of ours may pass with the load of the machine; where it is in the notification, it never does,
            # and would hold up what follows in its incident.
            logger.exception("receiver %s failed from within on %s", receiver.id, leased.idempotency_key)
            kind: Literal["permanent", "transient"] = "permanent" if leased.attempt >= _FAULTS else "transient"
            return Outcome(kind, f"the receiver failed from within: {type(error).__name__}")

    def _conclude(self, leased: Leased, outcome: Outcome, now_ns: int) -> None:
        delay_s = self._policy.backoff.delay_s(leased.attempt, leased.idempotency_key, outcome.retry_after_s)
        with self._database.write() as connection:
            outbox.conclude(connection, leased, outcome, now_ns, delay_s)
        if outcome.kind != "delivered":
            level = logging.ERROR if outcome.kind == "permanent" else logging.WARNING
            logger.log(level, "%s was not told (attempt %d): %s", leased.receiver, leased.attempt, outcome.reason)
