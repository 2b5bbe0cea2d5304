"""Batches for the refine network, each a pure function of seed and step: a resumed run sees what it would have seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training import augment
from training.canvas import Canvas
from training.data import HIDDEN, VISIBLE
from training.method import Method, RefineMethod
from training.samples import Batch, shuffled

_REFINE = 2  # keeps its random stream apart from that of the first network


@dataclass(frozen=True)
class RefineSamples:
    """Patches around wrong positions: the first network's own errors, made a little worse.

    Attributes:
        residuals_px: (R, K, 2) float32, errors of the first network on parts it was not trained on, large-image px.
    """

    canvas: Canvas
    parts: NDArray[np.int64]
    method: Method
    refine: RefineMethod
    residuals_px: NDArray[np.float32]
    seed: int

    def batch(self, step: int) -> Batch:
        """Patches uint8 (M, P, P, 1), keypoint and span int64 (M,), offset (M, 2) in patch px, weight, visible (M,)."""
        rng = np.random.default_rng([self.seed, _REFINE, 1, step])
        chosen = shuffled(self.parts, self.seed, _REFINE, step, self.refine.frames)
        count = self.canvas.state.shape[1]
        frame, keypoint = np.repeat(chosen, count), np.tile(np.arange(count), len(chosen))
        span = rng.integers(len(self.refine.spans_px), size=len(frame))
        start = self._starts(rng, keypoint, span)
        patches, offsets, states = [], [], []
        for f, k, s, off in zip(frame, keypoint, span, start, strict=True):
            patch, offset, seen = self._one(rng, int(f), int(k), self.refine.spans_px[s], off)
            patches.append(patch)
            offsets.append(offset)
            states.append(seen)
        state = np.array(states, np.int8)
        weight = np.where(state == VISIBLE, 1.0, self.refine.hidden_weight) * self.canvas.known[frame, keypoint]
        return {
            "patches": np.stack(patches)[..., None],
            "keypoint": keypoint,
            "span": span,
            "offset": np.stack(offsets).astype(np.float32),
            "weight": weight.astype(np.float32),
            "visible": np.asarray(state == VISIBLE),
        }

    def _starts(
        self, rng: np.random.Generator, keypoint: NDArray[np.int64], span: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Errors of the starting positions (M, 2) in large-image px."""
        count = len(keypoint)
        own = self.residuals_px[rng.integers(len(self.residuals_px), size=count), keypoint]
        worse = own * rng.uniform(0.0, 1.4, (count, 1)) + rng.normal(0.0, self.refine.jitter_px, (count, 2))
        later = rng.standard_t(2.5, (count, 2)) * self.refine.later_px * rng.uniform(0.2, 1.0, (count, 1))
        reach = 0.45 * np.array(self.refine.spans_px)[span, None]
        return np.clip(np.where(span[:, None] == 0, worse, later), -reach, reach)

    def _one(
        self, rng: np.random.Generator, frame: int, keypoint: int, span_px: float, start: NDArray[np.float64]
    ) -> tuple[augment.Image, NDArray[np.float64], int]:
        canvas, vary, size = self.canvas, self.method.augment, self.refine.patch
        truth = canvas.xy_canvas_px[frame, keypoint]
        centre = (float(truth[0] + start[0]), float(truth[1] + start[1]))
        middle = ((size - 1) / 2, (size - 1) / 2)
        matrix = augment.similarity(
            rng.uniform(-1, 1) * vary.patch_rotation_deg,
            size / span_px * float(np.exp(rng.uniform(-1, 1) * vary.patch_scale)),
            centre,
            middle,
        )
        patch = cut_patch(canvas.large[frame], matrix, size, span_px)
        offset = matrix[:, :2] @ -start
        state = int(canvas.state[frame, keypoint])
        if vary.erase and rng.random() < vary.erase / 2:
            cover = augment.erase(rng, patch, (0.15 * size, 0.8 * size))
            radius = self.method.seen_radius_px * canvas.large_px_per_sensor_px[frame] * size / span_px
            if state == VISIBLE and augment.covered(cover, (offset + middle)[None], radius)[0]:
                state = HIDDEN
        return augment.relit(rng, patch, vary, noise=vary.noise), offset, state


def cut_patch(image: NDArray[np.uint8], patch_from_image: augment.Affine, size: int, span_px: float) -> augment.Image:
    """Sample a square patch that may be turned, area-correct in the way of `engines.devices.cpu.CpuDevice.gather`.

    Args:
        image: (H, W).
        patch_from_image: similarity, (2, 3).
        size: side of the patch in px.
        span_px: what the patch covers, in px of the image; from two image px a patch px on, areas are averaged.
    """
    fine = max(1, math.floor(span_px / size))
    matrix = patch_from_image * fine
    matrix[:, 2] += (fine - 1) / 2  # patch px x lies at (x + ½)·fine - ½ of the finer sampling
    patch = cv2.warpAffine(
        image, matrix, (size * fine, size * fine), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if fine > 1:
        patch = cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, np.uint8)
