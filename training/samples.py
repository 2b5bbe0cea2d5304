"""Batches of images for the first and the second network, each a pure function of seed and step.

A resumed run therefore sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training import augment
from training.canvas import Canvas
from training.data import HIDDEN, MISSING, VISIBLE
from training.framing import FINE, Framing, cut
from training.method import Method

Batch = Mapping[str, NDArray[np.generic]]
_HIDDEN_WEIGHT = 0.3  # of positions that are labelled but not seen: worth knowing, not worth much
_MOST_ERASERS = 3


def shuffled(parts: NDArray[np.int64], seed: int, stream: int, step: int, count: int) -> NDArray[np.int64]:
    """The ``count`` parts of one step: every epoch is a new permutation, none is left out."""
    first = step * count
    chosen: list[np.int64] = []
    for position in range(first, first + count):
        epoch, place = divmod(position, len(parts))
        if not chosen or place == 0:
            order = np.random.default_rng([seed, stream, 0, epoch]).permutation(len(parts))
        chosen.append(parts[order[place]])
    return np.array(chosen)


@dataclass(frozen=True)
class _Sample:
    """One drawn image: uint8 (H, W); xy (K, 2) in its px; state and known (K,); sensor px to an image px."""

    image: augment.Image
    xy: NDArray[np.float64]
    state: NDArray[np.int8]
    known: NDArray[np.bool_]
    sensor_px_per_px: float


@dataclass(frozen=True)
class ImageSamples:
    """Images of parts in random pose and light, some of them partly covered.

    Attributes:
        parts: indices of the parts to draw from.
        framing: how an image is cut.
        mean_shape: (K, 2), in any unit; rotation is told from it.
        mirror: (K,) where each keypoint of the mirrored part is found; the identity where none are symmetric.
        stream: keeps the random numbers of the networks apart.
        size: images in a batch.
    """

    canvas: Canvas
    parts: NDArray[np.int64]
    method: Method
    framing: Framing
    mean_shape: NDArray[np.float64]
    mirror: NDArray[np.int64]
    stream: int
    size: int

    def batch(self, step: int) -> Batch:
        """What `KeypointNetwork.losses` takes: image uint8 (N, H, W, 1), xy in px of it, weight, visible, attributes."""
        seed = self.method.seed
        rng = np.random.default_rng([seed, self.stream, 1, step])
        chosen = shuffled(self.parts, seed, self.stream, step, self.size)
        return self._stacked([self._random(rng, int(index)) for index in chosen])

    def shapes(self, count: int = 4000) -> NDArray[np.float64]:
        """Keypoints (count, K, 2) in px of the image in the poses that training will draw, mirrored ones too."""
        rng = np.random.default_rng([self.method.seed, self.stream, 3])
        rows = []
        for index in rng.choice(self.parts, count):
            pose, is_mirrored = self._pose(rng)
            matrix, order = self._fine_from_canvas(int(index), pose, is_mirrored=is_mirrored)
            rows.append((augment.mapped(matrix, self.canvas.xy_canvas_px[index])[order] + 0.5) / FINE - 0.5)
        return np.stack(rows)

    def plain(self, parts: NDArray[np.int64], seed: int) -> tuple[Batch, NDArray[np.float64]]:
        """The given parts as they are, but posed with the framing's errors if it has any: a batch to validate on.

        Returns:
            The batch, and (N,) sensor px to a px of its images.
        """
        rng = np.random.default_rng([self.method.seed, self.stream, 2, seed])
        poses = [self.framing.draw(rng, augment.STILL) for _ in parts]
        drawn = [self._drawn(int(part), pose, is_mirrored=False) for part, pose in zip(parts, poses, strict=True)]
        samples = [self._finished(sample) for sample in drawn]
        return self._stacked(samples), np.array([sample.sensor_px_per_px for sample in samples])

    def _random(self, rng: np.random.Generator, index: int) -> _Sample:
        vary, wh = self.method.augment, (FINE * self.framing.wh[0], FINE * self.framing.wh[1])
        pose, is_mirrored = self._pose(rng)
        drawn = self._drawn(index, pose, is_mirrored=is_mirrored)
        state = drawn.state.copy()
        radius = self.method.seen_radius_px / drawn.sensor_px_per_px
        for _ in range(_MOST_ERASERS):
            if rng.random() >= vary.erase:
                break
            cover = augment.erase(rng, drawn.image, (vary.erase_size[0] * wh[0], vary.erase_size[1] * wh[0]))
            state[augment.covered(cover, drawn.xy, radius) & (state == VISIBLE)] = HIDDEN
        image = augment.relit(rng, drawn.image, vary, noise=vary.noise / FINE)
        return self._finished(_Sample(image, drawn.xy, state, drawn.known, drawn.sensor_px_per_px))

    def _pose(self, rng: np.random.Generator) -> tuple[augment.Affine, bool]:
        """A random change of pose, a map of the fine image onto itself, and whether the part is mirrored before it."""
        vary = self.method.augment
        pose = self.framing.draw(rng, vary)
        if vary.tilt:
            linear = augment.stretches(rng, vary.tilt, 1)[0]
            middle = (FINE * np.array(self.framing.wh) - 1) / 2
            pose = augment.composed(pose, np.column_stack((linear, middle - linear @ middle)))
        return pose, vary.flip != "none" and rng.random() >= 0.5

    def _fine_from_canvas(
        self, index: int, pose: augment.Affine, *, is_mirrored: bool
    ) -> tuple[augment.Affine, NDArray[np.int64]]:
        """The map (2, 3) of a part to its image at `FINE` times the size, and which keypoint (K,) takes each one's place.

        A mirrored part is mirrored on its canvas and framed after that: in a cascade it is brought to the mean pose, as
        the pipeline does it, and not to that pose's mirror image, which the second network never meets.
        """
        canvas = self.canvas
        xy, known = canvas.xy_canvas_px[index].astype(np.float64), canvas.known[index]
        if not is_mirrored:
            plain = self.framing.fine_from_canvas(canvas, xy, known)
            return augment.composed(pose, plain), np.arange(len(known), dtype=np.int64)
        flip = augment.mirrored(self.method.augment.flip, (canvas.large.shape[2], canvas.large.shape[1]))
        shown = augment.mapped(flip, xy)[self.mirror]
        framed = self.framing.fine_from_canvas(canvas, shown, known[self.mirror])
        return augment.composed(pose, augment.composed(framed, flip)), self.mirror

    def _drawn(self, index: int, pose: augment.Affine, *, is_mirrored: bool) -> _Sample:
        """The part at `FINE` times the image's size."""
        canvas = self.canvas
        matrix, order = self._fine_from_canvas(index, pose, is_mirrored=is_mirrored)
        image = cut(canvas, index, matrix, self.framing)
        xy = augment.mapped(matrix, canvas.xy_canvas_px[index])[order]
        state = canvas.state[index][order]
        outside = ((xy < -0.5) | (xy > (image.shape[1] - 0.5, image.shape[0] - 0.5))).any(1)
        state[outside & (state == VISIBLE)] = HIDDEN
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))) * canvas.large_px_per_sensor_px[index]
        return _Sample(image, xy, state, canvas.known[index][order], 1.0 / scale)

    def _finished(self, fine: _Sample) -> _Sample:
        image = cv2.resize(fine.image, self.framing.wh, interpolation=cv2.INTER_AREA)
        xy = (fine.xy + 0.5) / FINE - 0.5
        return _Sample(np.asarray(image, np.uint8), xy, fine.state, fine.known, fine.sensor_px_per_px * FINE)

    def _stacked(self, samples: Sequence[_Sample]) -> Batch:
        state = np.stack([sample.state for sample in samples])
        xy = np.stack([sample.xy for sample in samples])
        known = np.stack([sample.known for sample in samples])
        exists = state != MISSING
        hidden = (state == HIDDEN).sum(1) / np.maximum(exists.sum(1), 1)
        return {
            "image": np.stack([sample.image for sample in samples])[..., None],
            "xy": xy.astype(np.float32),
            "weight": (np.where(state == VISIBLE, 1.0, _HIDDEN_WEIGHT) * known).astype(np.float32),
            "visible": state == VISIBLE,
            "occluded": hidden.astype(np.float32),
            "rotation": self._rotation(xy).astype(np.float32),
        }

    def _rotation(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how many radians each shape (N, K, 2) is turned from the mean shape; 0 for shapes that are a point."""
        z = xy[..., 0] + 1j * xy[..., 1]
        mean = self.mean_shape[:, 0] + 1j * self.mean_shape[:, 1]
        turn = ((z - z.mean(1, keepdims=True)) * np.conj(mean - mean.mean())).sum(1)
        return np.where(np.abs(turn) > 1e-9, np.angle(turn), 0.0)
