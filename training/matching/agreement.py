"""Where patches of one picture lie in another that shows nearly the same: normalised cross-correlation, to parts of a px."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Points
from training.matching.pyramid import Grey

LEAST_DEVIATION = 3.0  # grey levels: a patch flatter than this tells no place
_NOISE_PX = 1.5  # noise is taken out before that is asked


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `agreement` found for each of K patches.

    Attributes:
        xy_px: (K, 2) float64, the middle of the best place; the asked one where there is none.
        alike: (K,) float64, the correlation there, 1 at most; NaN where a patch is too flat to tell, or lies outside.
    """

    xy_px: Points
    alike: NDArray[np.float64]


def agreement(
    shown: Grey, found: Grey, xy_px: Points, half: float, reach: float, start_px: Points | None = None
) -> Agreement:
    """Look for each patch of ``shown`` in ``found``, near where it is in ``shown``.

    Args:
        shown: (h, w), the picture that the patches come from.
        found: (h, w), where they are looked for.
        xy_px: (K, 2), their middles in ``shown``.
        half: half a patch's side in px.
        reach: how far a patch may lie from where it is looked for first, in px along each axis.
        start_px: (K, 2), where in ``found`` each is looked for first; by default where it is in ``shown``.
    """
    places = np.array(xy_px if start_px is None else start_px, np.float64)
    alike = np.full(len(places), np.nan)
    size, room = 2 * max(2, round(half)) + 1, max(1, round(reach))
    offset = size // 2 + room + 1
    bordered = cv2.copyMakeBorder(found, offset, offset, offset, offset, cv2.BORDER_REPLICATE)
    for index, (x, y) in enumerate(places.tolist()):
        patch = cv2.getRectSubPix(shown, (size, size), (float(xy_px[index, 0]), float(xy_px[index, 1])))
        if float(cv2.GaussianBlur(patch, (0, 0), _NOISE_PX).std()) < LEAST_DEVIATION:
            continue
        left, top = round(x) - room - size // 2, round(y) - room - size // 2
        own = np.array([x - round(x), y - round(y)])  # the patch is cut between pixels, the window is not
        side = size + 2 * room
        window = bordered[max(0, top + offset) : top + offset + side, max(0, left + offset) : left + offset + side]
        if window.shape != (side, side):  # outside of the picture
            continue
        surface = np.asarray(cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED), np.float64)
        alike[index], shift = _peak(np.nan_to_num(surface, nan=-1.0, posinf=-1.0, neginf=-1.0))
        places[index] += shift - room - own
    return Agreement(places, alike)


def _peak(surface: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The highest value and its place x, y, between pixels by a parabola along each axis."""
    row, column = (int(place) for place in np.unravel_index(int(surface.argmax()), surface.shape))
    shift = np.array([float(column), float(row)])
    for axis, line, at in ((0, surface[row], column), (1, surface[:, column], row)):
        if 0 < at < len(line) - 1:
            before, here, after = line[at - 1 : at + 2].tolist()
            bend = before - 2 * here + after
            if bend < 0:
                shift[axis] += 0.5 * (before - after) / bend
    return float(surface[row, column]), shift
