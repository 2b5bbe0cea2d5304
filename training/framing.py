"""How a network's image is cut out of a part's canvas: plainly, or turned and scaled by the part's own keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.shape import ShapeModel
from pipeline.similarity import similarity
from training.augment import Affine, Image, composed, draw_similarity, inverted
from training.canvas import Canvas
from training.method import Augment, CascadeMethod

FINE = 2  # images are drawn at twice their size, then averaged, as the pipeline's halving does


class Framing(Protocol):
    """Where one network's images come from."""

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height of the image in px."""
        ...

    @property
    def shows_context(self) -> bool:
        """Whether it shows what lies around a part's region, where it reaches there; else the region's edges, repeated."""
        ...

    def fine_from_canvas(self, canvas: Canvas, xy_canvas_px: NDArray[np.floating], known: NDArray[np.bool_]) -> Affine:
        """The plain map of a part to the image at `FINE` times its size, (2, 3).

        Args:
            canvas: gives where the large image lies in it.
            xy_canvas_px: (K, 2), the part's keypoints, mirrored if the part is.
            known: (K,), the labels give a position.
        """
        ...

    def draw(self, rng: np.random.Generator, augment: Augment) -> Affine:
        """A random change of pose, a map of the fine image onto itself, (2, 3)."""
        ...


@dataclass(frozen=True)
class Plain:
    """The small image of the region, as `pipeline.stages.preprocess` cuts it.

    Attributes:
        large_wh: size of the large image in px; the canvas shows it with what lies around.
    """

    wh: tuple[int, int]
    large_wh: tuple[int, int]

    @property
    def shows_context(self) -> bool:
        """See `Framing`: on the line a part that lies aside or is turned brings its own surroundings into the region."""
        return True

    def fine_from_canvas(
        self,
        canvas: Canvas,
        xy_canvas_px: NDArray[np.floating],  # noqa: ARG002 - the same for every part
        known: NDArray[np.bool_],  # noqa: ARG002 - likewise
    ) -> Affine:
        """See `Framing`."""
        scale = FINE * self.wh[0] / self.large_wh[0]
        shift = [(0.5 - offset) * scale - 0.5 for offset in canvas.large_offset]
        return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])

    def draw(self, rng: np.random.Generator, augment: Augment) -> Affine:
        """See `Framing`: the method's rotation, scale and shift."""
        return _draw(rng, augment, self.wh, 0.0)


@dataclass(frozen=True)
class Posed:
    """The second image of a cascade, on which the part lies as its mean shape does.

    Attributes:
        pose_px: (K, 2), the mean shape in px of the image.
        cascade: how far the first network's pose may be off.
    """

    wh: tuple[int, int]
    pose_px: NDArray[np.float64]
    cascade: CascadeMethod

    @property
    def shows_context(self) -> bool:
        """See `Framing`: `pipeline.stages.posed` turns the large image and repeats its edges."""
        return False

    def fine_from_canvas(
        self,
        canvas: Canvas,  # noqa: ARG002 - the keypoints say it all
        xy_canvas_px: NDArray[np.floating],
        known: NDArray[np.bool_],
    ) -> Affine:
        """See `Framing`: the true keypoints give the pose."""
        use = known if known.sum() > 1 else np.ones(len(self.pose_px), bool)
        fine_px = (self.pose_px + 0.5) * FINE - 0.5
        xy, target = xy_canvas_px[use].astype(np.float64), fine_px[use]
        found = similarity(xy, target, np.ones(len(xy)))
        if found is None:  # labels in one place tell no pose: the part is only moved
            return np.column_stack((np.eye(2), target.mean(0) - xy.mean(0)))
        return np.asarray(found[:2])

    def draw(self, rng: np.random.Generator, augment: Augment) -> Affine:  # noqa: ARG002 - the pose is normalised
        """See `Framing`: errors like those of a first network, a few of them gross."""
        own = self.cascade
        pose = Augment(rotation_deg=own.rotation_deg, shift=own.shift, scale=own.scale)
        return _draw(rng, pose, self.wh, 0.1)


def pose_of(model: ShapeModel, wh: tuple[int, int], fill: float) -> NDArray[np.float64]:
    """The mean shape (K, 2) in px of an image of ``wh``: centred, its longest direction along the image's longer side.

    Args:
        model: of at least two keypoints.
        wh: width and height of the image.
        fill: share of the image that the shape's box fills.

    Raises:
        DataError: one keypoint has no pose.
    """
    mean = np.array(model.mean)
    if len(mean) < 2:
        raise DataError("a cascade needs two keypoints or more: one has no pose", where="cascade")
    axes = np.linalg.svd(mean - mean.mean(0))[2]  # the first row is the direction of the largest spread
    along = axes[0] if wh[0] >= wh[1] else np.array([axes[0][1], -axes[0][0]])
    turned = (mean - mean.mean(0)) @ np.array([along, [-along[1], along[0]]]).T
    low, high = turned.min(0), turned.max(0)
    scale = fill * float(np.min(np.array(wh) / np.maximum(high - low, 1e-6)))
    return np.asarray((turned - (low + high) / 2) * scale + (np.array(wh) - 1) / 2)


def _draw(rng: np.random.Generator, augment: Augment, wh: tuple[int, int], gross: float) -> Affine:
    """A random similarity about the middle; a share of ``gross`` is three times as far."""
    fine = (FINE * wh[0], FINE * wh[1])
    middle = ((fine[0] - 1) / 2, (fine[1] - 1) / 2)
    matrix = draw_similarity(rng, augment, middle, middle, fine, 1.0)
    for _ in range(2 if rng.random() < gross else 0):
        matrix = composed(draw_similarity(rng, augment, middle, middle, fine, 1.0), matrix)
    return matrix


def cut(canvas: Canvas, index: int, fine_from_canvas: Affine, framing: Framing) -> Image:
    """Draw a part at `FINE` times the framing's size, from the canvas at the scale that fits best; uint8, edges repeated."""
    scale = float(np.sqrt(abs(np.linalg.det(fine_from_canvas[:, :2]))))
    images, per_canvas = canvas.large, 1.0
    if scale <= canvas.medium_per_large:
        images, per_canvas = canvas.medium, canvas.medium_per_large
    corner = (0, 0)
    if not framing.shows_context:
        images, corner = canvas.region(images)
    source = images[index]
    shift = [0.5 * per_canvas - 0.5 - first for first in corner]
    while scale / per_canvas <= 0.5:
        source = cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        per_canvas /= 2
        shift = [(first + 0.5) / 2 - 0.5 for first in shift]
    source_from_canvas = np.array([[per_canvas, 0.0, shift[0]], [0.0, per_canvas, shift[1]]])
    matrix = composed(fine_from_canvas, inverted(source_from_canvas))
    size = (FINE * framing.wh[0], FINE * framing.wh[1])
    return np.asarray(cv2.warpAffine(source, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
