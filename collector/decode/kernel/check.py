"""Whether bytes are a well-formed message of OTLP, as the protobuf library judges it; it reads nothing out of them."""

from __future__ import annotations

from collector.decode.kernel.arrays import Bytes, Codes, Ints
from collector.decode.kernel.jit import helper
from collector.decode.kernel.messages import FIELDS, KIND, MESSAGE, SHIFT, STRING, UNKNOWN
from collector.decode.kernel.text import is_utf8
from collector.decode.kernel.wire import LENGTH, read_length, read_tag, skip


@helper
def rule_of(rules: Codes, message: int, tag: int) -> int:
    """The rule of the field that ``tag`` opens; ``UNKNOWN`` for one that the message does not have in this form."""
    number = tag >> 3
    if number >= FIELDS:
        return UNKNOWN
    rule = rules[message, number]
    return rule if rule >= 0 and rule & 7 == tag & 7 else UNKNOWN


@helper
def is_message(data: Bytes, rules: Codes, stack: Ints, message: int, at: int, end: int, depth: int) -> bool:
    """Whether ``data[at:end]`` is a ``message``, with at most ``depth`` levels of messages or groups below it."""
    level = 0
    while True:
        while at == end:
            if level == 0:
                return True
            level -= 1
            end = stack[level, 0]
            message = stack[level, 1]
        tag, at = read_tag(data, at, end)
        if at < 0 or tag < 8:
            return False
        rule = rule_of(rules, message, tag)
        if rule == UNKNOWN or tag & 7 != LENGTH:
            at = skip(data, stack, at, end, tag, depth - level)
            if at < 0:
                return False
            continue
        at, stop = read_length(data, at, end)
        if at < 0:
            return False
        if rule & KIND == MESSAGE:
            if level >= depth:
                return False
            stack[level, 0] = end
            stack[level, 1] = message
            level += 1
            end = stop
            message = rule >> SHIFT
            continue
        if rule & KIND == STRING and not is_utf8(data, at, stop):
            return False
        at = stop


@helper
def field_end(data: Bytes, rules: Codes, stack: Ints, message: int, tag: int, at: int, end: int, depth: int) -> int:
    """The place after the value of one field of ``message``, -1 when it is not well formed."""
    rule = rule_of(rules, message, tag)
    if rule == UNKNOWN or tag & 7 != LENGTH:
        return skip(data, stack, at, end, tag, depth)
    at, stop = read_length(data, at, end)
    if at < 0:
        return -1
    if rule & KIND == STRING and not is_utf8(data, at, stop):
        return -1
    if rule & KIND == MESSAGE and not is_message(data, rules, stack, rule >> SHIFT, at, stop, depth - 1):
        return -1
    return stop
