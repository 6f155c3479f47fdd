"""Answers about metrics for the recorded afternoon: a vLLM service with two instances, a GPU box, a service without."""

from __future__ import annotations

import math
from typing import Any

from tests.dashboard.recorded import NOW

INSTANCES = ("gpu-a:8000", "gpu-b:8000")
GPU_INSTANCE = "gpu-a:9400"


def metric(name: str, kind: str, unit: str, title: str, role: str, value: float | None, **more: Any) -> dict[str, Any]:
    """A metric of the vLLM service."""
    instances = more.pop("instances", list(INSTANCES))
    return {
        "name": name,
        "service": more.pop("service", "vllm"),
        "kind": kind,
        "unit": unit,
        "title": title,
        "role": role,
        "description": more.pop("description", ""),
        "temporality": "" if kind == "gauge" else "cumulative",
        "series": len(instances),
        "labels": ["instance", "job", "service"],
        "instances": instances,
        "overflow": False,
        "last_value": value,
        "last_time": NOW - 12,
        **more,
    }


def metrics() -> list[dict[str, Any]]:
    """What is sent: saturation of vLLM and a GPU, and something of an application that nobody knows."""
    return [
        metric("vllm:num_requests_waiting", "gauge", "{request}", "Requests waiting", "queue_depth", 41.0),
        metric("vllm:num_requests_running", "gauge", "{request}", "Requests running", "running", 64.0),
        metric("vllm:kv_cache_usage_perc", "gauge", "1", "KV cache in use", "kv_cache_usage", 0.973),
        metric("vllm:num_preemptions_total", "sum", "{request}", "Preemptions", "preemptions", 1234.0),
        metric("vllm:time_to_first_token_seconds", "histogram", "s", "Time to first token", "latency", None),
        metric("vllm:request_prompt_tokens", "histogram", "{token}", "Prompt tokens per request", "other", None),
        metric(
            "DCGM_FI_DEV_GPU_UTIL", "gauge", "%", "GPU busy", "gpu_utilisation", 98.0, instances=[GPU_INSTANCE]
        ),
        metric(
            "DCGM_FI_DEV_FB_USED", "gauge", "MiBy", "GPU memory in use", "gpu_memory", 76_800.0,
            instances=[GPU_INSTANCE], last_time=NOW - 900, overflow=True,
        ),
        metric(
            "cart.items", "gauge", "", "cart.items", "other", 3.0, service="webshop", instances=[],
            description="<img src=x onerror=\"document.title='owned'\">",
        ),
    ]  # fmt: skip


def course(name: str, start: float, end: float, step: float, by: str) -> dict[str, Any] | None:
    """The course of a metric: a wave that rises; the last third of gpu-b's is missing, as after a crash."""
    found = next((one for one in metrics() if one["name"] == name), None)
    if found is None:
        return None
    names = found["instances"] if by == "instance" else [found["service"]]
    return {
        "name": name,
        "title": found["title"],
        "step": step,
        "series": [
            {
                "labels": {by: label},
                "kind": found["kind"],
                "unit": found["unit"],
                "series": 1,
                "points": _points(found, start, end, step, place),
            }
            for place, label in enumerate(names)
        ],
        "left_out": 0,
    }


def targets() -> list[dict[str, Any]]:
    """A target that answers, and one that does not."""
    common = {"interval": 15.0, "duration": 0.02, "samples": 412, "rejected": 0, "service": "vllm"}
    return [
        {
            **common, "job": "vllm", "url": f"http://{INSTANCES[0]}/metrics", "up": True, "problem": "",
            "scraped_at": NOW - 3,
        },
        {
            **common, "job": "vllm", "url": f"http://{INSTANCES[1]}/metrics", "up": False, "samples": 0,
            "problem": "cannot be reached: the connection was refused. is it running?", "scraped_at": NOW - 5,
        },
    ]  # fmt: skip


def _points(found: dict[str, Any], start: float, end: float, step: float, place: int) -> list[dict[str, Any]]:
    count = int((min(end, NOW) - start) / step)
    kept = count if place == 0 else count * 2 // 3
    return [_point(found, start + index * step, index / count, place) for index in range(kept)]


def _point(found: dict[str, Any], t: float, share: float, place: int) -> dict[str, Any]:
    size = (found["last_value"] or 1.0) * (0.4 + 0.6 * share) * (1 + 0.1 * math.sin(12 * share + place))
    if found["kind"] == "gauge":
        return {"t": t, "avg": size, "min": size, "max": size, "last": size, "sum": size}
    if found["kind"] == "sum":
        return {"t": t, "increase": size, "rate": size / 60}
    return {"t": t, "count": 30.0, "rate": 0.5, "mean": size, "p50": size / 2, "p90": size, "p99": size * 3}
