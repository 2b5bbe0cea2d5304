"""A recipe against its reference frames: the same parts, the same keypoints and defects, in px, on the backend at hand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.camera.image_file import read_image
from pipeline.defect_parity import DefectDifferences
from pipeline.errors import RecipeError
from pipeline.inspector import Inspector
from pipeline.lock import Reference, ReferencePart, seal_command
from pipeline.pixels import mono8_frame
from pipeline.precision import quantise_command
from pipeline.recipe import Recipe
from pipeline.result import Keypoint
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.values import ViewFindings

PROBABILITY_LIMIT = 0.05  # how far a visibility may move; a state at its threshold may then change


@dataclass(frozen=True, slots=True)
class Qualification:
    """How far the backend departs from the one that sealed, over all reference frames: px, probability, IoU of defects."""

    max_px: float
    max_probability: float
    frames: int
    min_iou: float = 1.0


def qualify(recipe: Recipe, inspector: Inspector, progress: Callable[[], None] = lambda: None) -> Qualification:
    """Run the reference frames of a sealed recipe; `progress` is called after each of them.

    Raises:
        RecipeError: a frame cannot be read, another number of parts is found, a keypoint lies farther than the
            recipe's limit from its place, or other defects are found than when it was sealed.
    """
    px, probability, frames = [0.0], [0.0], 0
    defects = DefectDifferences()
    for view in recipe.views.values():
        for reference in view.references:
            path = recipe.folder / reference.image
            frames += 1
            found = inspector.inspect(view.name, mono8_frame(read_grey(path)), whole=True)
            if len(found) != len(reference.parts):
                raise _refused(recipe, path, inspector, f"shows {len(found)} part(s)", f"{len(reference.parts)}")
            for findings, expected in zip(found, reference.parts, strict=True):
                moved_px, moved = _compare(recipe, path, inspector, findings, expected)
                px.append(moved_px)
                probability.append(moved)
                limits = SegmentThresholds() if view.segment is None else view.segment.thresholds
                if fault := defects.add(expected.defects, findings.defects, limits):
                    raise _refused(recipe, path, inspector, f"shows {fault}", "the defects that it was sealed with")
            progress()
    return Qualification(max(px), max(probability), frames, min(defects.iou, default=1.0))


def make_reference(image: str, found: Sequence[ViewFindings]) -> Reference:
    """What the sealing backend found in a reference frame, `image` being its path in the recipe's folder."""
    parts = [ReferencePart(part.region, list(part.keypoints), list(part.defects)) for part in found]
    return Reference(image, parts)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """An image file as grey levels, uint8 (h, w), as stored, like a folder camera's. Raises RecipeError where it is none."""
    return read_image(path, colour=False, error=RecipeError)


def _compare(
    recipe: Recipe, path: Path, inspector: Inspector, findings: ViewFindings, expected: ReferencePart
) -> tuple[float, float]:
    """Largest move of one part's keypoints, in px and in probability."""
    px, probability = 0.0, 0.0
    if len(findings.keypoints) != len(expected.keypoints):
        codes = ", ".join(reason.code for reason in findings.image_reasons)
        raise _refused(recipe, path, inspector, f"cannot be judged ({codes})", "a part with its keypoints")
    for found, wanted in zip(findings.keypoints, expected.keypoints, strict=True):
        moved = abs(found.visibility - wanted.visibility)
        if moved > PROBABILITY_LIMIT:
            what = f"shows {found.name} with visibility {found.visibility:.3f}"
            raise _refused(recipe, path, inspector, what, f"{wanted.visibility:.3f} ± {PROBABILITY_LIMIT}")
        moved_px = distance_px(found, wanted)
        if moved_px > recipe.limit_px:
            what = f"shows {found.name} {moved_px:.3f} px from its place"
            raise _refused(recipe, path, inspector, what, f"{recipe.limit_px} px")
        px, probability = max(px, moved_px), max(probability, moved)
    return px, probability


def distance_px(found: Keypoint, wanted: Keypoint) -> float:
    """How far apart, in px; 0 where one of them has no place, which the visibility alone then judges."""
    if found.x is None or found.y is None or wanted.x is None or wanted.y is None:
        return 0.0
    return math.hypot(found.x - wanted.x, found.y - wanted.y)


def _refused(recipe: Recipe, path: Path, inspector: Inspector, what: str, allowed: str) -> RecipeError:
    next_command = f"{seal_command(recipe.folder)} (on this machine, after a look at the frame)"
    if inspector.precision != "fp32":
        next_command = quantise_command(recipe.folder, inspector.precision)
    return RecipeError(f"{what} on {inspector.backend}", where=str(path), allowed=allowed, next_command=next_command)
