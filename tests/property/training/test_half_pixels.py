"""A spot at a known place of the sensor is found there again from every image that a network sees, in training as in the daemon.

The centroid of a spot is measured in the image and mapped back; half a pixel lost anywhere, once or twice, would show.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region, apply, compose, crop, invert, resize
from pipeline.pixels import mono8_frame
from pipeline.stages.preprocess import Preprocess
from training.canvas import Canvas, prepare
from training.data import VISIBLE, Dataset, Part
from training.framing import Plain
from training.method import Augment, Method, load_method
from training.refine_samples import RefineSamples
from training.samples import ImageSamples

SENSOR_WH, SMALL_WH, LARGE_WH, PATCH = (420, 330), (64, 48), (128, 96), 32
BELT = 12
BOUND_PX = 0.05  # of the image that is looked at, or of the sensor if its pixels are larger
few = settings(max_examples=25, deadline=None)
STILL = Augment(erase=0.0, shift=0.0, scale=0.0, rotation_deg=0.0, contrast=0.0, brightness=0.0, noise=0.0, blur_px=0.0)
MOVED = msgspec.structs.replace(
    STILL, shift=0.03, scale=0.1, rotation_deg=25.0, patch_rotation_deg=40.0, patch_scale=0.1
)


def spots(points: NDArray[np.float64], sigma: float) -> NDArray[np.uint8]:
    y, x = np.mgrid[: SENSOR_WH[1], : SENSOR_WH[0]]
    squared = (x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2
    image = BELT + 230 * np.exp(-squared / (2 * sigma**2)).max(-1)
    return image.round().astype(np.uint8)


def centroid(image: NDArray[np.generic], near: NDArray[np.generic], reach: float) -> NDArray[np.float64]:
    """Of what is brighter than the belt, around a place that is right to a px or so."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(np.float64) - BELT
    found = np.asarray(near, np.float64)
    for _ in range(3):  # the window follows the spot
        inside = np.where((x - found[0]) ** 2 + (y - found[1]) ** 2 < reach**2, weight, 0.0)
        found = np.array([(inside * x).sum(), (inside * y).sum()]) / inside.sum()
    return found


@st.composite
def scenes(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.float64], Region, float]:
    """Image, place of the spot, region, and px of the sensor to a px of the small image."""
    width = draw(st.floats(64, 380))
    wide, high = width, width * draw(st.floats(0.6, 0.8))
    region = Region(draw(st.floats(-10, 420 - wide)), draw(st.floats(-10, max(-9.0, 330 - high))), wide, high)
    share = draw(st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)))
    point = np.array([region.x + share[0] * wide, region.y + share[1] * high])
    scale = max(1.0, wide / SMALL_WH[0])
    sigma = 1.6 * scale
    assume((point > 5 * sigma).all() and (point < np.array(SENSOR_WH) - 5 * sigma).all())
    return spots(point[None], sigma), point, region, sigma


@few
@given(scenes())
def test_small_and_large_image(scene: tuple[NDArray[np.uint8], NDArray[np.float64], Region, float]) -> None:
    image, point, region, sigma = scene
    prepared = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(image), [region])[0]
    views = ((prepared.small[..., 0], prepared.sensor_from_small), (prepared.large, prepared.sensor_from_large))
    for picture, sensor_from_picture in views:
        step = float(sensor_from_picture[0, 0])
        found = centroid(picture, apply(invert(sensor_from_picture), point), 4.5 * sigma / step)
        assert np.abs(apply(sensor_from_picture, found) - point).max() < BOUND_PX * max(1.0, step)


@few
@given(scenes(), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.75, 3))
def test_patch(
    scene: tuple[NDArray[np.uint8], NDArray[np.float64], Region, float], off_x: float, off_y: float, widen: float
) -> None:
    image, point, region, sigma = scene
    prepared = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(image), [region])[0]
    sigma_large = sigma / float(prepared.sensor_from_large[0, 0])
    span = 10 * sigma_large * widen  # the spot and what is around it
    assume(sigma_large * PATCH / span > 1.0)
    centre = apply(invert(prepared.sensor_from_large), point) + np.array((off_x, off_y))
    patches = np.empty((1, PATCH, PATCH), np.uint8)
    CpuDevice().gather(prepared.large, centre[None], span, patches)
    step = span / PATCH
    large_from_patch = compose(crop(*(-(centre + 0.5 - span / 2)).tolist()), resize(step, step))
    near = apply(invert(large_from_patch), centre - np.array((off_x, off_y)))
    reach = min(4.5 * sigma_large / step, *(near + 0.5), *(PATCH - 0.5 - near))
    assume(reach > 3.5 * sigma_large / step)
    found = centroid(patches[0], near, reach)
    sensor_from_patch = prepared.sensor_from_large @ large_from_patch
    bound = BOUND_PX * max(1.0, float(sensor_from_patch[0, 0]))
    assert np.abs(apply(sensor_from_patch, found) - point).max() < bound


@contextmanager
def trained_on(
    points: NDArray[np.float64], image: NDArray[np.uint8], region: Region
) -> Iterator[tuple[Canvas, Method]]:
    """A canvas of one image, two keypoints and that region, and a method of these sizes."""
    with tempfile.TemporaryDirectory() as name:
        file, method = Path(name) / "a.png", Path(name) / "a.toml"
        cv2.imwrite(str(file), image)
        method.write_text(
            f'name = "spot"\nnumber = 1\n[view]\nlocate = {{ fixed = {[round(v) for v in region]} }}\n'
            f"small_wh = {list(SMALL_WH)}\nlarge_wh = {list(LARGE_WH)}\n[coarse]\nsteps = 1\n"
            f"[refine]\nsteps = 1\nframes = 4\npatch = {PATCH}\nspans_px = [48.0, 24.0]\njitter_px = 1.0\nlater_px = 1.0\n"
        )
        part = Part(file, SENSOR_WH, points, np.full(len(points), VISIBLE, np.int8), tuple(region), 1)
        loaded = load_method(method)
        yield prepare(Dataset(("left", "right"), (part,)), loaded.view, 1.5, Path(name) / "work"), loaded


@st.composite
def pairs_of_spots(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.uint8], Region, float]:
    """Two spots far from each other in a region of whole px and the shape of the large image."""
    wide = draw(st.sampled_from((128, 176, 256)))
    high = wide * 3 // 4
    x, y = draw(st.integers(20, 400 - wide)), draw(st.integers(20, 310 - high))
    shares = [(draw(st.floats(low, low + 0.1)), draw(st.floats(0.35, 0.65))) for low in (0.25, 0.65)]
    points = np.array([(x + a * wide, y + b * high) for a, b in shares])
    sigma = 1.6 * wide / SMALL_WH[0]
    return points, spots(points, sigma), Region(x, y, wide, high), sigma


@few
@given(pairs_of_spots(), st.integers(0, 999), st.sampled_from(("none", "x", "y")))
def test_images_of_training(
    scene: tuple[NDArray[np.float64], NDArray[np.uint8], Region, float], seed: int, flip: str
) -> None:
    points, image, region, sigma = scene
    prepared = Preprocess(SMALL_WH, LARGE_WH, CpuDevice())(mono8_frame(image), [region])[0]
    assert prepared.region == region
    with trained_on(points, image, region) as (canvas, method):
        large_sigma = sigma * LARGE_WH[0] / region.w
        for place in canvas.xy_canvas_px[0]:
            assert np.abs(centroid(canvas.large[0], place, 4.5 * large_sigma) - place).max() < BOUND_PX
        mirror = np.array([1, 0]) if flip == "x" else np.array([0, 1])
        for vary in (STILL, msgspec.structs.replace(MOVED, flip=flip)):
            moved = msgspec.structs.replace(method, augment=vary, seed=seed)
            samples = ImageSamples(canvas, np.array([0]), moved, Plain(SMALL_WH, LARGE_WH), points, mirror, 1, 2)
            batch = samples.batch(0)
            for picture, xy in zip(batch["image"][..., 0], batch["xy"], strict=True):
                for place in np.asarray(xy, np.float64):
                    assert np.abs(centroid(picture, place, 6.5) - place).max() < BOUND_PX
        still, _ = samples.plain(np.array([0]), 0)
        for place, point in zip(np.asarray(still["xy"][0], np.float64), points, strict=True):
            shipped = centroid(prepared.small[..., 0], apply(invert(prepared.sensor_from_small), point), 6.5)
            assert np.abs(centroid(still["image"][0, ..., 0], place, 6.5) - shipped).max() < BOUND_PX


@few
@given(pairs_of_spots(), st.integers(0, 999), st.sampled_from(("none", "x", "y")), st.floats(-3, 3))
def test_patches_of_training(
    scene: tuple[NDArray[np.float64], NDArray[np.uint8], Region, float], seed: int, flip: str, lies: float
) -> None:
    points, image, region, sigma = scene
    with trained_on(points, image, region) as (canvas, method):
        assert method.refine is not None
        moved = msgspec.structs.replace(method, augment=msgspec.structs.replace(MOVED, flip=flip))
        mirror = np.array([1, 0]) if flip == "x" else np.array([0, 1])
        residuals = np.zeros((4, 2, 2), np.float32)
        turned = msgspec.structs.replace(method.refine, turned=seed % 2 == 0)
        mean = np.array([[-np.cos(lies), -np.sin(lies)], [np.cos(lies), np.sin(lies)]])
        made = RefineSamples(canvas, np.array([0]), moved, turned, residuals, seed, mirror, mean)
        batch = made.batch(0)
        large_sigma, seen = sigma * LARGE_WH[0] / region.w, 0
        for patch, offset, span in zip(batch["patches"][..., 0], batch["offset"], batch["span"], strict=True):
            place = np.asarray(offset, np.float64) + (PATCH - 1) / 2
            spread = large_sigma * PATCH / method.refine.spans_px[int(span)]
            reach = min(4.5 * spread, *(place + 0.5), *(PATCH - 0.5 - place))
            if reach > 3.5 * spread:
                seen += 1
                assert np.abs(centroid(patch, place, reach) - place).max() < BOUND_PX
        assume(seen)
