from pathlib import Path

import msgspec
import numpy as np
import pytest

from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import Augment, Method, load_method
from training.refine_samples import RefineSamples

ALL = np.arange(16)


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


def test_patches_show_their_keypoint_at_the_offset_they_tell(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None
    vary = msgspec.structs.replace(method, augment=Augment(erase=0.0, patch_rotation_deg=0.0, contrast=0.0, noise=0.0))
    residuals = np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32)
    samples = RefineSamples(canvas, ALL, vary, method.refine, residuals, 1, np.arange(3))
    seen = 0
    for step in range(6):
        batch = samples.batch(step)
        assert batch["patches"].shape == (12, 16, 16, 1)
        for patch, keypoint, offset in zip(batch["patches"][..., 0], batch["keypoint"], batch["offset"], strict=True):
            x, y = np.rint(offset + 7.5).astype(int)
            if keypoint == 0 and 3 <= x <= 12 and 3 <= y <= 12:  # the square lies below and to the right
                assert patch[y + 2, x + 2] > 110 > patch[y - 2, x - 2]
                seen += 1
    assert seen > 5


def test_the_first_pass_starts_from_the_first_networks_errors(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None
    residuals = np.zeros((16, 3, 2), np.float32)
    residuals[:, 1] = (9.0, 0.0)
    exact = msgspec.structs.replace(method.refine, jitter_px=0.0, later_px=0.0)
    vary = msgspec.structs.replace(method, augment=Augment(erase=0.0, patch_rotation_deg=0.0, patch_scale=0.0))
    batch = RefineSamples(canvas, ALL, vary, exact, residuals, 1, np.arange(3)).batch(0)
    first = batch["span"] == 0
    moved = batch["offset"][first & (batch["keypoint"] == 1)]
    assert (moved[:, 0] <= 0).all()
    assert moved[:, 0].min() < -0.5
    assert np.abs(batch["offset"][~first]).max() == 0.0
    assert np.abs(batch["offset"][batch["keypoint"] != 1]).max() == 0.0
