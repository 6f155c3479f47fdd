"""OpenSLO documents that the tests share, in parts that a test changes."""

from __future__ import annotations

from detectors.slo.openslo.read import OpenSlo, read_openslo
from detectors.slo.spec import Slo

OURS = """\
      ratioMetric:
        counter: true
        good: {metricSource: {type: Tailwatch, spec: {sli: {errors: {}}}}}
        total: {metricSource: {type: Tailwatch, spec: {where: ['environment="prod"'], per: [model]}}}
"""
LATENCY = """\
      thresholdMetric: {metricSource: {type: Tailwatch, spec: {sli: {latency: {measure: ttft}}}}}
"""
FOREIGN = """\
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: up}}}
        total: {metricSource: {type: Prometheus, spec: {query: up}}}
"""
ROLLING = "[{duration: 28d, isRolling: true}]"


def slo(
    indicator: str = OURS, window: str = ROLLING, method: str = "Occurrences", objectives: str = "[{target: 0.99}]",
    rest: str = "", metadata: str = "{name: answers}",
) -> str:  # fmt: skip
    """An SLO document; ``indicator`` is the spec of its SLI, without which it has none."""
    inline = f"  indicator:\n    metadata: {{name: inline}}\n    spec:\n{indicator}" if indicator else ""
    return f"""\
apiVersion: openslo/v1
kind: SLO
metadata: {metadata}
spec:
  service: chat
{inline}  timeWindow: {window}
  budgetingMethod: {method}
  objectives: {objectives}
{rest}"""


def document(kind: str, name: str, spec: str) -> str:
    """A further document of a stream."""
    return f"---\napiVersion: openslo/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def read(text: str, strict: bool = False) -> OpenSlo:
    return read_openslo([("a.yaml", text)], strict)


def said(text: str, strict: bool = False) -> list[str]:
    """Every problem: severity and sentence."""
    return [f"{problem.severity}: {problem}" for problem in read(text, strict).problems]


def compiled(text: str) -> Slo:
    """The one SLO of a text without errors."""
    found = read(text)
    assert not found.errors, found.errors
    (only,) = found.slos
    return only
