"""Where a dot's area has its middle, from the grey levels: blur does not move it, thresholds do not come into it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.corner import Refined
from pipeline.geometry import Points
from pipeline.lens_model import Array, Lens

_REACH = 0.45  # of the pitch around a dot: nothing of its neighbours lies in it
_GROUND = 0.38  # of the pitch: what lies farther is the board's white
_AROUND = 24  # points on a dot's rim
_LEAST_CONTRAST = 4.0


def refine_dots(grey: NDArray[np.uint8], start_px: Points, along: Array, pitch_mm: float) -> Refined:
    """Middles of the dots' areas near where they are thought to be.

    Args:
        grey: (H, W).
        start_px: (N, 2), within a tenth of the pitch.
        along: (N, 2, 2) px per mm along x and y of the board.
        pitch_mm: between two dots.
    """
    xy, sigma = np.full(start_px.shape, np.nan), np.full(len(start_px), np.nan)
    for number, (start, axes) in enumerate(zip(start_px, along * pitch_mm, strict=True)):
        place = start
        for _ in range(4):
            found = _middle(grey, place, axes)
            if found is None:
                break
            moved = found[0] - place
            place = found[0]
            if np.abs(moved).max() < 1e-3:
                break
        if found is not None and np.abs(place - start).max() < np.abs(axes).max() / 4:
            xy[number], sigma[number] = place, found[1]
    return Refined(xy, sigma)


def _middle(grey: NDArray[np.uint8], place: Points, axes: Array) -> tuple[Points, float] | None:
    """One step: the middle of what is darker than the ground around `place`, and its sigma; None where there is no dot."""
    height, width = grey.shape
    reach = int(np.ceil(np.abs(axes).sum(axis=0).max() * _REACH)) + 1
    at = np.rint(place).astype(int)
    if (at < reach).any() or at[0] + reach >= width or at[1] + reach >= height:
        return None
    levels = grey[at[1] - reach : at[1] + reach + 1, at[0] - reach : at[0] + reach + 1].astype(np.float64).ravel()
    steps = np.arange(-reach, reach + 1.0)
    offsets = np.column_stack([grid.ravel() for grid in np.meshgrid(steps, steps)]) + (at - place)
    far = np.linalg.norm(offsets @ np.linalg.inv(axes), axis=1)  # in pitches, in the board's own frame
    ground = (far > _GROUND) & (far < 0.5)
    if ground.sum() < 12:
        return None
    plane = np.column_stack([np.ones(len(offsets)), offsets])
    fitted = np.linalg.lstsq(plane[ground], levels[ground], rcond=None)[0]
    missing = levels[ground] - plane[ground] @ fitted
    weights = np.clip((_REACH - far) / 0.04, 0.0, 1.0)
    dark = (1.0 - levels / np.maximum(plane @ fitted, 1.0)) * fitted[0]  # shading scales dot and ground alike
    mass = float((weights * dark).sum())
    if mass < _LEAST_CONTRAST * max(1.0, 0.1 * (far < 0.25).sum()):
        return None
    noise = float(np.sqrt((missing**2).sum() / (len(missing) - 3)))
    spread = noise / mass * np.sqrt((weights[:, None] ** 2 * offsets**2).sum(axis=0).mean())
    return place + (weights * dark) @ offsets / mass, float(spread)


def middle_of_area_px(lens: Lens, pose: Array, points_mm: Points, radius_mm: float) -> Points:
    """How far the middle of a drawn dot's area lies from its drawn middle, (N, 2) px: perspective moves it.

    From the rim by Green's theorem; sums over evenly spread points of a smooth closed curve converge exponentially.
    """
    turns = np.arange(_AROUND) * 2.0 * np.pi / _AROUND
    circle, tangent = np.column_stack([np.cos(turns), np.sin(turns)]), np.column_stack([-np.sin(turns), np.cos(turns)])
    rim = points_mm[:, None, :] + radius_mm * circle
    flat = np.concatenate([rim.reshape(-1, 2), points_mm])
    drawn = lens.draw(pose, np.column_stack([flat, np.zeros(len(flat))]))
    count = len(points_mm)
    middle = drawn.xy_sensor_px[-count:]
    px = drawn.xy_sensor_px[:-count].reshape(count, _AROUND, 2) - middle[:, None]
    by_mm = drawn.by_xyz_mm[:-count, :, :2].reshape(count, _AROUND, 2, 2)
    (x, y), (dx, dy) = np.moveaxis(px, 2, 0), np.moveaxis(np.einsum("nkij,kj->nki", by_mm, tangent), 2, 0)
    twice_area = (x * dy - y * dx).sum(axis=1)
    return np.asarray(np.column_stack([(x * x * dy).sum(axis=1), -(y * y * dx).sum(axis=1)]) / twice_area[:, None])


def find_dots(grey: NDArray[np.uint8], points_wh: tuple[int, int]) -> Points | None:
    """Roughly where the dots of a square grid are, row by row; None where not all of them are found."""
    settings = cv2.SimpleBlobDetector.Params()
    settings.filterByArea, settings.minArea, settings.maxArea = True, 12.0, grey.size / 16.0
    settings.filterByConvexity, settings.filterByInertia, settings.filterByCircularity = True, False, False
    settings.minDistBetweenBlobs = 3.0
    detector = cv2.SimpleBlobDetector.create(settings)
    found, middles = cv2.findCirclesGrid(grey, points_wh, flags=cv2.CALIB_CB_SYMMETRIC_GRID, blobDetector=detector)
    return np.asarray(middles, np.float64).reshape(-1, 2) if found and middles is not None else None
