"""From sensor px to mm of the plane that is measured in, and back, with what the calibration says of its own uncertainty."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pipeline.geometry import Points
from pipeline.lens_model import AffineLens, Array, Lens

_NEWTON_STEPS = 20
_NEAR_ENOUGH_PX = 1e-9
_FAR_PX = 1e-6  # what stays that far from what it should be drawn at has no place on the plane


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """Sensor px to mm of one plane. x and y of it are those of the board that was laid there, or the image's own.

    Attributes:
        lens: what draws.
        pose: (6,) of the plane, as the lens's model has it.
        covariance: (P + 6 + 2,) squared: of the lens's parameters, the pose, the height in mm, and the relative length of
            the board's own mm, jointly; None where nobody has stated an uncertainty.
        height_mm: how far above the plane, towards the camera, is what is measured.
    """

    lens: Lens
    pose: Array
    covariance: Array | None = None
    height_mm: float = 0.0

    @classmethod
    def from_scale(cls, scale_mm_per_px: float, scale_sigma: float | None = None) -> "PlaneMap":
        """A camera that looks straight down through a lens without distortion. x and y are the image's.

        Args:
            scale_mm_per_px: size of a pixel, above 0.
            scale_sigma: its standard uncertainty in mm per px; None where it is not known.
        """
        shrink = 1.0 / scale_mm_per_px
        lens = AffineLens(np.zeros(4), (0.0, 0.0), 1.0)
        covariance = None
        if scale_sigma is not None:
            by_scale = np.zeros(len(lens.names) + 8)
            by_scale[len(lens.names) + np.array([0, 3])] = shrink * shrink
            covariance = np.outer(by_scale, by_scale) * scale_sigma**2
        return cls(lens, np.array([shrink, 0.0, 0.0, shrink, 0.0, 0.0]), covariance)

    def at_height(self, height_mm: float, sigma_mm: float = 0.0) -> "PlaneMap":
        """The map of what lies so far above this plane, towards the camera; `sigma_mm` is how sure that is."""
        covariance = None if self.covariance is None else self.covariance.copy()
        if covariance is not None:
            covariance[-2, -2] += sigma_mm**2
        return replace(self, covariance=covariance, height_mm=self.height_mm + height_mm)

    @property
    def states_uncertainty(self) -> bool:
        """Whether `covariance_mm2` means something: else it is 0 because nothing is known."""
        return self.covariance is not None

    def to_px(self, xy_mm: ArrayLike) -> Points:
        """Where points of the plane (n, 2) lie on the sensor, (n, 2)."""
        return self.lens.draw(self.pose, self._xyz_mm(xy_mm)).xy_sensor_px

    def to_mm(self, xy_sensor_px: ArrayLike) -> Points:
        """Points of the plane (n, 2) in mm, from px (n, 2); nan for a point that no point of the plane is drawn at."""
        wanted = np.asarray(xy_sensor_px, np.float64).reshape(-1, 2)
        mm = self.lens.near_mm(self.pose, wanted, -self.height_mm)
        off_px = np.full(len(mm), np.inf)
        for _ in range(_NEWTON_STEPS):
            drawn = self.lens.draw(self.pose, self._xyz_mm(mm))
            missing = wanted - drawn.xy_sensor_px
            off_px = np.abs(missing).max(axis=1, initial=0.0)
            if not (off_px > _NEAR_ENOUGH_PX).any():
                break
            mm = mm + _solved(drawn.by_xyz_mm[:, :, :2], missing)
        mm[~(off_px < _FAR_PX)] = np.nan
        return np.asarray(mm)

    def jacobian(self, xy_sensor_px: ArrayLike) -> Array:
        """D mm / d px at points (n, 2): (n, 2, 2), the row is the mm's axis; nan where `to_mm` is."""
        drawn = self.lens.draw(self.pose, self._xyz_mm(self.to_mm(xy_sensor_px)))
        return _inverted(drawn.by_xyz_mm[:, :, :2])

    def mm_per_px(self, xy_sensor_px: ArrayLike) -> float:
        """How many mm a px is at one point (2,): the root of the area that it covers; nan where `to_mm` is."""
        return float(np.sqrt(np.abs(np.linalg.det(self.jacobian(xy_sensor_px)[0]))))

    def covariance_mm2(self, xy_sensor_px: ArrayLike) -> Array:
        """What the calibration's uncertainty alone does to points (n, 2) at exact px: (2n, 2n) mm², x and y in turn.

        Jointly over the points: the ends of a distance share every parameter, and most of it cancels. By the implicit
        function theorem: where px are fixed, d mm = -(d px / d mm)⁻¹ (d px / d parameters) d parameters.

        Returns:
            Zeros where nobody has stated an uncertainty; nan in the rows and columns of a point without a place.
        """
        mm = self.to_mm(xy_sensor_px)
        if self.covariance is None:
            return np.zeros((mm.size, mm.size))
        drawn = self.lens.draw(self.pose, self._xyz_mm(mm))
        by_height = -drawn.by_xyz_mm[:, :, 2:]  # it counts towards the camera, z away from it
        by_all = np.concatenate([drawn.by_lens, drawn.by_pose, by_height], axis=2)
        moved = -_inverted(drawn.by_xyz_mm[:, :, :2]) @ by_all
        # a board that is longer than it says makes all lengths of its plane longer
        by_parameters = np.concatenate([moved, mm[:, :, None]], axis=2).reshape(mm.size, -1)
        return np.asarray(by_parameters @ self.covariance @ by_parameters.T)

    def _xyz_mm(self, xy_mm: ArrayLike) -> Array:
        xy = np.asarray(xy_mm, np.float64).reshape(-1, 2)
        return np.column_stack([xy, np.full(len(xy), -self.height_mm)])


def _inverted(matrices: Array) -> Array:
    """Of each (n, 2, 2); nan in place of what cannot be."""
    (a, b), (c, d) = np.moveaxis(matrices, 0, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = np.array([[d, -b], [-c, a]]) / (a * d - b * c)
    inverses = np.moveaxis(turned, 2, 0)
    return np.where(np.isfinite(inverses), inverses, np.nan)


def _solved(matrices: Array, vectors: Points) -> Points:
    return np.asarray((_inverted(matrices) @ vectors[:, :, None])[:, :, 0])
