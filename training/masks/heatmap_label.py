"""What the heatmap of S4 learns: where to point, made from a mask."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from training.masks.sample import Mask

HeatmapKind = Literal["skeleton", "mask", "centre"]
KINDS: tuple[HeatmapKind, ...] = get_args(HeatmapKind)


def heatmap_label(mask: Mask, wh: tuple[int, int], width: float, kind: HeatmapKind = "skeleton") -> NDArray[np.float32]:
    """A heatmap with a ridge of 1 where a defect is to be pointed at, which falls off as a Gaussian of ``width``.

    A convolution would be low on thin ends and high where branches meet. So the height is told by the distance to the
    nearest point of the ridge, and a cell has the height of its highest pixel: every defect, however small, has a cell of 1.

    Args:
        mask: (h, w) bool, of the area that the heatmap shows.
        wh: width and height of the heatmap in cells.
        width: standard deviation of the Gaussian in cells of the heatmap, above 0.
        kind: the ridge. "skeleton": the mask's skeleton (Zhang and Suen 1984, as in scikit-image); "mask": all of it;
            "centre": the middle of the box of each connected piece.

    Returns:
        (Hh, Wh) float32, 0 to 1; 0 everywhere where the mask is empty.
    """
    columns, rows = wh
    height, across = mask.shape
    if not mask.any():
        return np.zeros((rows, columns), np.float32)
    ridge = _RIDGES[kind](mask)
    distance_px = cv2.distanceTransform((~ridge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    px_per_cell = float(np.sqrt(height * across / (rows * columns)))
    fine = np.exp(-0.5 * (distance_px / (width * px_per_cell)) ** 2)
    tall = np.maximum.reduceat(fine, np.arange(rows) * height // rows, axis=0)
    return np.maximum.reduceat(tall, np.arange(columns) * across // columns, axis=1).astype(np.float32)


def _skeleton(mask: Mask) -> Mask:
    return np.asarray(skeletonize(mask), np.bool_)  # type: ignore[no-untyped-call]  # scikit-image types only some of itself


def _centre(mask: Mask) -> Mask:
    points = np.zeros(mask.shape, np.bool_)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for x, y, wide, high in boxes[1:, : cv2.CC_STAT_AREA].tolist():
        points[y + (high - 1) // 2, x + (wide - 1) // 2] = True
    return points


_RIDGES = {"skeleton": _skeleton, "mask": lambda mask: mask, "centre": _centre}
