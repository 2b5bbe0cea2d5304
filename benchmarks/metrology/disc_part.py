"""A part with four discs, its exact pictures, and a recipe that measures it by its edges."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.dots.recipes import DOTS, make_recipe
from pipeline.geometry import Points
from pipeline.lens_model import AffineLens
from pipeline.plane_map import PlaneMap
from pipeline.sealing import seal
from simulator.plane_view import FlatPicture, exposed, see

SIDE_PX, MM_PER_PX = 512, 0.1
SIDE_MM = SIDE_PX * MM_PER_PX
RADIUS_MM = 2.2
TEXEL_MM = 0.02
BLUR_PX, NOISE = 0.7, 4.0  # noise in grey levels, of a contrast of some 150
MOST_TURN, MOST_SHIFT_PX = math.radians(2.0), 3.0  # how parts lie
NAMES = ("a", "b", "c", "d")
CENTRES_MM = DOTS * SIDE_MM - MM_PER_PX / 2  # (4, 2), x and y; the sensor's pixel 0 lies at 0
PAIRS = (("a", "b"), ("c", "d"), ("a", "c"), ("b", "d"), ("a", "d"), ("b", "c"))
RECIPE = """
scale_mm_per_px = 0.1
scale_sigma_mm_per_px = 0.0         # of a rendered camera
[edge_circle]
{edges}
[measure]
{measures}
"""


def distance_mm(pair: tuple[str, str], centres_mm: Points = CENTRES_MM) -> float:
    """What is true of the part, from centre to centre."""
    one, two = (centres_mm[NAMES.index(name)] for name in pair)
    return math.dist(one, two)


class DiscParts:
    """Parts as a camera sees them that looks straight down: each lies a little differently, in a light of its own."""

    def __init__(self, centres_mm: Points = CENTRES_MM) -> None:
        """Draw a part with its discs there, (4, 2)."""
        side, reach = round(SIDE_MM / TEXEL_MM), 1.1 * RADIUS_MM
        middles = (np.arange(side) + 0.5) * TEXEL_MM
        share = np.zeros((side, side))
        for centre_x, centre_y in centres_mm:
            columns, rows = (slice(*np.searchsorted(middles, (at - reach, at + reach))) for at in (centre_x, centre_y))
            depth = RADIUS_MM - np.hypot(middles[columns] - centre_x, middles[rows, None] - centre_y)
            share[rows, columns] = np.clip(depth / TEXEL_MM + 0.5, 0.0, 1.0)
        self.picture = FlatPicture(np.rint(30.0 + 170.0 * share).astype(np.uint8), TEXEL_MM)

    def frame(self, seed: int) -> NDArray[np.uint8]:
        """One part, (SIDE_PX, SIDE_PX). The same seed gives the same bytes."""
        rng = np.random.default_rng([7, seed])
        levels = self.lying(rng)
        return exposed(levels, NOISE, rng, gain=rng.uniform(0.85, 1.15))

    def lying(self, rng: np.random.Generator, nearer: float = 0.0) -> NDArray[np.float32]:
        """The part put in by chance, without noise; `nearer`: the share by which it is seen larger, as it lies higher."""
        turn = rng.uniform(-MOST_TURN, MOST_TURN)
        turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        middle = np.full(2, (SIDE_PX - 1) / 2)
        shift = middle - turned @ middle + rng.uniform(-MOST_SHIFT_PX, MOST_SHIFT_PX, 2)
        pose = np.array([*(turned * (1.0 + nearer) / MM_PER_PX).ravel(), *shift])
        plane = PlaneMap(AffineLens(np.zeros(4), (0.0, 0.0), 1.0), pose)
        return see(plane, self.picture, (SIDE_PX, SIDE_PX), around=30.0, blur_px=BLUR_PX)


def write_recipe(folder: Path, parts: DiscParts, tolerance_mm: float | None = None) -> Path:
    """The recipe, sealed: networks that find the discs roughly, and edges."""
    edges = [f'disc_{name} = {{ centre = "{name}", radius = {RADIUS_MM}, search = 0.8 }}' for name in NAMES]
    limit = "" if tolerance_mm is None else f", tolerance = {tolerance_mm!r}"
    measures = [
        f'{one}{two} = {{ distance = ["disc_{one}", "disc_{two}"], nominal = {distance_mm((one, two))!r}{limit} }}'
        for one, two in PAIRS
    ]
    rest = RECIPE.format(edges="\n".join(edges), measures="\n".join(measures))
    region = (0, 0, SIDE_PX, SIDE_PX)
    recipe = make_recipe(folder / "recipes" / "discs", ["top"], region=region, rest=rest, sealed=False)
    reference = folder / "reference.png"
    cv2.imwrite(str(reference), parts.frame(0))
    seal(recipe, {"top": [reference]}, keep=1)
    return recipe
