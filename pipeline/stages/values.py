"""What the stages hand to each other: frozen values. N parts in a frame, K keypoints of a view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.devices.device import DeviceImage
from pipeline.geometry import Matrix, Points, Region, resize
from pipeline.result import Defect, Edge, Evaluation, Keypoint, KeypointState, Measurement, Reason, ResultState


@dataclass(frozen=True, slots=True)
class Prepared:
    """One part at both scales. The images live on the device that made them; the next frame overwrites them.

    Attributes:
        small: uint8 (Hs, Ws, 1), a NumPy array where the device is the CPU.
        large: uint8 (Hl, Wl), likewise.
        sensor_from_small, sensor_from_large: maps of points in px.
        region: the area of the sensor that the images show, whole px, in the corner convention.
    """

    small: DeviceImage
    large: DeviceImage
    sensor_from_small: Matrix
    sensor_from_large: Matrix
    region: Region

    @property
    def large_from_small(self) -> Matrix:
        """The map between the two images, px to px."""
        return resize(self.large.shape[1] / self.small.shape[1], self.large.shape[0] / self.small.shape[0])


@dataclass(frozen=True, slots=True)
class CoarseKeypoints:
    """Of one part, from its whole image. What a network gave as infinite is nan.

    Attributes:
        xy_large_px: (K, 2) float64.
        logits: (K, 2) float32 [exists, does not exist], summed over the networks so far; nan for a keypoint whose sigma
            is no number, so that this failure is not forgotten.
        sigma_large_px: (K,) float64, standard deviation per axis as the network says it: the root mean square of x and
            y. nan where the network gives none.
    """

    xy_large_px: Points
    logits: NDArray[np.float32]
    sigma_large_px: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RefinedKeypoints:
    """Of one part: the last word on it.

    What was not finite in any output of any network stays so here.

    Attributes:
        xy_large_px: (K, 2) float64.
        logits: (K, 2) float32, summed over the networks; of the refine network its last pass.
        sigma_large_px: (K,) float64, as in CoarseKeypoints, of the place that is given.
        is_placed: (K,) bool, the place is inferred from the other keypoints by the shape model, not seen.
    """

    xy_large_px: Points
    logits: NDArray[np.float32]
    sigma_large_px: NDArray[np.float64]
    is_placed: NDArray[np.bool_]

    @property
    def is_finite(self) -> bool:
        """Whether the networks gave a finite number for everything."""
        return bool(np.isfinite(self.xy_large_px).all() and np.isfinite(self.logits).all())


@dataclass(frozen=True, slots=True)
class Visibility:
    """Of one part: calibrated probabilities (K,) that the keypoint is there to be seen, and what follows from them."""

    probabilities: NDArray[np.float64]
    states: tuple[KeypointState, ...]


@dataclass(frozen=True, slots=True)
class FoundEdge:
    """An edge of a part that was looked for; plain values.

    Attributes:
        shape: in the unit of the view's plane: of a circle x, y of its centre and its radius, of a line x, y of its first
            end and x, y of its second; () where it was not found.
        covariance: (len(shape), len(shape)) of that, from the scatter of what was found along it.
        outline_px: points along it in order, x and y in sensor px, for people to see.
        lacking: keypoints that place it and are not visible: then it was not looked for.
    """

    name: str
    shape: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    outline_px: tuple[tuple[float, float], ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewFindings:
    """One part in one view: plain values, to be sent between processes.

    Attributes:
        image_reasons: why the picture cannot be judged (image_dark, image_saturated, image_blurred,
            part_count, region_outside), or that a network failed on it (network_not_finite); then there are no keypoints.
        stages_ns: time of each stage; what a frame's parts share is told with its first part.
        defects: none where they were not looked for, too.
        untold_defects: how many more were found than can be told.
        unplaced: zones that should have been looked at, but nobody knows where they are.
        edges: one for each edge that the recipe names in this view; none where the picture cannot be judged.
        figures: light and focus as measurements, where the recipe has masters.
    """

    view: str
    region: Region
    image_reasons: tuple[Reason, ...]
    keypoints: tuple[Keypoint, ...]
    stages_ns: dict[str, int]
    defects: tuple[Defect, ...] = ()
    untold_defects: int = 0
    unplaced: tuple[str, ...] = ()
    edges: tuple[FoundEdge, ...] = ()
    figures: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement and, where it could not be decided, what it lacked.

    Without any of it: where there is a value, it lies too near its limit for its uncertainty; where there is none, what is
    measured lies too close together.

    Attributes:
        lacking: keypoints that are not visible.
        lost_edges: edges that were looked for and not found.
        has_no_plane: the view measures in mm, and its camera has no calibration.
    """

    measurement: Measurement
    lacking: tuple[Keypoint, ...] = ()
    lost_edges: tuple[str, ...] = ()
    has_no_plane: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer on one part, over all its views."""

    result_state: ResultState
    evaluation: Evaluation
    reasons: tuple[Reason, ...]
    keypoints: tuple[Keypoint, ...]
    measurements: tuple[Measurement, ...]
    stages_ns: dict[str, int]
    defects: tuple[Defect, ...] = ()
    edges: tuple[Edge, ...] = ()
