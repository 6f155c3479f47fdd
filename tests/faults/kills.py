"""Kill -9 at random moments while exporters keep sending: of the collector, or of the PostgreSQL server below it."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from tests.faults.senders import Fleet
from tests.faults.trial import Outcome, Trial, trial
from tests.postgres import PrivatePostgres

_RUN_S = (0.05, 1.5)
"""How long a server that is ready lives."""
_START_S = (0.1, 2.0)
"""How long one lives that is killed before it is ready."""
_EARLY = 0.2
"""Share of the starts that are not waited for."""
_GROWTH_MIB = 100.0


def kill_collector(folder: Path, *, kills: int, seed: int = 1, database_url: str | None = None) -> Outcome:
    """The collector dies ``kills`` times, some of them while it starts, and each time another takes its place."""
    chance = random.Random(seed)
    pause = threading.Event()
    name = "kill -9 the collector" + (" (PostgreSQL)" if database_url else " (SQLite)")
    with trial(name, folder, {"database_url": database_url} if database_url else None) as tried:
        server = tried.server
        tried.begin()
        with Fleet(server, tried.ledger) as fleet:
            early = 0
            for _ in range(kills):
                pause.wait(chance.uniform(*_RUN_S))
                tried.note_peak()
                server.kill()
                while chance.random() < _EARLY:
                    server.launch()
                    pause.wait(chance.uniform(*_START_S))
                    server.kill()
                    early += 1
                server.start()
            tried.recover()
            tried.problems += fleet.rest()
        return _judged(tried, f"{kills} kills at work and {early} at the start, {len(fleet.ways)} exporters", log="")


def kill_database(folder: Path, postgres: PrivatePostgres, *, kills: int, seed: int = 1) -> Outcome:
    """The PostgreSQL server dies ``kills`` times below a collector that lives on."""
    chance = random.Random(seed)
    pause = threading.Event()
    url = postgres.url(postgres.create_database())
    with trial("kill PostgreSQL", folder, {"database_url": url}) as tried:
        tried.begin()
        with Fleet(tried.server, tried.ledger) as fleet:
            for _ in range(kills):
                pause.wait(chance.uniform(*_RUN_S))
                postgres.kill()
                pause.wait(chance.uniform(*_RUN_S))
                tried.expect(tried.server.process.poll() is None, "the collector ended with its database")
                postgres.launch()
            tried.recover()
            tried.problems += fleet.rest()
        done = f"{kills} immediate stops of the server, {len(fleet.ways)} exporters"
        return _judged(tried, done, log="the server cannot be reached")


def restart_database(folder: Path, postgres: PrivatePostgres, *, down_s: float) -> Outcome:
    """The PostgreSQL server is restarted in order, and stays away for ``down_s``: refusals, and memory that is flat."""
    url = postgres.url(postgres.create_database())
    with trial("restart PostgreSQL", folder, {"database_url": url}) as tried:
        tried.begin()
        with Fleet(tried.server, tried.ledger) as fleet:
            threading.Event().wait(0.5)
            postgres.halt()
            threading.Event().wait(down_s)
            answer = tried.good()
            tried.ledger.note(answer)
            tried.expect(answer == "503", f"without its database the collector answered {answer}")
            postgres.launch()
            tried.recover()
            tried.problems += fleet.rest()
        done = f"stopped for {down_s:g} s, {len(fleet.ways)} exporters"
        return _judged(tried, done, log="the server cannot be reached")


def _judged(tried: Trial, done: str, *, log: str) -> Outcome:
    """Every payload was acknowledged at last, so what is stored and counted is all that was sent."""
    missing = len(tried.ledger.sent) - len(tried.ledger.acknowledged)
    # the good requests of recover() are sent once each; those that failed are not acknowledged
    tried.expect(missing <= tried.ledger.answers.total(), f"{missing} payloads were never acknowledged")
    return tried.judge(done, growth_mib=_GROWTH_MIB, log=log)
