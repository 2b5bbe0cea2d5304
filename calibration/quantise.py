"""Writes the networks of a recipe in another precision, with as many layers in it as the keypoints allow."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from calibration import fp16, int8, onnx_graph
from calibration.lowering import Layer, Maker, Moved, Say, Search, Trials
from calibration.trial import load_trial
from engines.engine import Tensors
from pipeline.errors import RecipeError
from pipeline.parity import Case, cases, find, reference_cases
from pipeline.precision import DerivedNote, derived_path, write_derived
from pipeline.recipe import Recipe, ViewRecipe

Lower = Literal["fp16", "int8"]
ENOUGH = 24  # images: fewer are not divided
SHARE_OF_LIMIT: Mapping[Lower, float] = {"fp16": 0.4, "int8": 1.0}  # fp16 keeps ten bits: it must move keypoints less
SHARES = (0.65, 0.45, 0.3)  # of what is allowed, searched for; what was chosen on some images does less well on others
PROOF = 0.7  # of what is allowed, on images that nothing was chosen by: other backends round differently


@dataclass(frozen=True, slots=True)
class Written:
    """A network in another precision."""

    path: Path
    note: DerivedNote


def quantise(recipe: Recipe, precision: Lower, images: Mapping[str, Sequence[Path]], say: Say) -> list[Written]:
    """Write the networks of a sealed recipe, in place of what was written before in this precision.

    Args:
        recipe: sealed; its limit is what keypoints may move.
        precision: of the layers.
        images: of each view: a third gives ranges, a third finds the layers to keep, a third proves them; all do all of it
            where they are few. A view without images has its reference frames.
        say: takes a line of progress.

    Raises:
        RecipeError: an image cannot be read, or shows no part; or a file cannot be written.
        NetworkError: a network cannot be rewritten.
    """
    made = [
        one
        for view in recipe.views.values()
        for one in _of_view(recipe, view, precision, list(images.get(view.name, ())), say)
    ]
    written = []
    for network, content, note in made:  # after the last view, so that files of one run are together
        path = derived_path(recipe.folder, network, precision)
        write_derived(path, content, note)
        written.append(Written(path, note))
    return written


def _of_view(
    recipe: Recipe, view: ViewRecipe, precision: Lower, images: list[Path], say: Say
) -> list[tuple[Path, bytes, DerivedNote]]:
    """Of each of the view's networks its new file, and the note for it."""
    networks = [path for path in (view.coarse, view.posed, view.refine) if path is not None]
    models = {path: onnx_graph.read(path) for path in networks}
    references = [case for case in reference_cases(recipe) if case.view == view.name]
    ranging, searching, proving = _divided(cases({view.name: images}, load_trial(recipe, view.name, {})))
    asked = _asked(recipe, view.name, ranging or references)
    _refuse_unasked(view.name, asked)
    layers = {
        (path, name): adds * _rows(asked[path])
        for path, model in models.items()
        for name, adds in onnx_graph.layers(model).items()
    }
    allowed_px = recipe.limit_px * SHARE_OF_LIMIT[precision]
    with tempfile.TemporaryDirectory(prefix="datumd-quantise-") as name:

        def trials(makers: Mapping[Path, Maker], others: Sequence[Case]) -> Trials:
            return Trials(recipe, view.name, makers, references, others, allowed_px, Path(tempfile.mkdtemp(dir=name)))

        makers: dict[Path, Maker] = {path: partial(fp16.to_fp16, model) for path, model in models.items()}
        if precision == "int8":
            for path, model in models.items():
                candidates = _candidates(model, asked[path])
                moved_px = {
                    name: trials({path: maker}, searching)([], few=True).mean_px for name, maker in candidates.items()
                }
                makers[path] = candidates[min(moved_px, key=lambda name: moved_px[name])]
                say(f"{view.name}: {path.stem}, all in int8, keypoints move by " + _listed(moved_px))
        search, proof = Search(trials(makers, searching), layers, say), trials(makers, proving)
        kept, moved = _proven(search, proof, list(layers), say)
    used = images or [recipe.folder / reference.image for reference in view.references]
    made = []
    for path, model in models.items():
        own = [layer for network, layer in kept if network == path]
        content = makers[path](own)
        made.append((path, content, _note(path, content, precision, (len(onnx_graph.layers(model)), own), moved, used)))
    return made


def _proven(search: Search, proof: Trials, layers: list[Layer], say: Say) -> tuple[list[Layer], Moved]:
    """The layers to keep in fp32, and how far keypoints then move on images that nothing was chosen by."""
    for share in SHARES:
        kept = search.kept(share)
        moved = proof(kept)
        say(f"{len(kept)} of {len(layers)} layers in fp32; on images that this was not chosen by: {moved}")
        if moved.is_within(PROOF):
            return kept, moved
    return layers, proof(layers)


def _divided(found: list[Case]) -> tuple[list[Case], list[Case], list[Case]]:
    """The frames for ranges, those to search with and those to prove with."""
    return (found[::3], found[1::3], found[2::3]) if len(found) >= ENOUGH else (found, found, found)


def _refuse_unasked(view: str, asked: Mapping[Path, Sequence[Tensors]]) -> None:
    """Raises RecipeError where a network has seen nothing that ranges, and the weight of its layers, could come from."""
    for path, batches in asked.items():
        if not _rows(batches):
            raise RecipeError(
                f"no image shows a part for which {path.name} is run: it would have no ranges",
                where=f"view {view}",
                allowed="images that show parts as the station sees them",
            )


def _rows(asked: Sequence[Tensors]) -> int:
    """Of all batches: a network of patches runs once for each keypoint and pass."""
    return sum(len(next(iter(batch.values()))) for batch in asked)


def _candidates(model: onnx_graph.Model, asked: Sequence[Tensors]) -> dict[str, Maker]:
    """Makers of a network with different ranges."""
    histograms = int8.Histograms(model, asked)
    ranges = {f"{percentile} %": histograms.percentile(percentile) for percentile in int8.PERCENTILES}
    ranges["least squares"] = histograms.least_squares()
    return {name: partial(int8.to_int8, model, one) for name, one in ranges.items()}


def _listed(moved_px: Mapping[str, float]) -> str:
    return ", ".join(f"{px:.3f} px (ranges: {name})" for name, px in moved_px.items()) + " in the mean"


def _asked(recipe: Recipe, view: str, frames: Sequence[Case]) -> dict[Path, list[Tensors]]:
    """What each network is asked when these frames are inspected."""
    asked: dict[Path, list[Tensors]] = {}
    inspector = load_trial(recipe, view, {}, asked)
    for batches in asked.values():
        batches.clear()  # loading runs each network on zeros
    for case in frames:
        find(inspector, view, case.frame)
    return asked


def _note(
    network: Path,
    content: bytes,
    precision: Lower,
    layers: tuple[int, list[str]],
    moved: Moved,
    used: Sequence[Path],
) -> DerivedNote:
    return DerivedNote(
        format=1,
        precision=precision,
        source_sha256=hashlib.sha256(network.read_bytes()).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        images_sha256=_hash(used),
        images=len(used),
        layers=layers[0],
        kept=layers[1],
        parity_px=moved.px,
        versions={name: metadata.version(name) for name in ("datumd", "numpy", "onnx", "onnxruntime")},
    )


def _hash(images: Sequence[Path]) -> str:
    """Of the names and contents of images, in their order."""
    whole = hashlib.sha256()
    for path in images:
        whole.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
