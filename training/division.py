"""Which parts of a set a training uses for what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from training.data import Dataset
from training.method import Method
from training.near_duplicates import groups
from training.splits import Splits, folds, split


def divide(dataset: Dataset, method: Method, given: Splits | None) -> tuple[Splits, list[NDArray[np.int64]]]:
    """Divide a set as its method says, near-duplicates on one side.

    Args:
        dataset: the set.
        method: its ``split``, and the folds of its refine network.
        given: a division to use in place of the method's.

    Returns:
        The division, and the training parts in folds: none where the refine network has none.

    Raises:
        DataError: too few images, or a fold would leave nothing to train on.
    """
    shares, refine = method.split, method.refine
    count = refine.folds if refine is not None else 0
    alike = groups(dataset) if shares.near_duplicates and (given is None or count) else None
    parts = given or split(
        dataset, calibration=shares.calibration, validation=shares.validation, seed=method.seed, groups=alike
    )
    if not count:
        return parts, []
    own = [np.intersect1d(fold, parts.train) for fold in folds(dataset, count=count, seed=method.seed, groups=alike)]
    own = [fold for fold in own if len(fold)]
    if len(own) < 2:
        raise DataError(
            f"{len(parts.train)} parts to train cannot be divided", where="refine.folds", allowed="0, or more images"
        )
    return parts, own
