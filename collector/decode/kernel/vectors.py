"""Reads the embeddings, once it is known how long they are; the second pass left their places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collector.decode.kernel.arrays import DONE, VECTOR_END, VECTOR_LENGTH, VECTOR_START, Bytes, Codes, Ints
from collector.decode.kernel.values import next_item, number_of


def read_vectors(data: Bytes, rules: Codes, stack: Ints, rows: Ints, matrix: NDArray[np.float32]) -> int:
    """Fill the rows of ``matrix`` (n, d) that have an embedding of length d; the others stay as they are."""
    for row in range(len(matrix)):
        if rows[VECTOR_LENGTH, row] != matrix.shape[1]:
            continue
        at, end = rows[VECTOR_START, row], rows[VECTOR_END, row]
        for place in range(matrix.shape[1]):
            at, item = next_item(data, rules, stack, at, end)
            matrix[row, place] = np.float32(number_of(data, item))
    return DONE
