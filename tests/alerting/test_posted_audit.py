"""Alerts that others post as they are stored, and what the audit log says of them: once, and who said so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import event

from alerting.posted import PostedAlert, active, store
from storage import audit
from storage.audit import Actor
from storage.database import Database
from telemetry.windows import NANOS

T0 = 1_700_000_000 * NANOS
PROMETHEUS = Actor("prometheus", "10.0.0.9")


def alert(name: str, *, until_s: int, **labels: str) -> PostedAlert:
    return PostedAlert({"alertname": name, **labels}, {}, T0, T0 + until_s * NANOS, "")


def post(database: Database, at_s: int, *alerts: PostedAlert, actor: Actor = PROMETHEUS) -> None:
    with database.write() as connection:
        store(connection, alerts, T0 + at_s * NANOS, actor=actor)


def told(database: Database) -> list[tuple[str, str, str]]:
    return [(one.actor, one.action, one.subject) for one in reversed(audit.load(database))]


def test_an_alert_that_is_sent_again_every_minute_is_in_it_once(database: Database) -> None:
    for minute in range(30):
        post(database, 60 * minute, alert("DiskFull", until_s=60 * minute + 240, service="db"))
    assert told(database) == [("prometheus", "alert.begin", "DiskFull")]
    (entry,) = audit.load(database)
    assert (entry.at_ns, entry.address) == (T0, "10.0.0.9")
    assert entry.detail == {"alerts": ['{alertname="DiskFull", service="db"}']}


def test_its_end_is_in_it_once_and_so_is_the_next_time(database: Database) -> None:
    post(database, 0, alert("DiskFull", until_s=240))
    for at_s in (60, 120, 180):
        post(database, at_s, alert("DiskFull", until_s=60), actor=Actor("ada"))
    post(database, 300, alert("DiskFull", until_s=540))
    post(database, 600, alert("DiskFull", until_s=840))
    assert told(database) == [
        ("prometheus", "alert.begin", "DiskFull"),
        ("ada", "alert.end", "DiskFull"),
        ("prometheus", "alert.begin", "DiskFull"),
        ("prometheus", "alert.begin", "DiskFull"),
    ], "one that was not posted again in time had ended by itself"


def test_what_was_over_before_it_was_heard_of_is_not(database: Database) -> None:
    post(database, 300, alert("Old", until_s=60))
    assert told(database) == []


def test_many_at_once_are_one_entry_of_bounded_size(database: Database) -> None:
    post(database, 0, *(alert(f"A{number}", until_s=240, text="𝕏" * 10_000) for number in range(500)))
    (entry,) = audit.load(database)
    assert entry.subject == "A0 and 499 more"
    assert len(entry.detail["alerts"]) == 20
    assert max(map(len, entry.detail["alerts"])) == 300


def test_many_at_once_ask_a_few_questions_of_the_database(database: Database) -> None:
    asked: list[str] = []
    event.listen(database._writer, "before_cursor_execute", lambda *given: asked.append(given[2]))
    many = [alert(f"A{number}", until_s=240) for number in range(1200)]
    for second in (0, 60):
        post(database, second, *many)
    assert len([text for text in asked if "posted_alerts" in text]) == 2 * (3 + 1)
    with database.read() as connection:
        assert len(active(connection, T0 + 100 * NANOS)) == 1200


def test_it_began_when_it_was_first_said_to_while_it_holds(database: Database) -> None:
    def began_at(second: int) -> list[float]:
        with database.read() as connection:
            return [(one.starts_ns - T0) / NANOS for one in active(connection, T0 + second * NANOS)]

    post(database, 100, alert("DiskFull", until_s=240))
    assert began_at(100) == [0]
    again = PostedAlert({"alertname": "DiskFull"}, {}, T0 + 90 * NANOS, T0 + 300 * NANOS, "")
    post(database, 120, again)
    assert began_at(120) == [0]
    post(database, 400, PostedAlert(again.labels, {}, T0 + 390 * NANOS, T0 + 500 * NANOS, ""))
    assert began_at(400) == [390], "it had ended"


def test_two_servers_that_are_posted_the_same_at_once_both_take_it(database: Database) -> None:
    # As Prometheus does to every Alertmanager that it knows. Each finds nothing of them before the other has stored.
    together = threading.Barrier(2)

    def stored(*names: str) -> None:
        with database.write() as connection:
            if database.dialect == "postgresql":
                together.wait(30)
            store(connection, [alert(name, until_s=240) for name in names], T0, actor=PROMETHEUS)

    with ThreadPoolExecutor(2) as pool:
        posts = [pool.submit(stored, *names) for names in (("A", "B", "C"), ("C", "B", "A"))]
    assert [one.result() for one in posts] == [None, None]
    with database.read() as connection:
        assert {one.labels["alertname"] for one in active(connection, T0)} == {*"ABC"}
