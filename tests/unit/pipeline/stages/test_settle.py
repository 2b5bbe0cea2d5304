"""Which keypoints are told where the shape puts them."""

import numpy as np
import pytest

from pipeline.result import KeypointState
from pipeline.shape import ShapeModel
from pipeline.stages.settle import settle
from pipeline.stages.shape import ShapeFit
from pipeline.stages.values import RefinedKeypoints
from pipeline.stages.visibility import visibility
from pipeline.thresholds import Threshold, Thresholds

UNIT = np.array([[-1.2, -0.4], [1.2, -0.4], [0.9, 0.8], [-0.9, 0.8], [0.0, -0.8]])
NAMES = ["a", "b", "c", "d", "e"]
TRUTH = 100.0 * (UNIT - UNIT.mean(axis=0)) + 300.0


@pytest.fixture
def shape() -> ShapeFit:
    mean = UNIT - UNIT.mean(axis=0)
    size = np.sqrt((mean**2).sum(axis=1).mean())
    return ShapeFit(ShapeModel(NAMES, (mean / size).tolist(), [], [], [0.005] * 5))


def refined(exists: float, off_px: float) -> RefinedKeypoints:
    """All lie right and are seen but e, which lies `off_px` from its place."""
    xy = TRUTH.copy()
    xy[4, 0] += off_px
    logits = np.array([[8.0, 0.0]] * 4 + [[exists, 0.0]], np.float32)
    return RefinedKeypoints(xy, logits, np.full(5, 0.5), np.zeros(5, np.bool_))


@pytest.mark.parametrize(
    ("exists", "off_px", "is_placed"),
    [
        (-2.0, 0.0, True),  # hidden
        (-2.0, 60.0, True),
        (1.0, 60.0, True),  # hardly visible, and does not fit
        (1.0, 0.3, False),
        (6.0, 60.0, False),  # a bent pin
    ],
)
def test_what_was_not_seen_is_placed_and_the_rest_untouched(
    shape: ShapeFit, exists: float, off_px: float, *, is_placed: bool
) -> None:
    given = refined(exists, off_px)
    found = settle(given, shape, NAMES, Thresholds())
    assert found.is_placed.tolist() == [False] * 4 + [is_placed]
    assert np.array_equal(found.xy_large_px[:4], given.xy_large_px[:4])
    assert np.array_equal(found.logits, given.logits)
    if is_placed:
        assert np.abs(found.xy_large_px[4] - TRUTH[4]).max() < 0.5
        assert np.isfinite(found.sigma_large_px[4])
    else:
        assert np.array_equal(found.xy_large_px[4], given.xy_large_px[4])
    state = visibility(found.logits, NAMES, Thresholds(), found.is_placed).states[4]
    assert not (is_placed and state is KeypointState.visible)


def test_the_calibrated_threshold_says_what_is_visible(shape: ShapeFit) -> None:
    limits = Thresholds(keypoint={"e": Threshold(visible_above=0.1, hidden_below=0.1)})
    assert not settle(refined(-1.0, 0.3), shape, NAMES, limits).is_placed[4]
    assert settle(refined(-1.0, 0.3), shape, NAMES, Thresholds()).is_placed[4]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_stays_none(shape: ShapeFit, value: float) -> None:
    for spoilt in ("xy_large_px", "logits"):
        given = refined(8.0, 0.0)
        getattr(given, spoilt)[4, 0] = value
        found = settle(given, shape, NAMES, Thresholds())
        assert not found.is_finite
        assert not found.is_placed[4]


def test_where_nothing_can_be_fitted_all_stays(shape: ShapeFit) -> None:
    given = refined(-9.0, 0.0)
    given.logits[:, 0] = -1000.0
    found = settle(given, shape, NAMES, Thresholds())
    assert np.array_equal(found.xy_large_px, given.xy_large_px)
    assert not found.is_placed.any()
