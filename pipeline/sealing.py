"""Sealing a recipe: try it, keep reference frames with what is found in them, and lock every file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import lock, plain_file, reference_frames
from pipeline.errors import DataError, RecipeError
from pipeline.inspector import Inspector
from pipeline.lock import Lock, LockedView, Reference
from pipeline.pixels import mono8_frame
from pipeline.qualify import make_reference, qualify, read_grey
from pipeline.recipe import Recipe, ViewRecipe, load_recipe
from pipeline.result import KeypointState
from pipeline.stages.image import ImageFigures
from pipeline.stages.values import ViewFindings

LIMIT_PX = 0.25
LARGEST_COCO_BYTES = 1 << 30
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class ReferenceFigures:
    """What a reference frame shows: parts, keypoints that are visible, defects, and the picture of every part."""

    view: str
    image: str
    parts: int
    visible: int
    keypoints: int
    figures: tuple[ImageFigures, ...]
    defects: int = 0


@dataclass(frozen=True, slots=True)
class Sealed:
    """A recipe as it was sealed, and its reference frames."""

    recipe: Recipe
    references: tuple[ReferenceFigures, ...]


def seal(
    folder: Path, frames: Mapping[str, Sequence[Path]], *, keep: int, limit_px: float = LIMIT_PX, backend: str = "auto"
) -> Sealed:
    """Check a recipe folder, run its networks on reference frames, and write recipe.lock.

    Args:
        folder: the recipe's.
        frames: view to image files; `keep` of them that show a part, evenly spread, replace the view's reference
            frames. Views that are not named keep theirs.
        keep: how many.
        limit_px: how far keypoints may lie from where they are found now, on any backend.
        backend: which finds them now.

    Where anything fails, the former reference frames and lock stay as they were.

    Raises:
        RecipeError: the recipe cannot be used, or a view has no reference frame that shows a part.
        NetworkError, EngineError: a network cannot be used.
    """
    recipe = load_recipe(folder, sealed=False)
    lock.hash_files(folder)  # refuses links before anything is written
    inspector = Inspector.load(recipe, backend=backend)
    for name in frames:
        if name not in recipe.views:
            raise RecipeError(f"has no view {name!r}", where=str(folder), allowed=", ".join(recipe.views))
    chosen = {name: _usable(inspector, name, paths, keep) for name, paths in frames.items()}
    replaced = [folder / name for name in chosen]
    views, shown = {}, []
    try:
        for name, images in chosen.items():
            reference_frames.draft(folder / name, images)
        for view in recipe.views.values():
            references, figures = _references(folder, inspector, view, drafted=view.name in chosen)
            segment = None if view.segment is None else view.segment.thresholds
            views[view.name] = LockedView(view.thresholds, references, segment)
            shown += figures
        with reference_frames.swapped(replaced):
            lock.write_lock(folder, Lock(1, lock.hash_files(folder), views, limit_px, inspector.backend))
    finally:
        reference_frames.discard(replaced)
    sealed = load_recipe(folder)
    qualify(sealed, Inspector.load(sealed, backend=backend))
    return Sealed(sealed, tuple(shown))


def image_files(source: Path) -> list[Path]:
    """The images of a folder in the order of their names, or those that a COCO file lists, found beside it.

    Raises:
        DataError: there is no such folder or file, it is no COCO file, or it gives no image.
    """
    if source.is_dir():
        found = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    elif source.is_file():
        try:
            coco = msgspec.json.decode(plain_file.read(source, LARGEST_COCO_BYTES, DataError), type=_Coco)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise DataError(f"is no COCO file: {problem}", where=str(source)) from None
        places = (source.parent, source.parent / "images")
        names = [image.file_name for image in coco.images]
        listed = [plain_file.below(place, name, DataError, where=str(source)) for name in names for place in places]
        found = [path for path in listed if path.is_file()]
    else:
        raise DataError("there is no such folder or file", where=str(source), allowed="a folder of images, a COCO file")
    if not found:
        raise DataError("gives no images", where=str(source), allowed=", ".join(IMAGE_SUFFIXES))
    return found


class _CocoImage(msgspec.Struct, frozen=True):
    file_name: str


class _Coco(msgspec.Struct, frozen=True):
    """What is needed of a COCO file."""

    images: list[_CocoImage]


def _usable(inspector: Inspector, view: str, paths: Sequence[Path], keep: int) -> list[NDArray[np.uint8]]:
    """Images in which parts are found, can be judged and show keypoints: others would try nothing."""
    order = [round(place) for place in np.linspace(0, len(paths) - 1, min(keep, len(paths)))]
    order += [place for place in range(len(paths)) if place not in order]  # where one of those shows no part
    images: list[NDArray[np.uint8]] = []
    for place in order:
        image = read_grey(paths[place])
        found = inspector.inspect(view, mono8_frame(image), whole=True)
        if not _useless(found):
            images.append(image)
        if len(images) == keep:
            break
    if not images:
        raise RecipeError(
            f"no reference frame among {len(paths)}; the last one {_useless(found)}", where=f"view {view}"
        )
    return images


def _useless(found: Sequence[ViewFindings]) -> str:
    """Why a frame with these findings is no reference; empty where it is one."""
    if not found:
        return "shows no part"
    if bad := [reason.code for part in found for reason in part.image_reasons]:
        return f"cannot be judged ({', '.join(bad)})"
    if not any(keypoint.state is KeypointState.visible for part in found for keypoint in part.keypoints):
        return "shows no visible keypoint"
    return ""


def _references(
    folder: Path, inspector: Inspector, view: ViewRecipe, *, drafted: bool
) -> tuple[list[Reference], list[ReferenceFigures]]:
    references, shown = [], []
    place = folder / view.name / reference_frames.FOLDER
    for path in reference_frames.files(folder / view.name, drafted=drafted):
        frame = mono8_frame(read_grey(path))
        found = inspector.inspect(view.name, frame, whole=True)
        if what := _useless(found):
            raise RecipeError(what, where=str(path), next_command=f"{lock.seal_command(folder)} --frames DIR")
        references.append(make_reference((place / path.name).relative_to(folder).as_posix(), found))
        keypoints = [keypoint for part in found for keypoint in part.keypoints]
        shown.append(
            ReferenceFigures(
                view=view.name,
                image=path.name,
                parts=len(found),
                visible=sum(keypoint.state is KeypointState.visible for keypoint in keypoints),
                keypoints=len(keypoints),
                figures=tuple(inspector.figures(view.name, frame)),
                defects=sum(len(part.defects) for part in found),
            )
        )
    if not references:
        raise RecipeError(
            "the view has no reference frames, which every machine tries the recipe on",
            where=str(place),
            next_command=f"{lock.seal_command(folder)} --frames {view.name}=DIR",
        )
    return references, shown
