"""The text of a token: random, recognisable, with a checksum; only its digest is ever kept.

A token is 256 random bits, so nobody guesses what has a given SHA-256: a slow hash protects what people choose and
would cost its time on every request. The prefix lets scanners of leaked secrets know it, and the checksum tells a
token that was not copied whole from one that is unknown.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Final

PREFIX: Final = "tw_"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS: Final = 256
_RANDOM_LENGTH: Final = 43
"""Base 62 digits of 256 bits."""
_SUM_LENGTH: Final = 6
"""Base 62 digits of 32 bits."""
_LENGTH: Final = len(PREFIX) + _RANDOM_LENGTH + _SUM_LENGTH


def new_secret() -> str:
    """A token that nobody has."""
    random = _base62(secrets.randbits(_BITS), _RANDOM_LENGTH)
    return f"{PREFIX}{random}{_checksum(random)}"


def is_whole(text: str) -> bool:
    """Whether ``text`` has the form of a token, its checksum included."""
    if len(text) != _LENGTH or not text.isascii() or not text.startswith(PREFIX):
        return False
    random = text[len(PREFIX) : -_SUM_LENGTH]
    return text.endswith(_checksum(random))


def digest_of(text: str) -> bytes:
    """What is kept of a token: 32 bytes."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _checksum(random: str) -> str:
    return _base62(zlib.crc32(random.encode("ascii")), _SUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
