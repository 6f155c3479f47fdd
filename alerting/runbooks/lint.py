"""What is wrong with the runbooks in a folder, each problem with file, line and remedy; it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jinja2.exceptions import TemplateSyntaxError

from alerting.evidence import assemble
from alerting.runbooks.library import Runbook, read_runbook
from alerting.runbooks.live import not_asked
from alerting.runbooks.markdown import Markdown
from alerting.runbooks.questions import QUESTIONS
from alerting.runbooks.rendering import fill, first_step
from alerting.sandbox import FAULTS
from alerting.texts import flat
from telemetry.errors import ConfigError, Problem
from telemetry.findings import CAUSES, Diagnosis

SECTIONS: Final = ("How to tell", "What to do now", "What to do later", "How to check that it worked")
_HEADING: Final = re.compile(r"^## (.*?)\s*$", re.MULTILINE)


def lint(folder: Path) -> list[Problem]:
    """Every problem of every ``*.md`` file; errors keep a runbook from being filled in."""
    found: list[Problem] = []
    for file in sorted(folder.glob("*.md")):
        try:
            runbook = read_runbook(file)
        except ConfigError as error:
            found.append(Problem(str(file), 1, "", error.what, error.remedy))
        else:
            found.extend(_problems(runbook, file))
    return found


def _problems(runbook: Runbook, file: Path) -> Iterator[Problem]:
    before = file.read_text(encoding="utf-8").count("\n") - runbook.text.count("\n")
    for cause in runbook.causes:
        if cause not in CAUSES:
            remedy = f"the causes are {', '.join(CAUSES)}"
            yield Problem(str(file), 1, "causes", f"{cause!r} is no cause that a diagnosis can name", remedy, "warning")
    asked: list[str] = []

    def live(name: str = "", *values: object, **named: object) -> Markdown:
        asked.append(str(name))
        return not_asked(name, *values, **named)

    text = ""
    for evidence in _samples(runbook.causes[0] if runbook.causes and runbook.causes[0] in CAUSES else "unknown"):
        try:
            text = fill(runbook.text, _INCIDENT, evidence, "https://tailwatch.example.com", live)
        except FAULTS as error:
            line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of(error)
            what = f"it cannot be filled in: {type(error).__name__}: {flat(error)}"
            yield Problem(str(file), before + line if line else 0, "", what, "docs/alerting.md says what it may hold")
            return
    for name in dict.fromkeys(asked):
        if name not in QUESTIONS:
            yield Problem(str(file), 0, "live", f"there is no question {name!r}", f"there are {', '.join(QUESTIONS)}")
    yield from _lacking(text, file)


def _lacking(text: str, file: Path) -> Iterator[Problem]:
    headings = _HEADING.findall(text)
    for section in SECTIONS:
        if section not in headings:
            what = f"it has no section {section!r}"
            yield Problem(str(file), 0, "", what, f"write a heading: ## {section}", "warning")
    if not first_step(text):
        what = "it has no numbered step, so that notifications have none to quote"
        yield Problem(str(file), 0, "", what, 'write "1. ..." under "What to do now"', "warning")


def _line_of(error: BaseException) -> int:
    """The template's line in which rendering failed; 0 when the traceback does not say."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


_INCIDENT: Final[dict[str, Any]] = {
    "id": "INC-1", "title": "an example", "status": "open", "severity": "page", "service": "chat", "slo": "chat-errors",
    "cause": "unknown", "slice": {"model_version": "v2"}, "runbook": "unknown", "opened_at": 1.7e9,
    "acknowledged_at": None, "acknowledged_by": None, "assignee": None, "snoozed_until": None, "resolved_at": None,
    "alerts": [],
}  # fmt: skip


def _samples(cause: str) -> Iterator[dict[str, Any]]:
    """Evidence with everything in it, and with nothing."""
    facts = {
        "attribution": [{"dimension": "tenant", "value": "acme", "bad": 5, "total": 9, "excess_share": 0.8}],
        "tail": [{"part": "queue", "before_s": 0.1, "after_s": 2.0, "share": 0.9}],
        "changes": [{"what": "model_version", "before": "v1", "after": "v2", "text": "a release"}],
        "exemplars": [{"trace_id": "0" * 32, "duration_s": 1.0, "error_type": "timeout"}],
        "drift": [{"field": "confidence", "effect": 0.4, "p_value": 1e-9, "method": "ks"}],
        "burn": [{"long": "1h", "short": "5m", "factor": 14.4, "long_burn": 20.0, "short_burn": 30.0}],
    }
    yield assemble("an example", {}, Diagnosis(cause, "an example", 0.9, {"model_version": "v2"}, facts), cause=cause)
    yield assemble("an example", {}, None, cause=cause)
