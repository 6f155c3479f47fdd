"""The text of tokens: random, whole or not, and what is kept of it."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tailwatch.access.secret import digest_of, is_whole, new_secret


def test_tokens_are_different_recognisable_and_one_word() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"tw_[0-9A-Za-z]{49}", one) and is_whole(one) for one in made)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_what_was_not_copied_right_is_known_without_asking_anybody(data: st.DataObject) -> None:
    secret = new_secret()
    place = data.draw(st.integers(0, len(secret) - 1))
    other = data.draw(st.characters().filter(lambda one: one != secret[place]))
    assert not is_whole(secret[:place] + other + secret[place + 1 :])
    assert not is_whole(secret[:place])
    assert not is_whole(secret + other)


def test_the_digest_is_sha_256() -> None:
    assert digest_of("abc") == hashlib.sha256(b"abc").digest()
    assert len(digest_of("\udcff")) == 32, "no text is a fault"
