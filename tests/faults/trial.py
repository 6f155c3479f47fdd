"""One fault, tried on one server: what was done, what became of what was acknowledged, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.accounting import Ledger, problems
from tests.faults.senders import Fleet, body, deliver, post, protobuf
from tests.faults.server import Server

RECOVERY_S = 60.0
"""The longest that a server may take to work again once a fault is over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of the table.

    Attributes:
        fault: its name; done: what was done.
        answers: of the faulty requests, and refusals of good ones, with how often.
        sent, acknowledged, stored, counted: good spans; counted is the sum of the SLI counters.
        before_mib, peak_mib, after_mib: resident memory before, at most during, and after the fault.
        log: the line that speaks of it.
        recovered_s: from the end of the fault to the acknowledgement of a good request, without a new start.
        problems: promises that were broken; none is a pass.
    """

    fault: str
    done: str
    answers: Mapping[str, int]
    sent: int
    acknowledged: int
    stored: int
    counted: int
    before_mib: float
    peak_mib: float
    after_mib: float
    log: str
    recovered_s: float
    problems: tuple[str, ...]


@dataclass
class Trial:
    """A fault under way: the scenario does it between ``begin`` and ``recover``, and ``judge`` says what came of it."""

    fault: str
    server: Server
    ledger: Ledger = field(default_factory=Ledger)
    problems: list[str] = field(default_factory=list)
    whole_log: bool = False
    """Whether the log may have spoken before: on a server of many trials, since it tells a kind once a minute."""
    _answers_before: Counter[str] = field(default_factory=Counter)
    _log_from: int = 0
    _before_mib: float = 0.0
    _peak_mib: float = 0.0
    _half_mib: float = 0.0
    _recovered_s: float = 0.0

    def good(self, spans: int = 10, bulk: int = 0) -> str:
        """One good request, once: its answer. ``bulk`` is the size of a text in each of its spans."""
        sent = self.ledger.next("good", spans, spans // 5)
        answer = post(self.server, body(sent, bulk))
        if answer == "acknowledged":
            self.ledger.acknowledge(sent)
        return answer

    def bad(self, content: bytes, **headers: str) -> str:
        """One request that is a fault itself: its answer, which is noted."""
        answer = post(self.server, content, {name.replace("_", "-"): value for name, value in headers.items()})
        self.ledger.note(answer)
        return answer

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.problems.append(otherwise)

    def begin(self) -> None:
        """What comes now is the fault."""
        deliver(self.ledger, (sent := self.ledger.next("good", 10)), protobuf(self.server, sent))
        self._answers_before = self.ledger.answers.copy()
        self._log_from = self.server.log_size()
        self.server.reset_peak()
        self._before_mib = self.server.memory_mib()

    @contextmanager
    def attacked(self) -> Iterator[None]:
        """The fault lasts as long as the block, and all the while exporters send good requests."""
        self.begin()
        with Fleet(self.server, self.ledger, ("protobuf", "grpc")) as fleet:
            yield
            self.recover()
            self.problems += fleet.rest()

    def note_peak(self) -> None:
        """Look at the memory of a process that is about to end."""
        self._peak_mib = max(self._peak_mib, self.server.peak_mib())

    def halfway(self) -> None:
        """Half of the fault is over: what comes must not take a fifth more memory than what was."""
        self.note_peak()
        self._half_mib = self._peak_mib
        self.server.reset_peak()

    def recover(self) -> None:
        """The fault is over: wait until a good request is acknowledged."""
        over = time.monotonic()
        while (answer := self.good()) != "acknowledged":
            self.ledger.note(answer)
            if time.monotonic() > over + RECOVERY_S:
                self.problems.append(f"no good request was acknowledged for {RECOVERY_S:.0f} s; the last: {answer}")
                break
            time.sleep(0.05)
        self._recovered_s = time.monotonic() - over

    def judge(self, done: str, *, growth_mib: float, log: str = "", books: bool = True) -> Outcome:
        """The row, after ``recover``: the books are checked, memory must not have grown by more than ``growth_mib``.

        ``log`` is a pattern that a line since ``begin`` must have; empty when there is nothing to say. Without
        ``books`` the scenario has checked them itself, since it sent what is not in the ledger.
        """
        self.note_peak()
        found = self.server.found(self.ledger)
        if books:
            self.problems += problems(self.ledger.sent, self.ledger.acknowledged, found)
        line = self.server.log_line(log, 0 if self.whole_log else self._log_from) if log else ""
        self.expect(bool(line) or not log, f"no line of the log says {log!r}")
        traceback = self.server.log_line("Traceback", self._log_from)
        self.expect(not traceback, "a traceback is in the log")
        growth = self._peak_mib - self._before_mib
        self.expect(growth <= growth_mib, f"memory grew by {growth:.0f} MiB, more than {growth_mib:.0f}")
        if self._half_mib:
            flat = self._peak_mib <= 1.2 * self._half_mib
            self.expect(flat, f"memory is not flat: {self._half_mib:.0f} MiB at half time, {self._peak_mib:.0f} later")
        return Outcome(
            fault=self.fault, done=done, answers=dict(self.ledger.answers - self._answers_before),
            sent=sum(one.spans for one in self.ledger.sent), acknowledged=self.ledger.acknowledged_spans,
            stored=sum(found.stored.values()), counted=sum(total for _, total in found.counted.values()),
            before_mib=self._before_mib, peak_mib=self._peak_mib, after_mib=self.server.memory_mib(),
            log=line, recovered_s=self._recovered_s, problems=tuple(self.problems),
        )  # fmt: skip


@contextmanager
def trial(fault: str, folder: Path, document: Mapping[str, Any] | None = None, **server: Any) -> Iterator[Trial]:
    """A trial on a fresh server in ``folder``, which is killed at the end."""
    running = Server(folder, document, **server)
    try:
        running.start()
        yield Trial(fault, running)
    finally:
        running.kill()
        running.client.close()
