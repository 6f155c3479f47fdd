"""Live steps of runbooks: bounded questions asked while one is rendered; a failure is a sentence in its place.

A question has a second, a rendering twelve questions, and after the second that took too long no more are asked. What
was answered is kept for ten seconds, so that many readers of one page cost what one costs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlowError
from threading import BoundedSemaphore
from typing import Any, Final

from alerting.incidents import Alert, Incident
from alerting.runbooks.markdown import Markdown, escape
from alerting.runbooks.questions import QUESTIONS, Subject
from storage.database import Database
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS

MAX_QUESTIONS: Final = 12
_PATIENCE_S: Final = 1.0
_MAX_SLOW: Final = 2
_THREADS: Final = 2
_KEPT_NS: Final = 10 * NANOS
_MAX_KEPT: Final = 256
_MAX_TEXT: Final = 100

Statuses = Callable[[], Mapping[str, Any]]
Live = Callable[..., Markdown]

logger = logging.getLogger(__name__)


def not_asked(name: str = "", *_values: object, **_named: object) -> Markdown:
    """What stands in place of an answer where there is no server to ask."""
    return Markdown(f"*({escape(name)}: the answer stands here on the incident's page)*")


class LiveSteps:
    """Answers the live steps of runbooks over one database; ``statuses`` are the SLOs as the HTTP API shows them."""

    def __init__(self, database: Database, statuses: Statuses) -> None:
        self._database = database
        self._statuses = statuses
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="runbook")
        self._free = BoundedSemaphore(_THREADS)
        self._kept: dict[tuple[Any, ...], tuple[int, Markdown]] = {}

    def of(self, incident: Incident, members: list[Alert], now_ns: int) -> Live:
        """The function ``live`` of one rendering."""
        group = incident.evidence.get("group")
        subject = Subject(
            self._database, incident.service, dict(incident.slice), incident.slo,
            group if isinstance(group, dict) else {}, min((one.onset_ns for one in members), default=incident.onset_ns),
            now_ns, self._statuses,
        )  # fmt: skip
        about = (incident.number, tuple(sorted(subject.slice.items())))
        rendering = _Rendering(self, subject, about)

        def live(name: str = "", *values: Any, **named: Any) -> Markdown:
            # A function, since templates may not call methods.
            return rendering.ask(name, *values, **named)

        return live

    def answer(self, key: tuple[Any, ...], subject: Subject, name: str, *values: Any, **named: Any) -> Markdown:
        """The answer, from the store if it is fresh.

        Raises:
            TooSlowError: it takes too long; it goes on in the background, and two of those block what follows.
        """
        known = self._kept.get(key)
        if known is not None and 0 <= subject.now_ns - known[0] < _KEPT_NS:
            return known[1]
        if not self._free.acquire(blocking=False):
            raise TooSlowError
        asked: Future[Markdown] = self._pool.submit(self._ask, subject, name, *values, **named)
        found = asked.result(_PATIENCE_S)
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[key] = (subject.now_ns, found)
        return found

    def _ask(self, subject: Subject, name: str, *values: Any, **named: Any) -> Markdown:
        try:
            return QUESTIONS[name](subject, *values, **named)
        finally:
            self._free.release()


class _Rendering:
    """The questions of one rendering."""

    def __init__(self, steps: LiveSteps, subject: Subject, about: tuple[Any, ...]) -> None:
        self._steps = steps
        self._subject = subject
        self._about = about
        self._asked = 0
        self._slow = 0

    def ask(self, name: str = "", *values: Any, **named: Any) -> Markdown:
        """The answer to ``live(name, ...)``, or why there is none."""
        self._asked += 1
        why_not = self._why_not(name, (*values, *named.values()))
        if why_not:
            return _failure(why_not)
        key = (*self._about, name, values, tuple(sorted(named.items())))
        try:
            return self._steps.answer(key, self._subject, name, *values, **named)
        except TooSlowError:
            self._slow += 1
            failure = "the database took too long to answer; reload the page to ask again"
        except (ValueError, TypeError) as error:
            failure = str(error).replace(f"{name}() ", "")
        except TailwatchError as error:
            failure = error.what
        except Exception:
            # A question with a fault must not take the page, which says what to do, from whoever needs it now.
            logger.exception("the live step %s failed from within", name)
            failure = "the question failed from within; the service's log says more"
        return _failure(failure)

    def _why_not(self, name: str, given: tuple[Any, ...]) -> str:
        if self._asked > MAX_QUESTIONS:
            return f"a runbook may ask {MAX_QUESTIONS} questions, and this is one more"
        if self._slow >= _MAX_SLOW:
            return "the questions before it took too long"
        if name not in QUESTIONS:
            return f"there is no question {str(name)[:_MAX_TEXT]!r}; there are {', '.join(QUESTIONS)}"
        if not all(isinstance(one, str | bool) and len(str(one)) <= _MAX_TEXT for one in given):
            return "a question takes short texts, and true or false"
        return ""


def _failure(sentence: str) -> Markdown:
    return Markdown(f"*This could not be asked: {escape(sentence)}.*")
