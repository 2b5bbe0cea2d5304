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


def view_shape(dataset: Dataset, locate: LocateSettings | None = None) -> ViewShape:
    """Where `locate` says, or one fixed region around all boxes, at sizes that show its pixels as they are, or nearly.

    Raises:
        DataError: without `locate`, the parts lie in different places, there are several in an image, or the images differ
            in size; then a person has to say how parts are found.
    """
    if locate is None:
        locate = _around_all(dataset)
    small, large = _sizes(*_region_wh(dataset, locate))
    return ViewShape(locate=locate, small_wh=small, large_wh=large)


def _around_all(dataset: Dataset) -> LocateSettings:
    sizes = {part.image_wh for part in dataset.parts}
    boxes = np.array([part.box for part in dataset.parts])
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    spread = float(((high - low) / np.median(boxes[:, 2:], axis=0)).max())
    if len(sizes) > 1 or len(dataset.images) < len(dataset.parts) or spread > _MOST_SPREAD:
        areas = boxes[:, 2] * boxes[:, 3]
        raise DataError(
            "the parts lie in different places, so one fixed region does not do",
            where="--method",
            allowed="how parts are found, in the recipe.toml of the folder that is trained into: [view.NAME] locate = "
            f'{{ blob = {{ mode = "edges", area_px = [{areas.min() / 4:.0f}, {areas.max() * 2:.0f}] }} }} or {{ nests = … }}; '
            "or a METHOD.toml with it, as training/methods/tubes.toml has",
            next_command="in a recipe.toml of datumd init delete its locate and uncomment the one with blob; or datumd init",
        )
    (frame,) = (np.array(size) for size in sizes)
    grow = _MARGIN * (high - low) / 2
    x, y = np.floor(np.maximum(low - grow, 0))
    width, height = np.minimum(np.ceil(high + grow), frame) - (x, y)
    return LocateSettings(fixed=(float(x), float(y), float(width), float(height)))


def _region_wh(dataset: Dataset, locate: LocateSettings) -> tuple[float, float]:
    """Of the regions that it gives: of blobs a square as wide as most parts are long, since they may lie turned."""
    if locate.fixed is not None:
        return locate.fixed[2], locate.fixed[3]
    if locate.nests is not None:
        return max(nest[2] for nest in locate.nests), max(nest[3] for nest in locate.nests)
    margin = 0.0 if locate.blob is None else locate.blob.margin
    lengths = [max(part.box[2], part.box[3]) for part in dataset.parts]
    side = float(np.median(lengths)) * (1 + 2 * margin)
    return side, side


def _sizes(width: float, height: float) -> tuple[tuple[int, int], tuple[int, int]]:
    unit = max(width, height) / SMALL_PX
    small = max(STRIDE, STRIDE * round(width / unit / STRIDE)), max(STRIDE, STRIDE * round(height / unit / STRIDE))
    factor = 2
    while factor < _MOST_REDUCED and factor * max(small) < 0.75 * max(width, height):
        factor *= 2
    return small, (factor * small[0], factor * small[1])
