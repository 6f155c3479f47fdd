"""Reads scrape targets from YAML and reports every fault with its line; it fetches nothing.

version: 1
jobs:
  - name: vllm
    url: http://127.0.0.1:8000/metrics     # or targets: [a:8000, b:8000], with scheme (http) and path (/metrics)
    interval_s: 15
    timeout_s: 10
    service: chat                          # by default the job's name
    labels: {environment: production}
    headers: {Authorization: {env: VLLM_AUTHORIZATION}}
    max_samples: 20000

Secrets are named, never written: a header's value is read from the environment at every scrape.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import yaml

from collector.yaml_nodes import NodeReader, line_of
from telemetry.errors import ConfigError, FileProblemsError
from telemetry.windows import NANOS

DEFAULT_INTERVAL_S: Final = 15.0
DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_MAX_SAMPLES: Final = 20_000
_INTERVALS_S: Final = (1.0, 3600.0)
_MOST_SAMPLES: Final = 200_000
_MOST_TARGETS: Final = 1000
_FILE_KEYS: Final = ("version", "jobs")
_JOB_KEYS: Final = (
    "name", "url", "targets", "scheme", "path", "interval_s", "timeout_s", "service", "labels", "headers",
    "max_samples",
)  # fmt: skip
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_RESERVED_LABELS: Final = frozenset({"service", "instance", "job", "le", "quantile"})
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Target:
    """One address that is scraped.

    Attributes:
        job: the job's name.
        url: where to GET; it holds no secret.
        instance: ``host:port``.
        service: whose metrics these are.
        labels: more labels of every series.
        interval_ns: between scrapes.
        timeout_s: for one scrape.
        headers: header names, and the environment variables that hold their values.
        max_samples: a scrape with more fails as a whole.
    """

    job: str
    url: str
    instance: str
    service: str
    labels: Mapping[str, str]
    interval_ns: int
    timeout_s: float
    headers: Mapping[str, str]
    max_samples: int


def load_targets(path: Path, environment: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets in ``path``.

    Raises:
        ConfigError: the file cannot be read.
        FileProblemsError: the file holds mistakes; all of them are in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the scrape file cannot be read: {error}", where=str(path), remedy="check the path"
        ) from None
    return parse_targets(text, str(path), environment)


def parse_targets(text: str, file: str, environment: Mapping[str, str]) -> tuple[Target, ...]:
    """The targets in ``text``; ``file`` is its name in messages, ``environment`` must hold the variables it names.

    Raises:
        FileProblemsError: the text holds mistakes; all of them are in it.
    """
    reader = _Reader(file)
    root = reader.compose(text)
    targets = () if root is None and reader.problems else reader.targets(root, environment)
    if reader.problems:
        raise FileProblemsError(reader.problems)
    return targets


class _Reader(NodeReader):
    """Reads the nodes of a scrape file."""

    def targets(self, root: yaml.Node | None, environment: Mapping[str, str]) -> tuple[Target, ...]:
        found = self.mapping(root, "file", _FILE_KEYS)
        if "version" not in found:
            self.report(1, "version", "is missing", "write version: 1")
        elif (version := self.scalar(found["version"], "version")) not in (None, "1"):
            self.report(line_of(found["version"]), "version", f"{version!r} is not known", "write version: 1")
        if "jobs" not in found:
            self.report(1, "jobs", "is missing", "write jobs: with one entry a job")
        names: set[str] = set()
        targets: list[Target] = []
        for index, node in enumerate(self.sequence(found.get("jobs"), "jobs")):
            targets += self._job(node, f"jobs[{index}]", names, environment)
        if len(targets) > _MOST_TARGETS:
            self.report(line_of(found.get("jobs")), "jobs", f"has more than {_MOST_TARGETS} targets",
                        "scrape the others from another Tailwatch")  # fmt: skip
        return tuple(targets)

    def _job(self, node: yaml.Node, name: str, names: set[str], environment: Mapping[str, str]) -> list[Target]:
        found = self.mapping(node, name, _JOB_KEYS)
        job = self._text(node, found, name, "name") or ""
        if job and job in names:
            self.report(line_of(found["name"]), f"{name}.name", f"{job!r} is another job's too", "give each its own")
        names.add(job)
        low, high = _INTERVALS_S
        interval_s = self._number(found, name, "interval_s", DEFAULT_INTERVAL_S, low=low, high=high)
        timeout_s = self._number(
            found, name, "timeout_s", min(DEFAULT_TIMEOUT_S, interval_s), low=0.1, high=max(0.1, interval_s)
        )
        max_samples = self._number(found, name, "max_samples", DEFAULT_MAX_SAMPLES, low=1, high=_MOST_SAMPLES)
        labels = self._labels(found.get("labels"), f"{name}.labels")
        headers = self._headers(found.get("headers"), f"{name}.headers", environment)
        service = (self.scalar(found["service"], f"{name}.service") if "service" in found else None) or job
        return [
            Target(
                job, url.geturl(), url.netloc, service, {**labels, "job": job}, round(interval_s * NANOS), timeout_s,
                headers, int(max_samples),
            )
            for url in self._urls(node, found, name)
        ]  # fmt: skip

    def _urls(self, node: yaml.Node, found: dict[str, yaml.Node], name: str) -> list[SplitResult]:
        if ("url" in found) == ("targets" in found):
            self.report(line_of(node), name, "needs either url or targets", "write url: http://HOST:PORT/metrics")
            return []
        if "url" in found:
            for key in ("scheme", "path"):
                if key in found:
                    self.report(line_of(found[key]), f"{name}.{key}", "belongs to targets", "write it into the url")
            text = self.scalar(found["url"], f"{name}.url")
            url = self._url(found["url"], f"{name}.url", text) if text is not None else None
            return [url] if url else []
        scheme = (self.scalar(found["scheme"], f"{name}.scheme") if "scheme" in found else None) or "http"
        path = (self.scalar(found["path"], f"{name}.path") if "path" in found else None) or "/metrics"
        urls: dict[str, SplitResult] = {}
        for index, place in enumerate(self.sequence(found["targets"], f"{name}.targets")):
            field = f"{name}.targets[{index}]"
            text = self.scalar(place, field)
            if text is not None and "/" in text:
                self.report(line_of(place), field, f"{text!r} is not host:port", "write the path as path:")
            elif text is not None and (url := self._url(place, field, f"{scheme}://{text}/{path.lstrip('/')}")):
                if url.geturl() in urls:
                    self.report(line_of(place), field, f"{text} is listed twice", "keep one of them")
                urls[url.geturl()] = url
        if not urls and not self.problems:
            self.report(line_of(found["targets"]), f"{name}.targets", "is empty", "write [host:port, ...]")
        return list(urls.values())

    def _url(self, node: yaml.Node, name: str, text: str) -> SplitResult | None:
        try:
            url = urlsplit(text)
            usable = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            # the text is not repeated: what does not look like an address may hold anything
            self.report(line_of(node), name, "is not an http address", "write http://HOST:PORT/metrics")
            return None
        if url.username is not None or url.password is not None:
            self.report(line_of(node), name, "holds a user or a password",
                        "leave it out, and set headers: {Authorization: {env: NAME}}")  # fmt: skip
            return None
        return url

    def _labels(self, node: yaml.Node | None, name: str) -> dict[str, str]:
        labels: dict[str, str] = {}
        for key, value in self._pairs(node, name):
            if not _LABEL.fullmatch(key) or key in _RESERVED_LABELS:
                remedy = f"use letters, digits and _, and none of {', '.join(sorted(_RESERVED_LABELS))}"
                self.report(line_of(value), f"{name}.{key}", "cannot be the name of a label", remedy)
            labels[key] = self.scalar(value, f"{name}.{key}") or ""
        return labels

    def _headers(self, node: yaml.Node | None, name: str, environment: Mapping[str, str]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for key, value in self._pairs(node, name):
            field = f"{name}.{key}"
            if not _HEADER.fullmatch(key):
                self.report(line_of(value), field, "cannot be the name of a header", "use letters, digits and -")
            if not isinstance(value, yaml.MappingNode):
                self.report(line_of(value), field, "holds its value itself",
                            "write {env: NAME}, and the value into that environment variable")  # fmt: skip
                continue
            found = self.mapping(value, field, ("env",))
            variable = self.scalar(found["env"], f"{field}.env") if "env" in found else None
            if variable is None or not _VARIABLE.fullmatch(variable):
                self.report(line_of(value), field, "names no environment variable", "write {env: NAME}")
            elif not environment.get(variable):
                self.report(line_of(value), f"{field}.env", f"the environment variable {variable} is not set",
                            "set it for tailwatch serve")  # fmt: skip
            headers[key] = variable or ""
        return headers

    def _pairs(self, node: yaml.Node | None, name: str) -> list[tuple[str, yaml.Node]]:
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.report(line_of(node), name, "is not a mapping", "write {name: value}")
            return []
        return [(str(key.value), value) for key, value in node.value]

    def _text(self, node: yaml.Node, found: dict[str, yaml.Node], name: str, key: str) -> str | None:
        if key not in found:
            self.report(line_of(node), f"{name}.{key}", "is missing", f"write {key}: and a text")
            return None
        text = self.scalar(found[key], f"{name}.{key}")
        if text == "":
            self.report(line_of(found[key]), f"{name}.{key}", "is empty", f"write {key}: and a text")
        return text

    def _number(
        self, found: dict[str, yaml.Node], name: str, key: str, default: float, *, low: float, high: float
    ) -> float:
        if key not in found:
            return default
        text = self.scalar(found[key], f"{name}.{key}")
        try:
            number = float(text or "")
        except ValueError:
            number = math.nan
        if text is not None and not low <= number <= high:
            self.report(
                line_of(found[key]), f"{name}.{key}", f"{text!r} is not a number from {low:g} to {high:g}",
                f"write for example {key}: {default:g}",
            )  # fmt: skip
            return default
        return number if text is not None else default
