"""The mask of a reported defect as cells again, and what it says of places on the sensor."""

import numpy as np
from numpy.typing import NDArray

from pipeline import run_length
from pipeline.result import DefectMask


def cells(mask: DefectMask) -> NDArray[np.bool_]:
    """(rows, columns). Raises ValueError where the runs are not those of such a mask."""
    return run_length.decode(mask.counts, mask.rows, mask.columns)


def sampled(mask: DefectMask, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(len(y), len(x)), whether the mask covers these columns and rows: sensor px, corner convention. False beside its box."""
    column = np.floor((x - mask.x) * (mask.columns / mask.width)).astype(np.int64)
    row = np.floor((y - mask.y) * (mask.rows / mask.height)).astype(np.int64)
    inside_x, inside_y = (column >= 0) & (column < mask.columns), (row >= 0) & (row < mask.rows)
    covered = np.zeros((len(y), len(x)), np.bool_)
    covered[np.ix_(inside_y, inside_x)] = cells(mask)[np.ix_(row[inside_y], column[inside_x])]
    return covered
