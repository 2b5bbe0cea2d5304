"""Where a part is looked for and at which two sizes, told from the labels where a method file does not say it."""

from __future__ import annotations

import numpy as np

from pipeline.errors import DataError
from pipeline.recipe_file import LocateSettings
from training.data import Dataset
from training.method import STRIDE, ViewShape

SMALL_PX = 144  # the longer side of the small image, about
_MARGIN = 0.1  # around all boxes, as a share of their union
_MOST_SPREAD = 1.8  # the union of all boxes may be as many times as wide as one of them
_MOST_REDUCED = 32


def view_shape(dataset: Dataset) -> ViewShape:
    """One fixed region around the boxes of all parts, at sizes that show its pixels as they are, or nearly.

    Raises:
        DataError: the parts lie in different places, there are several in an image, or the images differ in size; then
            a person has to say how parts are found.
    """
    sizes = {part.image_wh for part in dataset.parts}
    boxes = np.array([part.box for part in dataset.parts])
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    spread = float(((high - low) / np.median(boxes[:, 2:], axis=0)).max())
    if len(sizes) > 1 or len(dataset.images) < len(dataset.parts) or spread > _MOST_SPREAD:
        raise DataError(
            "the parts lie in different places, so one fixed region does not do",
            where="--method",
            allowed="a METHOD.toml with [view] locate = { blob = … } or { nests = … }, as training/methods/tubes.toml has",
        )
    (frame,) = (np.array(size) for size in sizes)
    grow = _MARGIN * (high - low) / 2
    x, y = np.floor(np.maximum(low - grow, 0))
    width, height = np.minimum(np.ceil(high + grow), frame) - (x, y)
    unit = max(width, height) / SMALL_PX
    small = tuple(max(STRIDE, STRIDE * round(side / unit / STRIDE)) for side in (width, height))
    factor = 2
    while factor < _MOST_REDUCED and factor * max(small) < 0.75 * max(width, height):
        factor *= 2
    return ViewShape(
        locate=LocateSettings(fixed=(float(x), float(y), float(width), float(height))),
        small_wh=(small[0], small[1]),
        large_wh=(factor * small[0], factor * small[1]),
    )
