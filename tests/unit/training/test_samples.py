from pathlib import Path

import msgspec
import numpy as np
import pytest

from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import Augment, Method, load_method
from training.samples import CoarseSamples, RefineSamples, shuffled

ALL = np.arange(16)


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


def test_every_epoch_takes_every_part_once() -> None:
    parts = np.arange(100, 110)
    taken = np.concatenate([shuffled(parts, 0, 1, step, 4) for step in range(5)])
    assert sorted(taken[:10]) == sorted(taken[10:]) == parts.tolist()
    assert taken[:10].tolist() != taken[10:].tolist()


def test_a_batch_depends_on_seed_and_step_alone(canvas: Canvas, method: Method) -> None:
    samples = CoarseSamples(canvas, ALL, method, 1)
    first, again, other = samples.batch(5), CoarseSamples(canvas, ALL, method, 1).batch(5), samples.batch(6)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["image"], other["image"])


def test_what_is_erased_is_no_longer_visible(canvas: Canvas, method: Method) -> None:
    def hidden(share: float) -> int:
        vary = msgspec.structs.replace(method, augment=Augment(erase=share, shift=0.0, scale=0.0, rotation_deg=0.0))
        samples = CoarseSamples(canvas, ALL, vary, 1)
        return sum(int((~samples.batch(step)["visible"]).sum()) for step in range(12))

    assert hidden(0.0) == 15  # the missing corner of every third part, three epochs
    assert hidden(1.0) > 16


def test_patches_show_their_keypoint_at_the_offset_they_tell(canvas: Canvas, method: Method) -> None:
    assert method.refine is not None
    vary = msgspec.structs.replace(method, augment=Augment(erase=0.0, patch_rotation_deg=0.0, contrast=0.0, noise=0.0))
    residuals = np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32)
    samples = RefineSamples(canvas, ALL, vary, method.refine, residuals, 1)
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
    residuals = np.zeros((4, 3, 2), np.float32)
    residuals[:, 1] = (9.0, 0.0)
    exact = msgspec.structs.replace(method.refine, jitter_px=0.0, later_px=0.0)
    vary = msgspec.structs.replace(method, augment=Augment(erase=0.0, patch_rotation_deg=0.0, patch_scale=0.0))
    batch = RefineSamples(canvas, ALL, vary, exact, residuals, 1).batch(0)
    first = batch["span"] == 0
    moved = batch["offset"][first & (batch["keypoint"] == 1)]
    assert (moved[:, 0] <= 0).all()
    assert moved[:, 0].min() < -0.5
    assert np.abs(batch["offset"][~first]).max() == 0.0
    assert np.abs(batch["offset"][batch["keypoint"] != 1]).max() == 0.0
