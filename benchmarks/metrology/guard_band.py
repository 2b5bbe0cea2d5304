"""Verdicts near a limit: how often a part that lies on it, or well off it, is wrongly accepted, refused or not decided."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from pipeline.geometry import Region
from pipeline.recipe_file import read_recipe_file
from pipeline.result import Evaluation, Keypoint, KeypointState
from pipeline.stages.measure import Measure
from pipeline.stages.values import ViewFindings

LENGTH_PX, SIGMA_PX = 200.0, 0.3  # of keypoints, per axis
RECIPE = """
format = 1
name = "guarded"
number = 1
[view.top]
locate = { fixed = [0, 0, 640, 480] }
keypoints = ["a", "b"]
scale_mm_per_px = 0.1
scale_sigma_mm_per_px = 0.0001
[measure]
length = { distance = ["a", "b"], nominal = 19.0, tolerance = [-9.0, 1.0] }
"""
SCALE_SIGMA = 0.001  # relative, as in the recipe


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Shares of parts whose true length lies so many standard uncertainties above the upper limit."""

    parts: int
    above: float
    ok: float
    not_ok: float

    @property
    def decided(self) -> float:
        """OK or NOT_OK."""
        return self.ok + self.not_ok


def judge(above: float, count: int) -> Verdicts:
    """Draw parts and judge them. The scale is drawn anew for each: each is measured by a station of its own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_text(RECIPE)
        measure = Measure(read_recipe_file(path))
    rng = np.random.default_rng([11, round(100 + 10 * above)])
    sigma_px = float(np.hypot(np.sqrt(2.0) * SIGMA_PX, SCALE_SIGMA * LENGTH_PX))
    counts = dict.fromkeys(Evaluation, 0)
    empty = ViewFindings("top", Region(0, 0, 640, 480), (), (), {})
    start = Keypoint("a", "top", 100.0, 100.0, 1.0, KeypointState.visible, sigma_px=SIGMA_PX)
    for _ in range(count):
        true_px = (LENGTH_PX + above * sigma_px) * (1.0 + rng.normal(0.0, SCALE_SIGMA))
        (x_a, y_a), (x_b, y_b) = rng.normal(0.0, SIGMA_PX, (2, 2))
        a = msgspec.structs.replace(start, x=100.0 + x_a, y=100.0 + y_a)
        b = msgspec.structs.replace(start, name="b", x=100.0 + true_px + x_b, y=100.0 + y_b)
        (measured,) = measure({"top": replace(empty, keypoints=(a, b))})
        counts[measured.measurement.evaluation] += 1
    return Verdicts(count, above, counts[Evaluation.OK] / count, counts[Evaluation.NOT_OK] / count)
