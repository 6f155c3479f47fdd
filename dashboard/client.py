"""The typed HTTP client of the service's API; every failure leaves it as one clear sentence, nothing is retried."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from dashboard.documents.audit import AuditEntry, AuditPage
from dashboard.documents.budgets import Correction, Corrections, Forecast
from dashboard.documents.collector import CollectorStatus, Source, Sources
from dashboard.documents.incidents import Incident, Incidents, IncidentSummary
from dashboard.documents.metrics import Metric, MetricCourse, Metrics, Target, Targets
from dashboard.documents.oncall import Figures, Noise, Retried, Undelivered, UndeliveredList
from dashboard.documents.silences import FiringAlert, FiringAlerts, Mute, Mutes, Silence, SilenceMade, Silences
from dashboard.documents.slos import History, HistoryPoint, Slo, Slos
from dashboard.documents.status import Status
from dashboard.documents.traces import Trace, Traces, TraceSummary
from dashboard.documents.traffic import Heatmap, OneSeries, Series, Service, Services
from dashboard.settings import Settings, SettingsError

TIMEOUT_S = 10.0

D = TypeVar("D", bound=BaseModel)


class ServiceError(Exception):
    """The service could not be reached or understood; the message is a sentence for the page."""


class Client:
    """Reads and changes what the service knows.

    One client may be shared by threads: httpx pools its connections safely. Every method raises ServiceError.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self.url = settings.url
        headers = {"Accept": "application/json"}
        self._bearer = settings.bearer
        # trust_env off: a proxy variable meant for the internet must not swallow calls to the loopback
        self._http = httpx.Client(
            headers=headers, timeout=TIMEOUT_S, transport=transport, trust_env=False, verify=settings.tls_context()
        )

    def status(self) -> Status:
        """Health and clock of the service."""
        return self._get(Status, "/api/v1/status")

    def collector(self) -> CollectorStatus:
        """Health of the service with that of its collector."""
        return self._get(CollectorStatus, "/api/v1/status")

    def sources(self) -> list[Source]:
        """Senders with what is known of their clocks."""
        return self._get(Sources, "/api/v1/sources").sources

    def slos(self) -> list[Slo]:
        """Every SLO with its budgets."""
        return self._get(Slos, "/api/v1/slos").slos

    def slo(self, name: str) -> Slo:
        """One SLO with its budgets."""
        return self._get(Slo, f"/api/v1/slos/{quote(name, safe='')}")

    def history(
        self, name: str, *, start: float, end: float, step: float, group: Mapping[str, str] | None = None
    ) -> list[HistoryPoint]:
        """One budget's course between two times (seconds since the epoch) in steps of `step` seconds."""
        params = {"start": start, "end": end, "step": step}
        chosen = {"group": json.dumps(dict(group), sort_keys=True)} if group else {}
        path = f"/api/v1/slos/{quote(name, safe='')}/history"
        return self._get(History, path, {**params, **chosen}).points

    def forecast(self, name: str, *, group: Mapping[str, str] | None = None, timezone: str) -> Forecast:
        """What may become of one budget; the sentence tells times on the clocks of `timezone`."""
        chosen = {"group": json.dumps(dict(group), sort_keys=True)} if group else {}
        path = f"/api/v1/slos/{quote(name, safe='')}/forecast"
        return self._get(Forecast, path, {"timezone": timezone, **chosen})

    def corrections(self, slo: str) -> list[Correction]:
        """The corrections that may be about an SLO, cancelled ones too, the newest first."""
        return self._get(Corrections, "/api/v1/corrections", {"slo": slo}).corrections

    def series(
        self,
        measure: str,
        *,
        start: float,
        end: float,
        step: float,
        service: str | None = None,
        operation: str | None = None,
        by: str | None = None,
    ) -> list[OneSeries]:
        """Counts and percentiles of a measure over time, one series for each value of the label `by`."""
        params = {"measure": measure, "start": start, "end": end, "step": step}
        optional = {"service": service, "operation": operation, "by": by}
        return self._get(Series, "/api/v1/series", {**params, **optional}).series

    def heatmap(
        self,
        measure: str,
        *,
        start: float,
        end: float,
        step: float,
        service: str | None = None,
        operation: str | None = None,
    ) -> Heatmap:
        """Counts of a measure per time step and bin."""
        params = {"measure": measure, "start": start, "end": end, "step": step}
        return self._get(Heatmap, "/api/v1/heatmap", {**params, "service": service, "operation": operation})

    def incidents(self, status: str | None = None) -> list[IncidentSummary]:
        """Incidents, all of them or those with one status."""
        return self._get(Incidents, "/api/v1/incidents", {"status": status}).incidents

    def incident(self, incident_id: str) -> Incident:
        """One incident with evidence, timeline and runbook."""
        return self._get(Incident, f"/api/v1/incidents/{quote(incident_id, safe='')}")

    def act(self, incident_id: str, action: str, *, author: str, **said: str | float | None) -> IncidentSummary:
        """Do something about an incident: `action` is the last part of the address, `said` what it wants to know."""
        path = f"/api/v1/incidents/{quote(incident_id, safe='')}/{action}"
        return self._parse(IncidentSummary, path, self._request("POST", path, body={"author": author, **said}))

    def run_hook(self, incident_id: str, name: str, *, author: str, comment: str) -> None:
        """Run a response hook for an incident, or approve of the run that waits."""
        path = f"/api/v1/incidents/{quote(incident_id, safe='')}/hooks/{quote(name, safe='')}"
        self._request("POST", path, body={"author": author, "comment": comment})

    def deny_hook(self, incident_id: str, name: str, *, author: str, comment: str) -> None:
        """Have the run of a response hook that waits for approval not be made."""
        path = f"/api/v1/incidents/{quote(incident_id, safe='')}/hooks/{quote(name, safe='')}/deny"
        self._request("POST", path, body={"author": author, "comment": comment})

    def postmortem(self, incident_id: str) -> str:
        """The post-mortem drafted from an incident, as Markdown."""
        return self._request("GET", f"/api/v1/incidents/{quote(incident_id, safe='')}/postmortem").decode()

    def silences(self) -> list[Silence]:
        """Every silence, those that have ended recently too; the active first."""
        return self._get(Silences, "/api/v2/silences").root

    def put_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence, or change the one of its id; the id of what is in force then."""
        path = "/api/v2/silences"
        return self._parse(SilenceMade, path, self._request("POST", path, body=silence)).silenceID

    def expire_silence(self, silence_id: str) -> None:
        """End a silence now."""
        self._request("DELETE", f"/api/v2/silence/{quote(silence_id, safe='')}")

    def alerts(self, matchers: Sequence[str] = ()) -> list[FiringAlert]:
        """The alerts that fire now, quiet or not, and that every matcher accepts."""
        return self._get(FiringAlerts, "/api/v2/alerts", {"filter": list(matchers)}).root

    def mutes(self) -> list[Mute]:
        """The recurring times at which routes tell nobody."""
        return self._get(Mutes, "/api/v1/mutes").mutes

    def figures(self, since: str) -> Figures:
        """How quickly the incidents of so long (`30d`) were answered and ended."""
        return self._get(Figures, "/api/v1/figures", {"since": since})

    def noise(self, since: str) -> Noise:
        """How much people were told for so long (`30d`), and how much of it was worth it."""
        return self._get(Noise, "/api/v1/noise", {"since": since})

    def undelivered(self) -> list[Undelivered]:
        """Notifications that were given up, the latest first."""
        return self._get(UndeliveredList, "/api/v1/notifications/undelivered").undelivered

    def retry(self, number: int | None, *, author: str) -> list[Undelivered]:
        """Try one of them again, or all; what is tried."""
        one = "" if number is None else f"/{number}"
        path = f"/api/v1/notifications/undelivered{one}/retry"
        return self._parse(Retried, path, self._request("POST", path, body={"author": author})).retried

    def traces(self, **filters: str | float | bool | None) -> list[TraceSummary]:
        """Traces that match the filters: service, operation, error, min_duration, start, end, limit."""
        return self._get(Traces, "/api/v1/traces", filters).traces

    def trace(self, trace_id: str) -> Trace:
        """Every stored span of a trace."""
        return self._get(Trace, f"/api/v1/traces/{quote(trace_id, safe='')}")

    def services(self) -> list[Service]:
        """Services that sent telemetry lately."""
        return self._get(Services, "/api/v1/services").services

    def metrics(self) -> list[Metric]:
        """Metrics that were sent or scraped within the last hour."""
        return self._get(Metrics, "/api/v1/metrics").metrics

    def metric(self, name: str, *, start: float, end: float, step: float, service: str, by: str) -> MetricCourse:
        """One metric of a service over time, one series for each value of the label `by`."""
        params = {"start": start, "end": end, "step": step, "service": service, "by": by}
        return self._get(MetricCourse, f"/api/v1/metrics/{quote(name, safe='/:')}", params)

    def targets(self) -> list[Target]:
        """Scraped targets."""
        return self._get(Targets, "/api/v1/scrape").targets

    def audit(self, limit: int) -> list[AuditEntry]:
        """The newest changes that somebody made."""
        return self._get(AuditPage, "/api/v1/audit", {"limit": limit}).entries

    def report(self, incident_id: str) -> bytes:
        """The drift report of an incident, as HTML."""
        return self._request("GET", f"/api/v1/incidents/{quote(incident_id, safe='')}/report")

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def _get(self, document: type[D], path: str, params: Mapping[str, Any] | None = None) -> D:
        sent = {
            key: list(map(_query_value, value)) if isinstance(value, list) else _query_value(value)
            for key, value in (params or {}).items() if value is not None
        }  # fmt: skip
        return self._parse(document, path, self._request("GET", path, params=sent))

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> bytes:
        try:
            token = self._bearer()
            headers = {"Authorization": f"Bearer {token}"} if token else None
            answer = self._http.request(method, self.url + path, params=params, json=body, headers=headers)
        except SettingsError as error:
            raise ServiceError(str(error)) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise ServiceError(
                f"TAILWATCH_URL is '{self.url}', which is not an http address; "
                "set it to where the service listens, for example http://127.0.0.1:4318."
            ) from None
        except httpx.TimeoutException:
            raise ServiceError(
                f"The Tailwatch service at {self.url} did not answer {path} within {TIMEOUT_S:.0f} s; "
                "it may be overloaded, so check its log."
            ) from None
        except httpx.TransportError as error:
            raise ServiceError(
                f"No Tailwatch service answers at {self.url} ({_reason(error)}); "
                "start it, or set TAILWATCH_URL to where it listens."
            ) from None
        if not answer.is_success:
            raise ServiceError(refusal(self.url, path, answer.status_code, answer.content))
        return answer.content

    def _parse(self, document: type[D], path: str, body: bytes) -> D:
        try:
            return document.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = _where(first["loc"])
            problem = f"{where}: {first['msg']}" if where else first["msg"]
            raise ServiceError(
                f"The answer of {self.url} to {path} is not what this dashboard expects ({problem}); "
                "check that TAILWATCH_URL names a Tailwatch service of this dashboard's version."
            ) from None


def refusal(url: str, path: str, code: int, body: bytes) -> str:
    """Turn an HTTP error into a sentence, in the service's own words where it gave some."""
    try:
        answer = json.loads(body)
        # Alertmanager's errors are mere texts
        error = {"what": answer} if isinstance(answer, str) else answer["error"]
        what, where, remedy = (str(error.get(key) or "").strip() for key in ("what", "where", "remedy"))
    except (ValueError, KeyError, TypeError, AttributeError):
        what = where = remedy = ""
    if code in {401, 403}:
        said = f": {what.rstrip('.')}" if what else ""
        return (
            f"The Tailwatch service at {url} refused {path} (HTTP {code}){said}; "
            "set TAILWATCH_TOKEN to a token that may. "
            "Where the service runs, `tailwatch token create dashboard --scope respond` makes one."
        )
    if not what:
        return f"The Tailwatch service at {url} answered {path} with HTTP {code}; its log says why."
    sentence = what.rstrip(".") + (f" ({where})" if where else "")
    return f"{sentence}; {remedy.rstrip('.')}." if remedy else f"{sentence}."


def _query_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its certificate does not count; TAILWATCH_CA_FILE names the authorities that issue it"
        return "the connection was refused" if "refused" in str(error).lower() else "it cannot be reached"
    return "the connection broke off"


def _where(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
