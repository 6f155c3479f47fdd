"""Streams of documents: headers, names, references over files, and every problem at once."""

from __future__ import annotations

import pytest

from detectors.slo.openslo.documents import is_openslo
from detectors.slo.openslo.read import read_openslo
from detectors.slo.parse import parse_slos
from telemetry.errors import FileProblemsError
from tests.detectors.slo.documents import EXAMPLE
from tests.detectors.slo.openslo.written import FOREIGN, document, read, said, slo


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (slo(), True), ("- apiVersion: openslo/v1\n", True), ('{"apiVersion": "openslo/v1"}', True),
        ("apiVersion: 'openslo/v2alpha'", True), (EXAMPLE, False), ("# apiVersion: openslo/v1", False),
        ("description: see openslo/v1", False),
    ],
)  # fmt: skip
def test_files_are_known_by_their_version(text: str, expected: bool) -> None:
    assert is_openslo(text) is expected


def test_all_problems_of_all_documents_are_said_at_once() -> None:
    text = slo(objectives="[{target: 1.5, timeSliceWindow: 5s}]").replace("service: chat", "servce: chat")
    text += document("AlertCondition", "c", "{severity: page, condition: {op: gt, threshold: x, lookbackWindow: 1h}}")
    text += document("Alert", "d", "{}")
    field = "document 1 (SLO answers): spec.objectives[0].timeSliceWindow"
    threshold = "document 2 (AlertCondition c): spec.condition.threshold"
    shorthand = "write a whole number of at least 1 and one unit of minutes m, hours h, days d, weeks w, months M"
    assert [sentence.removeprefix("error: a.yaml:") for sentence in said(text)] == [
        "5: document 1 (SLO answers): spec.servce: unknown key (did you mean service?)",
        "5: document 1 (SLO answers): spec.service: is missing (add service:)",
        "15: document 1 (SLO answers): spec.objectives[0].target: 1.5 is not within [0, 1) (correct the number)",
        f"15: {field}: '5s' is not a duration of OpenSLO ({shorthand}, quarters Q, years Y: 5m, 28d, 1Q)",
        f"20: {threshold}: 'x' is not a number (write a number, such as 0.99)",
        "23: document 3: kind: 'Alert' is not a kind of openslo/v1 (did you mean AlertPolicy?)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiVersion: openslo/v2alpha\nkind: SLO\nmetadata: {name: a}\nspec: {}\n", "is not the version that is read"),
        ("apiVersion: openslo/v1\nkind: SLO\n", "metadata: is missing"),
        ("apiVersion: openslo/v1\nkind: Service\nmetadata: {}\nspec: {}\n", "metadata.name: is missing"),
        ("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a b}\nspec: {}\n", "'a b' cannot be a name"),
        ("apiVersion: openslo/v1\nextra: 1\n", "extra: unknown key"),
        ("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a, labels: {-a: b}}\nspec: {}\n", "key of a label"),
        (
            "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a, annotations: {A_/b: c}}\nspec: {}\n",
            "'A_' is no DNS subdomain",
        ),
        ("apiVersion: openslo/v1\nkind: [\n", "this is not YAML"),
        ("", "the file holds no document"),
        ("---\n---\n", "the file holds no document"),
        ("a: &a [*a]\n", "apiVersion: is missing"),
    ],
)
def test_headers(text: str, expected: str) -> None:
    assert expected in "\n".join(said(text))


def test_documents_before_a_break_of_syntax_are_still_checked() -> None:
    found = said(slo(objectives="[{target: 2}]") + "---\na: [\n")
    assert any("2 is not within" in sentence for sentence in found)
    assert any("this is not YAML" in sentence for sentence in found)


def test_references_reach_over_files_and_undefined_ones_are_warnings() -> None:
    referring = slo("", rest="  indicatorRef: good-ones\n")
    sli = document(
        "SLI", "good-ones",
        "{ratioMetric: {good: {metricSource: {metricSourceRef: spans, spec: {sli: {errors: {}}}}}, "
        "total: {metricSource: {metricSourceRef: spans, spec: {}}}}}",
    )  # fmt: skip
    source = document("DataSource", "spans", "{type: Tailwatch}")
    found = read_openslo([("one.yaml", referring), ("two.yaml", sli), ("three.yaml", source)])
    assert [each.name for each in found.slos] == ["answers"]
    assert not found.problems
    without = read_openslo([("one.yaml", referring), ("two.yaml", sli)])
    assert [problem.severity for problem in without.problems] == ["warning"] * 3
    assert "define no DataSource 'spans'" in without.problems[1].message
    assert "of which type" in without.problems[0].message
    (lost,) = read_openslo([("one.yaml", referring), ("three.yaml", document("SLI", "good-one", "{}"))]).warnings
    assert (lost.field, lost.remedy) == ("document 1 (SLO answers): spec.indicatorRef", "did you mean good-one?")


def test_a_name_is_given_once_for_each_kind() -> None:
    text = slo() + document("Service", "chat", "{}") + document("SLI", "chat", "{}") + document("Service", "chat", "{}")
    (twice,) = [sentence for sentence in said(text) if "is the name of" in sentence]
    assert "document 4 (Service chat): metadata.name: is the name of the Service at a.yaml:19" in twice


def test_a_service_that_is_not_among_the_defined_ones_is_a_warning() -> None:
    (warning,) = said(slo() + document("Service", "chart", "{}"))
    assert "spec.service: the given files define no Service 'chat' (did you mean chart?)" in warning
    assert not said(slo())


def test_a_foreign_source_is_valid_and_reported() -> None:
    found = read(slo(FOREIGN), strict=True)
    assert (found.slos, found.errors, found.documents) == ((), (), 1)
    (warning,) = found.warnings
    assert warning.message == "valid, and not executable here: its metric source is of type Prometheus"


def test_both_formats_are_read_together() -> None:
    slos = parse_slos([("native.yaml", EXAMPLE), ("open.yaml", slo(FOREIGN) + "---\n" + slo(metadata="{name: b}"))])
    assert [each.name for each in slos.slos] == ["chat-tail-latency", "b"]
    assert [warning.file for warning in slos.warnings] == ["open.yaml"]


def test_names_are_unique_over_both_formats() -> None:
    with pytest.raises(FileProblemsError, match=r"a\.name: is the name of the SLO at native\.yaml:3"):
        parse_slos([
            ("native.yaml", EXAMPLE.replace("chat-tail-latency", "a")), ("open.yaml", slo(metadata="{name: a}")),
        ])  # fmt: skip


def test_a_list_of_objects_is_for_lenient_eyes() -> None:
    text = "- apiVersion: openslo/v1\n  kind: Service\n  metadata: {name: a}\n  spec: {}\n"
    assert not said(text)
    assert "a list where a mapping is needed" in said(text, strict=True)[0]
