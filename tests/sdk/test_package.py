"""The distribution: what it declares suffices, what it exports is what it documents, and its README works."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import tailwatch_sdk as tailwatch

from tests.sdk.receiver import Receiver

SDK = Path(__file__).parents[2] / "sdk"
PACKAGE = SDK / "tailwatch_sdk"
PROJECT = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]


def name_of(requirement: str) -> str:
    """A requirement's distribution, normalised (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def imported_modules() -> set[str]:
    """Every absolute module that the package imports, also by import_module with a literal or an f-string."""
    modules = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert node.module is not None
                if node.module == "opentelemetry":  # a namespace: what is imported from it are modules
                    modules |= {f"opentelemetry.{alias.name}" for alias in node.names}
                else:
                    modules.add(node.module)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
                (argument,) = node.args
                assert isinstance(argument, ast.JoinedStr)
                assert isinstance(argument.values[0], ast.Constant)
                modules.add(str(argument.values[0].value).rstrip("."))
    return modules


@functools.cache
def suppliers() -> dict[str, str]:
    """Module to the distribution that installs it (OpenTelemetry's share one namespace package)."""
    return {
        str(file).removesuffix(".pyi").removesuffix(".py").removesuffix("/__init__").replace("/", "."): name_of(
            distribution.metadata["Name"]
        )
        for distribution in metadata.distributions()
        if name_of(distribution.metadata["Name"]).startswith("opentelemetry")
        for file in distribution.files or ()
        if file.suffix in {".py", ".pyi"}
    }


def supplier(module: str) -> str | None:
    """The distribution of a module; one of the namespace itself (`from opentelemetry import trace`) has several."""
    return suppliers().get(module)


def test_everything_that_is_imported_is_declared() -> None:
    declared = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    extras = {name_of(requirement) for requirement in PROJECT["optional-dependencies"]["grpc"]}
    foreign = {
        module
        for module in imported_modules()
        if module.split(".")[0] not in sys.stdlib_module_names | {"tailwatch_sdk"}
    }
    assert len(foreign) > 10
    for module in foreign:
        allowed = extras if ".grpc" in module else declared
        assert supplier(module) in allowed, f"{module} comes from {supplier(module)}, which is not declared"


def test_everything_that_is_declared_is_imported() -> None:
    used = {supplier(module) for module in imported_modules()}
    declared = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["grpc"]}
    assert {name_of(requirement) for requirement in declared} <= used


def test_importing_loads_neither_grpc_nor_any_part_of_the_server() -> None:
    script = "import sys, tailwatch_sdk; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert "tailwatch_sdk" in loaded
    server = {"tailwatch", "telemetry", "storage", "collector", "detectors", "alerting", "dashboard", "reference_model"}
    assert loaded & ({"grpc", "numpy", "multiprocessing"} | server) == set()


def test_the_version_is_one() -> None:
    assert tailwatch.__version__ == metadata.version("tailwatch-sdk")


def test_exports_are_sorted_documented_and_typed() -> None:
    assert tailwatch.__all__ == sorted(tailwatch.__all__)
    for name in tailwatch.__all__:
        if name != "__version__":
            assert getattr(tailwatch, name).__doc__, name
    assert (PACKAGE / "py.typed").exists()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (SDK / "README.md").read_text("utf-8"), re.DOTALL)


def test_the_readmes_python_runs_and_delivers(collector: Receiver, run) -> None:
    examples = [block for block in blocks("python") if "tailwatch" in block]
    assert len(examples) >= 4
    stand_ins = """
import asyncio
class Answer:
    text, input_tokens, output_tokens, label, confidence, embedding = "hi", 12, 3, "sports", 0.9, [0.1, 0.2]
queue = []
def run_model(*_, **__): return Answer()
def model_stream(*_, **__): yield from ("a", "b")
async def model_stream_async(*_, **__):
    for piece in ("a", "b"): yield piece
"""
    done = run(stand_ins + "\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert {span.attributes["gen_ai.operation.name"] for span in collector.spans} >= {"chat", "classify"}
    assert collector.gauges == {"tailwatch.queue.depth": 0}
    assert {log.name for log in collector.logs} == {"tailwatch.inference", "tailwatch.feedback"}


def test_the_readme_names_every_public_function_and_field() -> None:
    text = (SDK / "README.md").read_text("utf-8")
    fields = [
        name
        for name, declared in vars(tailwatch.InferenceCall).items()
        if isinstance(declared, type(tailwatch.InferenceCall.tenant))
    ]
    for name in [*fields, *(name for name in tailwatch.__all__ if name != "__version__")]:
        assert re.search(rf"\b{name}\b", text), f"README.md does not mention {name}"


def test_the_readmes_plain_opentelemetry_program_needs_nothing_of_ours(collector: Receiver, run) -> None:
    (program,) = [block for block in blocks("python") if "tailwatch" not in block]
    done = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="plain")
    assert (done.returncode, done.stderr) == (0, "")
    span = collector.span()
    assert span.resource["service.name"] == "plain"
    assert span.attributes["gen_ai.operation.name"] == "chat"
