"""Complete recipes whose parts are four bright dots on a dark ground."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dots.networks import write_coarse, write_refine
from pipeline.network import CoarseCard, RefineCard
from pipeline.sealing import seal

KEYPOINTS = ["a", "b", "c", "d"]
SMALL_WH, LARGE_WH = (64, 64), (256, 256)
DOTS = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])  # as fractions of the region

Region = tuple[int, int, int, int]


def dots_sensor_px(
    region: Region = (0, 0, 256, 256), shift_px: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """Places (4, 2) of the keypoints of a part in a region: pixel centres at integers."""
    places: NDArray[np.float64] = DOTS * region[2:] + region[:2] - 0.5 + shift_px
    return places


def draw_part(
    frame: NDArray[np.uint8], region: Region = (0, 0, 256, 256), shift_px: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Draw a part into a dark frame: round, soft dots, exact to a hundredth of a pixel."""
    rows, columns = np.indices(frame.shape)
    sigma = region[2] / 64
    for x, y in dots_sensor_px(region, shift_px):
        dot = 200.0 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
        np.copyto(frame, np.maximum(frame, dot.round().astype(np.uint8)))


def frame_with_part(region: Region = (0, 0, 256, 256), shift_px: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.uint8]:
    """A dark frame, just large enough for the region, with a part in it."""
    frame = np.full((region[1] + region[3], region[0] + region[2]), 10, np.uint8)
    draw_part(frame, region, shift_px)
    return frame


def make_recipe(  # noqa: PLR0913 - each has a name and a default
    folder: Path,
    views: Sequence[str],
    *,
    region: Region = (0, 0, 256, 256),
    number: int = 1,
    keypoints: Sequence[str] = KEYPOINTS,
    small_wh: tuple[int, int] = SMALL_WH,
    large_wh: tuple[int, int] = LARGE_WH,
    logits: Sequence[float] = (8.0, 8.0, 8.0, 8.0),
    rest: str = "",
    locate: str = "",
    refine: bool = True,
    sealed: bool = True,
) -> Path:
    """Write a recipe with its networks into `folder`, by default sealed, and return the folder.

    Args:
        folder: made if it is not there; its name is the recipe's.
        views: their names; every view has the same region, keypoints and networks.
        region: x, y, width, height in sensor px.
        number: the recipe's.
        keypoints: the names of the four dots.
        small_wh: of the image that the coarse network sees, in px.
        large_wh: of the image that the patches are cut from, in px; `small_wh` times a power of two.
        logits: of "exists" for the four keypoints where the picture shows light.
        rest: further tables of recipe.toml.
        locate: instead of the fixed region, as TOML.
        refine: with a refine network.
        sealed: with reference frames and recipe.lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = list(keypoints)
    lines = ["format = 1", f'name = "{folder.name}"', f"number = {number}"]
    reference = folder.parent / f"{folder.name}-frames"
    for view in views:
        lines += [f"[view.{view}]", f"locate = {locate or f'{{ fixed = {list(region)} }}'}", f"keypoints = {names}"]
        coarse = CoarseCard(keypoints=names, large_wh=large_wh, small_wh=small_wh)
        write_coarse(folder / view / "coarse.onnx", coarse, DOTS * small_wh - 0.5, visible=logits)
        if refine:
            spans_px = [large_wh[0] / 4, large_wh[0] / 8]
            card = RefineCard(keypoints=names, large_wh=large_wh, patch=16, spans_px=spans_px)
            write_refine(folder / view / "refine.onnx", card)
    (folder / "recipe.toml").write_text("\n".join([*lines, rest, ""]))
    if sealed:
        reference.mkdir()
        cv2.imwrite(str(reference / "part.png"), frame_with_part(region))
        seal(folder, {view: [reference / "part.png"] for view in views}, keep=1)
    return folder
