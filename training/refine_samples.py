"""Batches for the refine network, each a pure function of seed and step: a resumed run sees what it would have seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.stages.turn import part_angle
from training import augment
from training.canvas import Canvas
from training.data import HIDDEN, VISIBLE
from training.method import Augment, Method, RefineMethod
from training.samples import Batch, shuffled

_REFINE = 2  # keeps its random stream apart from those of the networks before it
_ERASER = (0.15, 0.8)  # least and largest side of what is laid over a patch, as a share of its width
_SMALL_STARTS = 0.25  # of first passes: they are run again after the shape fit, from places that are nearly right
_FEW = 8  # residuals of a keypoint; with fewer, those of all keypoints stand for it
_NOISE = 1 << 18  # values of noise that are drawn once; patches take theirs from anywhere in it


@dataclass(frozen=True)
class RefineSamples:
    """Patches around wrong positions: the first network's own errors, made a little worse.

    Attributes:
        canvas: its large images; where the large image has the region's size, these are the sensor's own pixels.
        residuals_px: (R, K, 2) float32, errors of the networks before this one, in canvas px, on parts they were not
            trained on; NaN where a part has no such keypoint or does not show it. Not for lookup by part.
        mirror: (K,) where each keypoint of the mirrored part is found; the identity where none are symmetric.
        mean_shape: (K, 2), in any unit; where patches are turned, by how much is told from it.
    """

    canvas: Canvas
    parts: NDArray[np.int64]
    method: Method
    refine: RefineMethod
    residuals_px: NDArray[np.float32]
    seed: int
    mirror: NDArray[np.int64]
    mean_shape: NDArray[np.float64]

    def batch(self, step: int) -> Batch:
        """One patch of every keypoint of some parts, M in all.

        Returns:
            ``patches`` uint8 (M, P, P, 1), ``keypoint`` and ``span`` int64 (M,), ``offset`` float32 (M, 2) from the
            patch's centre to the keypoint in patch px, ``weight`` float32 (M,) of that offset, ``visible`` bool (M,).
        """
        rng = np.random.default_rng([self.seed, _REFINE, 1, step])
        chosen = shuffled(self.parts, self.seed, _REFINE, step, self.refine.frames)
        canvas, count = self.canvas, self.canvas.state.shape[1]
        part, asked = np.repeat(chosen, count), np.tile(np.arange(count), len(chosen))
        span = rng.integers(len(self.refine.spans_px), size=len(part))
        is_mirrored = rng.random(len(part)) < (0.0 if self.method.augment.flip == "none" else 0.5)
        shown = np.where(is_mirrored, self.mirror[asked], asked)  # the keypoint that is in the patch before mirroring
        state = canvas.state[part, shown]
        start = self._starts(rng, asked, span, state)
        lies = self._angles[is_mirrored.astype(np.intp), part]
        poses, offset = self._poses(rng, canvas.xy_canvas_px[part, shown], start, span, is_mirrored, lies)
        patches = np.empty((len(part), self.refine.patch, self.refine.patch), np.uint8)
        large, first = canvas.region(canvas.large)  # a plain view: to index the memory map costs as much as a small cut
        poses[:, :, 2] += poses[:, :, :2] @ first
        for out, index, pose, width in zip(patches, part.tolist(), poses, span.tolist(), strict=True):
            cut_patch(large[index], pose, self.refine.spans_px[width], out)
        state = self._erased(rng, patches, offset, state, canvas.large_px_per_sensor_px[part], span)
        weight = np.where(state == VISIBLE, 1.0, self.refine.hidden_weight) * canvas.known[part, shown]
        return {
            "patches": relit(rng, patches, self.method.augment, self._noise)[..., None],
            "keypoint": asked,
            "span": span,
            "offset": offset.astype(np.float32),
            "weight": weight.astype(np.float32),
            "visible": state == VISIBLE,
        }

    def _starts(
        self, rng: np.random.Generator, keypoint: NDArray[np.int64], span: NDArray[np.int64], state: NDArray[np.int8]
    ) -> NDArray[np.float64]:
        """Errors of the starting positions (M, 2) in canvas px, of the part as it is shown.

        The residuals are made worse because those met under occlusion are wider than those of training. What is hidden
        starts further off still, or from where the shape fit puts it, which is nearly right.
        """
        count = len(keypoint)
        own = self._errors[keypoint, rng.integers(self._errors.shape[1], size=count)]
        worst = np.where(state == VISIBLE, 1.4, 2.0)[:, None]
        first = own * rng.uniform(0.0, worst, (count, 1)) + rng.normal(0.0, self.refine.jitter_px, (count, 2))
        later = rng.standard_t(2.5, (count, 2)) * self.refine.later_px * rng.uniform(0.2, 1.0, (count, 1))
        share = np.where(state == VISIBLE, _SMALL_STARTS, 0.5)
        is_first = (span == 0) & (rng.random(count) >= share)
        reach = 0.45 * np.array(self.refine.spans_px)[span, None]
        return np.clip(np.where(is_first[:, None], first, later), -reach, reach)

    def _poses(
        self,
        rng: np.random.Generator,
        xy_canvas_px: NDArray[np.float32],
        start: NDArray[np.float64],
        span: NDArray[np.int64],
        is_mirrored: NDArray[np.bool_],
        angle_rad: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maps patch_from_canvas (M, 2, 3) and offsets (M, 2) in patch px for keypoints at ``xy_canvas_px`` (M, 2).

        ``angle_rad`` (M,) is the direction in which patches are cut, of the part as it is shown.
        """
        vary, size, count = self.method.augment, self.refine.patch, len(span)
        turn = np.radians(rng.uniform(-1, 1, count) * vary.patch_rotation_deg) - angle_rad
        scale = size / np.array(self.refine.spans_px)[span] * np.exp(rng.uniform(-1, 1, count) * vary.patch_scale)
        cos, sin = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.stack((cos, -sin, sin, cos), axis=1).reshape(count, 2, 2)
        if vary.tilt:
            linear = linear @ augment.stretches(rng, vary.tilt, count)
        offset = -np.einsum("mij,mj->mi", linear, start)
        across = np.where(is_mirrored, -1.0, 1.0)  # the part is mirrored first, then turned
        linear[:, :, 0 if vary.flip == "x" else 1] *= across[:, None]
        shift = (size - 1) / 2 + offset - np.einsum("mij,mj->mi", linear, xy_canvas_px.astype(np.float64))
        return np.concatenate((linear, shift[..., None]), axis=2), offset

    def _erased(
        self,
        rng: np.random.Generator,
        patches: NDArray[np.uint8],
        offset: NDArray[np.float64],
        state: NDArray[np.int8],
        large_px_per_sensor_px: NDArray[np.float64],
        span: NDArray[np.int64],
    ) -> NDArray[np.int8]:
        """Lay something over some of the patches, in place; the states (M,) after that."""
        size, state = self.refine.patch, state.copy()
        radius = self.method.seen_radius_px * large_px_per_sensor_px * size / np.array(self.refine.spans_px)[span]
        for m in np.flatnonzero(rng.random(len(patches)) < self.method.augment.erase / 2):
            cover = augment.erase(rng, patches[m], (_ERASER[0] * size, _ERASER[1] * size))
            if state[m] == VISIBLE and augment.covered(cover, offset[m, None] + (size - 1) / 2, radius[m])[0]:
                state[m] = HIDDEN
        return state

    @cached_property
    def _angles(self) -> NDArray[np.float64]:
        """(2, N) rad, by which every part, as it is and mirrored, is turned from the mean shape; 0 where patches are upright."""
        canvas = self.canvas
        angles = np.zeros((2, len(canvas.state)))
        if not self.refine.turned:
            return angles
        across = np.array((-1.0, 1.0) if self.method.augment.flip == "x" else (1.0, -1.0))
        for part in self.parts:
            xy, known = canvas.xy_canvas_px[part].astype(np.float64), canvas.known[part]
            angles[0, part] = part_angle(self.mean_shape, xy, np.where(known, 1.0, np.nan))
            shown, there = xy[self.mirror] * across, known[self.mirror]
            angles[1, part] = part_angle(self.mean_shape, shown, np.where(there, 1.0, np.nan))
        return angles

    @cached_property
    def _errors(self) -> NDArray[np.float32]:
        """The residuals that are known, (K, L, 2): of each keypoint its own, over again where it has fewer than others."""
        usable = np.asarray(np.isfinite(self.residuals_px).all(2))
        every = self.residuals_px[usable] if usable.any() else np.zeros((1, 2), np.float32)
        own = [self.residuals_px[usable[:, k], k] for k in range(usable.shape[1])]
        own = [errors if len(errors) >= _FEW else every for errors in own]
        longest = max(len(errors) for errors in own)
        return np.stack([np.resize(errors, (longest, 2)) for errors in own])

    @cached_property
    def _noise(self) -> NDArray[np.float32]:
        """Normal noise, (L,), that all patches share: to draw it anew takes longer than to cut them."""
        return np.random.default_rng([self.seed, _REFINE, 2]).standard_normal(_NOISE, np.float32)


def relit(
    rng: np.random.Generator, patches: NDArray[np.uint8], vary: Augment, noise: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """As `augment.relit`, of patches (M, P, P) at once and each on its own; ``noise`` (L,) is of deviation 1."""
    count, pixels = len(patches), patches[0].size
    if vary.blur_px:
        for m in np.flatnonzero(rng.random(count) < 0.3):
            deviation = float(rng.uniform(0.2, 1.0)) * vary.blur_px + 0.1
            cv2.GaussianBlur(patches[m], (0, 0), deviation, dst=patches[m])
    flat = patches.reshape(count, pixels).astype(np.float32)
    level = flat.mean(1, keepdims=True)
    gain = np.exp(rng.uniform(-vary.contrast, vary.contrast, (count, 1))).astype(np.float32)
    brighter = (rng.uniform(-1, 1, (count, 1)) * vary.brightness + 0.5).astype(np.float32)  # 0.5: to be cut off
    grain = np.lib.stride_tricks.sliding_window_view(noise, pixels)[rng.integers(len(noise) - pixels, size=count)]
    grain *= rng.uniform(0, vary.noise, (count, 1)).astype(np.float32)
    flat *= gain
    flat += level * (1 - gain) + brighter
    flat += grain
    return np.clip(flat, 0, 255, out=flat).astype(np.uint8).reshape(patches.shape)


def cut_patch(
    image: NDArray[np.uint8], patch_from_image: augment.Affine, span_px: float, out: NDArray[np.uint8]
) -> None:
    """Sample a square patch that may be turned, area-correct in the way of `engines.devices.cpu.CpuDevice.gather`.

    Args:
        image: (H, W).
        patch_from_image: similarity or its mirror image, (2, 3).
        span_px: what the patch covers, in px of the image; from two image px a patch px on, areas are averaged.
        out: (P, P), filled.
    """
    size = len(out)
    fine = max(1, math.floor(span_px / size))
    matrix = patch_from_image * fine
    matrix[:, 2] += (fine - 1) / 2  # patch px x lies at (x + ½)·fine - ½ of the finer sampling
    wide = (size * fine, size * fine)
    if fine == 1:
        cv2.warpAffine(image, matrix, wide, out, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        return
    finer = cv2.warpAffine(image, matrix, wide, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cv2.resize(finer, (size, size), out, interpolation=cv2.INTER_AREA)
