"""What the networks are trained on lies where the pipeline will cut it, to a small fraction of a pixel."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region, apply, invert
from pipeline.pixels import mono8_frame
from pipeline.stages.preprocess import Preprocess
from training import augment
from training.canvas import cut_region, fill_by_shape
from training.method import Augment
from training.refine_samples import cut_patch

seeds = st.integers(0, 2**32 - 1)


def smooth(seed: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture without detail finer than the sampling, so that two right ways to sample it agree."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 32 + 2, width // 32 + 2)).astype(np.float32)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


@settings(max_examples=25)
@given(seeds, st.floats(30, 90), st.floats(30, 90), st.floats(16, 70))
def test_patches_are_those_that_the_device_gathers(seed: int, x: float, y: float, span: float) -> None:
    image, size = smooth(seed, 160, 144), 16
    shipped = np.empty((1, size, size), np.uint8)
    CpuDevice().gather(image, np.array([[x, y]]), span, shipped)
    matrix = augment.similarity(0.0, size / span, (x, y), ((size - 1) / 2,) * 2)
    trained = np.empty((size, size), np.uint8)
    cut_patch(image, matrix, span, trained)
    assert np.abs(trained.astype(int) - shipped[0]).max() <= 3


@settings(max_examples=25)
@given(seeds, st.integers(-8, 60), st.integers(-8, 60), st.sampled_from((48, 64, 80, 128, 144, 256)))
def test_the_large_image_is_that_of_the_preprocess_stage(seed: int, x: int, y: int, width: int) -> None:
    image, large_wh = smooth(seed, 360, 300), (64, 48)
    asked = Region(x, y, width, width * 3 // 4)
    prepared = Preprocess((32, 24), large_wh, CpuDevice())(mono8_frame(image), [asked])[0]
    assert prepared.region == asked
    canvas = np.empty((large_wh[1], large_wh[0]), np.uint8)
    cut_region(image, asked, large_wh, canvas)
    inside = slice(8, -8), slice(8, -8)  # outside of the sensor the two average replicated pixels in another order
    assert np.abs(canvas.astype(int) - prepared.large)[inside].max() <= 8
    point = np.array([40.25, 33.5])
    expected = (point + 0.5 - (x, y)) * (64 / width) - 0.5  # as training.canvas places its keypoints
    assert apply(invert(prepared.sensor_from_large), point) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25)
@given(seeds)
def test_points_move_with_the_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    point = rng.uniform((60, 50), (100, 80))
    y, x = np.mgrid[0:128, 0:160]
    image = (255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 18)).astype(np.uint8)
    vary = Augment(rotation_deg=180.0, scale=0.2, shift=0.1)
    matrix = augment.draw_similarity(rng, vary, (79.5, 63.5), (79.5, 63.5), (160, 128), 1.0)
    moved = cv2.warpAffine(image, matrix, (160, 128)).astype(float)
    found = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    expected = augment.mapped(matrix, point)
    if ((expected > 15) & (expected < (145, 113))).all():
        assert found == pytest.approx(expected, abs=0.1)


@settings(max_examples=25)
@given(seeds)
def test_what_is_erased_is_what_counts_as_covered(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.full((90, 120), 77, np.uint8)
    cover = augment.erase(rng, image, (10, 60))
    assert (image[cover == 0] == 77).all()
    points = rng.uniform((-10, -10), (130, 100), (40, 2))
    found = augment.covered(cover, points, 6.0)
    y, x = np.mgrid[-30:120, -30:150]
    padded = np.zeros((150, 180), np.uint8)
    padded[30:120, 30:150] = cover
    for (px, py), covered in zip(points, found, strict=True):
        share = padded[(x - px) ** 2 + (y - py) ** 2 <= 36.0].mean()
        assert covered == (share > 0.5) or abs(share - 0.5) < 0.15


@settings(max_examples=25)
@given(seeds, st.floats(0.01, 100), st.floats(-3, 3))
def test_a_lost_point_is_put_where_the_shape_has_it(seed: int, scale: float, turn: float) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.normal(0, 10, (5, 2))
    parts = []
    for index in range(6):
        angle = turn * index
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        parts.append(shape @ rotation.T * (scale + index) + rng.normal(0, 50, 2))
    xy = np.array(parts, np.float32)
    truth = xy[2, 3].copy()
    xy[2, 3] = np.nan
    spread = float(np.abs(xy[np.isfinite(xy)]).max())
    assert fill_by_shape(xy)[2, 3] == pytest.approx(truth, abs=0.03 * spread + 1e-3)
