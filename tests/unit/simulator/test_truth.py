"""Visible means: made, within the image, and at least half of the patch is not covered."""

from dataclasses import replace

import numpy as np
import pytest

from simulator.families import blueprint
from simulator.scene import Occlusion, Scene, sample_scene
from simulator.truth import PartTruth, State

WIDTH, HEIGHT = 1280, 1024


@pytest.fixture
def truth() -> PartTruth:
    return PartTruth(blueprint("bracket"))


@pytest.fixture
def upright() -> Scene:
    """The bracket unrotated in the middle of the image: datum_left, radius 22 px, then lies at (400, 540)."""
    scene = sample_scene(blueprint("bracket"), np.random.default_rng(0), Occlusion.NONE, width=WIDTH, height=HEIGHT)
    return replace(scene, rotation_deg=0.0, centre_px=(640.0, 500.0), missing=frozenset(), shifts={})


def states(truth: PartTruth, scene: Scene, cover: np.ndarray) -> dict[str, int]:
    xy = truth.keypoints_px(scene)
    return dict(zip(blueprint("bracket").keypoints, truth.states(scene, xy, cover).tolist(), strict=True))


def test_a_keypoint_lies_where_the_drawing_says(truth: PartTruth, upright: Scene) -> None:
    assert truth.keypoints_px(upright)[0] == pytest.approx((400.0, 540.0), abs=1e-9)
    turned = replace(upright, rotation_deg=30.0)
    expected = (640 - 240 * np.cos(np.pi / 6) - 40 * 0.5, 500 - 240 * 0.5 + 40 * np.cos(np.pi / 6))
    assert truth.keypoints_px(turned)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("covered_up_to_x", "state"), [(397, State.VISIBLE), (403, State.HIDDEN)])
def test_half_a_patch_decides(truth: PartTruth, upright: Scene, covered_up_to_x: int, state: State) -> None:
    cover = np.zeros((HEIGHT, WIDTH), np.uint8)
    cover[:, :covered_up_to_x] = 255
    assert states(truth, upright, cover)["datum_left"] == state


@pytest.mark.parametrize(("x", "state"), [(3.0, State.VISIBLE), (-3.0, State.HIDDEN), (-100.0, State.HIDDEN)])
def test_what_leaves_the_image_is_hidden(truth: PartTruth, upright: Scene, x: float, state: State) -> None:
    scene = replace(upright, centre_px=(x + 240.0, 500.0))
    assert states(truth, scene, np.zeros((HEIGHT, WIDTH), np.uint8))["datum_left"] == state


def test_a_feature_that_was_not_made_is_missing_with_all_its_keypoints(truth: PartTruth, upright: Scene) -> None:
    scene = replace(upright, missing=frozenset({"slot"}))
    found = states(truth, scene, np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert {name for name, state in found.items() if state == State.MISSING} == {"slot_left", "slot_right"}
    assert found["datum_left"] == State.HIDDEN


def test_dimensions_are_nominal_without_deviation_and_left_out_with_a_missing_feature(
    truth: PartTruth, upright: Scene
) -> None:
    nominal = {"datum_span_mm": 48.0, "pin_span_mm": 20.32, "tab_angle_deg": 55.008}
    assert truth.dimensions(upright) == pytest.approx(nominal, abs=1e-3)
    assert "pin_span_mm" not in truth.dimensions(replace(upright, missing=frozenset({"pin_5"})))


@pytest.mark.parametrize("dimension", blueprint("bracket").dimensions, ids=lambda dimension: dimension.name)
def test_a_deviation_moves_its_dimension_by_as_much(truth: PartTruth, upright: Scene, dimension: object) -> None:
    d = next(one for one in blueprint("bracket").dimensions if one == dimension)
    moved = replace(upright, shifts={name: (0.5 * dx, 0.5 * dy) for name, (dx, dy) in d.moves.items()})
    assert truth.dimensions(moved)[d.name] == pytest.approx(d.nominal + 0.5, abs=1e-3)
