"""OpenSLO v1 files read, checked and compiled to the SLO model; every problem of every document is reported at once.

Lenient mode, in which the server reads, also takes what the specification's own examples do: ``op`` and ``value``
beside a ratio metric, alert policies as plain names, keys without a value, names with capitals, and the absence of
keys that the schema requires and the examples leave out. Strict mode takes what the specification says and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detectors.slo.openslo.compiling import check_unused, compile_slo
from detectors.slo.openslo.documents import Document, read_documents
from detectors.slo.openslo.objects import Objects
from detectors.slo.openslo.reader import DocumentReader
from detectors.slo.spec import Slo
from telemetry.errors import Problem


@dataclass(frozen=True, slots=True)
class OpenSlo:
    """What the documents say: the SLOs that are executed here, problems in the order of the files, and how many."""

    slos: tuple[Slo, ...]
    problems: tuple[Problem, ...]
    documents: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are errors."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that are none: what is not executed here, or probably not meant."""
        return tuple(problem for problem in self.problems if problem.severity != "error")


def read_openslo(texts: Sequence[tuple[str, str]], strict: bool = False) -> OpenSlo:
    """Read files given as (file name, text); references reach over all of them."""
    documents: list[Document] = []
    readers: list[DocumentReader] = []
    problems: list[Problem] = []
    for file, text in texts:
        found, read, faults = read_documents(file, text, strict)
        documents.extend(found)
        readers.extend(read)
        problems.extend(faults)
    objects = Objects(documents)
    slos: list[Slo] = []
    for document in objects.slos:
        # An erroneous document is compiled too, for the sake of its further errors.
        compiled = list(compile_slo(document, objects))
        slos.extend([] if document.document.reader.has_errors else compiled)
    objects.check_policies()
    check_unused(objects)
    problems.extend(problem for reader in readers for problem in reader.problems)
    return OpenSlo(tuple(slos), _ordered(problems, [file for file, _ in texts]), len(readers))


def _ordered(problems: Iterable[Problem], files: Sequence[str]) -> tuple[Problem, ...]:
    """By file and line, each once: an object that several SLOs refer to has its problems once."""
    places = {file: place for place, file in enumerate(files)}
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (places[problem.file], problem.line)))
