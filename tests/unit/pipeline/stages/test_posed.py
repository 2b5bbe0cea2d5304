"""The second network of a cascade sees the part as the mean shape lies, and its answer leads back."""

from pathlib import Path

import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from pipeline import geometry
from pipeline.geometry import Region
from pipeline.network import PosedCard, load_network
from pipeline.pixels import mono8_frame
from pipeline.similarity import robust_similarity, similarity
from pipeline.stages.posed import Posed
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.values import CoarseKeypoints, Prepared
from tests.networks import write_posed
from tests.recipes import KEYPOINTS

POSE = [(23.5, 23.5), (71.5, 23.5), (23.5, 71.5), (71.5, 71.5)]  # in 96 x 96 px
ANGLE, SCALE, CENTRE = 0.7, 1.9, (131.3, 120.6)


def placed() -> np.ndarray:
    """The pose turned, scaled and moved into the large image."""
    turn = SCALE * np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
    return (np.array(POSE) - 47.5) @ turn.T + CENTRE


@pytest.fixture
def part() -> Prepared:
    frame = np.full((256, 256), 10, np.uint8)
    rows, columns = np.indices(frame.shape)
    for x, y in placed():
        dot = 200.0 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2))
        np.copyto(frame, np.maximum(frame, dot.round().astype(np.uint8)))
    return Preprocess((64, 64), (256, 256), CpuDevice())(mono8_frame(frame), [Region(0, 0, 256, 256)])[0]


@pytest.fixture
def posed(tmp_path: Path) -> Posed:
    card = PosedCard(keypoints=KEYPOINTS, large_wh=(256, 256), image_wh=(96, 96), pose_px=POSE, has_sigma=True)
    write_posed(tmp_path / "posed.onnx", card, visible=[2.0, 2.0, 2.0, -1.0])
    return Posed(load_network(tmp_path / "posed.onnx", PosedCard), CpuDevice())


def at(xy_large_px: np.ndarray, logit: float = 3.0) -> CoarseKeypoints:
    logits = np.array([[logit, 0.0]] * len(xy_large_px), np.float32)
    return CoarseKeypoints(xy_large_px, logits, np.full(len(xy_large_px), np.nan))


def test_places_lead_back_logits_add_up_and_sigma_is_of_the_large_image(part: Prepared, posed: Posed) -> None:
    start = placed() + np.array([[3.0, -2.0], [1.0, 2.0], [-2.0, 1.0], [0.5, -1.5]])
    none, found = posed([part, part], [at(np.full((4, 2), 7.0)), at(start)])
    assert np.abs(found.xy_large_px.mean(axis=0) - placed().mean(axis=0)).max() < 0.3
    assert (
        np.abs(found.xy_large_px - placed()).max() < 5.0
    )  # the network keeps the pose: turn and scale are the start's
    assert found.logits[:, 0].tolist() == [5.0, 5.0, 5.0, 2.0]
    assert found.sigma_large_px == pytest.approx(np.sqrt(12.5) * SCALE, rel=0.05)
    assert np.array_equal(none.xy_large_px, np.full((4, 2), 7.0))  # all in one place: no pose
    assert none.logits[:, 0].tolist() == [3.0] * 4


def test_what_is_found_from_the_true_pose_is_exact(part: Prepared, posed: Posed) -> None:
    (found,) = posed([part], [at(placed())])
    assert np.abs(found.xy_large_px - placed()).max() < 0.1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_keypoint_that_was_no_number_stays_none_and_disturbs_no_other(
    part: Prepared, posed: Posed, value: float
) -> None:
    start = placed()
    start[1, 0] = value
    (found,) = posed([part], [at(start)])
    assert np.isnan(found.xy_large_px[1]).all()
    assert np.abs(found.xy_large_px[[0, 2, 3]] - placed()[[0, 2, 3]]).max() < 0.1


@pytest.mark.parametrize("far", [1e9, 1e20, 1e38, np.nan])
def test_keypoints_in_nowhere_keep_what_was_found(part: Prepared, posed: Posed, far: float) -> None:
    start = placed() * far
    (found,) = posed([part], [at(start)])
    np.testing.assert_array_equal(found.xy_large_px, start)
    assert posed([], []) == []


def test_a_similarity_is_found_again_and_never_a_reflection() -> None:
    source = np.array(POSE)
    matrix = similarity(source, placed(), np.array([1.0, 0.5, 0.2, 1.0]))
    assert matrix is not None
    assert np.abs(geometry.apply(matrix, source) - placed()).max() < 1e-9
    there_and_back = geometry.apply(geometry.invert(matrix), geometry.apply(matrix, source))
    assert np.abs(there_and_back - source).max() < 1e-9
    skewed = similarity(source[:3], (source * [1, -1])[:3], np.ones(3))
    assert skewed is None or np.linalg.det(skewed) > 0


def test_one_keypoint_far_off_hardly_moves_the_pose() -> None:
    source = np.random.default_rng(0).uniform(0, 96, (8, 2))
    truth = 2.0 * source + [30.0, 40.0]
    wrong = truth.copy()
    wrong[2] += [150.0, -90.0]
    matrix = robust_similarity(source, wrong, np.ones(8))
    assert matrix is not None
    kept = [0, 1, 3, 4, 5, 6, 7]
    assert np.abs(geometry.apply(matrix, source[kept]) - truth[kept]).max() < 3.0
