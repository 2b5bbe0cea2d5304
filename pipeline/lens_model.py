"""How lenses draw points: Brown's and the fisheye model of OpenCV, and the affine one of telecentric lenses.

A lens has parameters of its own, and draws an object that lies somewhere (its pose) onto the sensor. Everything is
differentiated, so that what is known of the parameters says what is known of a point.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.geometry import Points

Array = NDArray[np.float64]
_STEPS = 100  # at most, of the iteration that takes distortion away
_FEW_STEPS = 4


class Drawn(NamedTuple):
    """N points as a lens draws them.

    Attributes:
        xy_sensor_px: (N, 2).
        by_lens: (N, 2, P) d px by each of the lens's parameters.
        by_pose: (N, 2, 6) d px by each of the pose's numbers.
        by_xyz_mm: (N, 2, 3) d px / d mm of the object's own frame.
    """

    xy_sensor_px: Points
    by_lens: Array
    by_pose: Array
    by_xyz_mm: Array


class Lens(Protocol):
    """One lens. `pose` is (6,): what the numbers mean is the model's own."""

    names: ClassVar[tuple[str, ...]]

    @property
    def values(self) -> Array:
        """The parameters in the order of `names`."""
        ...

    def with_values(self, values: Array) -> "Lens":
        """The same kind of lens with other parameters."""
        ...

    def draw(self, pose: Array, xyz_mm: ArrayLike) -> Drawn:
        """Where points (N, 3) of an object in this pose are drawn."""
        ...

    def near_mm(self, pose: Array, xy_sensor_px: Points, z_mm: float) -> Points:
        """Roughly the points (N, 2) of the object's plane z = z_mm that are drawn there; nan where none is."""
        ...


@dataclass(frozen=True, slots=True)
class BrownLens:
    """Pinhole with Brown's distortion (D. C. Brown, Decentering Distortion of Lenses, 1966; as OpenCV's calib3d).

    fx, fy, cx, cy in px, the rest without a unit. A pose is a rotation vector (3,), then the place in mm (3,) of the
    object's origin before the camera: x right, y down, z away from it.
    """

    names: ClassVar[tuple[str, ...]] = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
    values: Array

    def with_values(self, values: Array) -> "BrownLens":
        """The same kind of lens with other parameters."""
        return replace(self, values=values)

    def draw(self, pose: Array, xyz_mm: ArrayLike) -> Drawn:
        """Where points (N, 3) are drawn."""
        matrix, coefficients = _matrix(self.values), self.values[4:]
        points = np.ascontiguousarray(xyz_mm, np.float64).reshape(-1, 1, 3)
        xy, jacobian = cv2.projectPoints(points, pose[:3], pose[3:], matrix, coefficients)
        by = np.asarray(jacobian, np.float64).reshape(len(points), 2, -1)
        rotation = np.asarray(cv2.Rodrigues(pose[:3])[0], np.float64)
        return Drawn(np.asarray(xy, np.float64).reshape(-1, 2), by[:, :, 6:15], by[:, :, :6], by[:, :, 3:6] @ rotation)

    def near_mm(self, pose: Array, xy_sensor_px: Points, z_mm: float) -> Points:
        """Roughly the points of the plane z = z_mm that are drawn there."""
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, 1e-9)
        pixels = np.ascontiguousarray(xy_sensor_px, np.float64).reshape(-1, 1, 2)
        rays = cv2.undistortPoints(pixels, _matrix(self.values), self.values[4:], criteria=criteria)
        return _on_plane(pose, np.asarray(rays, np.float64).reshape(-1, 2), z_mm)


@dataclass(frozen=True, slots=True)
class FisheyeLens:
    """Equidistant fisheye with four coefficients (Kannala and Brandt 2006; as cv2.fisheye). Poses as in BrownLens."""

    names: ClassVar[tuple[str, ...]] = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")
    values: Array

    def with_values(self, values: Array) -> "FisheyeLens":
        """The same kind of lens with other parameters."""
        return replace(self, values=values)

    def draw(self, pose: Array, xyz_mm: ArrayLike) -> Drawn:
        """Where points (N, 3) are drawn."""
        points = np.ascontiguousarray(xyz_mm, np.float64).reshape(1, -1, 3)
        matrix = _matrix(self.values)
        xy, jacobian = cv2.fisheye.projectPoints(points, pose[:3], pose[3:], matrix, self.values[4:])
        by = np.asarray(jacobian, np.float64).reshape(points.shape[1], 2, -1)
        rotation = np.asarray(cv2.Rodrigues(pose[:3])[0], np.float64)
        by_pose, by_place = by[:, :, 8:14], by[:, :, 11:14]
        return Drawn(np.asarray(xy, np.float64).reshape(-1, 2), by[:, :, :8], by_pose, by_place @ rotation)

    def near_mm(self, pose: Array, xy_sensor_px: Points, z_mm: float) -> Points:
        """Roughly the points of the plane z = z_mm that are drawn there."""
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _STEPS, 1e-9)
        pixels = np.ascontiguousarray(xy_sensor_px, np.float64).reshape(-1, 1, 2)
        rays = cv2.fisheye.undistortPoints(pixels, _matrix(self.values), self.values[4:], criteria=criteria)
        return _on_plane(pose, np.asarray(rays, np.float64).reshape(-1, 2), z_mm)


@dataclass(frozen=True, slots=True)
class AffineLens:
    """Parallel projection, as of telecentric lenses, with Brown's distortion about the middle of the image.

    A pose is a11, a12, a21, a22 in px/mm and b1, b2 in px: undistorted px = a · (x, y) + b. Heights do not show.

    Attributes:
        values: k1, k2, p1, p2, of lengths in units of `unit_px`.
        middle_px: where distortion starts from.
        unit_px: half of the image's diagonal.
    """

    names: ClassVar[tuple[str, ...]] = ("k1", "k2", "p1", "p2")
    values: Array
    middle_px: tuple[float, float]
    unit_px: float

    def with_values(self, values: Array) -> "AffineLens":
        """The same kind of lens with other parameters."""
        return replace(self, values=values)

    def draw(self, pose: Array, xyz_mm: ArrayLike) -> Drawn:
        """Where points (N, 3) are drawn, whatever their height."""
        xy = np.asarray(xyz_mm, np.float64).reshape(-1, 3)[:, :2]
        flat_px = xy @ pose[:4].reshape(2, 2).T + pose[4:]
        drawn, by_flat, by_lens = _distorted(self.values, (flat_px - self.middle_px) / self.unit_px)
        by_pose = np.zeros((len(xy), 2, 6))
        by_pose[:, 0, :2] = by_pose[:, 1, 2:4] = xy
        by_pose[:, 0, 4] = by_pose[:, 1, 5] = 1.0
        by_xyz = np.zeros((len(xy), 2, 3))
        by_xyz[:, :, :2] = by_flat @ pose[:4].reshape(2, 2)
        return Drawn(drawn * self.unit_px + self.middle_px, by_lens * self.unit_px, by_flat @ by_pose, by_xyz)

    def near_mm(self, pose: Array, xy_sensor_px: Points, z_mm: float) -> Points:  # noqa: ARG002 - does not show
        """Roughly the points that are drawn there."""
        drawn = (np.asarray(xy_sensor_px, np.float64).reshape(-1, 2) - self.middle_px) / self.unit_px
        flat = drawn.copy()
        for _ in range(_FEW_STEPS):
            flat = flat + drawn - _distorted(self.values, flat)[0]
        flat_px = flat * self.unit_px + self.middle_px
        return np.asarray(np.linalg.solve(pose[:4].reshape(2, 2), (flat_px - pose[4:]).T).T)


LENSES: Mapping[str, type[BrownLens] | type[FisheyeLens] | type[AffineLens]] = {
    "brown": BrownLens,
    "fisheye": FisheyeLens,
    "affine": AffineLens,
}


def make_lens(model: str, values: Array, image_wh: tuple[int, int]) -> Lens:
    """A lens of a model in LENSES, for images of this size in px."""
    width, height = image_wh
    if model == "affine":
        return AffineLens(values, ((width - 1) / 2, (height - 1) / 2), float(np.hypot(width, height)) / 2)
    return BrownLens(values) if model == "brown" else FisheyeLens(values)


def _matrix(values: Array) -> Array:
    fx, fy, cx, cy = values[:4]
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def _on_plane(pose: Array, rays: Points, z_mm: float) -> Points:
    """Where rays (x, y, 1) before the camera meet the object's plane z = z_mm; nan where they do not, ahead of it."""
    rotation = np.asarray(cv2.Rodrigues(pose[:3])[0], np.float64)
    towards = np.column_stack([rays, np.ones(len(rays))]) @ rotation
    start = -rotation.T @ pose[3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (z_mm - start[2]) / towards[:, 2]
        met = start[:2] + far[:, None] * towards[:, :2]
    met[~(far > 0.0)] = np.nan
    return np.asarray(met)


def _distorted(values: Array, flat: Points) -> tuple[Points, Array, Array]:
    """Brown's distortion of points without a unit (N, 2); its derivatives by them (N, 2, 2) and by k1, k2, p1, p2."""
    k1, k2, p1, p2 = values
    x, y = flat[:, 0], flat[:, 1]
    square = x * x + y * y
    radial = 1.0 + square * (k1 + square * k2)
    slope = 2.0 * (k1 + 2.0 * k2 * square)  # d radial / d x is x times this
    bent = np.column_stack(
        [
            x * radial + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
            y * radial + p1 * (square + 2.0 * y * y) + 2.0 * p2 * x * y,
        ]
    )
    by_flat = np.empty((len(flat), 2, 2))
    by_flat[:, 0, 0] = radial + x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x
    by_flat[:, 1, 1] = radial + y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x
    by_flat[:, 0, 1] = by_flat[:, 1, 0] = x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y
    columns_x = [x * square, x * square * square, 2.0 * x * y, square + 2.0 * x * x]
    columns_y = [y * square, y * square * square, square + 2.0 * y * y, 2.0 * x * y]
    by_values = np.stack([np.column_stack(columns_x), np.column_stack(columns_y)], axis=1)
    return bent, by_flat, by_values
