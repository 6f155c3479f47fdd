"""When a change most likely began, once an alarm has been raised; it decides nothing.

For blocks i = 1..T and alternatives q, the maximum-likelihood onset is the first block of

    argmax_{s, q} sum_{i >= s} log L_i(q),

the place where Page's CUSUM of the best alternative last left zero.

Assumes: a single change, from at most p0 to some q, that lasts until the last block.

Source: Hinkley, "Inference about the change-point in a sequence of random variables", Biometrika 1970; Page 1954.

Example:
    >>> most_likely_onset([0, 0, 0, 5, 6], [100] * 5, p0=0.001)
    3
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.sequential.increments import bernoulli_log_increments
from detectors.sequential.mixture import BernoulliDetector


def most_likely_onset(bad: ArrayLike, total: ArrayLike, p0: float) -> int | None:
    """Index of the block in which the change began; None when no stretch up to the end speaks for a change.

    Args:
        bad: (blocks,) counts of one series, oldest first.
        total: (blocks,) counts.
        p0: the largest rate that is still fine.

    Raises:
        TailwatchError: impossible counts, or a rate outside (0, 1).
    """
    detector = BernoulliDetector.of(p0)
    increments = bernoulli_log_increments(bad, total, detector.p0, detector.alternatives)
    if not len(increments):
        return None
    to_the_end = np.cumsum(increments[::-1], axis=0)[::-1].max(axis=1)
    start = int(np.argmax(to_the_end))
    return start if to_the_end[start] > 0 else None
