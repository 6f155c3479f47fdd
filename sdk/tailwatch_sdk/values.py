"""Turns what an application hands over into values that OTLP can carry; refuses what it cannot, with a reason.

Every function here either returns a clean value or raises ValueError with a sentence that completes
"<attribute> ...", e.g. "must be a number >= 0, got 'x'". Callers report the sentence; nobody's request fails by it.
NumPy and PyTorch scalars and arrays are accepted through their `tolist()`, so neither library is imported.
"""

import math
import operator
from collections.abc import Sequence
from enum import Enum
from numbers import Integral, Real

Scalar = str | bool | int | float
Value = Scalar | tuple[Scalar, ...]

# OTLP integers are signed 64-bit (opentelemetry-proto, common.proto, AnyValue.int_value).
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
# One oversized value must not take its whole batch over the exporter's request limit (64 MiB for 512 spans).
MAX_TEXT = 32_768
MAX_ITEMS = 16_384


def attribute(value: object) -> Value:
    """A scalar, or a tuple of scalars for a sequence or an array of one dimension.

    Text longer than MAX_TEXT characters is cut.

    Raises:
        ValueError: None, bytes, a mapping, a nested or overlong sequence, an integer beyond 64 bits.
    """
    if isinstance(value, str | bool | int | float):
        return scalar(value)
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        value = to_list()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        if len(value) > MAX_ITEMS:
            raise ValueError(f"has {len(value)} items, at most {MAX_ITEMS} are sent")
        return tuple(scalar(item) for item in value)
    return scalar(value)


def scalar(value: object) -> Scalar:
    """One str, bool, int or float.

    Raises:
        ValueError: Anything else.
    """
    kind = type(value)
    if kind is str or isinstance(value, str | Enum):
        return text(value)
    if kind is bool or kind is float:
        return value  # type: ignore[return-value]  # the check is on the exact type, which mypy does not follow
    if isinstance(value, Integral):
        return _int64(int(value))
    if isinstance(value, Real):
        return float(value)
    raise ValueError(f"must be str, bool, int, float or a list of these, got {kind.__name__}")


def text(value: object) -> str:
    """Text that UTF-8 can encode, cut to MAX_TEXT characters; numbers and enum members become text.

    Raises:
        ValueError: Not text, not a number, not an enum member.
    """
    if type(value) is str and len(value) <= MAX_TEXT and value.isascii():
        return value
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {type(value).__name__}")  # noqa: TRY004  # callers catch one kind of error
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]
    if value.isascii():
        return value
    # Lone surrogates (from os.fsdecode and the like) make protobuf refuse the record.
    return value.encode("utf-8", "replace").decode("utf-8")


def count(value: object) -> int:
    """A whole number >= 0 (tokens, batch size).

    Raises:
        ValueError: Not a whole number, negative, beyond 64 bits.
    """
    if type(value) is int and 0 <= value <= _INT_MAX:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # refuses by TypeError what is no whole number
    except TypeError:
        raise ValueError(f"must be a whole number, got {_shown(value)}") from None
    if number < 0:
        raise ValueError(f"must be >= 0, got {number}")
    return _int64(number)


def amount(value: object) -> float:
    """A finite number >= 0 (seconds, US dollars).

    Raises:
        ValueError: Not a number, negative, infinite or NaN.
    """
    number = finite(value)
    if number < 0:
        raise ValueError(f"must be >= 0, got {number}")
    return number


def finite(value: object) -> float:
    """A finite number.

    Raises:
        ValueError: Not a number, infinite or NaN.
    """
    if type(value) is not float:
        if isinstance(value, str | bytes):
            raise ValueError(f"must be a number, got {_shown(value)}")
        try:
            value = float(value)  # type: ignore[arg-type]  # refuses by TypeError what is no number
        except (TypeError, OverflowError):
            raise ValueError(f"must be a number, got {_shown(value)}") from None
    if not math.isfinite(value):
        raise ValueError(f"must be finite, got {value}")
    return value


def flag(value: object) -> bool:
    """True or False (also NumPy's).

    Raises:
        ValueError: Anything else.
    """
    if isinstance(value, bool):
        return value
    item = getattr(value, "item", None)
    if callable(item) and isinstance(found := item(), bool):
        return found
    raise ValueError(f"must be True or False, got {_shown(value)}")


def vector(value: object) -> tuple[float, ...]:
    """A non-empty vector of finite numbers (an embedding) from a list, tuple or one-dimensional array.

    Raises:
        ValueError: Empty, longer than MAX_ITEMS, nested, or holding something that is no finite number.
    """
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        value = to_list()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        raise ValueError(f"must be a list of numbers, got {type(value).__name__}")  # noqa: TRY004  # as above
    if not 0 < len(value) <= MAX_ITEMS:
        raise ValueError(f"must have 1 to {MAX_ITEMS} numbers, got {len(value)}")
    return tuple(finite(item) for item in value)


def _int64(number: int) -> int:
    if not _INT_MIN <= number <= _INT_MAX:
        raise ValueError("must fit in 64 bits")
    return number


def _shown(value: object) -> str:
    """The type, and the value if it is short and certainly harmless to print."""
    if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 40):
        return repr(value)
    return type(value).__name__
