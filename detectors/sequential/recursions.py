"""The two e-detector recursions in log space, e-SR and e-CUSUM; they know no data and no threshold.

e-SR:    M_t = L_t (w_t + M_{t-1})       (Shiryaev-Roberts; w_t = 1)
e-CUSUM: M_t = L_t max(1, M_{t-1})       (Page)

with M_0 = 0. Alarming when M_t >= c, or when a weighted mean of several M_t does, gives an average run length under
the null of at least c, whatever the distribution: M_t - t is a supermartingale for e-SR, and e-CUSUM is below e-SR.
With other weights w_t >= 0, known before the step, M_t - (w_1 + ... + w_t) is one, and the mean of their sum at the
alarm is at least c: weights that are the time since the last step make it a run length in time.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", NEJSDS 2024
(arXiv:2203.03532).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Recursion = Literal["sr", "cusum"]


def advance(
    log_statistic: NDArray[np.float64],
    log_increment: NDArray[np.float64],
    recursion: Recursion = "sr",
    log_weight: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """Give log M_t from log M_{t-1} (-inf at the start) and log L_t, elementwise; ``log_weight`` is e-SR's log w_t.

    Example:
        >>> advance(np.array([-np.inf]), np.log(np.array([3.0])))
        array([1.09861229])
    """
    carried = np.logaddexp(log_weight, log_statistic) if recursion == "sr" else np.maximum(0.0, log_statistic)
    return np.asarray(log_increment + carried)
