"""Complete recipes for tests: parts are four bright dots on a dark ground, found by the networks of tests.networks."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.network import CoarseCard, RefineCard
from pipeline.sealing import seal
from tests.networks import write_coarse, write_refine

KEYPOINTS = ["a", "b", "c", "d"]
SMALL_WH, LARGE_WH = (64, 64), (256, 256)
DOTS = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])  # as fractions of the region

Region = tuple[int, int, int, int]


def dots_sensor_px(
    region: Region = (0, 0, 256, 256), shift_px: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """Places (4, 2) of the keypoints of a part in a region: pixel centres at integers."""
    return DOTS * region[2:] + region[:2] - 0.5 + shift_px


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


def make_recipe(
    folder: Path,
    views: Sequence[str],
    *,
    region: Region = (0, 0, 256, 256),
    number: int = 1,
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
        logits: of "exists" for the four keypoints where the picture shows light.
        rest: further tables of recipe.toml.
        locate: instead of the fixed region, as TOML.
        refine: with a refine network.
        sealed: with reference frames and recipe.lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["format = 1", f'name = "{folder.name}"', f"number = {number}"]
    reference = folder.parent / f"{folder.name}-frames"
    for view in views:
        lines += [f"[view.{view}]", f"locate = {locate or f'{{ fixed = {list(region)} }}'}", f"keypoints = {KEYPOINTS}"]
        coarse = CoarseCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, small_wh=SMALL_WH)
        write_coarse(folder / view / "coarse.onnx", coarse, DOTS * SMALL_WH - 0.5, visible=logits)
        if refine:
            card = RefineCard(keypoints=KEYPOINTS, large_wh=LARGE_WH, patch=16, spans_px=[64.0, 32.0])
            write_refine(folder / view / "refine.onnx", card)
    (folder / "recipe.toml").write_text("\n".join([*lines, rest, ""]))
    if sealed:
        reference.mkdir()
        cv2.imwrite(str(reference / "part.png"), frame_with_part(region))
        seal(folder, {view: [reference / "part.png"] for view in views}, keep=1)
    return folder
