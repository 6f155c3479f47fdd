"""Requests that are faults themselves: each is refused with the right status, and costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import grpc

from tests.faults import payloads
from tests.faults.senders import EXPORT
from tests.faults.server import SLO, TIMEOUT_S, Server
from tests.faults.trial import Outcome, Trial

_BODY_MIB = 64
"""The limit after decompression, as it is set by default."""
_TENANT_SPANS = 5_000
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, with its headers (``_`` for ``-``)."""

    content: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Attack:
    """A kind of hostile request.

    Attributes:
        requests: makes them, given how large they shall be, which ``unit`` puts in words.
        size: of one; long_size: in the long run.
        answers: those that are right.
        growth_mib: by how much memory may grow while they come.
        log: what a line of the log must say.
    """

    requests: Callable[[int], Iterable[Request]]
    unit: str
    size: int
    long_size: int
    answers: frozenset[str]
    log: str
    growth_mib: float = 3 * _BODY_MIB


ATTACKS: dict[str, Attack] = {
    "gzip bomb": Attack(
        lambda mib: [Request(payloads.gzip_bomb(mib), (("Content_Encoding", "gzip"),))],
        "{:,} MiB", size=256, long_size=8192, answers=frozenset({"413"}), log=r"413.*once decompressed",
    ),
    "deflate bomb": Attack(
        lambda mib: [Request(payloads.deflate_bomb(mib), (("Content_Encoding", "deflate"),))],
        "{:,} MiB", size=128, long_size=1024, answers=frozenset({"413"}), log=r"413.*once decompressed",
    ),
    "zstd bomb": Attack(
        lambda mib: [Request(payloads.zstd_bomb(mib), (("Content_Encoding", "zstd"),))],
        "{:,} MiB", size=256, long_size=8192, answers=frozenset({"413"}), log=r"413.*once decompressed",
    ),
    "deep nesting": Attack(
        lambda depth: [
            Request(payloads.deep_groups(depth * 10)),
            Request(payloads.deep_json(depth), (("Content_Type", _JSON),)),
        ],
        "{:,} deep", size=10_000, long_size=50_000, answers=frozenset({"400"}), log=r"refused with 400",
    ),
    "deep values": Attack(
        lambda depth: [Request(payloads.deep_protobuf(depth))],
        "{:,} deep", size=1_000, long_size=5_000, answers=frozenset({"acknowledged", "400"}), log=r"refused",
    ),
    "invalid UTF-8": Attack(
        lambda _: [Request(payloads.no_text(where)) for where in ("service", "name", "value")],
        "ten spans each", size=1, long_size=1, answers=frozenset({"acknowledged", "400"}), log=r"refused",
    ),
}  # fmt: skip
"""An answer of ``acknowledged`` is a partial success: the records at fault are refused by number, and none is kept."""


def attack(tried: Trial, *, times: int, long: bool = False) -> Outcome:
    """Send the requests of the attack that the trial is named after ``times`` over, while exporters send good ones."""
    attack = ATTACKS[tried.fault]
    size = attack.long_size if long else attack.size
    requests = list(attack.requests(size))
    with tried.attacked():
        for turn in range(times):
            if turn == times // 2:
                tried.halfway()
            for request in requests:
                answer = tried.bad(request.content, **dict(request.headers))
                tried.expect(answer in attack.answers, f"it was answered {answer}, not {_either(attack.answers)}")
    sizes = ", ".join(f"{len(request.content):,}" for request in requests)
    done = f"{times} x {len(requests)} requests of {sizes} bytes ({attack.unit.format(size)})"
    return tried.judge(done, growth_mib=attack.growth_mib, log=attack.log)


def grpc_bomb(tried: Trial, *, size_mib: int, times: int) -> Outcome:
    """A gzip bomb over gRPC."""
    message = bytes(size_mib * 1024 * 1024)
    with (
        tried.attacked(),
        grpc.insecure_channel(tried.server.grpc, options=[("grpc.max_send_message_length", -1)]) as channel,
    ):
        export = channel.unary_unary(EXPORT)
        for _ in range(times):
            try:
                export(message, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip)
                answer = "acknowledged"
            except grpc.RpcError as error:
                answer = str(error.code().name)
            tried.ledger.note(answer)
            tried.expect(answer == "RESOURCE_EXHAUSTED", f"it was answered {answer}")
    done = f"{times} messages of {size_mib} MiB"
    return tried.judge(done, growth_mib=4 * _BODY_MIB, log="refused with 400")


def crowd_of_attributes(tried: Trial, *, attributes: int, times: int) -> Outcome:
    """Spans with very many attributes are spans all the same: taken in, counted, and readable."""
    with tried.attacked():
        for _ in range(times):
            sent = tried.ledger.next("crowded", 1)
            answer = tried.bad(payloads.crowded(sent, attributes))
            tried.expect(answer == "acknowledged", f"it was answered {answer}")
            if answer == "acknowledged":
                tried.ledger.acknowledge(sent)
                trace = tried.server.get(f"/api/v1/traces/{sent.first_id:032x}")
                kept = len(trace["spans"][0]["attributes"])
                tried.expect(kept >= attributes, f"only {kept} attributes can be read")
    return tried.judge(f"{times} spans with {attributes:,} attributes", growth_mib=3 * _BODY_MIB)


def crowd_of_tenants(tried: Trial, *, tenants: int, groups: int) -> Outcome:
    """Every span is of another tenant, by which the SLO groups: counted to the last, in a bounded number of groups.

    ``groups`` is the server's ``max_groups``. The tenants are not in the ledger, which can judge nothing after this.
    """
    tried.begin()
    contents = _tenants(tenants, end_ns=tried.ledger.sent[0].time_ns - 10**12)
    for turn, content in enumerate(contents):
        if turn == tenants // _TENANT_SPANS // 2:
            tried.halfway()
        answer = tried.bad(content)
        tried.expect(answer == "acknowledged", f"it was answered {answer}")
    tried.recover()
    counted, told = _groups(tried.server)
    overflow = counted.pop("__overflow__", 0)
    tried.expect(len(counted) <= groups, f"{len(counted)} groups, where {groups} were permitted")
    found = sum(counted.values()) + overflow
    sent = tenants + tried.ledger.acknowledged_spans
    tried.expect(found == sent, f"{found} events counted, {sent} sent")
    tried.expect(overflow > 0, "nothing was counted as __overflow__")
    tried.expect(told >= overflow, f"{overflow} events overflowed, {told} are told of")
    return tried.judge(f"{tenants:,} tenants", growth_mib=3 * _BODY_MIB, books=False, log="too many groups")


def _tenants(tenants: int, end_ns: int) -> Iterator[bytes]:
    for first in range(0, tenants, _TENANT_SPANS):
        yield payloads.many_tenants(first, min(_TENANT_SPANS, tenants - first), end_ns)


def _groups(server: Server) -> tuple[dict[str, int], int]:
    """Events by tenant, and how many the service says have overflowed."""
    groups = server.get(f"/api/v1/slis/{SLO}")["groups"]
    told = [one for one in server.get("/api/v1/status")["overflow"] if one["slo"] == SLO and one["field"] is None]
    return {group["group"]["tenant"]: group["total"] for group in groups}, sum(one["events"] for one in told)


def _either(answers: Collection[str]) -> str:
    return " or ".join(sorted(answers))
