"""Where on its part an image lies, as the part's keypoints tell: what belongs at one place is a defect at another."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline import geometry
from pipeline.geometry import Matrix, Region
from pipeline.similarity import robust_similarity

Found = Mapping[str, tuple[float, float]]
LEAST_KEYPOINTS = 3  # with two, one that is wrong could not be told
_NEAR = 0.1  # of the part's frame, from -1 to 1: a keypoint farther from where it belongs tells nothing
_BEYOND = 3.0  # in the part's frame, far outside of everything that is learnt of it
UNPLACED = np.array([[0.0, 0.0, _BEYOND], [0.0, 0.0, _BEYOND]], np.float32)  # every place of the image lies there


def sensor_from_part(layout: Found, found: Found) -> Matrix | None:
    """The map from a part's own frame to the sensor, a similarity; None where fewer than `LEAST_KEYPOINTS` agree on one.

    Args:
        layout: where keypoints lie in the part's own frame.
        found: where they were found, sensor px; names that the layout does not know do not count, nor does what is not finite.
    """
    names = [name for name in layout if name in found and np.isfinite(found[name]).all()]
    if len(names) < LEAST_KEYPOINTS:
        return None
    own, seen = (np.array([places[name] for name in names], np.float64) for places in (layout, found))
    matrix = robust_similarity(own, seen, np.ones(len(names)))
    if matrix is None:
        return None
    apart = geometry.apply(geometry.invert(matrix), seen) - own
    return matrix if np.count_nonzero(np.hypot(*apart.T) < _NEAR) >= LEAST_KEYPOINTS else None


def pose_of(area: Region, placed: Matrix | None) -> NDArray[np.float32]:
    """The map (2, 3) from an image's frame to its part's, what a network is told of where it looks.

    In the image's frame x goes from -1 at the left edge to 1 at the right one and y likewise downwards, as
    ``torch.nn.functional.affine_grid`` has them (``align_corners`` false).

    Args:
        area: of the sensor that the image shows.
        placed: from `sensor_from_part`; None gives `UNPLACED`.
    """
    if placed is None:
        return UNPLACED.copy()
    x, y, w, h = area
    sensor_from_image = np.array([[w / 2, 0.0, x + w / 2 - 0.5], [0.0, h / 2, y + h / 2 - 0.5], [0.0, 0.0, 1.0]])
    return np.asarray(geometry.compose(geometry.invert(placed), sensor_from_image)[:2], np.float32)
