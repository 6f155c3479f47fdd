"""Hostile senders, one after the other against one server, which is never started anew: its recovery is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults import sockets
from tests.faults.accounting import Ledger
from tests.faults.hostile import ATTACKS, attack, crowd_of_attributes, crowd_of_tenants, grpc_bomb
from tests.faults.server import Server
from tests.faults.trial import Trial

LIMIT_MIB = 16
GROUPS = 200


@pytest.fixture(scope="module")
def trial_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Trial]]:
    server, ledger = (
        Server(tmp_path_factory.mktemp("hostile"), {"max_body_mib": LIMIT_MIB, "max_groups": GROUPS}),
        Ledger(),
    )
    server.start()
    yield lambda fault: Trial(fault, server, ledger, whole_log=True)
    server.kill()
    server.client.close()


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack(trial_of: Callable[[str], Trial], name: str) -> None:
    assert attack(trial_of(name), times=4).problems == ()


def test_a_bomb_over_grpc(trial_of: Callable[[str], Trial]) -> None:
    assert grpc_bomb(trial_of("gzip bomb over gRPC"), size_mib=2 * LIMIT_MIB, times=2).problems == ()


def test_a_crowd_of_attributes(trial_of: Callable[[str], Trial]) -> None:
    assert crowd_of_attributes(trial_of("crowd of attributes"), attributes=100_000, times=1).problems == ()


def test_connections_cut_amid_a_body(trial_of: Callable[[str], Trial]) -> None:
    assert sockets.cut(trial_of("connections cut"), times=60).problems == ()


def test_an_announcement_of_2_gb(trial_of: Callable[[str], Trial]) -> None:
    outcome = sockets.announced(trial_of("huge Content-Length"), size=2**31, times=4)
    assert outcome.problems == ()
    assert outcome.answers == {"413": 4}


def test_a_body_without_an_end(trial_of: Callable[[str], Trial]) -> None:
    assert sockets.endless(trial_of("endless body"), limit_mib=LIMIT_MIB, times=2).problems == ()


def test_slow_senders(trial_of: Callable[[str], Trial]) -> None:
    assert sockets.slow(trial_of("slow senders"), senders=200, patience_s=60).problems == ()


def test_a_crowd_of_tenants(trial_of: Callable[[str], Trial]) -> None:
    assert crowd_of_tenants(trial_of("crowd of tenants"), tenants=20_000, groups=GROUPS).problems == ()
