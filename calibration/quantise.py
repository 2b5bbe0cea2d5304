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
from calibration.lowering import Maker, Say, Trial, Trials, choose_kept
from calibration.trial import load_trial
from engines.engine import Tensors
from pipeline.inspector import Inspector
from pipeline.parity import Case, cases, find, reference_cases
from pipeline.precision import DerivedNote, derived_path, write_derived
from pipeline.recipe import Recipe, ViewRecipe

Lower = Literal["fp16", "int8"]
ENOUGH = 16  # images: fewer are not divided
SHARE_OF_LIMIT: Mapping[Lower, float] = {
    "fp16": 0.4,
    "int8": 1.0,
}  # fp16 keeps ten bits: far less than int8 is expected


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
        images: of each view: every second one gives ranges, the others say how far keypoints move; all do both where they
            are few. A view without images has its reference frames.
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
    layers = [(path, layer) for path, model in models.items() for layer in onnx_graph.layers(model)]
    as_sealed = load_trial(recipe, view.name, {})
    references = [case for case in reference_cases(recipe) if case.view == view.name]
    for_ranges, others = _divided(view.name, images, as_sealed)
    with tempfile.TemporaryDirectory(prefix="datumd-quantise-") as name:
        allowed_px = recipe.limit_px * SHARE_OF_LIMIT[precision]
        trials = Trials(recipe, view.name, references, others, allowed_px, Path(name))
        makers: dict[Path, Maker] = {path: partial(fp16.to_fp16, model) for path, model in models.items()}
        if precision == "int8":
            asked = _asked(recipe, view.name, for_ranges or references)
            makers = {
                path: _best_ranges(trials, path, model, asked.get(path, []), say) for path, model in models.items()
            }
        kept = choose_kept(trials, makers, layers, say)
        final = trials(makers, kept)
    used = images or [recipe.folder / reference.image for reference in view.references]
    made = []
    for path, model in models.items():
        own = [layer for network, layer in kept if network == path]
        content = makers[path](own)
        made.append((path, content, _note(path, content, precision, (len(onnx_graph.layers(model)), own), final, used)))
    return made


def _divided(view: str, images: list[Path], as_sealed: Inspector) -> tuple[list[Case], list[Case]]:
    """The frames for ranges, and those to compare on."""
    found = cases({view: images}, as_sealed)
    return (found[::2], found[1::2]) if len(found) >= ENOUGH else (found, found)


def _asked(recipe: Recipe, view: str, frames: Sequence[Case]) -> dict[Path, list[Tensors]]:
    """What each network is asked when these frames are inspected."""
    asked: dict[Path, list[Tensors]] = {}
    inspector = load_trial(recipe, view, {}, asked)
    for case in frames:
        find(inspector, view, case.frame)
    return asked


def _best_ranges(trials: Trials, path: Path, model: onnx_graph.Model, asked: Sequence[Tensors], say: Say) -> Maker:
    """Ranges at the percentile that moves keypoints least, all layers of this network in int8 and the others as they are."""
    histograms = int8.Histograms(model, asked)
    best: tuple[float, Maker] | None = None
    for percentile in int8.PERCENTILES:
        maker = partial(int8.to_int8, model, histograms.ranges(percentile))
        mean_px = trials({path: maker}, [], few=True).mean_px
        say(f"{path.stem}: ranges of {percentile} % move keypoints by {mean_px:.3f} px in the mean")
        if best is None or mean_px < best[0]:
            best = mean_px, maker
    assert best is not None  # noqa: S101 - PERCENTILES is not empty
    return best[1]


def _note(
    network: Path,
    content: bytes,
    precision: Lower,
    layers: tuple[int, list[str]],
    final: Trial,
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
        parity_px=final.px,
        versions={name: metadata.version(name) for name in ("datumd", "numpy", "onnx", "onnxruntime")},
    )


def _hash(images: Sequence[Path]) -> str:
    """Of the names and contents of images, in their order."""
    whole = hashlib.sha256()
    for path in images:
        whole.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
