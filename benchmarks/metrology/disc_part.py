"""A part with four discs, its exact pictures, and a recipe that measures it by its edges."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dots.recipes import DOTS, make_recipe
from pipeline.lens_model import AffineLens
from pipeline.plane_map import PlaneMap
from pipeline.sealing import seal
from simulator.plane_view import FlatPicture, exposed, see

SIDE_PX, MM_PER_PX = 512, 0.1
RADIUS_MM = 2.2
TEXEL_MM = 0.02
BLUR_PX, NOISE = 0.7, 4.0  # noise in grey levels, of a contrast of some 150
MOST_TURN, MOST_SHIFT_PX = math.radians(2.0), 3.0  # how parts lie
NAMES = ("a", "b", "c", "d")
CENTRES_MM = DOTS * SIDE_PX * MM_PER_PX - MM_PER_PX / 2  # (4, 2), x and y; the sensor's pixel 0 lies at 0
PAIRS = (("a", "b"), ("c", "d"), ("a", "c"), ("b", "d"), ("a", "d"), ("b", "c"))
RECIPE = """
scale_mm_per_px = 0.1
scale_sigma_mm_per_px = 0.0         # of a rendered camera
[edge_circle]
{edges}
[measure]
{measures}
"""


def distance_mm(pair: tuple[str, str]) -> float:
    """What is true of the part, from centre to centre."""
    one, two = (CENTRES_MM[NAMES.index(name)] for name in pair)
    return math.dist(one, two)


class DiscParts:
    """Parts as a camera sees them that looks straight down: each lies a little differently, in a light of its own."""

    def __init__(self) -> None:
        """Draw the part."""
        side = round(SIDE_PX * MM_PER_PX / TEXEL_MM)
        x, y = (np.arange(side) + 0.5) * TEXEL_MM, (np.arange(side)[:, None] + 0.5) * TEXEL_MM
        share = np.zeros((side, side))
        for centre_x, centre_y in CENTRES_MM:
            depth = RADIUS_MM - np.hypot(x - centre_x, y - centre_y)
            share = np.maximum(share, np.clip(depth / TEXEL_MM + 0.5, 0.0, 1.0))
        self._picture = FlatPicture(np.rint(30.0 + 170.0 * share).astype(np.uint8), TEXEL_MM)

    def frame(self, seed: int) -> NDArray[np.uint8]:
        """One part, (SIDE_PX, SIDE_PX). The same seed gives the same bytes."""
        rng = np.random.default_rng([7, seed])
        turn = rng.uniform(-MOST_TURN, MOST_TURN)
        turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        middle = np.full(2, (SIDE_PX - 1) / 2)
        shift = middle - turned @ middle + rng.uniform(-MOST_SHIFT_PX, MOST_SHIFT_PX, 2)
        pose = np.array([*(turned / MM_PER_PX).ravel(), *shift])
        lying = PlaneMap(AffineLens(np.zeros(4), (0.0, 0.0), 1.0), pose)
        levels = see(lying, self._picture, (SIDE_PX, SIDE_PX), around=30.0, blur_px=BLUR_PX)
        return exposed(levels, NOISE, rng, gain=rng.uniform(0.85, 1.15))


def write_recipe(folder: Path, parts: DiscParts) -> Path:
    """The recipe, sealed: networks that find the discs roughly, and edges."""
    edges = [f'disc_{name} = {{ centre = "{name}", radius = {RADIUS_MM}, search = 0.8 }}' for name in NAMES]
    measures = [
        f'{one}{two} = {{ distance = ["disc_{one}", "disc_{two}"], nominal = {distance_mm((one, two))!r} }}'
        for one, two in PAIRS
    ]
    rest = RECIPE.format(edges="\n".join(edges), measures="\n".join(measures))
    region = (0, 0, SIDE_PX, SIDE_PX)
    recipe = make_recipe(folder / "recipes" / "discs", ["top"], region=region, rest=rest, sealed=False)
    reference = folder / "reference.png"
    cv2.imwrite(str(reference), parts.frame(0))
    seal(recipe, {"top": [reference]}, keep=1)
    return recipe
