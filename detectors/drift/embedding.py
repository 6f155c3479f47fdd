"""Embedding drift: kernel two-sample test (MMD) with permutations, on a GPU where there is one; it keeps no sample.

With the Gaussian kernel k(x, y) = exp(-|x - y|^2 / (2 s^2)) and s the median distance of the pooled sample,

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)          (x != x', y != y': the unbiased estimate).

The labels are permuted B times; p = (1 + #{permuted MMD^2 >= observed}) / (1 + B).

Assumes: exchangeable vectors under the null (independent, one distribution).
Guarantee: exact level for any sample size and any B, P(p <= alpha) <= alpha. The smallest p is 1 / (1 + B).
The effect is MMD^2 over the mean within-sample kernel: 0 without drift, towards 1 for samples without overlap.

Source: Gretton, Borgwardt, Rasch, Schoelkopf, Smola, "A kernel two-sample test", JMLR 2012; permutation p-value:
Phipson, Smyth, Stat. Appl. Genet. Mol. Biol. 2010.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.drift.compare import MIN_RECORDS, FieldDrift
from detectors.drift.reservoir import LIMIT, Reservoir
from telemetry.errors import TailwatchError

if TYPE_CHECKING:
    import torch

PERMUTATIONS: Final = 999
MIN_EFFECT: Final = 0.02
"""Least MMD^2 over the within-sample kernel that matters. For 384-dimensional unit vectors in ten equal clusters, a
fifth of the traffic on an eleventh topic measures 0.02 to 0.05, a tenth 0.004 to 0.02, and no change up to 0.003."""


@dataclass(frozen=True, slots=True)
class MmdTest:
    """The outcome.

    Attributes:
        mmd_squared: the unbiased estimate; may be slightly negative.
        effect: it over the mean within-sample kernel, at least 0.
        p_value: by permutation.
        n_reference, n_current: vectors compared.
        device: where it was computed: ``cpu`` or ``cuda``.
    """

    mmd_squared: float
    effect: float
    p_value: float
    n_reference: int
    n_current: int
    device: str


def mmd_test(
    reference: NDArray[np.floating],
    current: NDArray[np.floating],
    *,
    seed: int,
    permutations: int = PERMUTATIONS,
    device: str | None = None,
) -> MmdTest:
    """Test two samples of vectors, each cut to a uniform sample of at most 500.

    Args:
        reference: (n, d) vectors; rows with a NaN are left out.
        current: (m, d) vectors.
        seed: of the sampling and the permutations; equal seeds give equal results on one device.
        permutations: how many; the smallest possible p-value is one over this plus one.
        device: ``cpu`` or ``cuda``; None takes the GPU when there is one.

    Raises:
        TailwatchError: fewer than two vectors a side, unequal dimensions, or torch is not installed.
    """
    torch = _torch()
    generator = np.random.default_rng(seed)
    first, second = (Reservoir(LIMIT).add(side, generator).rows for side in (reference, current))
    n, m = len(first), len(second)
    if min(n, m) < 2:
        raise TailwatchError(f"an embedding test has {n} and {m} vectors", remedy="give at least two on each side")
    if first.shape[1] != second.shape[1]:
        raise TailwatchError(
            f"embeddings have {second.shape[1]} dimensions, the reference's {first.shape[1]}",
            remedy="compare embeddings of one model only",
        )
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kernel = _kernel(torch, torch.as_tensor(np.concatenate([first, second]), dtype=torch.float64, device=place))
    labels = np.zeros((permutations + 1, n + m))
    labels[0, :n] = 1.0
    for row in labels[1:]:
        row[generator.permutation(n + m)[:n]] = 1.0
    statistics, within = _statistics(torch.as_tensor(labels, device=place), kernel, n, m)
    observed = float(statistics[0])
    # Permutations that equal the observed labelling up to rounding are ties and count against the drift.
    exceeding = int((statistics[1:] >= observed - 1e-12).sum())
    effect = max(observed, 0.0) / float(within[0]) if float(within[0]) > 0 else 0.0
    return MmdTest(observed, effect, (1 + exceeding) / (1 + permutations), n, m, place)


def embedding_drift(
    reference: NDArray[np.floating],
    current: NDArray[np.floating],
    *,
    seed: int,
    alpha: float,
    min_effect: float = MIN_EFFECT,
    name: str = "embedding",
) -> FieldDrift:
    """The test as one more field of a drift result; with too few vectors it is not judged.

    Raises:
        TailwatchError: unequal dimensions, or torch is not installed.
    """
    sides = [int(np.isfinite(side).all(axis=1).sum()) if len(side) else 0 for side in (reference, current)]
    blank = FieldDrift(
        name, "mmd", 1.0, 0.0, "relative_mmd_squared", drifted=False, n_reference=sides[0], n_current=sides[1],
        min_effect=min_effect,
    )  # fmt: skip
    if min(sides) < MIN_RECORDS:
        return replace(blank, reason=f"a side has {min(sides)} of the {MIN_RECORDS} vectors that it needs")
    found = mmd_test(reference, current, seed=seed)
    return replace(
        blank,
        p_value=found.p_value,
        adjusted_p_value=found.p_value,
        effect=found.effect,
        drifted=found.p_value <= alpha and found.effect >= min_effect,
        measures={"mmd_squared": found.mmd_squared},
    )


def _kernel(backend: Any, pooled: torch.Tensor) -> torch.Tensor:
    """Gaussian kernel at the median distance, with a diagonal of 0, which the unbiased estimate leaves out."""
    squared = backend.cdist(pooled, pooled, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    apart = squared[~backend.eye(len(pooled), dtype=backend.bool, device=pooled.device)]
    bandwidth = apart[apart > 0].median() if bool((apart > 0).any()) else backend.ones((), device=pooled.device)
    kernel: torch.Tensor = backend.exp(-squared / bandwidth)
    kernel.fill_diagonal_(0.0)
    return kernel


def _statistics(labels: torch.Tensor, kernel: torch.Tensor, n: int, m: int) -> tuple[torch.Tensor, torch.Tensor]:
    """MMD^2 and the mean within-sample kernel of every labelling (rows of 0 and 1) of the pooled sample."""
    weighted = labels @ kernel
    same = (weighted * labels).sum(dim=1)
    other = kernel.sum() - 2 * weighted.sum(dim=1) + same
    cross = weighted.sum(dim=1) - same
    first, second = same / (n * (n - 1)), other / (m * (m - 1))
    return first + second - 2 * cross / (n * m), (first + second) / 2


def _torch() -> Any:
    try:
        import torch  # noqa: PLC0415  # seconds to import, and only this test needs it
    except ImportError as error:
        raise TailwatchError(
            "embedding drift needs torch, which is not installed", remedy="pip install 'tailwatch[drift]'"
        ) from error
    return torch
