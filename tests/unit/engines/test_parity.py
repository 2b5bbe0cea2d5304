"""The example recipe's keypoints on every CPU backend, beside those of torch in float64, in px of the frame."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.qualify import read_grey
from pipeline.recipe import load_recipe
from pipeline.result import Keypoint
from simulator.render import PartRenderer, frame_seed
from tests.float64 import float64_inspector
from tests.unit.engines.networks import CPU_BACKENDS

RECIPE = load_recipe(Path(__file__).parents[3] / "examples" / "bracket")
VIEW = "top"
RENDERED = 6
SEED = 30_000
FP32_PX = 0.1  # at the 99th percentile


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    renderer = PartRenderer("bracket")
    references = [read_grey(RECIPE.folder / reference.image) for reference in RECIPE.views[VIEW].references]
    rendered = [renderer.render(frame_seed(SEED, index)).image for index in range(RENDERED)]
    return [mono8_frame(image) for image in (*references, *rendered)]


@pytest.fixture(scope="module")
def expected(frames: list[Frame]) -> list[Keypoint]:
    torch.set_num_threads(1)
    return keypoints(float64_inspector(RECIPE, VIEW), frames)


def keypoints(inspector: Inspector, frames: list[Frame]) -> list[Keypoint]:
    """Of every part in every frame."""
    return [one for frame in frames for findings in inspector.inspect(VIEW, frame) for one in findings.keypoints]


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_fp32_lies_where_float64_does(backend: str, frames: list[Frame], expected: list[Keypoint]) -> None:
    inspector = Inspector.load(RECIPE, backend=backend)
    found = keypoints(inspector, frames)
    assert inspector.backend.startswith(f"{backend} ")
    assert len(found) == len(expected) == len(frames) * len(RECIPE.views[VIEW].settings.keypoints)
    px = [
        math.hypot(one.x - other.x, one.y - other.y)
        for one, other in zip(found, expected, strict=True)
        if one.x is not None and one.y is not None and other.x is not None and other.y is not None
    ]
    assert len(px) > 0.8 * len(expected)
    assert np.quantile(px, 0.99) <= FP32_PX
    assert max(abs(one.visibility - other.visibility) for one, other in zip(found, expected, strict=True)) < 0.01
