"""The last word on where keypoints are: what was not seen is told where the shape puts it."""

from collections.abc import Sequence

import numpy as np

from pipeline.result import KeypointState
from pipeline.stages.shape import ShapeFit
from pipeline.stages.values import RefinedKeypoints
from pipeline.stages.visibility import visibility
from pipeline.thresholds import Thresholds

SURELY_SEEN = 0.9  # probability from which on the networks are believed against the shape: a bent pin is no mistake


def settle(
    refined: RefinedKeypoints, shape: ShapeFit, keypoints: Sequence[str], thresholds: Thresholds
) -> RefinedKeypoints:
    """Put keypoints that are not visible, and those that are hardly so and do not fit, where the shape says.

    What is visible and fits, or surely visible, is left untouched; so is what a network gave no number for.

    Args:
        refined: of one part.
        shape: of the view.
        keypoints: the K names.
        thresholds: of the view; without a calibration one half.
    """
    seen = visibility(refined.logits, keypoints, thresholds)
    fitted = shape(refined.xy_large_px, seen.probabilities, refined.sigma_large_px)
    is_visible = np.array([state is KeypointState.visible for state in seen.states], np.bool_)
    is_number = np.isfinite(refined.xy_large_px).all(axis=1) & np.isfinite(seen.probabilities)
    is_doubted = ~fitted.is_inlier & (np.nan_to_num(seen.probabilities) < SURELY_SEEN)
    is_known = np.isfinite(fitted.sigma_px)  # nothing could be fitted
    is_placed = is_number & is_known & (~is_visible | is_doubted)
    return RefinedKeypoints(
        np.where(is_placed[:, None], fitted.xy, refined.xy_large_px),
        refined.logits,
        np.where(is_placed, fitted.sigma_px, refined.sigma_large_px),
        is_placed,
    )
