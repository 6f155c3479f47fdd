"""Bodies made to hurt: floods of attributes, strings and features, deep nesting, numbers written in odd ways."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from collector.decode import Task
from collector.decode.compiled import object_file
from collector.decode.protobuf import decode_protobuf
from collector.limits import Limits
from tests.collector.decode_cases import WANTED, agreement, chunk, compiled, varint
from tests.collector.messages import NOW_NS, SECOND, any_value, attributes, log, logs, span, traces

SPANS = Task("span", WANTED, NOW_NS)
GOOD = span().SerializeToString()
GROUP, GROUP_END = bytes([20 << 3 & 0x7F | 0x80 | 3, 1]), bytes([20 << 3 & 0x7F | 0x80 | 4, 1])


def request(*records: bytes) -> bytes:
    return chunk(1, chunk(2, b"".join(chunk(2, record) for record in records)))


def agrees(*records: bytes, chosen: Task = SPANS) -> None:
    agreement(compiled(), decode_protobuf)([request(GOOD, *records, GOOD)], chosen)


def pair(key: str, value: bytes) -> bytes:
    return chunk(9, chunk(1, key.encode()) + chunk(2, value))


@pytest.mark.parametrize("size", range(1, 12))
def test_numbers_longer_than_needed(size: int) -> None:
    agrees(GOOD + varint(6 << 3, size) + b"\1")
    agrees(GOOD + b"\x30" + varint(1, size))
    agrees(GOOD + b"\x2a" + varint(1, size) + b"a")
    agrees(GOOD + varint(20 << 3 | 2, size) + varint(1, size) + b"a")
    agrees(GOOD + pair("custom", b"\x18" + varint(5, size)))
    agrees(GOOD + pair("custom", b"\x0a" + varint(1, size) + b"a"))


@pytest.mark.parametrize("last", [0, 1, 2, 0x7F, 0x80])
def test_the_last_byte_of_a_number(last: int) -> None:
    number = b"\x80" * 9 + bytes([last])
    agrees(GOOD + b"\x30" + number, GOOD + pair("custom", b"\x18" + number), GOOD + pair("custom", b"\x10" + number))
    agrees(GOOD + b"\x7a\x0b\x18" + number)


@pytest.mark.parametrize("length", [2**7, 2**14, 2**31 - 1, 2**31, 2**32 + 1, 2**63, 2**64 - 1])
def test_lengths_beyond_what_encloses_them(length: int) -> None:
    for tag in (1 << 3 | 2, 5 << 3 | 2, 9 << 3 | 2, 11 << 3 | 2, 15 << 3 | 2, 20 << 3 | 2):
        agrees(GOOD + varint(tag) + varint(length) + b"abc")
    agrees(GOOD + chunk(9, b"\x0a" + varint(length) + b"custom"), GOOD + chunk(9, b"\x0a\1a\x12" + varint(length)))
    agrees(GOOD + pair("custom", b"\x0a" + varint(length) + b"x"), GOOD + pair("custom", b"\x2a" + varint(length)))
    agreement(compiled(), decode_protobuf)([request(GOOD) + b"\x0a" + varint(length), request(GOOD)], SPANS)


def test_nothing_where_something_is_expected() -> None:
    agrees(b"", GOOD + b"\x4a\0", GOOD + chunk(9, b"\x0a\0"), GOOD + chunk(9, b"\x12\0"), GOOD + pair("custom", b""))
    agrees(GOOD + b"\x2a\0", GOOD + b"\x0a\0", GOOD + b"\x7a\0", GOOD + pair("custom", b"\x0a\0" + b"\x0a\0"))
    agrees(GOOD + pair("custom", b"\x2a\0"), GOOD + pair("custom", b"\x32\0"), GOOD + pair("custom", b"\x2a\2\x0a\0"))


def test_fields_twice() -> None:
    agrees(GOOD + chunk(5, b"other") + chunk(1, b"\1" * 16) + chunk(15, b"\x18\2") + chunk(15, chunk(2, b"m")))
    agrees(GOOD + chunk(5, b"\xff") + chunk(5, b"fine"), GOOD + chunk(15, b"\x18\2\x18\1"))
    text, number = chunk(2, chunk(1, b"text")), chunk(2, b"\x18\7")
    array = chunk(2, chunk(5, chunk(1, b"\x18\1")))
    for pieces in (text + number, number + text, text + array, array + text, array + array, array + text + array):
        agrees(GOOD + chunk(9, chunk(1, b"unwanted") + pieces + chunk(1, b"custom")))
        agrees(GOOD + chunk(9, chunk(1, b"tailwatch.embedding") + pieces))
    agrees(GOOD + pair("custom", chunk(1, b"a")) + pair("custom", b"\x18\3") + pair("custom", chunk(1, b"")))


@pytest.mark.parametrize("depth", [1, 48, 49, 50, 51, 98, 99, 100, 101, 3000])
def test_deep_nesting(depth: int) -> None:
    arrays = b""
    for _ in range(depth):
        arrays = chunk(5, chunk(1, arrays))
    groups = GROUP * depth + GROUP_END * depth
    for value in (arrays, groups):
        agrees(GOOD + pair("custom", value), GOOD + pair("unwanted", value), GOOD + chunk(11, chunk(3, value)))
    agrees(GOOD + groups, GOOD + chunk(9, groups), GOOD + GROUP * depth, GOOD + groups[:-1])
    agreement(compiled(), decode_protobuf)([request(GOOD) + groups], SPANS)
    agreement(compiled(), decode_protobuf)([chunk(1, chunk(1, chunk(1, chunk(2, arrays))))], SPANS)


@pytest.mark.parametrize(
    "text",
    [b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\xa0\x80", b"\xed\x9f\xbf",
     b"\xef\xbf\xbf", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5",
     b"abcdefg\xc3", b"abcdefgh\xc3\xa9", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3\x28"],
)  # fmt: skip
def test_text_that_is_hardly_utf8(text: bytes) -> None:
    agrees(GOOD + chunk(5, text), GOOD + chunk(3, text), GOOD + chunk(15, chunk(2, text)), GOOD + chunk(1, text))
    agrees(GOOD + pair("custom", chunk(1, text)), GOOD + pair("unwanted", chunk(1, text)))
    agrees(GOOD + chunk(9, chunk(1, text) + chunk(2, b"\x18\1")), GOOD + chunk(11, chunk(2, text)))
    agrees(GOOD + pair("tailwatch.embedding", chunk(1, text)), GOOD + pair("event.name", chunk(1, text)))
    agrees(GOOD + pair("custom", chunk(5, chunk(1, chunk(1, text)))), GOOD + chunk(20, text))


def test_a_hundred_thousand_attributes() -> None:
    many = b"".join(pair(f"key.{number}", b"\x18\1") for number in range(100_000))
    agrees(GOOD + many + pair("custom", chunk(1, b"last")))


def test_a_hundred_thousand_features_are_ignored_and_counted() -> None:
    flood = b"".join(
        chunk(6, chunk(1, b"tailwatch.feature.%d" % number) + chunk(2, b"\x18\1")) for number in range(100_000)
    )
    record = log().SerializeToString()
    raw = compiled()([request(record + flood)], Task("log", WANTED, NOW_NS))
    assert raw.reports[0].ignored_values == 100_000 - Limits().features


def test_features_of_a_refused_record_count_for_nothing() -> None:
    bad = log(1, time_ns=NOW_NS + 7200 * SECOND, values={"tailwatch.feature.a": 1, "custom": "x", "user.id": 2})
    good = log(2, values={"tailwatch.feature.b": 2})
    chosen = Task("log", WANTED, NOW_NS, limits=Limits(features=1))
    body = logs([bad, bad, good, bad, good]).SerializeToString()
    agreement(compiled(), decode_protobuf)([body], chosen)
    assert list(compiled()([body], chosen).attributes) == ["tailwatch.feature.b"]


def test_a_million_distinct_texts() -> None:
    head = GOOD + pair("gen_ai.operation.name", chunk(1, b"chat"))
    spans = [
        head + b"".join(pair("custom", chunk(1, b"%d-%d" % (row, number))) for number in range(1000))
        for row in range(1000)
    ]
    raw = compiled()([request(*spans)], SPANS)
    assert raw.attributes["custom"].strings.tolist() == [f"{row}-999" for row in range(1000)]


def test_strings_whose_hashes_are_all_equal_are_left_to_the_library() -> None:
    compiled()
    kernel = import_module("collector.decode.kernel.decoder")
    program = import_module("collector.decode.kernel.program").load_program(object_file(None))
    worst = kernel.decoder_of(replace(program, seeds=(0, 0)))
    check = agreement(worst, decode_protobuf)
    check([traces([span(number + 1, custom=f"text {number}") for number in range(300)]).SerializeToString()], SPANS)
    many = traces([span(number + 1, custom=f"text {number}") for number in range(1500)]).SerializeToString()
    check([many, request(GOOD)], SPANS)


def test_a_resource_for_every_record_and_frames_without_any() -> None:
    frames = [traces([span(number + 1)], service__name=f"s{number}").SerializeToString() for number in range(600)]
    agreement(compiled(), decode_protobuf)([b"".join(frames) + b"\x0a\0" * 1000], SPANS)


def test_structures_with_equal_text_are_one_value() -> None:
    values = ["[]", [], {"a": 1}, '{"a":1}', {"a": 1}, [[1]], "[[1]]", [{"a": 1}]]
    raw = compiled()([traces([span(n + 1, custom=one) for n, one in enumerate(values)]).SerializeToString()], SPANS)
    column = raw.attributes["custom"].strings
    assert len(set(column.values)) == len(column.values)
    assert column.tolist() == ["[]", "[]", '{"a":1}', '{"a":1}', '{"a":1}', "[[1]]", "[[1]]", '[{"a":1}]']


def test_more_columns_than_there_is_room_for_at_first() -> None:
    names = [f"name.{number}" for number in range(100)]
    texts = span(1, values={name: name for name in names})
    numbers = span(2, values={name: index for index, name in enumerate(names)})
    chosen = Task("span", frozenset(names), NOW_NS)
    agreement(compiled(), decode_protobuf)([traces([texts, numbers]).SerializeToString()], chosen)


def test_many_short_records() -> None:
    agreement(compiled(), decode_protobuf)([request(*[b""] * 5000, GOOD)], SPANS)
    agreement(compiled(), decode_protobuf)(
        [request(*[b""] * 50)], Task("span", WANTED, NOW_NS, limits=Limits(records=50))
    )


def test_columns_that_only_refused_records_brought() -> None:
    chosen = Task("span", frozenset(f"name.{number}" for number in range(40)), NOW_NS)
    bad = [span(1, values={f"name.{number}": "x", f"name.{39 - number}": 1.5}) for number in range(40)]
    for record in bad:
        record.span_id = b""
    good = span(2, values={"name.3": "y", "name.7": 2})
    agreement(compiled(), decode_protobuf)([traces([*bad, good, *bad, span(3), good]).SerializeToString()], chosen)


def test_the_embedding_is_read_wherever_it_stands() -> None:
    vector = attributes({"tailwatch.embedding": [1.0, 2, 3.5]})[0]
    vector.value.array_value.values.add(double_value=3.5e38)
    sent = log(3)
    sent.attributes.extend([vector, *attributes({"tailwatch.embedding": [1.0, 2.0, 3.0]})])
    other = log(4, custom=[1.0], values={"tailwatch.embedding": [2.0, any_value(1).int_value, 3.0]})
    body = logs([log(1), sent, other, log(2, values={"tailwatch.embedding": [1.0]})]).SerializeToString()
    agreement(compiled(), decode_protobuf)([body], Task("log", WANTED, NOW_NS))
