"""Renders parts on a conveyor, with exact truth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator import texture
from simulator.defects.defect import Defect
from simulator.defects.draw import draw_defects
from simulator.defects.workpiece import workpiece
from simulator.families import blueprint, families
from simulator.light import glint, illumination, unshadowed
from simulator.occluder import Occluder, sample_occluder
from simulator.parts import Blueprint
from simulator.scene import LEAST_BLUR_PX, Occlusion, Scene, sample_scene
from simulator.sprite import FLAT
from simulator.surface import GAIN_ONE, PartSurface, Surface, part_to_image
from simulator.truth import PartTruth

__all__ = ["Occlusion", "PartRenderer", "Rendered", "families", "frame_seed"]

_PIVOT_GREY = 95.0  # contrast is reduced around this level
_HEAVY_SHARE = (0.25, 0.40)
_DEFECT_STREAM = 1


@dataclass(frozen=True)
class Rendered:
    """One frame and what is true about it.

    Attributes:
        image: (height, width) uint8, Mono8.
        xy_sensor_px: (K, 2) float64, pixel centres at integers; also for keypoints that cannot be seen.
        state: (K,) int8, 2 visible, 1 hidden by an occluder or outside the image, 0 the feature is missing.
        box_xywh_sensor_px: extremes of the part's outline, pixel centres; may reach out of the image.
        family: name of the part family.
        attributes: rotation_deg (clockwise), contrast, blur_px, noise_levels, occluded_fraction (of the part's area),
            mm_per_px, and the true dimensions of this part by name.
        defects: scratches, dents, stains and burrs; their masks share no pixel. None unless they were asked for.
    """

    image: NDArray[np.uint8]
    xy_sensor_px: NDArray[np.float64]
    state: NDArray[np.int8]
    box_xywh_sensor_px: tuple[float, float, float, float]
    family: str
    attributes: dict[str, float]
    defects: tuple[Defect, ...] = ()


def frame_seed(set_seed: int, index: int) -> int:
    """Seed of frame ``index`` of a set, below 2**63: sets with different seeds share no frame."""
    return int(np.random.SeedSequence([set_seed, index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


class PartRenderer:
    """Renders one family, by its name or by a blueprint of its own. The same seed gives the same bytes in every process.

    Raises:
        DatumdError: there is no family of that name.
    """

    def __init__(self, family: str | Blueprint = "bracket", *, width: int = 1280, height: int = 1024) -> None:
        self._blueprint = blueprint(family) if isinstance(family, str) else family
        self._width, self._height = width, height
        self._surface = PartSurface(self._blueprint, width=width, height=height)
        self._truth = PartTruth(self._blueprint)
        self.keypoints: tuple[str, ...] = self._blueprint.keypoints
        self.mm_per_px: float = self._blueprint.mm_per_px

    def render(self, seed: int, *, occlusion: Occlusion = Occlusion.ORDINARY, defects: float = 0.0) -> Rendered:
        """Render the frame of one seed (0 ≤ seed).

        Args:
            seed: of the frame.
            occlusion: how much is in the way of the camera.
            defects: chance, 0..1, that the part has scratches, dents, stains or burrs. Everything else in the frame
                stays as it is without them, to the sensor's noise, and a larger chance only adds parts.
        """
        rng = np.random.default_rng(seed)
        scene = sample_scene(self._blueprint, rng, occlusion, width=self._width, height=self._height)
        box = self._truth.box_px(scene)
        surface = self._surface.draw(scene, box)
        occluders, cover = self._occluders(rng, scene, surface, occlusion)
        image, found = self._picture(rng, scene, surface, occluders, _defect_chances(seed, defects))
        xy_px = self._truth.keypoints_px(scene)
        return Rendered(
            image=_sensor(image, rng, scene),
            xy_sensor_px=xy_px,
            state=self._truth.states(scene, xy_px, cover),
            box_xywh_sensor_px=box,
            family=self._blueprint.family,
            attributes={
                "rotation_deg": scene.rotation_deg,
                "contrast": scene.contrast,
                "blur_px": scene.blur_px,
                "noise_levels": scene.noise_levels,
                "occluded_fraction": _covered_share(surface, cover),
                "mm_per_px": self.mm_per_px,
                **self._truth.dimensions(scene),
            },
            defects=found,
        )

    def _occluders(
        self, rng: np.random.Generator, scene: Scene, surface: Surface, occlusion: Occlusion
    ) -> tuple[list[Occluder], NDArray[np.uint8]]:
        """Occluders and the image (H, W) uint8 of what they cover."""
        cover = np.zeros((self._height, self._width), np.uint8)
        placed: list[Occluder] = []
        share = 0.0
        target = float(rng.uniform(*_HEAVY_SHARE)) if occlusion is Occlusion.HEAVY else 1.0
        count = {
            Occlusion.NONE: 0,
            Occlusion.SPARSE: int(rng.random() < 1 / 6),
            Occlusion.ORDINARY: int(rng.choice((0, 1, 2, 3, 4), p=(0.06, 0.24, 0.3, 0.25, 0.15))),
            Occlusion.HEAVY: 80,  # attempts
        }[occlusion]
        points = self._truth.keypoints_px(scene)
        for _ in range(count):
            centre = points[rng.integers(len(points))] + rng.normal(0.0, 32.0, 2)
            occluder = sample_occluder(rng, (float(centre[0]), float(centre[1])), scene.light, cover.shape)
            if occluder is None:
                continue
            together = cover.copy()
            window = _window(together, occluder)
            np.maximum(window, occluder.cover, out=window)
            more = _covered_share(surface, together)
            if occlusion is Occlusion.HEAVY and not share + 0.01 < more <= _HEAVY_SHARE[1]:
                continue  # it would lie beside the part, or hide too much of it
            cover, share = together, more
            placed.append(occluder)
            if share >= target:
                break
        return placed, cover

    def _picture(
        self,
        rng: np.random.Generator,
        scene: Scene,
        surface: Surface,
        occluders: list[Occluder],
        defect_rng: np.random.Generator | None,
    ) -> tuple[NDArray[np.uint8], tuple[Defect, ...]]:
        """Light on belt, part and occluders: (H, W) uint8 before lens and sensor; and the part's defects."""
        light = illumination(scene, self._width, self._height)
        for occluder in occluders:
            light *= unshadowed(occluder.at, occluder.cover, scene, occluder.height_px, light.shape, 0.5)
        part_shadow = unshadowed(surface.at, surface.solid, scene, 11.0, light.shape, 0.62)
        size = (self._width, self._height)
        belt = texture.cut(texture.belt(), rng, self._height, self._width)
        lit_belt = cv2.multiply(belt, cv2.resize(light * part_shadow, size), dtype=cv2.CV_8U)
        image = np.asarray(lit_belt, dtype=np.uint8)
        light = np.asarray(cv2.resize(light, size), dtype=np.float32)
        metal, steepness = self._metal(rng, scene, surface, light)
        shown = np.asarray(
            cv2.convertScaleAbs(metal), dtype=np.uint8
        )  # rounds and saturates; there is nothing negative
        _composite(image, surface.at, shown, surface.solid)
        defects: tuple[Defect, ...] = ()
        if defect_rng is not None:
            work = workpiece(scene, surface, metal, steepness, light, image, occluders)
            defects = draw_defects(defect_rng, work, image)
        for occluder in occluders:
            _composite(image, occluder.at, occluder.grey, occluder.cover)
        return image, defects

    def _metal(
        self, rng: np.random.Generator, scene: Scene, surface: Surface, light: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Brushed metal under the lamp in the surface's window, (h, w) float32: grey levels, slope towards the lamp."""
        height, width = surface.solid.shape
        to_image = part_to_image(scene, self.mm_per_px)
        turn = to_image[:2, :2] * self.mm_per_px
        lamp_x, lamp_y = np.array(scene.light) @ turn  # into the part's frame, where the slopes are
        leaning = cv2.addWeighted(
            surface.slope_x,
            lamp_x / 127,
            surface.slope_y,
            lamp_y / 127,
            -FLAT * (lamp_x + lamp_y) / 127,
            dtype=cv2.CV_32F,
        )
        steepness = np.asarray(leaning, dtype=np.float32)
        pool = texture.brushed_metal()
        middle = rng.uniform(0.38, 0.62, 2) * pool.shape[::-1]
        origin = np.array((width / 2, height / 2)) - turn @ middle
        grain = np.column_stack([turn, origin])  # the grain runs along the part, wherever it points
        metal = cv2.warpAffine(pool, grain, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        x, y = surface.at
        lit = cv2.multiply(metal, light[y : y + height, x : x + width], scale=scene.metal_grey / 128, dtype=cv2.CV_32F)
        cv2.multiply(lit, surface.gain, lit, scale=1 / GAIN_ONE, dtype=cv2.CV_32F)
        return np.asarray(cv2.multiply(lit, glint(steepness)), dtype=np.float32), steepness


def _defect_chances(seed: int, chance: float) -> np.random.Generator | None:
    """What decides about the defects of a frame, apart from all that its own seed decides; None for a good part."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DEFECT_STREAM,)))
    return rng if rng.random() < chance else None


def _composite(
    image: NDArray[np.uint8], at: tuple[int, int], grey: NDArray[np.uint8], cover: NDArray[np.uint8]
) -> None:
    """Lay ``grey`` over the image in place: image += (grey - image) · cover / 255."""
    window = image[at[1] : at[1] + grey.shape[0], at[0] : at[0] + grey.shape[1]]
    difference = cv2.subtract(grey, window, dtype=cv2.CV_16S)
    difference = cv2.multiply(difference, cover, scale=1 / 255, dtype=cv2.CV_16S)
    window[:] = cv2.add(window, difference, dtype=cv2.CV_8U)


def _sensor(image: NDArray[np.uint8], rng: np.random.Generator, scene: Scene) -> NDArray[np.uint8]:
    """Lens blur, contrast and sensor noise."""
    if scene.blur_px > LEAST_BLUR_PX:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), scene.blur_px), dtype=np.uint8)
    pool = texture.cut(texture.noise(), rng, *image.shape)
    offset = _PIVOT_GREY * (1.0 - scene.contrast) + scene.brightness
    frame = cv2.addWeighted(
        image,
        scene.contrast,
        np.ascontiguousarray(pool),
        scene.noise_levels / texture.NOISE_STEPS,
        offset,
        dtype=cv2.CV_8U,
    )
    return np.asarray(frame, dtype=np.uint8)


def _window(image: NDArray[np.uint8], occluder: Occluder) -> NDArray[np.uint8]:
    x, y = occluder.at
    height, width = occluder.cover.shape
    return image[y : y + height, x : x + width]


def _covered_share(surface: Surface, cover: NDArray[np.uint8]) -> float:
    """Share of the part's area within the image that is covered."""
    (x, y), (height, width) = surface.at, surface.solid.shape
    metal = surface.solid > 127
    hidden = np.count_nonzero(metal & (cover[y : y + height, x : x + width] > 127))
    return float(hidden) / max(int(np.count_nonzero(metal)), 1)
