"""The keys of every OpenSLO v1 mapping and which of them must be there; it reads nothing.

Source: the specification, https://github.com/OpenSLO/OpenSLO (README), and its JSON schemas of v1. A key that the
specification requires and its own examples leave out is required in strict mode only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

API_VERSION: Final = "openslo/v1"
KINDS: Final = ("SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "Service", "DataSource")
OPERATORS: Final = ("lte", "gte", "lt", "gt")
METHODS: Final = ("Occurrences", "Timeslices", "RatioTimeslices")
LONGEST_DESCRIPTION: Final = 1050

Need = Literal["always", "strict", "never"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key, and when it is required."""

    name: str
    need: Need = "never"


DOCUMENT: Final = (
    Entry("apiVersion", "always"),
    Entry("kind", "always"),
    Entry("metadata", "always"),
    Entry("spec", "always"),
)
METADATA: Final = (Entry("name", "always"), Entry("displayName"), Entry("labels"), Entry("annotations"))
SERVICE: Final = (Entry("description"),)
DATA_SOURCE: Final = (Entry("description"), Entry("type", "always"), Entry("connectionDetails", "strict"))
METRIC: Final = (Entry("metricSource", "always"),)
METRIC_SOURCE: Final = (Entry("metricSourceRef"), Entry("type"), Entry("spec", "always"))
SLI: Final = (Entry("description"), Entry("thresholdMetric"), Entry("ratioMetric"))
RATIO: Final = (
    Entry("counter"), Entry("good"), Entry("bad"), Entry("total"), Entry("rawType"), Entry("raw"),
)  # fmt: skip
RAW_TYPES: Final = ("success", "failure")
INLINE_SLI: Final = (Entry("kind"), Entry("metadata", "always"), Entry("spec", "always"))
INLINE: Final = (Entry("apiVersion"), Entry("kind", "strict"), Entry("metadata", "always"), Entry("spec", "always"))
SLO: Final = (
    Entry("description"), Entry("service", "always"), Entry("indicator"), Entry("indicatorRef"), Entry("timeWindow"),
    Entry("budgetingMethod", "strict"), Entry("objectives", "always"), Entry("alertPolicies"),
)  # fmt: skip
TIME_WINDOW: Final = (Entry("duration", "always"), Entry("isRolling"), Entry("calendar"))
CALENDAR: Final = (Entry("startTime", "always"), Entry("timeZone", "always"))
OBJECTIVE: Final = (
    Entry("displayName"), Entry("op"), Entry("value"), Entry("target"), Entry("targetPercent"),
    Entry("timeSliceTarget"), Entry("timeSliceWindow"), Entry("indicator"), Entry("indicatorRef"),
    Entry("compositeWeight"),
)  # fmt: skip
ALERT_POLICY: Final = (
    Entry("description"), Entry("alertWhenNoData", "strict"), Entry("alertWhenResolved", "strict"),
    Entry("alertWhenBreaching", "strict"), Entry("conditions", "always"), Entry("notificationTargets", "strict"),
)  # fmt: skip
ALERT_CONDITION: Final = (Entry("description"), Entry("severity", "always"), Entry("condition", "always"))
CONDITION: Final = (
    Entry("kind"), Entry("op", "always"), Entry("threshold", "always"), Entry("lookbackWindow", "always"),
    Entry("alertAfter"),
)  # fmt: skip
TARGET: Final = (Entry("description"), Entry("target", "always"))
