from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from training import augment
from training.canvas import Canvas, prepare
from training.labels.coco import read_coco
from training.method import Augment, Method, load_method
from training.refine_samples import RefineSamples, relit

ALL, SAME = np.arange(16), np.arange(3)
STILL = Augment(
    contrast=0.0, brightness=0.0, noise=0.0, blur_px=0.0, erase=0.0, patch_rotation_deg=0.0, patch_scale=0.0
)
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]) - [-1 / 3, -1 / 3]  # in any unit
NO_ERRORS = np.zeros((16, 3, 2), np.float32)


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


@pytest.fixture
def canvas(square_set: Path, method: Method, tmp_path: Path) -> Canvas:
    return prepare(read_coco(square_set, square_set.parent / "images"), method.view, 1.0, tmp_path / "work")


@pytest.fixture
def samples(canvas: Canvas, method: Method) -> Callable[..., RefineSamples]:
    """Samples of the square's patches: ``vary`` is the augmentation; ``refine`` holds what the method has otherwise."""

    def make(vary: Augment, residuals: NDArray[np.float32], **refine: object) -> RefineSamples:
        assert method.refine is not None
        own = msgspec.structs.replace(method, augment=vary)
        chosen = msgspec.structs.replace(method.refine, **refine)
        return RefineSamples(canvas, ALL, own, chosen, residuals, 1, SAME, CORNERS)

    return make


def test_a_batch_depends_on_seed_and_step_alone(samples: Callable[..., RefineSamples]) -> None:
    residuals = np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32)
    vary = Augment(flip="x", erase=1.0)
    one, other = samples(vary, residuals), samples(vary, residuals)
    one.batch(3)  # what came before leaves no trace
    first, again = one.batch(5), other.batch(5)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["patches"], one.batch(6)["patches"])
    assert not np.array_equal(first["patches"], replace(one, seed=2).batch(5)["patches"])


@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_patches_show_their_keypoint_at_the_offset_they_tell(
    samples: Callable[..., RefineSamples], tilt: float
) -> None:
    residuals = np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32)
    seen = 0
    for step in range(6):
        batch = samples(msgspec.structs.replace(STILL, patch_scale=0.08, tilt=tilt), residuals).batch(step)
        assert batch["patches"].shape == (12, 16, 16, 1)
        for patch, keypoint, offset in zip(batch["patches"][..., 0], batch["keypoint"], batch["offset"], strict=True):
            x, y = np.rint(offset + 7.5).astype(int)
            if keypoint == 0 and 3 <= x <= 12 and 3 <= y <= 12:  # the square lies below and to the right
                assert patch[y + 2, x + 2] > 110 > patch[y - 2, x - 2]
                seen += 1
    assert seen > 5


@pytest.mark.parametrize(("flip", "mirror", "inwards"), [("x", [1, 0, 2], (-1, 1)), ("y", [2, 1, 0], (1, -1))])
def test_a_mirrored_patch_is_that_of_the_keypoint_on_the_other_side(
    samples: Callable[..., RefineSamples], flip: str, mirror: list[int], inwards: tuple[int, int]
) -> None:
    """Mirrored, the square's upper left corner becomes one that lies as the upper right or the lower left one does."""
    other = mirror[0]
    vary = msgspec.structs.replace(STILL, flip=flip)
    residuals = np.random.default_rng(0).normal(0, 2, (20, 3, 2)).astype(np.float32)
    mirrored = replace(samples(vary, residuals), mirror=np.array(mirror))
    wrong = seen = 0
    for step in range(8):
        batch = mirrored.batch(step)
        rows = zip(batch["patches"][..., 0], batch["keypoint"], batch["offset"], batch["visible"], strict=True)
        for patch, keypoint, offset, is_there in rows:
            x, y = np.rint(offset + 7.5).astype(int)
            if is_there and keypoint in (0, other) and 3 <= x <= 12 and 3 <= y <= 12:
                across, down = (1, 1) if keypoint == 0 else inwards
                wrong += not patch[y + 2 * down, x + 2 * across] > 110 > patch[y - 2 * down, x - 2 * across]
                seen += 1
    assert seen > 20
    assert wrong == 0
    without = replace(mirrored, mirror=SAME).batch(0)
    assert not np.array_equal(without["patches"], mirrored.batch(0)["patches"])


def test_a_mirrored_keypoint_brings_its_own_state(samples: Callable[..., RefineSamples], canvas: Canvas) -> None:
    """The lower left corner is the only one that is missing; mirrored top to bottom it is asked for as the upper left."""
    plain = samples(msgspec.structs.replace(STILL, flip="y"), NO_ERRORS, frames=16)
    missing = sum(int((~plain.batch(step)["visible"][plain.batch(step)["keypoint"] == 0]).sum()) for step in range(4))
    assert missing == 0
    mirrored = replace(plain, mirror=np.array([2, 1, 0]))
    upper = [mirrored.batch(step)["visible"][mirrored.batch(step)["keypoint"] == 0] for step in range(4)]
    assert 0 < (~np.concatenate(upper)).sum() < 4 * (canvas.state[:, 2] != 2).sum()


def test_the_first_pass_starts_from_the_first_networks_errors(samples: Callable[..., RefineSamples]) -> None:
    residuals = NO_ERRORS.copy()
    residuals[:, 1] = (9.0, 0.0)
    exact = samples(STILL, residuals, jitter_px=0.0, later_px=0.0)
    batches = [exact.batch(step) for step in range(4)]
    offset = np.concatenate([batch["offset"] for batch in batches])
    first = np.concatenate([batch["span"] == 0 for batch in batches])
    asked = np.concatenate([batch["keypoint"] for batch in batches])
    moved = offset[first & (asked == 1)]
    assert (moved[:, 0] <= 0).all()
    assert moved[:, 0].min() < -0.5
    assert (moved[:, 0] == 0.0).any()  # as after the shape fit
    assert np.abs(offset[~first]).max() == 0.0
    assert np.abs(offset[asked != 1]).max() == 0.0


@pytest.mark.parametrize(("flip", "mirror"), [("none", [0, 1, 2]), ("x", [1, 0, 2]), ("y", [2, 1, 0])])
def test_turned_patches_are_the_same_however_the_part_lies(
    canvas: Canvas, method: Method, flip: str, mirror: list[int]
) -> None:
    plain = method.refine
    assert plain is not None
    own = msgspec.structs.replace(method, augment=msgspec.structs.replace(STILL, flip=flip))
    soft = np.stack([cv2.GaussianBlur(image, (0, 0), 4.0) for image in canvas.large])

    def patches(lies_deg: float, *, turned: bool) -> NDArray[np.generic]:
        middle = ((canvas.large.shape[2] - 1) / 2, (canvas.large.shape[1] - 1) / 2)
        pose = augment.similarity(lies_deg, 1.0, middle, middle)
        wh = canvas.large.shape[2], canvas.large.shape[1]
        images = [cv2.warpAffine(image, pose, wh, borderMode=cv2.BORDER_REPLICATE) for image in soft]
        xy = augment.mapped(pose, canvas.xy_canvas_px).astype(np.float32)
        turned_canvas = replace(canvas, large=np.stack(images), xy_canvas_px=xy)
        refine = msgspec.structs.replace(plain, turned=turned, jitter_px=0.0, later_px=0.0, frames=12)
        return RefineSamples(turned_canvas, ALL, own, refine, NO_ERRORS, 1, np.array(mirror), CORNERS).batch(0)[
            "patches"
        ]

    upright = patches(0.0, turned=True).astype(float)
    for angle in (25.0, 90.0, -130.0):
        apart = np.abs(patches(angle, turned=True) - upright)[:, 4:12, 4:12]  # at the rim some reach beyond the image
        assert apart.max() < 6
        assert np.abs(patches(angle, turned=False) - upright).max() > 20


def test_errors_on_what_could_not_be_seen_are_left_out(samples: Callable[..., RefineSamples]) -> None:
    residuals = np.zeros((40, 3, 2), np.float32)
    residuals[10:] = np.nan
    residuals[:, 2] = np.nan  # never seen, so the errors of the others stand for its own
    residuals[:10, :2] = (6.0, 0.0)
    batch = samples(STILL, residuals, jitter_px=0.0, later_px=0.0, frames=16, spans_px=[48.0]).batch(0)
    assert np.isfinite(batch["offset"]).all()
    for keypoint in range(3):
        moved = batch["offset"][batch["keypoint"] == keypoint]
        assert (moved[:, 1] == 0.0).all()
        assert moved[:, 0].min() < -0.5


def test_no_residuals_at_all_leave_the_jitter(samples: Callable[..., RefineSamples]) -> None:
    batch = samples(STILL, np.full((4, 3, 2), np.nan, np.float32), jitter_px=2.0).batch(0)
    assert np.isfinite(batch["offset"]).all()
    assert np.abs(batch["offset"]).max() > 0.1


def test_what_is_erased_is_no_longer_visible(samples: Callable[..., RefineSamples]) -> None:
    def hidden(share: float) -> tuple[int, NDArray[np.float32]]:
        rows = [samples(msgspec.structs.replace(STILL, erase=share), NO_ERRORS, frames=16).batch(s) for s in range(4)]
        seen = np.concatenate([row["visible"] for row in rows])
        weight = np.concatenate([row["weight"] for row in rows])
        return int((~seen).sum()), weight[~seen]

    assert hidden(0.0)[0] == 4 * 5  # the missing corner of every third part
    count, weight = hidden(1.0)
    assert count > 4 * 5 + 5
    assert (weight <= 0.2 + 1e-6).all()


def test_patches_are_lit_each_on_its_own_and_stay_within_range() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(1 << 14, np.float32)
    patches = rng.integers(0, 256, (64, 24, 24)).astype(np.uint8)
    still = relit(rng, patches.copy(), STILL, noise)
    assert np.array_equal(still, patches)
    flat = np.full((400, 24, 24), 120, np.uint8)
    lit = relit(rng, flat, Augment(contrast=0.3, brightness=20.0, noise=4.0, blur_px=0.0), noise).astype(float)
    level, deviation = lit.mean((1, 2)), lit.std((1, 2))
    assert np.abs(level - 120).max() == pytest.approx(20.0, abs=1.0)
    assert abs(level.mean() - 120) < 2.0
    assert 0.0 <= deviation.min() < 0.5
    assert deviation.max() == pytest.approx(4.0, abs=0.4)
    bright = relit(rng, np.full((8, 24, 24), 254, np.uint8), Augment(brightness=60.0, noise=9.0), noise)
    assert bright.max() == 255  # saturates, never wraps
    assert bright.min() > 150


def test_patches_at_the_regions_edge_repeat_it_as_the_pipelines_do(
    canvases: tuple[Canvas, Canvas], method: Method
) -> None:
    assert method.refine is not None
    patches, plain = [], msgspec.structs.replace(method.refine, spans_px=[64.0])
    for canvas in canvases:
        own = RefineSamples(canvas, ALL, method, plain, NO_ERRORS, 1, SAME, CORNERS)
        patches.append(np.concatenate([own.batch(step)["patches"] for step in range(4)]).astype(int))
    assert np.abs(patches[0] - patches[1]).max() <= 2
