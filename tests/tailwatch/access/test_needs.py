"""Every way in asks for the scope that it declares: routes of the API, OTLP over HTTP, OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from fastapi import APIRouter
from grpc import aio

from collector import grpc_server
from collector.grpc_server import GrpcServer
from collector.http import PATHS
from storage import tokens
from tailwatch.access.scopes import SCOPES, granted
from tailwatch.access.secret import digest_of, new_secret
from tailwatch.api.app import create_app
from tailwatch.api.gate import Gate
from tailwatch.api.needs import Needs, needs
from tests.tailwatch.declared import START_NS
from tests.tailwatch.inprocess import InProcess, api_of, service_on

OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
OTHERS = {
    ("POST", "/api/v1/config/reload"): {"admin"},
    ("POST", "/api/v1/corrections"): {"admin"},
    ("POST", "/api/v1/corrections/{number}/cancel"): {"admin"},
    ("POST", "/api/v1/hooks/start"): {"admin"},
    ("POST", "/api/v1/hooks/stop"): {"respond"},
    ("POST", "/api/v1/hooks/{name}/start"): {"admin"},
    ("POST", "/api/v1/hooks/{name}/stop"): {"respond"},
    **{
        ("POST", f"/api/v1/incidents/{{incident_id}}/{what}"): {"respond"}
        for what in (
            "acknowledge", "assign", "comment", "hooks/{name}", "hooks/{name}/deny", "merge", "reclassify", "reopen",
            "resolve", "snooze",
        )
    },
    ("POST", "/api/v1/notifications/undelivered/retry"): {"respond"},
    ("POST", "/api/v1/notifications/undelivered/{number}/retry"): {"respond"},
    ("POST", "/api/v2/alerts"): {"ingest", "respond"},
    ("POST", "/api/v2/silences"): {"respond"},
    ("DELETE", "/api/v2/silence/{silence_id}"): {"respond"},
}  # fmt: skip
"""Of all routes those that are not read with ``read``: whoever adds one decides, and writes it here."""


@pytest.fixture
def running(tmp_path: Path, migrated_sqlite_url: str) -> Iterator[InProcess]:
    with service_on(tmp_path, migrated_sqlite_url) as made:
        yield made


@pytest.fixture
def secrets(running: InProcess) -> dict[str, str]:
    """The header of a token for each scope."""
    made = {}
    for scope in SCOPES:
        secret = new_secret()
        tokens.create(
            running.service.database, scope, [scope], digest_of(secret), expires_ns=None, now_ns=START_NS, actor="ada"
        )
        made[scope] = f"Bearer {secret}"
    running.service.keyring.step(START_NS)
    return made


def table(running: InProcess) -> Needs:
    gate = create_app(running.service)._otherwise
    assert isinstance(gate, Gate)
    return gate._needs


def test_what_each_route_needs(running: InProcess) -> None:
    found = {(method, mount + route.path): need for method, mount, route, need in table(running).table}
    assert {asked for asked, need in found.items() if need is None} == OPEN
    rest = {asked: set(need) for asked, need in found.items() if need is not None}
    assert {asked: need for asked, need in rest.items() if asked[0] != "GET" or need != {"read"}} == OTHERS


def test_no_route_is_served_that_the_table_does_not_know(running: InProcess) -> None:
    known = [(method, mount + route.path) for method, mount, route, _ in table(running).table]
    assert len(known) == len(set(known))
    with api_of(running.service) as client:
        served = {
            (method.upper(), mount + path)
            for mount in ("", "/api/v2")
            for path, methods in client.get(f"{mount}/openapi.json").json()["paths"].items()
            for method in methods
        }
    assert {(method, path.replace(":path}", "}")) for method, path in known} == served


def filled(path: str) -> str:
    """A path that the route serves."""
    return path.replace("{number}", "1").replace("{name:path}", "x").replace("{", "").replace("}", "")


def test_each_route_asks_for_it_over_http(running: InProcess, secrets: dict[str, str]) -> None:
    with api_of(running.service) as client:

        def status(asked: tuple[str, str], scope: str = "") -> int:
            method, path = asked
            return client.request(method, filled(path), headers={"Authorization": secrets.get(scope, "")}).status_code

        for method, mount, route, need in table(running).table:
            asked = method, mount + route.path
            if need is None:
                assert status(asked) in (200, 503)
                continue
            assert status(asked) == 401, asked
            lacking = [scope for scope in SCOPES if need.isdisjoint(granted(frozenset({scope})))]
            assert {status(asked, scope) for scope in lacking} <= {403}, asked
            assert status(asked, "admin") not in (401, 403, 500), asked
        assert [status(("GET", path)) for path in ("/docs", "/openapi.json", "/api/v2/docs")] == [200, 200, 200]
        assert [status((method, "/api/v1/what/is/to/come")) for method in ("GET", "PUT")] == [401, 401]
        assert [status((method, "/nothing"), "read") for method in ("GET", "PUT")] == [404, 403]


def test_otlp_asks_for_ingest_over_http(running: InProcess, secrets: dict[str, str]) -> None:
    with api_of(running.service) as client:
        for path in PATHS.values():
            sent = {"Content-Type": "application/json"}
            answers = {
                scope: client.post(path, headers={"Authorization": secrets.get(scope, ""), **sent}, content=b"{}")
                for scope in ("", *SCOPES)
            }
            found = {scope: answer.status_code for scope, answer in answers.items()}
            assert found == {"": 401, "ingest": 200, "read": 403, "respond": 403, "admin": 200}


async def test_otlp_asks_for_ingest_over_grpc(running: InProcess, secrets: dict[str, str]) -> None:
    server = GrpcServer(running.service.intake, "127.0.0.1:0", running.service.guard.rpc)
    try:
        async with aio.insecure_channel(f"127.0.0.1:{await server.start()}") as channel:

            async def code(method: str, scope: str) -> Any:
                metadata = (("authorization", secrets[scope]),) if scope else ()
                try:
                    await channel.unary_unary(method)(b"", metadata=metadata, timeout=60)
                except aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK

            for service in grpc_server._SERVICES.values():
                answers = {scope: await code(f"/{service}/Export", scope) for scope in ("", *SCOPES)}
                assert answers == {
                    "": grpc.StatusCode.UNAUTHENTICATED, "ingest": grpc.StatusCode.OK,
                    "read": grpc.StatusCode.PERMISSION_DENIED, "respond": grpc.StatusCode.PERMISSION_DENIED,
                    "admin": grpc.StatusCode.OK,
                }  # fmt: skip
            assert (
                await code("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "")
                is grpc.StatusCode.UNIMPLEMENTED
            )
    finally:
        await server.stop(1)


def test_a_route_that_declares_nothing_is_not_served() -> None:
    router = APIRouter(prefix="/api/v1/incidents")

    @router.post("/{incident_id}/erase")
    def erase(incident_id: str) -> str:
        return incident_id

    with pytest.raises(TypeError, match="/erase does not say who may use it"):
        Needs({"": router.routes}, ())
    router = APIRouter()
    router.get("/a", dependencies=needs())(erase)
    router.get("/b", dependencies=needs("respond", "ingest"))(erase)
    made = Needs({"/x": router.routes}, ["/docs"])
    assert [made.of("GET", path) for path in ("/x/a", "/docs", "/x/b")] == [None, None, {"ingest", "respond"}]
    assert [made.of(method, "/a") for method in ("GET", "POST")] == [{"read"}, {"admin"}], "what is not served"
