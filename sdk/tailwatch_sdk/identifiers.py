"""Random trace and span ids from a generator of our own; never touches the application's `random` state.

The stock generator draws from the module `random`. A service that calls `random.seed(42)` (most training and
evaluation code does) would give every replica the same trace ids, and tracing would change the numbers that the
application draws.
"""

import os
import random
import weakref

from opentelemetry.sdk.trace.id_generator import IdGenerator


class PrivateIdGenerator(IdGenerator):
    """Ids from a private Mersenne Twister, seeded by the operating system, seeded anew in a forked child.

    Ids need to be unique, not secret, so a cryptographic generator would buy nothing for ten times the cost.
    """

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311  # unique, not secret
        # A WeakMethod, because hooks for fork are never removed and must not keep an old generator alive.
        reseed = weakref.WeakMethod(self._reseed)
        os.register_at_fork(after_in_child=lambda: (method := reseed()) and method())

    def generate_span_id(self) -> int:
        """A random 64-bit id, never 0."""
        return self._random.getrandbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """A random 128-bit id, never 0."""
        return self._random.getrandbits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """True: all bits are random, as W3C trace context's random flag asks."""
        return True

    def _reseed(self) -> None:
        self._random.seed()
