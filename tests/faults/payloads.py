"""Payloads that nobody means well with: bombs, crowds of attributes, depths, broken text, a crowd of tenants."""

from __future__ import annotations

import zlib

import zstandard

from tests.faults.accounting import Sent
from tests.faults.senders import DURATION_NS
from tests.faults.server import SERVICE
from tests.tailwatch.running import traces

_MIB = 1024 * 1024
_MEMBER_MIB = 16
_MARK = "@@@@"
_NO_TEXT = b"\xff\xfe\xc0\x80"
"""Bytes that are no UTF-8, as long as the mark that they replace."""


def gzip_bomb(size_mib: int) -> bytes:
    """``size_mib`` MiB of zeros, a thousand times smaller: one small member again and again."""
    stream = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    member = stream.compress(bytes(_MEMBER_MIB * _MIB)) + stream.flush()
    return member * -(-size_mib // _MEMBER_MIB)


def deflate_bomb(size_mib: int) -> bytes:
    stream = zlib.compressobj(1)
    parts = [stream.compress(bytes(_MIB)) for _ in range(size_mib)]
    return b"".join([*parts, stream.flush()])


def zstd_bomb(size_mib: int) -> bytes:
    """One frame of ``size_mib`` MiB of zeros, tens of thousands of times smaller, and without its size in its head."""
    stream = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    parts = [stream.compress(bytes(_MIB)) for _ in range(size_mib)]
    return b"".join([*parts, stream.flush()])


def crowded(sent: Sent, attributes: int) -> bytes:
    """A payload whose spans have ``attributes`` attributes each."""
    named = {"tailwatch.tenant": sent.tenant} | {f"attribute.{place}": "value" for place in range(attributes)}
    return traces(
        sent.spans, end_ns=sent.time_ns, first_id=sent.first_id, bad=sent.bad, service=SERVICE,
        duration_ns=DURATION_NS, attributes=named,
    )  # fmt: skip


def deep_protobuf(depth: int) -> bytes:
    """A span with an attribute whose value is a map in a map in a map."""
    value = b"\x0a\x01x"  # AnyValue.string_value
    for _ in range(depth):
        pair = _field(1, b"k") + _field(2, value)  # KeyValue
        value = _field(6, _field(1, pair))  # AnyValue.kvlist_value.values
    attribute = _field(1, b"deep") + _field(2, value)
    span = _field(1, b"\x01" * 16) + _field(2, b"\x01" * 8) + _field(9, attribute)
    return _field(1, _field(2, _field(2, span)))


def deep_groups(depth: int) -> bytes:
    """Unknown groups in unknown groups, which a reader must skip to find the end."""
    return b"\x7b" * depth + b"\x7c" * depth


def deep_json(depth: int) -> bytes:
    opened = b'{"kvlistValue":{"values":[{"key":"k","value":' * depth
    closed = b"}]}}" * depth
    before = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"deep","value":'
    return before + opened + b'{"stringValue":"x"}' + closed + b"}]}]}]}]}"


def no_text(where: str) -> bytes:
    """Ten spans whose text ``where`` (``service``, ``name`` or ``value``) is no UTF-8; of a service of their own."""
    service = _MARK if where == "service" else "no-text"
    body = traces(
        10, end_ns=10**18, first_id=2**40, service=service, attributes={"k": _MARK if where == "value" else "v"}
    )
    marked = body.replace(b"chat m", b"ch" + _MARK.encode()) if where == "name" else body
    assert _MARK.encode() in marked
    return marked.replace(_MARK.encode(), _NO_TEXT)


def many_tenants(first: int, count: int, end_ns: int) -> bytes:
    """``count`` spans, each of another tenant, numbered from ``first``."""
    # One span is serialised and its number, of fixed width, replaced: to build each would take most of a long run.
    digits = 8
    mark = b"\x00tenant\x00" + b"0" * digits
    one = traces(1, end_ns=end_ns, first_id=1, service=SERVICE, attributes={"tailwatch.tenant": mark.decode()})
    message = _only_span(one)
    spans = []
    for number in range(first, first + count):
        tenant = b"tenant-" + b"%09d" % number
        span = message.replace(mark, tenant.ljust(len(mark), b"x"))
        ids = _field(1, (number + 1).to_bytes(16, "big")) + _field(2, (number + 1).to_bytes(8, "big"))
        spans.append(_field(2, ids + span))
    resource = _field(1, _field(1, _field(1, b"service.name") + _field(2, _field(1, SERVICE.encode()))))
    return _field(1, resource + _field(2, b"".join(spans)))


def _only_span(body: bytes) -> bytes:
    """The fields of the only span of an Export request, without its ids."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415

    span = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]
    span.ClearField("trace_id")
    span.ClearField("span_id")
    return bytes(span.SerializeToString())


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of the protobuf wire format."""
    length = len(content)
    encoded = bytearray([number << 3 | 2])
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + content
