"""What well-known metrics mean: unit, kind, title and what they say about saturation; a table, and no code.

Metrics that are not in it are taken in and shown all the same, under the unit that they bring themselves. Values are
never rescaled: a percentage of 0..100 has the unit ``%``, a share of 0..1 the unit ``1``.

Sources: https://docs.vllm.ai/en/stable/usage/metrics/,
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/metrics.html,
https://github.com/NVIDIA/dcgm-exporter (etc/default-counters.csv),
https://opentelemetry.io/docs/specs/semconv/system/ (process, system and hw.gpu metrics),
https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from telemetry.points import MetricKind

Role = Literal[
    "queue_depth",
    "running",
    "queue_time",
    "latency",
    "batch_size",
    "kv_cache_usage",
    "preemptions",
    "throughput",
    "gpu_utilisation",
    "gpu_memory",
    "gpu_power",
    "gpu_temperature",
    "cpu_utilisation",
    "memory",
    "up",
    "other",
]


@dataclass(frozen=True, slots=True)
class KnownMetric:
    """A metric by its name; ``kind`` is what it is stored as, ``unit`` UCUM's."""

    name: str
    kind: MetricKind
    unit: str
    title: str
    role: Role
    source: str


def _table(source: str, *rows: tuple[str, MetricKind, str, str, Role]) -> list[KnownMetric]:
    return [KnownMetric(*row, source) for row in rows]


_VLLM = _table(
    "vLLM",
    ("vllm:num_requests_waiting", "gauge", "{request}", "Requests waiting", "queue_depth"),
    ("vllm:num_requests_running", "gauge", "{request}", "Requests running", "running"),
    ("vllm:num_requests_swapped", "gauge", "{request}", "Requests swapped out", "other"),
    ("vllm:kv_cache_usage_perc", "gauge", "1", "KV cache in use", "kv_cache_usage"),
    ("vllm:gpu_cache_usage_perc", "gauge", "1", "KV cache in use", "kv_cache_usage"),
    ("vllm:num_preemptions_total", "sum", "{request}", "Preemptions", "preemptions"),
    ("vllm:prompt_tokens_total", "sum", "{token}", "Prompt tokens", "throughput"),
    ("vllm:generation_tokens_total", "sum", "{token}", "Generated tokens", "throughput"),
    ("vllm:request_success_total", "sum", "{request}", "Requests completed", "throughput"),
    ("vllm:prefix_cache_queries_total", "sum", "{token}", "Prefix cache look-ups", "other"),
    ("vllm:prefix_cache_hits_total", "sum", "{token}", "Prefix cache hits", "other"),
    ("vllm:iteration_tokens_total", "histogram", "{token}", "Tokens per engine step", "batch_size"),
    ("vllm:time_to_first_token_seconds", "histogram", "s", "Time to first token", "latency"),
    ("vllm:time_per_output_token_seconds", "histogram", "s", "Time per output token", "latency"),
    ("vllm:inter_token_latency_seconds", "histogram", "s", "Time between tokens", "latency"),
    ("vllm:e2e_request_latency_seconds", "histogram", "s", "Request latency", "latency"),
    ("vllm:request_queue_time_seconds", "histogram", "s", "Time in queue", "queue_time"),
    ("vllm:request_prefill_time_seconds", "histogram", "s", "Time in prefill", "latency"),
    ("vllm:request_decode_time_seconds", "histogram", "s", "Time in decode", "latency"),
    ("vllm:request_inference_time_seconds", "histogram", "s", "Time running", "latency"),
    ("vllm:request_prompt_tokens", "histogram", "{token}", "Prompt tokens per request", "other"),
    ("vllm:request_generation_tokens", "histogram", "{token}", "Generated tokens per request", "other"),
)

_TRITON = _table(
    "Triton",
    ("nv_inference_pending_request_count", "gauge", "{request}", "Requests waiting", "queue_depth"),
    ("nv_inference_request_success", "sum", "{request}", "Requests completed", "throughput"),
    ("nv_inference_request_failure", "sum", "{request}", "Requests failed", "other"),
    ("nv_inference_count", "sum", "{inference}", "Inferences", "throughput"),
    ("nv_inference_exec_count", "sum", "{batch}", "Batches executed", "other"),
    ("nv_inference_request_duration_us", "sum", "us", "Time in requests", "other"),
    ("nv_inference_queue_duration_us", "sum", "us", "Time in queue, all requests", "other"),
    ("nv_inference_compute_input_duration_us", "sum", "us", "Time preparing input", "other"),
    ("nv_inference_compute_infer_duration_us", "sum", "us", "Time computing", "other"),
    ("nv_inference_compute_output_duration_us", "sum", "us", "Time preparing output", "other"),
    ("nv_gpu_utilization", "gauge", "1", "GPU busy", "gpu_utilisation"),
    ("nv_gpu_memory_used_bytes", "gauge", "By", "GPU memory in use", "gpu_memory"),
    ("nv_gpu_memory_total_bytes", "gauge", "By", "GPU memory", "other"),
    ("nv_gpu_power_usage", "gauge", "W", "GPU power", "gpu_power"),
    ("nv_gpu_power_limit", "gauge", "W", "GPU power limit", "other"),
    ("nv_energy_consumption", "sum", "J", "GPU energy", "other"),
    ("nv_cpu_utilization", "gauge", "1", "CPU busy", "cpu_utilisation"),
    ("nv_cpu_memory_used_bytes", "gauge", "By", "Memory in use", "memory"),
    ("nv_cpu_memory_total_bytes", "gauge", "By", "Memory", "other"),
)

_DCGM = _table(
    "DCGM exporter",
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "%", "GPU busy", "gpu_utilisation"),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "%", "GPU memory bus busy", "other"),
    ("DCGM_FI_DEV_FB_USED", "gauge", "MiBy", "GPU memory in use", "gpu_memory"),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "MiBy", "GPU memory free", "other"),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "W", "GPU power", "gpu_power"),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "sum", "mJ", "GPU energy", "other"),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "Cel", "GPU temperature", "gpu_temperature"),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Cel", "GPU memory temperature", "other"),
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "MHz", "SM clock", "other"),
    ("DCGM_FI_DEV_MEM_CLOCK", "gauge", "MHz", "GPU memory clock", "other"),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "1", "Last XID error", "other"),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "1", "Graphics engine active", "other"),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "1", "Tensor cores active", "other"),
    ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "1", "GPU memory interface active", "other"),
)

_OPENTELEMETRY = _table(
    "OpenTelemetry",
    ("hw.gpu.utilization", "gauge", "1", "GPU busy", "gpu_utilisation"),
    ("hw.gpu.memory.usage", "gauge", "By", "GPU memory in use", "gpu_memory"),
    ("hw.gpu.memory.utilization", "gauge", "1", "GPU memory in use", "gpu_memory"),
    ("hw.gpu.memory.limit", "gauge", "By", "GPU memory", "other"),
    ("system.cpu.utilization", "gauge", "1", "CPU busy", "cpu_utilisation"),
    ("system.memory.usage", "gauge", "By", "Memory in use", "memory"),
    ("process.cpu.utilization", "gauge", "1", "CPU busy", "cpu_utilisation"),
    ("process.memory.usage", "gauge", "By", "Memory in use", "memory"),
)

_PROMETHEUS_CLIENTS = _table(
    "Prometheus clients",
    ("process_resident_memory_bytes", "gauge", "By", "Memory in use", "memory"),
    ("process_open_fds", "gauge", "{file}", "Open files", "other"),
    ("process_max_fds", "gauge", "{file}", "Open files that there may be", "other"),
)

_TAILWATCH = _table(
    "Tailwatch",
    ("tailwatch.queue.depth", "gauge", "{request}", "Requests waiting", "queue_depth"),
    ("tailwatch.requests.running", "gauge", "{request}", "Requests running", "running"),
    ("tailwatch.batch.size", "gauge", "{request}", "Batch size", "batch_size"),
)

_SCRAPE = _table(
    "scrape",
    ("up", "gauge", "1", "Target answers", "up"),
    ("scrape_duration_seconds", "gauge", "s", "Time that a scrape took", "other"),
    ("scrape_samples_scraped", "gauge", "{sample}", "Samples of a scrape", "other"),
    ("scrape_samples_rejected", "gauge", "{sample}", "Samples of a scrape that could not be used", "other"),
)

KNOWN_METRICS: Final[Mapping[str, KnownMetric]] = MappingProxyType(
    {one.name: one for one in (*_VLLM, *_TRITON, *_DCGM, *_OPENTELEMETRY, *_PROMETHEUS_CLIENTS, *_TAILWATCH, *_SCRAPE)}
)
"""By name."""


def _gauge_roles() -> dict[str, frozenset[str]]:
    gauges = [one for one in KNOWN_METRICS.values() if one.kind == "gauge" and one.role not in ("other", "up")]
    units = {role: {one.unit for one in gauges if one.role == role} for role in sorted({one.role for one in gauges})}
    return {
        role: frozenset(one.name for one in gauges if one.role == role)
        for role, used in units.items() if len(used) == 1
    }  # fmt: skip


GAUGE_ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(_gauge_roles())
"""The gauges that say the same thing in the same unit, by their role: ``queue_depth`` has a name in every server."""
