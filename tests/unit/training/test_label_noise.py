from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data import HIDDEN, VISIBLE, Dataset, Part
from training.label_noise import from_pairs, from_shape
from training.near_duplicates import Pair

SHAPE = np.array([[0, 0], [200, 0], [220, 130], [40, 160], [110, 70], [-30, 90]], float)
SIGMA = np.array([0.5, 1.0, 1.0, 2.0, 1.0, 1.0])


def posed(rng: np.random.Generator) -> NDArray[np.float64]:
    turn, scale = rng.uniform(-3, 3), rng.uniform(0.8, 1.2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return scale * SHAPE @ rotation.T + rng.uniform(300, 600, 2)


def labelled(shapes: list[NDArray[np.float64]]) -> Dataset:
    state, parts = np.full(len(shapes[0]), VISIBLE, np.int8), []
    for index, xy in enumerate(shapes):
        parts.append(Part(Path(f"{index}.png"), (1000, 900), xy, state.copy(), (0, 0, 9, 9), index))
    return Dataset(tuple("abcdef"[: len(state)]), tuple(parts))


def test_noise_of_a_rigid_part_is_found_per_keypoint() -> None:
    rng = np.random.default_rng(0)
    dataset = labelled([posed(rng) + rng.normal(0, SIGMA[:, None], (6, 2)) for _ in range(400)])
    found = from_shape(dataset)
    assert found is not None
    assert found.modes == 0
    assert found.sigma_px == pytest.approx(
        SIGMA, rel=0.7
    )  # with so few keypoints, each has some of its neighbours' noise
    assert found.sigma_px.argmax() == 3
    assert found.sigma_px.argmin() == 0


def test_a_slip_stands_out_and_does_not_spoil_the_estimate() -> None:
    rng = np.random.default_rng(1)
    dataset = labelled([posed(rng) + rng.normal(0, 1.0, (6, 2)) for _ in range(120)])
    dataset.parts[17].xy_sensor_px[2] += (25, -10)
    found = from_shape(dataset)
    assert found is not None
    assert np.unravel_index(np.nanargmax(found.off_px), found.off_px.shape) == (17, 2)
    assert found.sigma_px == pytest.approx(1.0, rel=0.35)


def test_what_is_hidden_is_not_looked_at() -> None:
    rng = np.random.default_rng(2)
    dataset = labelled([posed(rng) + rng.normal(0, 1.0, (6, 2)) for _ in range(60)])
    for part in dataset.parts[::3]:
        part.state[4] = HIDDEN
        part.xy_sensor_px[4] += 50
    found = from_shape(dataset)
    assert found is not None
    assert np.isnan(found.off_px[::3, 4]).all()
    assert found.sigma_px == pytest.approx(1.0, rel=0.45)


def test_parts_that_never_show_all_keypoints_are_pieced_together() -> None:
    rng = np.random.default_rng(5)
    dataset = labelled([posed(rng) + rng.normal(0, SIGMA[:, None], (6, 2)) for _ in range(400)])
    whole = from_shape(dataset)
    for number, part in enumerate(dataset.parts):
        part.state[[[0, 1], [5, 3], [2], [4, 0]][number % 4]] = HIDDEN  # not always the same ones
    dataset.parts[18].xy_sensor_px[0] += (25, -10)
    found = from_shape(dataset)
    assert found is not None
    assert whole is not None
    assert (found.is_pieced, whole.is_pieced) == (True, False)
    assert found.sigma_px == pytest.approx(whole.sigma_px, rel=0.3)
    assert divmod(int(np.nanargmax(found.off_px)), 6) == (18, 0)


def test_a_keypoint_that_nothing_links_to_the_others_is_not_judged() -> None:
    rng = np.random.default_rng(6)
    dataset = labelled([posed(rng) + rng.normal(0, 1.0, (6, 2)) for _ in range(60)])
    for number, part in enumerate(dataset.parts):
        part.state[[0, 1, 2] if number % 3 else [3, 4, 5]] = HIDDEN
    found = from_shape(dataset)
    assert found is not None
    assert np.isnan(found.sigma_px).tolist() == [True, True, True, False, False, False]
    assert np.isnan(found.off_px[:, :3]).all()


def test_two_keypoints_or_a_handful_of_parts_say_nothing() -> None:
    rng = np.random.default_rng(3)
    assert from_shape(labelled([posed(rng)[:2] for _ in range(50)])) is None
    assert from_shape(labelled([posed(rng) for _ in range(7)])) is None


def test_the_same_thing_labelled_twice_gives_the_repeatability_even_of_what_bends() -> None:
    rng = np.random.default_rng(4)
    shapes, pairs = [], []
    for index in range(150):
        bent = posed(rng) + rng.normal(0, 40, (6, 2))  # every one is another
        moved = 1.3 * bent + rng.uniform(-20, 20, 2)
        shapes += [bent + rng.normal(0, 1.5, (6, 2)), moved + rng.normal(0, 1.5, (6, 2))]
        pairs.append(Pair(2 * index, 2 * index + 1, 0.99, 0.01))
    found = from_pairs(labelled(shapes), pairs)
    assert found == pytest.approx(np.full(6, 1.5), rel=0.25)
    bound = from_shape(labelled(shapes))
    assert bound is not None
    assert (bound.sigma_px > 5 * found).all()
