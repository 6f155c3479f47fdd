"""Bodies to decode, random and damaged in every way, from one seeded generator; and whether two decoders agree."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode import CompiledDecoder, CrowdedError, Decoder, RawColumns, Signal, Task
from collector.limits import Limits
from tests.collector.messages import NOW_NS, SECOND, any_value, attributes

WANTED = frozenset({
    "custom", "user.id", "gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.response.finish_reasons",
    "service.name", "event.name", "tailwatch.embedding", "tailwatch.feature.named", "ключ", "k" * 150,
})  # fmt: skip
_KEYS = [*sorted(WANTED), "", "unwanted", "http.method", "tailwatch.feature.", "tailwatch.feature.a",
         "tailwatch.feature.b", "tailwatch.feature.é", "tailwatch.featur", "service.version"]  # fmt: skip
_TEXTS = ["", "a", "chat", "true", "1", "[]", "ünï", "\0", "日本語", "😀", "stop", "x" * 7, "y" * 8, "z" * 9, "w" * 300]


def varint(number: int, size: int = 0) -> bytes:
    """``number``, in at least ``size`` bytes: a longer one than needed is odd, and allowed up to a point."""
    out = bytearray()
    while number > 0x7F or len(out) + 1 < size:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def chunk(number: int, content: bytes) -> bytes:
    """A field with a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def text(rng: random.Random) -> str:
    if rng.random() < 0.7:
        return rng.choice(_TEXTS)
    return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))))
                   for _ in range(rng.randrange(20)))  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> AnyValue:
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return AnyValue()
    if kind == 1:
        return AnyValue(bool_value=rng.random() < 0.5)
    if kind == 2:
        return AnyValue(int_value=rng.choice((0, 1, -1, 2**63 - 1, -(2**63), rng.randrange(1000))))
    if kind == 3:
        return AnyValue(double_value=rng.choice((0.0, -0.0, 0.25, math.inf, -math.inf, math.nan, 1e300, 1e-300)))
    if kind == 4:
        return AnyValue(bytes_value=rng.randbytes(rng.randrange(4)))
    result = AnyValue(string_value=text(rng))
    if kind == 6:
        result.array_value.SetInParent()
        result.array_value.values.extend(value(rng, depth + 1) for _ in range(rng.randrange(4)))
    elif kind == 7:
        result.kvlist_value.SetInParent()
        for _ in range(rng.randrange(3)):
            result.kvlist_value.values.add(key=text(rng)).value.CopyFrom(value(rng, depth + 1))
    return result


def _vector(rng: random.Random) -> AnyValue:
    return any_value([rng.choice((0.5, 1, -2.0, 3.4e38)) for _ in range(rng.choice((3, 3, 3, 2)))])


def _add_attributes(rng: random.Random, into: Any) -> None:
    for _ in range(rng.randrange(7)):
        key = rng.choice(_KEYS)
        is_vector = key == "tailwatch.embedding" and rng.random() < 0.8
        into.add(key=key).value.CopyFrom(_vector(rng) if is_vector else value(rng))


def _time(rng: random.Random) -> int:
    return rng.choice((NOW_NS, NOW_NS, NOW_NS, NOW_NS - SECOND, 0, NOW_NS + 7200 * SECOND, 2**64 - 1))


def record(rng: random.Random, signal: Signal) -> bytes:
    """A span or log record, mostly a good one."""
    trace_id = rng.randbytes(16) if rng.random() < 0.95 else bytes(rng.choice((0, 3, 16, 17)))
    span_id = rng.randbytes(8) if rng.random() < 0.95 else bytes(rng.choice((0, 3, 8, 9)))
    if signal == "log":
        log = LogRecord(
            time_unix_nano=_time(rng), observed_time_unix_nano=_time(rng), trace_id=trace_id, span_id=span_id,
            event_name=text(rng) if rng.random() < 0.5 else "", severity_text=text(rng), flags=rng.randrange(3),
        )  # fmt: skip
        if rng.random() < 0.5:
            log.body.CopyFrom(value(rng))
        _add_attributes(rng, log.attributes)
        return log.SerializeToString()
    span = Span(
        trace_id=trace_id, span_id=span_id, name=text(rng), trace_state=text(rng), flags=rng.randrange(3),
        parent_span_id=rng.choice((b"", rng.randbytes(8), rng.randbytes(8), b"abc")),
        start_time_unix_nano=NOW_NS - SECOND if rng.random() < 0.9 else _time(rng), kind=rng.randrange(6),
        end_time_unix_nano=NOW_NS if rng.random() < 0.9 else _time(rng),
    )  # fmt: skip
    if rng.random() < 0.5:
        span.status.message, span.status.code = text(rng), rng.randrange(3)  # type: ignore[assignment]
    for _ in range(rng.choice((0, 0, 1, 2))):
        _add_attributes(rng, span.events.add(name=text(rng), time_unix_nano=3).attributes)
    for _ in range(rng.choice((0, 0, 0, 1))):
        _add_attributes(rng, span.links.add(trace_id=trace_id, span_id=span_id).attributes)
    _add_attributes(rng, span.attributes)
    return span.SerializeToString()


def _field(rng: random.Random) -> bytes:
    """A field that may be known or not, of any wire type, well formed or nearly."""
    number, wire_type = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 31, 32, 500)), rng.randrange(6)
    tag = varint(number << 3 | wire_type, rng.choice((0, 0, 0, 2, 5, 6)))
    if wire_type == 0:
        return tag + varint(rng.choice((0, 2, 2**32 + 2, 2**64 - 1)), rng.choice((0, 0, 3, 10)))
    if wire_type == 1:
        return tag + rng.randbytes(8)
    if wire_type == 2:
        content = rng.choice((b"", b"ab", b"\xff", chunk(1, b"x"), chunk(2, chunk(1, b"y")), b"\x18\x05", bytes(16)))
        return tag + varint(len(content), rng.choice((0, 0, 0, 2, 5, 6))) + content
    if wire_type == 3:
        return tag + (_field(rng) if rng.random() < 0.5 else b"") + varint(number << 3 | 4)
    return tag + rng.randbytes(4) if wire_type == 5 else tag


def odd_record(rng: random.Random, signal: Signal) -> bytes:
    """A record with fields that are unknown, doubled, in pieces or of the wrong type, in it or in its attributes."""
    whole = record(rng, signal)
    attribute = 9 if signal == "span" else 6
    for _ in range(rng.randrange(1, 4)):
        pair = attributes({rng.choice(_KEYS): 1})[0]
        pair.value.CopyFrom(value(rng))
        pieces = [pair.SerializeToString(), chunk(2, value(rng).SerializeToString()), _field(rng),
                  chunk(2, value(rng).SerializeToString() + _field(rng)), chunk(1, text(rng).encode())]  # fmt: skip
        rng.shuffle(pieces)
        whole += chunk(attribute, b"".join(pieces[: rng.randrange(6)]))
    return whole + b"".join(_field(rng) for _ in range(rng.randrange(3)))


def body(rng: random.Random, signal: Signal, oddity: float = 0.2) -> bytes:
    """An Export request of a few records."""
    frames = b""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        resource = LogRecord()
        _add_attributes(rng, resource.attributes)
        pairs = b"".join(chunk(1, pair.SerializeToString()) for pair in resource.attributes)
        frame = b"" if rng.random() < 0.1 else chunk(1, pairs)
        for _ in range(rng.choice((0, 1, 1, 2))):
            records = [odd_record(rng, signal) if rng.random() < oddity else record(rng, signal)
                       for _ in range(rng.randrange(6))]  # fmt: skip
            frame += chunk(2, chunk(1, b"") + b"".join(chunk(2, one) for one in records))
        frame += _field(rng) if rng.random() < oddity / 4 else b""
        frames += chunk(1, frame)
    return frames


def damage(rng: random.Random, whole: bytes) -> bytes:
    """``whole`` with bytes changed, cut out, put in, doubled or moved."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        some = slice(at, at + rng.choice((1, 1, 2, 8, 40)))
        action = rng.randrange(7)
        if action == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1 and at < len(data):
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif action == 2:
            del data[some]
        elif action == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 5))
        elif action == 4:
            data[at:at] = data[some]
        elif action == 5:
            del data[at:]
        elif at < len(data):  # a length, perhaps
            data[at] = (data[at] + rng.choice((-1, 1, 2))) & 0xFF
    return bytes(data)


def batch(rng: random.Random, signal: Signal) -> list[bytes]:
    """A few bodies; some whole, some damaged, some noise."""

    def one() -> bytes:
        fate = rng.random()
        if fate < 0.03:
            return rng.randbytes(rng.randrange(60))
        whole = body(rng, signal, oddity=rng.choice((0, 0, 0.3)))
        return whole if fate < 0.5 else damage(rng, whole)

    return [one() for _ in range(rng.choice((1, 1, 2, 5)))]


def task(rng: random.Random, signal: Signal) -> Task:
    """A task, now and then with limits that a few records reach."""
    limits = Limits()
    if rng.random() < 0.3:
        limits = Limits(
            records=rng.choice((1, 4, 100)), features=rng.choice((0, 1, 2)), cells=rng.choice((4, 30, 10**6))
        )
    return Task(signal, WANTED, NOW_NS, keep_raw=rng.random() < 0.8, limits=limits)


@cache
def compiled() -> CompiledDecoder:
    """The compiled decoder, ready; the first test run on a machine waits for the compilation."""
    decoder = CompiledDecoder()
    decoder.warm().join()
    assert decoder.state == "ready"
    return decoder


Outcome = list[tuple[Any, ...]]


def settle(decoder: Decoder, bodies: Sequence[bytes], chosen: Task) -> Outcome:
    """What each body yields, by value; decoded together when that is possible, else one by one."""
    try:
        return [_outcome(decoder(bodies, chosen), number) for number in range(len(bodies))]
    except CrowdedError:
        assert len(bodies) > 1
        return [_outcome(decoder([one], chosen), 0) for one in bodies]


def alone(decoder: Decoder, bodies: Sequence[bytes], chosen: Task) -> Outcome:
    """What each body yields on its own."""
    return [_outcome(decoder([one], chosen), 0) for one in bodies]


def _outcome(raw: RawColumns, number: int) -> tuple[Any, ...]:
    report = raw.reports[number]
    error = report.error
    rows = [row for row in range(len(raw)) if raw.body[row] == number]
    if error is not None:
        assert not rows
        return (error.status,)
    return (dict(report.rejections.reasons), report.ignored_values, [_row(raw, row) for row in rows])


def _row(raw: RawColumns, row: int) -> tuple[Any, ...]:
    resource = raw.resource[row]
    return (
        int(raw.time_ns[row]), int(raw.start_ns[row]), raw.trace_id[row].tobytes(), raw.span_id[row].tobytes(),
        raw.parent_span_id[row].tobytes(), raw.name.take([row]).tolist(), bool(raw.status_error[row]),  # type: ignore[arg-type]
        _cells(raw.attributes, row), _cells(raw.resource_attributes, resource), raw.resources[resource],
        raw.raw[row] if len(raw.raw) else None, _numbers(raw, row),
    )  # fmt: skip


def _cells(columns: Any, row: int) -> dict[str, tuple[str, str]]:
    """The present cells: text, and the number's own notation so that NaN equals NaN and 0.0 is not -0.0."""
    found = {name: (column.strings.tolist()[row], repr(float(column.numbers[row]))) for name, column in columns.items()}
    return {name: present for name, present in found.items() if present != ("", "nan")}


def _numbers(raw: RawColumns, row: int) -> list[float] | None:
    if raw.embeddings is None or math.isnan(raw.embeddings[row, 0]):
        return None
    return raw.embeddings[row].tolist()  # type: ignore[no-any-return]


Check = Callable[[Sequence[bytes], Task], None]


def agreement(fast: Decoder, oracle: Decoder) -> Check:
    """A check that both say the same, together and alone, and that what is interned is interned once."""

    def check(bodies: Sequence[bytes], chosen: Task) -> None:
        expected = alone(oracle, bodies, chosen)
        assert settle(fast, bodies, chosen) == expected
        if len(bodies) > 1:
            assert alone(fast, bodies, chosen) == expected

    return check
