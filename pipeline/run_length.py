"""Masks as lengths of runs, row by row: how many cells are off, then on, then off again, and so on.

As in COCO, but by rows instead of columns: rows are what a reader paints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def encode(grid: NDArray[np.bool_]) -> list[int]:
    """The runs of a mask (rows, columns), those of cells that are off first: 0 where the first cell is on."""
    flat = np.concatenate(([False], grid.reshape(-1)))
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(ends, prepend=0, append=grid.size).tolist() if grid.size else []


def decode(counts: Sequence[int], rows: int, columns: int) -> NDArray[np.bool_]:
    """The mask (rows, columns) of these runs. Raises ValueError where they are not as long as the mask, or negative."""
    lengths = np.asarray(counts, np.int64)
    if (lengths < 0).any() or int(lengths.sum()) != rows * columns:
        raise ValueError(f"runs of {int(lengths.sum())} cells, the mask has {rows} x {columns}")
    is_on = np.arange(len(lengths)) % 2 == 1
    return np.repeat(is_on, lengths).reshape(rows, columns)
