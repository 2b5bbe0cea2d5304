from pathlib import Path
from typing import Any, Literal

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from training.canvas import Canvas, prepare
from training.framing import Framing, Plain, Posed, pose_of
from training.labels.coco import read_coco
from training.method import Augment, CascadeMethod, Method, ShapeMethod, load_method
from training.samples import ImageSamples, shuffled
from training.shapes import learn_shape

ALL = np.arange(16)
STILL = Augment(erase=0.0, shift=0.0, scale=0.0, rotation_deg=0.0, contrast=0.0, brightness=0.0, noise=0.0, blur_px=0.0)


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


def plain(method: Method) -> Plain:
    return Plain(method.view.small_wh, method.view.large_wh)


def posed(canvas: Canvas) -> Posed:
    xy = canvas.xy_canvas_px.astype(np.float64)
    model = learn_shape(xy, canvas.known, ["a", "b", "c"], ShapeMethod())
    cascade = CascadeMethod(steps=1, image_wh=(64, 64), fill=0.6)
    return Posed((64, 64), pose_of(model, (64, 64), 0.6), cascade)


def samples(canvas: Canvas, method: Method, framing: Framing, mirror: tuple[int, ...] = (0, 1, 2)) -> ImageSamples:
    mean = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    return ImageSamples(canvas, ALL, method, framing, mean, np.array(mirror), stream=1, size=4)


def corner_contrast(image: NDArray[Any], xy: NDArray[Any], index: int) -> float:
    """How much brighter the square is, 4 px inside of its corner, than the belt 4 px outside of it."""
    toward = np.mean(xy, axis=0) - xy[index]
    step = 4.0 * toward / np.hypot(*toward)
    grey = [
        cv2.getRectSubPix(np.asarray(image, np.uint8), (1, 1), tuple((xy[index] + sign * step).tolist()))[0, 0]
        for sign in (1, -1)
    ]
    return float(grey[0]) - float(grey[1])


def test_every_epoch_takes_every_part_once() -> None:
    parts = np.arange(100, 110)
    taken = np.concatenate([shuffled(parts, 0, 1, step, 4) for step in range(5)])
    assert sorted(taken[:10]) == sorted(taken[10:]) == parts.tolist()
    assert taken[:10].tolist() != taken[10:].tolist()


@pytest.mark.parametrize("kind", ["plain", "posed"])
def test_a_batch_depends_on_seed_and_step_alone(canvas: Canvas, method: Method, kind: str) -> None:
    framing = plain(method) if kind == "plain" else posed(canvas)
    one = samples(canvas, method, framing)
    first, again, other = one.batch(5), samples(canvas, method, framing).batch(5), one.batch(6)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["image"], other["image"])


@pytest.mark.parametrize("kind", ["plain", "posed"])
@pytest.mark.parametrize(("flip", "tilt"), [("none", 0.0), ("x", 0.0), ("y", 0.0), ("x", 0.2)])
def test_keypoints_stay_on_their_corners(
    canvas: Canvas, method: Method, kind: str, flip: Literal["none", "x", "y"], tilt: float
) -> None:
    vary = Augment(rotation_deg=20.0, scale=0.1, shift=0.05, erase=0.0, flip=flip, tilt=tilt)
    changed = msgspec.structs.replace(method, augment=vary)
    mirror = {"none": (0, 1, 2), "x": (1, 0, 2), "y": (2, 1, 0)}[flip]
    found = samples(canvas, changed, plain(method) if kind == "plain" else posed(canvas), mirror)
    contrasts = []
    for step in range(6):
        batch = found.batch(step)
        for image, xy, visible in zip(batch["image"], batch["xy"], batch["visible"], strict=True):
            contrasts += [corner_contrast(image[..., 0], xy, k) for k in (0, 1) if visible[k]]
    assert np.mean(np.array(contrasts) > 40) > 0.9


def test_mirrored_parts_have_their_symmetric_keypoints_changed_over(canvas: Canvas, method: Method) -> None:
    changed = msgspec.structs.replace(method, augment=msgspec.structs.replace(STILL, flip="x"))
    batch = samples(canvas, changed, plain(method), (1, 0, 2)).batch(0)
    xy = np.asarray(batch["xy"], np.float64)
    assert (xy[:, 0, 0] < xy[:, 1, 0]).all()  # what is named left lies left, in a mirror too
    lower = np.abs(xy[:, 2, 0] - xy[:, 0, 0]) < np.abs(xy[:, 2, 0] - xy[:, 1, 0])
    assert lower.any()
    assert not lower.all()  # but the corner that has no partner shows which ones were mirrored


def test_a_posed_part_lies_on_the_mean_shape(canvas: Canvas, method: Method) -> None:
    framing = posed(canvas)
    exact = Posed(
        framing.wh, framing.pose_px, CascadeMethod(steps=1, image_wh=(64, 64), rotation_deg=0, shift=0, scale=0)
    )
    batch, scale = samples(canvas, method, exact).plain(ALL, 0)
    xy = np.asarray(batch["xy"], np.float64)
    assert xy[0] == pytest.approx(exact.pose_px, abs=0.5)
    side = np.linalg.norm(canvas.xy_canvas_px[:, 1] - canvas.xy_canvas_px[:, 0], axis=1)
    assert np.linalg.norm(xy[:, 1] - xy[:, 0], axis=1) * scale == pytest.approx(side, rel=1e-3)


def test_what_is_erased_is_no_longer_visible(canvas: Canvas, method: Method) -> None:
    def hidden(share: float) -> int:
        vary = msgspec.structs.replace(method, augment=msgspec.structs.replace(STILL, erase=share))
        drawn = samples(canvas, vary, plain(method))
        visible = np.concatenate([drawn.batch(step)["visible"] for step in range(12)])
        return int(np.count_nonzero(np.logical_not(visible)))

    assert hidden(0.0) == 15  # the missing corner of every third part, three epochs
    assert hidden(1.0) > 16


def test_attributes_tell_the_turn_and_what_is_hidden(canvas: Canvas, method: Method) -> None:
    vary = msgspec.structs.replace(STILL, rotation_deg=30.0, erase=0.6)
    batch = samples(canvas, msgspec.structs.replace(method, augment=vary), plain(method)).batch(1)
    xy = np.asarray(batch["xy"], np.float64)
    edge = xy[:, 1] - xy[:, 0]
    assert batch["rotation"] == pytest.approx(np.arctan2(edge[:, 1], edge[:, 0]), abs=1e-3)
    occluded = np.asarray(batch["occluded"], np.float64)
    assert ((occluded >= 0) & (occluded <= 1)).all()
    for index in range(4):
        if batch["visible"][index].all():
            assert occluded[index] == 0.0


def test_shapes_are_those_that_training_draws(canvas: Canvas, method: Method) -> None:
    drawn = samples(canvas, method, plain(method))
    shapes = drawn.shapes(200)
    assert shapes.shape == (200, 3, 2)
    batches = np.concatenate([drawn.batch(step)["xy"] for step in range(50)])
    assert shapes.mean((0, 1)) == pytest.approx(batches.mean((0, 1)), abs=1.5)
    assert shapes.std((0, 1)) == pytest.approx(batches.std((0, 1)), rel=0.15)


@pytest.mark.parametrize("flip", ["x", "y"])
def test_a_mirrored_part_is_posed_as_the_pipeline_poses_it(canvas: Canvas, method: Method, flip: str) -> None:
    changed = msgspec.structs.replace(method, augment=msgspec.structs.replace(STILL, flip=flip))
    framing = posed(canvas)
    centred = framing.pose_px - framing.pose_px.mean(0)
    xy = np.concatenate([samples(canvas, changed, framing, (0, 2, 1)).batch(step)["xy"] for step in range(6)])
    along = (xy - xy.mean(axis=1, keepdims=True)) @ np.array([1.0, 1j]) * np.conj(centred @ np.array([1.0, 1j]))
    turned_deg = np.abs(np.degrees(np.angle(along.sum(axis=1))))
    assert turned_deg.max() < 25.0  # what the cascade adds, three times over at most, and no pose's mirror image


def test_what_lies_around_the_region_is_in_no_posed_image(canvases: tuple[Canvas, Canvas], method: Method) -> None:
    """The pipeline turns its large image, which ends with the region; the small image of a turned part does show it."""
    alone, around = ([samples(canvas, method, posed(canvas)).batch(step) for step in range(4)] for canvas in canvases)
    for one, other in zip(alone, around, strict=True):
        assert np.abs(one["image"].astype(int) - other["image"]).max() <= 2
        assert other["xy"] == pytest.approx(one["xy"], abs=1e-2)
    turned = msgspec.structs.replace(method, augment=msgspec.structs.replace(STILL, rotation_deg=20.0))
    brightest = [int(np.max(samples(canvas, turned, plain(method)).batch(0)["image"])) for canvas in canvases]
    assert brightest[0] < 220 < brightest[1]
