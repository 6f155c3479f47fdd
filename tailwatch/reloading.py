"""Live reload: SLO files, prices and alerting read anew while requests come in; an error anywhere changes nothing.

    read and lint everything -> count by old and new rules -> fill what is new from stored rows -> swap -> count by new

No event is lost or counted twice: from the moment when all that is on its way was prepared by the new rules too, every
commit counts by them, and the slices of the backfill replace what was counted before (:mod:`tailwatch.backfill`).
Whoever uses the SLOs is given the new ones together; a step of the evaluation sees one set or the other.
"""

from __future__ import annotations

import glob
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from alerting.config import AlertingConfig
from collector.intake import Intake
from storage import audit
from storage.collectors import HEARTBEAT_NS
from storage.database import Database
from storage.revisions import revisions
from tailwatch.backfill import backfill
from tailwatch.catalogue import Catalogue, load_catalogue
from tailwatch.places import seed
from tailwatch.settings import Settings
from tailwatch.watching import Watch
from telemetry.errors import ConfigError, FileProblemsError, Problem, StorageError, TailwatchError
from telemetry.windows import NANOS

POLL_NS: Final = NANOS
_LEAST_PAUSE_NS: Final = 60 * NANOS
_PAUSE: Final = 20
"""Rules that others keep taking records in without are filled anew after so many times as long as that takes."""

_RELOADED: Final = frozenset({"slos", "prices", "alerting"})
"""The settings that a reload puts in force."""

_log = logging.getLogger(__name__)

Adopt = Callable[[Catalogue, frozenset[str]], None]
"""Takes over a new catalogue, and is told the rules whose stored counters were replaced."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """How the last reading of the declared files went.

    Attributes:
        at_ns: when they were last read.
        since_ns: when those in force were.
        failing_since_ns: when the first reading of those that failed one after the other was; None if the last did not.
        problems: why the last reading failed.
        restart: settings that differ from those in force, and take effect at the next start.
        under_way: whether a reload is being put in force at this moment.
    """

    at_ns: int
    since_ns: int
    failing_since_ns: int | None = None
    problems: tuple[Problem, ...] = ()
    restart: tuple[str, ...] = ()
    under_way: bool = False

    @property
    def successful(self) -> bool:
        """Whether what is in force is what the files say."""
        return self.failing_since_ns is None

    @property
    def summary(self) -> str:
        """How many problems there are."""
        return f"{len(self.problems)} error{'s' if len(self.problems) != 1 else ''}"


class Reloader:
    """Keeps a running service at what its files say; its methods may be called from any thread.

    Args:
        settings: those that the service was started with.
        reread: reads the settings anew.
        catalogue: what is in force.
        database: where rows and counters are.
        intake: counts by the rules in force.
        adopt: hands a new catalogue to everybody else.
        alert_by: hands over the alerting section.
        agree: whether every live collector counts by the same rules.
        config: the configuration file, to be watched too; None without one.
        now_ns: when the catalogue was read.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        *,
        reread: Callable[[], Settings],
        database: Database,
        intake: Intake,
        adopt: Adopt,
        alert_by: Callable[[AlertingConfig], None],
        agree: Callable[[], bool],
        config: Path | None,
        now_ns: int,
    ) -> None:
        self._started = self._settings = settings
        self._catalogue = catalogue
        self._reread = reread
        self._database = database
        self._intake = intake
        self._adopt = adopt
        self._alert_by = alert_by
        self._agree = agree
        self._config = config
        self._turn = threading.Lock()
        self._requested = threading.Event()
        self._watch = self._watch_of(settings)
        self._marks = self._whole()
        self._look_ns = now_ns + HEARTBEAT_NS
        self._fill_ns = 0
        self._state = Configuration(now_ns, now_ns)

    @property
    def catalogue(self) -> Catalogue:
        """What is in force."""
        return self._catalogue

    @property
    def state(self) -> Configuration:
        """How the last reading went."""
        return self._state

    def request(self) -> None:
        """Reload at the next step, whether or not files have changed."""
        self._requested.set()

    def step(self, now_ns: int) -> None:
        """Reload if files have changed or somebody asked for it; now and then see to rules that are not whole.

        Raises:
            StorageError: the database cannot be used.
        """
        asked = self._requested.is_set()
        self._requested.clear()
        if self._watch.changed() or asked:
            self.reload(now_ns)
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + HEARTBEAT_NS
            with self._turn:
                self._mend(now_ns)

    def reload(self, now_ns: int, actor: str = "configuration files") -> Configuration:
        """Read the files, and put in force what they say if it holds no error; how it went.

        ``actor`` is whom the audit log names: by default nobody asked, and the files changed.
        """
        with self._turn:
            before = self._state
            try:
                settings = self._read_settings()
                self._watch = self._watch_of(settings)
                catalogue = load_catalogue(settings)
                self._state = replace(before, under_way=True)
                changes = [self._swap(catalogue, now_ns), settings.alerting.changes_since(self._settings.alerting)]
                self._alert_by(settings.alerting)
                self._settings = settings
            except TailwatchError as error:
                self._state = _failed(before, error, now_ns)
                _log.error("the configuration was not reloaded, and stays what it was:\n%s", error)
                if isinstance(error, StorageError):
                    self.request()
            except BaseException:
                self._state = before
                raise
            else:
                self._state = Configuration(now_ns, now_ns, restart=self._differing(settings))
                told = "; ".join(filter(None, changes))
                _log.info("the configuration was reloaded: %s", told)
                self._record(actor, told, now_ns)
                for problem in catalogue.warnings:
                    _log.warning("%s", problem)
            return self._state

    def _record(self, actor: str, changes: str, now_ns: int) -> None:
        try:
            with self._database.write() as connection:
                audit.record(
                    connection, at_ns=now_ns, actor=actor, action="config.reload",
                    subject="configuration" if self._config is None else self._config.name, detail={"changes": changes},
                )  # fmt: skip
        except StorageError as error:  # what is in force stays in force
            _log.error("the reload is not in the audit log: %s", error)

    def _read_settings(self) -> Settings:
        """The settings as they are written now.

        Raises:
            FileProblemsError: they cannot be used; what is wrong in the files that they named before is told with them.
        """
        try:
            return self._reread()
        except ConfigError as error:
            problems = [*_problems(error, self._config)]
            try:
                load_catalogue(self._settings)
            except FileProblemsError as others:
                problems += others.problems
            raise FileProblemsError(problems) from None

    def _swap(self, catalogue: Catalogue, now_ns: int) -> str:
        """Put ``catalogue`` in force; what it changes, in words."""
        changes = catalogue.changes_since(self._catalogue)
        before = self._intake.pipeline
        known = frozenset(rule.id for rule in before.rules)
        new = [rule for rule in catalogue.rules if rule.id not in known]
        try:
            seed(before.guard, self._database, new, now_ns)
            self._intake.use(replace(before, rules=(*before.rules, *new), prices=catalogue.prices.table))
            # What was prepared by the old rules alone is committed, or refused, when this returns.
            self._intake.settle()
            filled = backfill(self._database, catalogue.rules, before.guard, now_ns)
        except BaseException:
            self._intake.use(before)
            raise
        self._catalogue = catalogue
        self._adopt(catalogue, known.intersection(filled))
        self._intake.use(replace(self._intake.pipeline, rules=catalogue.rules))
        self._marks = self._whole()
        return changes

    def _mend(self, now_ns: int) -> None:
        """Fill rules that are not whole, once nobody takes records in without counting by them.

        What another process filled meanwhile is evaluated anew here.
        """
        rules = self._catalogue.rules
        marks = self._whole()
        filled = [rule.id for rule in rules if marks.get(rule.id, 0) > self._marks.get(rule.id, 0)]
        if now_ns >= self._fill_ns and self._agree():
            began = time.perf_counter()
            filled += backfill(self._database, rules, self._intake.pipeline.guard, now_ns)
            pause_ns = round(_PAUSE * (time.perf_counter() - began) * NANOS)
            self._fill_ns = now_ns + max(_LEAST_PAUSE_NS, pause_ns)
        if filled:
            self._adopt(self._catalogue, frozenset(filled))
            self._marks = self._whole()

    def _whole(self) -> dict[str, int]:
        """When the counters of each rule that lacks nothing were filled (ns)."""
        found = revisions(self._database)
        return {one.revision: one.backfilled_ns for one in found if one.backfilled_ns is not None}

    def _watch_of(self, settings: Settings) -> Watch:
        """Watches the files that ``settings`` name; made before they are read, lest a change goes unseen."""
        single = [path for path in (self._config, settings.prices) if path is not None]
        folder = settings.alerting.runbooks
        runbooks = [] if folder is None else [f"{glob.escape(str(folder))}/*.md"]
        return Watch([*settings.slos, *runbooks, *(glob.escape(str(path)) for path in single)])

    def _differing(self, settings: Settings) -> tuple[str, ...]:
        """Settings that take effect at the next start."""
        names = Settings.model_fields.keys() - _RELOADED
        return tuple(sorted(name for name in names if getattr(settings, name) != getattr(self._started, name)))


def _failed(before: Configuration, error: TailwatchError, now_ns: int) -> Configuration:
    problems = tuple(_problems(error, None))
    since_ns = now_ns if before.failing_since_ns is None else before.failing_since_ns
    return replace(before, at_ns=now_ns, failing_since_ns=since_ns, problems=problems)


def _problems(error: TailwatchError, config: Path | None) -> Iterator[Problem]:
    """What is wrong, a problem each; an error of settings has a line for each that begins with the file."""
    if isinstance(error, FileProblemsError):
        yield from error.problems
        return
    for line in error.what.splitlines():
        named = None if config is None else re.match(rf"{re.escape(str(config))}(?::(\d+))?: ", line)
        if named is None:
            yield Problem(error.where or "configuration", 0, "", line, error.remedy)
            continue
        message = line[named.end() :]
        field, _, rest = message.partition(": ")
        field, message = (field, rest) if rest and " " not in field else ("", message)
        yield Problem(str(config), int(named[1] or 0), field, message, error.remedy)
