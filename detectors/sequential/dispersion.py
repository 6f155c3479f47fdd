"""How much more block counts vary than independent events would: the factor to temper binomial evidence by.

For blocks of n_i events with k_i bad and the pooled rate p, Pearson's index is

    d = sum (k_i - n_i p)^2 / (n_i p (1 - p)) / (blocks - 1),

about 1 for independent events and above where errors come in clusters (3.0 in blocks of 100 real serving requests).
A change of the rate inside the history raises d too, so estimate it on a stretch that is thought to be steady; taken
over a change it only errs towards fewer alarms.

Source: McCullagh, Nelder, Generalized Linear Models, 1989, section 4.5.

Example:
    >>> round(float(dispersion([[0, 10, 0, 10]], [[100, 100, 100, 100]])[0]), 2)
    7.02
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_BLOCKS: Final = 2


def dispersion(bad: ArrayLike, total: ArrayLike) -> NDArray[np.float64]:
    """Pearson's index per series, never below 1; 1 where it cannot be told.

    Args:
        bad: (series, blocks) counts.
        total: (series, blocks) counts; empty blocks are left out.
    """
    k, n = (np.atleast_2d(np.asarray(counts, dtype=np.float64)) for counts in (bad, total))
    blocks, events = (n > 0).sum(axis=1), n.sum(axis=1)
    rate = np.divide(k.sum(axis=1), events, out=np.zeros(len(n)), where=events > 0)[:, None]
    variance = n * rate * (1 - rate)
    terms = np.divide((k - n * rate) ** 2, variance, out=np.zeros_like(n), where=variance > 0)
    index = terms.sum(axis=1) / np.maximum(blocks - 1, 1)
    return np.where(blocks >= SMALLEST_BLOCKS, np.maximum(index, 1.0), 1.0)
