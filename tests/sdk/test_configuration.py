"""Where settings come from, and the sentence that each mistake gets."""

import logging
import threading

import pytest
import tailwatch_sdk as tailwatch
from tailwatch_sdk import configuration
from tailwatch_sdk.configuration import Settings

from tests.sdk.receiver import Receiver


def resolve(environ: dict[str, str] | None = None, **arguments: object) -> Settings:
    known: dict[str, object] = dict.fromkeys(
        ("service_name", "service_version", "environment", "endpoint", "protocol", "resource_attributes", "headers")
    )
    return configuration.resolve(**{**known, "set_global": False, "environ": environ or {}, **arguments})  # type: ignore[arg-type]


def exporting() -> set[threading.Thread]:
    """The threads of OpenTelemetry's SDK and of ours; others, such as those of a server, come and go by themselves."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(("Otel", "tailwatch"))}


@pytest.mark.parametrize(
    ("arguments", "environ", "traces", "logs"),
    [
        ({}, {}, "http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/logs"),
        ({"endpoint": "https://c:1/base/"}, {}, "https://c:1/base/v1/traces", "https://c:1/base/v1/logs"),
        ({"endpoint": "http://c/v1/traces"}, {}, "http://c/v1/traces", "http://c/v1/logs"),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:2"}, "http://e:2/v1/traces", "http://e:2/v1/logs"),
        ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/logs"),
        (
            {},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://l/as/it/is"},
            "http://e/v1/traces",
            "http://l/as/it/is",
        ),
        (
            {"endpoint": "http://a"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e"},
            "http://a/v1/traces",
            "http://a/v1/logs",
        ),
        ({"protocol": "grpc"}, {}, "http://127.0.0.1:4317", "http://127.0.0.1:4317"),
        ({}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://127.0.0.1:4317", "http://127.0.0.1:4317"),
        (
            {},
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
            "http://127.0.0.1:4317",
            "http://127.0.0.1:4318/v1/logs",
        ),
        (
            {"protocol": "http/protobuf"},
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http://127.0.0.1:4318/v1/traces",
            "http://127.0.0.1:4318/v1/logs",
        ),
    ],
)
def test_endpoints_follow_opentelemetrys_rules(arguments, environ, traces, logs) -> None:
    settings = resolve(environ, **arguments)
    assert (settings.traces.url, settings.logs.url) == (traces, logs)


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        ({"protocol": "http/json"}, {}, "protocol is 'http/json'; use 'http/protobuf' or 'grpc'."),
        ({}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "x"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'x'; use"),
        ({"endpoint": "localhost:4318"}, {}, "endpoint is no usable URL; give one such as 'http://127.0.0.1:4318'."),
        ({"endpoint": "http://h:port"}, {}, "endpoint is no usable URL"),
        ({"endpoint": "http://[::1"}, {}, "endpoint is no usable URL"),
        ({"endpoint": "http://:4318"}, {}, "endpoint is no usable URL"),
        ({}, {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "x"}, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT is no usable URL"),
        ({"headers": {"a": "b\r\nc: d"}}, {}, "The header 'a' has a line break in it."),
        ({"headers": {"a": 1}}, {}, "The header 'a' must have a name and a value that are text."),
        ({"resource_attributes": {"a": object()}}, {}, "The resource attribute 'a' must be str, bool"),
        ({"service_name": b"x"}, {}, "The resource attribute 'service.name' must be str, bool"),
    ],
)
def test_every_mistake_gets_a_sentence_that_says_where_it_is(arguments, environ, sentence) -> None:
    with pytest.raises(tailwatch.ConfigurationError) as caught:
        resolve(environ, **arguments)
    assert str(caught.value).startswith(sentence)


def test_secrets_stay_out_of_sentences_representations_and_shown_urls() -> None:
    settings = resolve(endpoint="https://me:hunter2@c:4318/x?key=s3cret", headers={"authorization": "s3cret"})
    assert settings.traces.shown.startswith("https://c:4318/x")
    assert "hunter2" not in settings.traces.shown
    assert "authorization" not in repr(settings)
    with pytest.raises(tailwatch.ConfigurationError) as caught:
        resolve(endpoint="ftp://me:hunter2@c")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(tailwatch.ConfigurationError) as caught:
        resolve(headers={"authorization": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


def test_the_service_is_described_by_arguments_over_the_environment(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-environment")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "cloud.region=eu,deployment.environment.name=dev")
    tailwatch.configure(
        service_version="1.2", environment="production", endpoint=collector.url, resource_attributes={"team": "ml"}
    )
    with tailwatch.inference_span("chat"):
        pass
    tailwatch.flush()
    resource = collector.span().resource
    assert resource.pop("service.instance.id")
    assert {name: resource[name] for name in resource if not name.startswith("telemetry.")} == {
        "service.name": "from-environment",
        "service.version": "1.2",
        "deployment.environment.name": "production",
        "cloud.region": "eu",
        "team": "ml",
    }


def test_configure_again_is_free_and_other_settings_are_refused_with_a_notice(sdk: Receiver, notes) -> None:
    before = exporting()
    client = tailwatch.configure(service_name="chat", endpoint=sdk.url)
    assert client is tailwatch.configure(service_name="chat", endpoint=sdk.url)
    assert exporting() == before
    assert notes() == []
    assert tailwatch.configure(service_name="other", endpoint=sdk.url) is client
    assert any("ignored; call shutdown first" in line for line in notes())
    with pytest.raises(tailwatch.ConfigurationError):
        tailwatch.configure(protocol="carrier pigeon")


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_BSP_MAX_QUEUE_SIZE": "100"},  # smaller than the default batch
        {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"},
        {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "0"},
        {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": "none-such"},
    ],
)
def test_an_environment_that_opentelemetry_refuses_turns_telemetry_off_and_nothing_else(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch, notes, environ
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    before = exporting()
    tailwatch.configure(endpoint=collector.url)
    assert exporting() == before
    with tailwatch.inference_span("chat") as call:
        call.log(prediction="a")
    assert tailwatch.flush()
    assert tailwatch.shutdown()
    assert collector.paths == []
    assert any(line.startswith("Tailwatch is off, because OpenTelemetry refuses its environment") for line in notes())


def test_otel_sdk_disabled_turns_everything_off(collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    before = exporting()
    tailwatch.configure(endpoint=collector.url)
    with tailwatch.inference_span("chat") as call:
        call.log(prediction="a")
    assert tailwatch.flush()
    assert exporting() == before
    assert collector.paths == []


def test_a_sampler_of_the_environment_is_honoured_and_said(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with caplog.at_level(logging.WARNING):
        tailwatch.configure(endpoint=collector.url)
    with tailwatch.inference_span("chat"):
        pass
    tailwatch.flush()
    assert collector.spans == []
    assert "SLIs will cover sampled calls only" in caplog.text
