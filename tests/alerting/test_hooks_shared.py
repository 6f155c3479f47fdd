"""Response hooks of several processes on one database, SQLite and PostgreSQL: limits, approvals and runs are shared."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from alerting import outbox
from alerting.service import Alerting
from storage import audit
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.errors import ConflictError
from telemetry.findings import Diagnosis, Finding
from tests.alerting import makers
from tests.alerting.hook_makers import document_for, hook_events, states
from tests.alerting.hook_server import HookServer, status
from tests.alerting.makers import T0, at, diagnosis, finding
from tests.conftest import ENGINES

Process = Callable[..., Alerting]


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"migrated_{'sqlite' if request.param == 'sqlite' else 'postgres'}_url")
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as opened:
        yield opened


@pytest.fixture
def process(url: str, hook: HookServer) -> Iterator[Process]:
    """Makes what another process on the same database would have: connections and settings of its own."""
    opened: list[Database] = []

    def start(**changes: Any) -> Alerting:
        opened.append(Database(url))
        return Alerting(opened[-1], makers.parse(document_for(hook, **changes)), ManualClock(T0), makers.SHIPPED)

    yield start
    for one in opened:
        one.close()


def released(found: Finding) -> Diagnosis:
    return diagnosis("bad-release", 0.95, model_version=found.labels["service"])


def open_incidents(alerting: Alerting, count: int, second: float = 0.0) -> list[str]:
    """Incidents of as many services, each with a bad release of its own; no more than are diagnosed at once."""
    alerting.apply([finding(service=f"s{second:g}-{number}") for number in range(count)], released, at(second))
    return [incident["id"] for incident in alerting.incidents("open")][:count]


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of these, begun in the same moment, returns or raises a conflict of."""
    barrier = threading.Barrier(len(tasks))
    found: list[Any] = [None] * len(tasks)

    def one(place: int) -> None:
        barrier.wait()
        try:
            found[place] = tasks[place]()
        except ConflictError as error:
            found[place] = error

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_several_deliverers_make_each_request_once(process, hook):
    processes = [process(per_hour=100) for _ in range(3)]
    incidents = open_incidents(processes[0], 8)
    for _ in range(8):
        at_once([lambda one=one: one.deliver(at(1)) for one in processes])
    asked = Counter(request.headers["idempotency-key"] for request in hook.requests)
    assert (len(asked), set(asked.values())) == (8, {1})
    assert Counter(request.document["version"] for request in hook.requests) == Counter(f"s0-{n}" for n in range(8))
    assert [states(processes[1], incident) for incident in incidents] == [["sent"]] * 8
    assert [len(hook_events(processes[2], incident)) for incident in incidents] == [1] * 8


def test_the_hourly_limit_is_one_for_all_processes(process):
    processes = [process(on=[], per_hour=3) for _ in range(4)]
    incidents = open_incidents(processes[0], 8)
    found = at_once([
        lambda one=one, incident=incident: one.run_hook(incident, "rollback", "maria", "", at(1), actor="x")
        for incident, one in zip(incidents, [*processes, *processes], strict=True)
    ])  # fmt: skip
    refused = [one for one in found if isinstance(one, ConflictError)]
    assert len(refused) == 5
    assert all("it has run 3 times within an hour" in str(one) for one in refused)
    # What verdicts ask for counts as well as what people do.
    watching = process(per_hour=3)
    open_incidents(watching, 1, second=100)
    assert [state for one in watching.incidents() for state in states(watching, one["id"])].count("refused") == 1


def test_of_two_who_approve_at_once_one_does(process, hook, database):
    first, second = process(approval=True), process(approval=True)
    open_incidents(first, 1)
    assert states(first) == ["waiting"]
    found = at_once([
        lambda: first.run_hook("INC-1", "rollback", "maria", "", at(2), actor="token-maria"),
        lambda: second.run_hook("INC-1", "rollback", "noor", "", at(2), actor="token-noor"),
    ])  # fmt: skip
    (refused,) = [one for one in found if isinstance(one, ConflictError)]
    assert "has run for INC-1 as often as it may" in str(refused)
    (run,) = [one for one in found if not isinstance(one, ConflictError)]
    at_once([lambda: first.deliver(at(3)), lambda: second.deliver(at(3))])
    assert states(first) == ["sent"]
    assert len(hook.requests) == 1
    (entry,) = audit.load(database, action="hook.approve")
    assert entry.actor == f"token-{run['author']}"


def test_of_one_who_approves_and_one_who_denies_one_does(process, hook, database):
    first, second = process(approval=True), process(approval=True)
    open_incidents(first, 1)
    found = at_once([
        lambda: first.run_hook("INC-1", "rollback", "maria", "", at(2), actor="token-maria"),
        lambda: second.deny_hook("INC-1", "rollback", "noor", "", at(2), actor="token-noor"),
    ])  # fmt: skip
    first.deliver(at(3))
    approved, denied = (not isinstance(one, ConflictError) for one in found)
    # Who comes after a denial asks for the run anew, as anybody may; who denies what runs already comes too late.
    assert approved
    assert len(hook.requests) == 1
    assert len(audit.load(database, action="hook.deny")) == denied
    assert len(audit.load(database, action="hook.approve")) == 1 - denied
    assert len(audit.load(database, action="hook.request")) == denied
    assert states(first) == (["refused", "sent"] if denied else ["sent"])


def test_what_was_sent_is_not_sent_again_by_who_finds_the_row_unconcluded(process, hook, database):
    first, second = process(), process()
    open_incidents(first, 1)
    concluded = outbox.conclude
    with pytest.MonkeyPatch.context() as patch:
        # As if it had been killed there.
        patch.setattr(outbox, "conclude", lambda *_values: None)
        first.deliver(at(1))
    assert outbox.conclude is concluded
    assert states(second) == ["sent"]
    assert hook_events(second) == []
    second.deliver(at(60))
    assert len(hook.requests) == 1
    assert states(second) == ["sent"]
    (event,) = hook_events(second)
    assert event.startswith("Hook rollback ran (verdict, POST http://127.0.0.1:")
    assert event.endswith("answered 200: ok")
    (entry,) = audit.load(database, action="hook.run")
    assert entry.actor == "tailwatch"


def test_a_hook_pauses_itself_in_every_process(process, hook):
    processes = [process(pause_after=2, better_within="10m") for _ in range(3)]
    for number, one in enumerate(processes):
        open_incidents(one, 1, second=number * 4000)
        one.deliver(at(number * 4000 + 1))
    assert len(hook.requests) == 2
    assert "it paused itself" in hook_events(processes[0], "INC-3")[0]
    for one in processes:
        assert one.hooks(at(8100))["hooks"][0]["stopped"].startswith("it paused itself")
    processes[1].switch_hook("rollback", off=False, author="maria", comment="fixed", now_ns=at(8200), actor="x")
    assert {one.hooks(at(8300))["hooks"][0]["stopped"] for one in processes} == {""}


def test_a_stop_holds_in_every_process_at_once(process, hook):
    hook.answers = [status(503)]
    first, second = process(), process()
    open_incidents(first, 1)
    first.deliver(at(1))
    second.switch_hook("*", off=True, author="maria", comment="wrong host", now_ns=at(2), actor="x")
    first.deliver(at(60))
    assert len(hook.requests) == 1
    assert "all hooks are switched off by maria: wrong host" in hook_events(first)[0]
