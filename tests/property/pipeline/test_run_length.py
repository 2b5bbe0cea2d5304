"""Masks become runs and come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pipeline import run_length

MASKS = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(MASKS)
def test_a_mask_comes_back(mask: NDArray[np.bool_]) -> None:
    counts = run_length.encode(mask)
    assert np.array_equal(run_length.decode(counts, *mask.shape), mask)
    assert sum(counts[1::2]) == mask.sum()
    assert min(counts[1:], default=1) > 0  # only the first run, of cells that are off, may be empty


@given(MASKS, st.integers(1, 5))
def test_runs_of_another_length_are_refused(mask: NDArray[np.bool_], more: int) -> None:
    rows, columns = mask.shape
    counts = run_length.encode(mask)
    for wrong in ([*counts, more], [more, *counts], [counts[0] + more, *counts[1:], -more]):
        with pytest.raises(ValueError, match="cells"):
            run_length.decode(wrong, rows, columns)


def test_the_first_run_is_of_cells_that_are_off() -> None:
    assert run_length.encode(np.array([[True, True, False], [False, True, True]])) == [0, 2, 2, 2]
    assert run_length.encode(np.zeros((2, 3), np.bool_)) == [6]
