"""A contact sheet of the parts that came out worst: the part as a whole, and its worst keypoint close up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.canvas import read_grey
from training.data import VISIBLE
from training.evaluate import Case

_WHOLE = (480, 360)
_CLOSE = 360
_CLOSE_PX = 90  # sensor px that the close-up shows at least
_ROOM = 1.3  # times the error, so that both ends of it are in the close-up
_GREEN, _RED, _BLUE, _GREY = (80, 220, 80), (60, 60, 255), (255, 160, 60), (150, 150, 150)
_YELLOW = (60, 220, 240)
Picture = NDArray[np.uint8]


def contact_sheet(cases: Sequence[Case], keypoints: Sequence[str], path: Path, *, count: int = 12) -> None:
    """Write a PNG of the ``count`` parts with the largest error of a visible keypoint, worst first.

    Green is the truth, blue the coarse and red the refined position; grey is the truth of what cannot be seen. A line
    joins the worst keypoint's truth with where it was found; the close-up shows both, so that it may show more of the part.
    """
    ranked = sorted(cases, key=lambda case: -_worst(case)[1])[:count]
    tiles = [_tile(case, keypoints) for case in ranked]
    if not tiles:
        return
    while len(tiles) % 2:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def _worst(case: Case) -> tuple[int, float]:
    error = np.where(case.part.state == VISIBLE, case.refined_px, -1.0)
    index = int(error.argmax())
    return index, float(error[index])


def _tile(case: Case, keypoints: Sequence[str]) -> Picture:
    image = read_grey(case.part)
    index, error = _worst(case)
    x, y, width, height = case.part.box
    whole = _drawn(
        image, (x + width / 2, y + height / 2), max(width / _WHOLE[0], height / _WHOLE[1]) * 1.15, _WHOLE, case
    )
    true, found = case.part.xy_sensor_px[index], case.refined_sensor_px[index]
    middle = (true + found) / 2 if np.isfinite(found).all() else true
    span_px = max(_CLOSE_PX, _ROOM * float(np.abs(found - true).max())) if np.isfinite(found).all() else _CLOSE_PX
    close = _drawn(image, (float(middle[0]), float(middle[1])), span_px / _CLOSE, (_CLOSE, _CLOSE), case)
    tile = np.hstack((whole, close))
    text = f"{case.part.image.name}  {keypoints[index]} {error:.1f} px; right {span_px:.0f} px wide"
    cv2.putText(tile, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _drawn(image: Picture, centre: tuple[float, float], step: float, wh: tuple[int, int], case: Case) -> Picture:
    """A window of ``wh`` px around ``centre``, ``step`` sensor px to a px of the picture, with the points drawn."""
    wide, high = wh
    corner = np.array([centre[0] - (wide - 1) / 2 * step, centre[1] - (high - 1) / 2 * step])
    matrix = np.array([[step, 0.0, corner[0]], [0.0, step, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grey = cv2.warpAffine(image, matrix, wh, flags=flags)
    picture = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    worst = _worst(case)[0]
    ends = np.clip(
        (np.stack((case.part.xy_sensor_px[worst], case.refined_sensor_px[worst])) - corner) / step, -1e4, 1e4
    )
    if np.isfinite(ends).all():
        true, found = np.rint(ends).astype(int).tolist()
        cv2.line(picture, true, found, _YELLOW, 1, cv2.LINE_AA)
    drawn = ((case.part.xy_sensor_px, None, 9), (case.coarse_sensor_px, _BLUE, 5), (case.refined_sensor_px, _RED, 7))
    for points, colour, size in drawn:
        for k, point in enumerate((points - corner) / step):
            if not np.isfinite(point).all() or np.abs(point).max() > 1e4:
                continue
            truth = _GREEN if case.part.state[k] == VISIBLE else _GREY
            at = (round(float(point[0])), round(float(point[1])))
            cv2.drawMarker(picture, at, colour or truth, cv2.MARKER_CROSS, size, 1)
    return picture
