"""/admin: faults, traffic splits, rollback and the service's state. It is for drills on a machine of one's own."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import psutil
from fastapi import APIRouter, Request

from reference_model.api.schemas import FaultBody, RollbackBody, SplitBody
from reference_model.engine.versions import Split
from reference_model.faults.registry import FAULTS, FaultBoard, parameters_of
from reference_model.service import Service

router = APIRouter(prefix="/admin")


def _board(http: Request) -> FaultBoard:
    board: FaultBoard = http.app.state.faults
    return board


def _service(http: Request) -> Service:
    service: Service = http.app.state.service
    return service


@router.get("/faults")
async def list_faults(http: Request) -> dict[str, Any]:
    """Every fault with its default parameters, and the active ones with theirs."""
    known = [{"name": fault.name, "summary": fault.summary, "parameters": parameters_of(fault)} for fault in FAULTS]
    return {"faults": known, "active": _board(http).active()}


@router.post("/faults")
async def start_fault(body: FaultBody, http: Request) -> dict[str, Any]:
    """Starts a fault, or starts it again with other parameters."""
    await _board(http).start(body.name, body.parameters)
    return {"active": _board(http).active()}


@router.delete("/faults/{name}")
async def stop_fault(name: str, http: Request) -> dict[str, Any]:
    """Stops a fault; ``stopped`` says whether it was active."""
    stopped = await _board(http).stop(name)
    return {"stopped": stopped, "active": _board(http).active()}


@router.delete("/faults")
async def stop_all_faults(http: Request) -> dict[str, Any]:
    """Stops every fault."""
    await _board(http).stop_all()
    return {"active": _board(http).active()}


@router.post("/split")
async def split(body: SplitBody, http: Request) -> dict[str, Any]:
    """Splits a model's traffic among its versions (canary) and names a shadow version."""
    return _split(await _service(http).set_split(body.model, body.shares, body.shadow))


@router.post("/rollback")
async def rollback(body: RollbackBody, http: Request) -> dict[str, Any]:
    """Returns to the split before the present one; with a version, to the last one without it, however often asked."""
    return _split(_service(http).router.rollback(body.model, body.version))


@router.get("/state")
async def state(http: Request) -> dict[str, Any]:
    """Device, models with versions and splits, queues, cache, memory and active faults."""
    service = _service(http)
    models = {
        name: {"versions": route.versions, **_split(route.split)} for name, route in service.router.routes.items()
    }
    return {
        "ready": service.ready,
        "device": service.device.name,
        "device_description": service.device.description,
        "models": models,
        "requests_inside": service.gate.inside,
        "queues": _queues(service),
        "cache": {"enabled": service.cache.enabled, "answers": len(service.cache)},
        "resident_bytes": psutil.Process(os.getpid()).memory_info().rss,
        "settings": asdict(service.settings),
        "faults": _board(http).active(),
    }


def _split(split: Split) -> dict[str, Any]:
    return {"shares": dict(split.shares), "shadow": split.shadow}


def _queues(service: Service) -> dict[str, Any]:
    queues: dict[str, Any] = {}
    if service.text is not None:
        versions = service.text.generator.loaded
        queues["generation"] = {
            "inside": service.text.generator.admission.inside,
            "limit": service.settings.generation_limit,
            "versions": {name: {"waiting": w, "running": r} for name, (w, r) in versions.items()},
        }
    if service.vectors is not None:
        queues["encoder"] = {
            "inside": service.vectors.batcher.admission.inside,
            "waiting": service.vectors.batcher.waiting,
            "limit": service.settings.encoder_limit,
            "versions": service.vectors.encoder.loaded,
        }
    return queues
