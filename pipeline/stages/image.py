"""Whether a picture can be judged at all: a dead lamp must not give a confident number."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.recipe_file import ImageSettings
from pipeline.result import Evaluation, Measurement, Reason

SATURATED = 254  # grey levels from here on have lost their detail
SQUARE_PX = 4  # edges are found as steps between squares of this width
EDGES = 128  # so many places of the strongest steps are looked at in each direction
LEAST_STEP = 12  # grey levels between squares: below, noise of 8 levels would often be taken for an edge
LEAST_EDGES = 16  # fewer places may be chance
SHARPEST = 2 / 3  # of an ideal edge, averaged over where it lies within a pixel

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ImageFigures:
    """What was measured on a part's large image: mean grey level, percent of saturated pixels, sharpness 0 to 1."""

    grey: float
    saturated_percent: float
    sharpness: float


def as_measurements(view: str, figures: ImageFigures) -> tuple[Measurement, ...]:
    """Light and focus as measurements without limits, `VIEW.grey` and so on: what is watched on masters."""
    values = {"grey": figures.grey, "saturated": figures.saturated_percent, "sharpness": figures.sharpness}
    units = {"saturated": "%"}
    return tuple(
        Measurement(f"{view}.{name}", value, units.get(name, ""), None, None, None, Evaluation.OK, view)
        for name, value in values.items()
    )


def image_figures(large: Image) -> ImageFigures:
    """Measure an image, uint8 (h, w)."""
    return ImageFigures(_grey(large), _saturated_percent(large), sharpness(large))


def check_image(large: Image, settings: ImageSettings, view: str) -> tuple[Reason, ...]:
    """Measure what the recipe limits on an image, uint8 (h, w), and compare; a reason for each limit that is broken."""
    reasons = []
    if settings.grey is not None:
        grey = _grey(large)
        darkest, brightest = settings.grey
        if grey < darkest:
            reasons.append(Reason("image_dark", name="grey", view=view, value=grey, limit=darkest))
        if grey > brightest:
            reasons.append(Reason("image_saturated", name="grey", view=view, value=grey, limit=brightest))
    if settings.saturated_percent is not None:
        percent, most = _saturated_percent(large), settings.saturated_percent
        if percent > most:
            reasons.append(Reason("image_saturated", name="saturated", view=view, value=percent, limit=most, unit="%"))
    if settings.sharpness is not None:
        sharp, least = sharpness(large), settings.sharpness
        if sharp < least:
            reasons.append(Reason("image_blurred", name="sharpness", view=view, value=sharp, limit=least))
    return tuple(reasons)


def sharpness(image: Image) -> float:
    """How much of an edge's contrast is reached within one pixel: 1 for edges as steep as pixels can show.

    Where the image steps most between neighbouring squares of 4 x 4 px, across and down: the squared steps from pixel
    to pixel over two squares, summed, as a fraction of the squared contrast between their far ends. The fraction does
    not depend on contrast. It is 2/3 for an ideal edge, which counts as 1. On oblique edges of polygons it is 0.75, and
    0.6, 0.4, 0.3 and 0.3 after a Gaussian blur of 0.5, 1, 2 and 4 px: edges wider than the squares look alike. Noise
    differs from line to line: with steps squared as products of those on neighbouring lines it cancels out.

    Args:
        image: uint8 (h, w), at least 16 px each way.

    Returns:
        0 to 1; 0 where the image shows no edge.
    """
    squares = _halved(_halved(image))
    pairs = squares.shape[0] // 2  # every second row of squares will do
    upper, lower = squares[0 : 2 * pairs : 2], squares[1 : 2 * pairs : 2]
    across = _edges(cv2.absdiff(upper[:, :-1], upper[:, 1:]), image, down=False)
    down = _edges(cv2.absdiff(upper, lower), image, down=True)
    contrast = across[1] + down[1]
    return min(1.0, max(0.0, (across[0] + down[0]) / contrast / SHARPEST)) if contrast else 0.0


def _grey(image: Image) -> float:
    return float(cv2.mean(image)[0])


def _saturated_percent(image: Image) -> float:
    rows = image[::2]  # every second row will do
    return 100.0 * cv2.countNonZero(cv2.inRange(rows, SATURATED, 255)) / rows.size


def _halved(image: Image) -> Image:
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    size = (even.shape[1] // 2, even.shape[0] // 2)
    return cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _edges(steps: NDArray[Any], image: Image, *, down: bool) -> tuple[float, float]:
    """Summed squared pixel steps and squared contrasts at the strongest `steps` between squares of every second row."""
    counts = cv2.calcHist([steps], [0], None, [256], [0, 256]).ravel()
    reached = np.cumsum(counts[::-1])[::-1]  # so many steps are of this level or above
    level = max(LEAST_STEP, int(np.count_nonzero(reached >= EDGES)) - 1)
    strong = cv2.inRange(steps, level, 255)
    if cv2.countNonZero(strong) < LEAST_EDGES:
        return 0.0, 0.0
    places = cv2.findNonZero(strong).reshape(-1, 2)  # x, y
    chosen = places[:: max(1, len(places) // EDGES)] * np.array([SQUARE_PX, 2 * SQUARE_PX])
    along, beside = np.arange(2 * SQUARE_PX), np.arange(SQUARE_PX)
    columns = chosen[:, 0, None, None] + (beside[:, None] if down else along)
    rows = chosen[:, 1, None, None] + (along if down else beside[:, None])
    windows = image[rows, columns].astype(np.float32)  # (edges, lines, pixels across the edge)
    pixel_steps = np.diff(windows, axis=2)
    squared = (pixel_steps[:, :-1] * pixel_steps[:, 1:]).sum() / (SQUARE_PX - 1)  # per line
    contrasts = windows[:, :, -2:].mean(axis=(1, 2)) - windows[:, :, :2].mean(axis=(1, 2))
    return float(squared), float((contrasts**2).sum())
