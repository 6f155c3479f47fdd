"""Would-be alerts out of findings, by the state machine of alerting."""

from __future__ import annotations

from alerting.state import AlertTiming
from tailwatch.backtest.episodes import EpisodeLog
from telemetry.findings import Finding, fingerprint
from telemetry.windows import NANOS

MINUTE_NS = 60 * NANOS
TIMING = AlertTiming(keep_firing_for_ns=MINUTE_NS)


def finding(severity: str = "page", *, behind: str | None = None, window: str = "1h") -> Finding:
    labels = {"alertname": "ErrorBudgetBurn", "slo": "a", "service": "chat", "severity": severity, "window": window}
    return Finding(labels, severity, 5, f"{severity}!", {"group": {"model": "m", "tenant": ""}}, suppressed_by=behind)


def played(*minutes: list[Finding]) -> EpisodeLog:
    """A log that saw one evaluation a minute."""
    log = EpisodeLog(TIMING)
    for minute, findings in enumerate(minutes):
        log.apply(findings, minute * MINUTE_NS)
    return log


def test_an_alert_lasts_until_its_finding_has_been_absent():
    (one,) = played([], [finding()], [finding()], [], []).episodes()
    assert (one.start_ns, one.end_ns) == (MINUTE_NS, 4 * MINUTE_NS)
    assert (one.slo, one.service, one.severity, one.name) == ("a", "chat", "page", "ErrorBudgetBurn 1h")
    assert (dict(one.group), one.onset_ns, one.summary) == ({"model": "m"}, 5, "page!")
    assert one.told
    assert not one.withdrawn


def test_an_alert_that_still_holds_has_no_end():
    (one,) = played([finding()], [finding()]).episodes()
    assert one.end_ns is None


def test_a_ticket_behind_its_page_is_none_until_the_page_is_gone():
    page = finding()
    ticket = finding("ticket", behind=fingerprint(page.labels), window="3d")
    assert [one.severity for one in played([page, ticket], [page, ticket]).episodes()] == ["page"]
    log = played([page, ticket], [finding("ticket", window="3d")], [finding("ticket", window="3d")])
    assert [(one.severity, one.start_ns) for one in log.episodes()] == [("page", 0), ("ticket", 2 * MINUTE_NS)]


def test_an_alert_that_comes_right_back_is_told_once_it_has_lasted():
    gone: list[Finding] = []
    flapping = played([finding()], gone, gone, [finding()], gone, gone)
    assert [one.told for one in flapping.episodes()] == [True, False]
    lasting = played([finding()], gone, gone, *([finding()] for _ in range(8)))
    assert [one.told for one in lasting.episodes()] == [True, True]


def test_an_alert_that_late_data_prove_wrong_is_withdrawn():
    log = EpisodeLog(TIMING)
    log.apply([finding()], 0)
    log.apply([], MINUTE_NS // 2, {finding().fingerprint})
    (one,) = log.episodes()
    assert one.withdrawn
    assert one.end_ns == MINUTE_NS // 2
