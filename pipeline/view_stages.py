"""The stages of one view, loaded for a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.devices.cpu import CpuDevice
from pipeline import geometry
from pipeline.errors import NetworkError, RecipeError
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.lock import seal_command
from pipeline.network import Card, CoarseCard, CoarseNetwork, Network, RefineCard, load_network
from pipeline.recipe import Recipe, ViewRecipe
from pipeline.result import Keypoint, Reason
from pipeline.stages.coarse import coarse
from pipeline.stages.image import check_image
from pipeline.stages.locate import Locate, make_locate
from pipeline.stages.preprocess import Preprocess
from pipeline.stages.refine import Refine
from pipeline.stages.values import CoarseKeypoints, Prepared, RefinedKeypoints
from pipeline.stages.visibility import as_keypoints, visibility


@dataclass(frozen=True, slots=True)
class ViewStages:
    """What one view runs. Each method is one stage over all parts of a frame."""

    view: ViewRecipe
    coarse_network: CoarseNetwork
    refine_stage: Refine | None
    locate_stage: Locate
    preprocess_stage: Preprocess

    def locate(self, frame: Frame) -> tuple[list[Region], tuple[Reason, ...]]:
        """Regions of the parts, and why they cannot be trusted, if so."""
        return self.locate_stage(frame)

    def preprocess(self, frame: Frame, regions: Sequence[Region]) -> list[Prepared]:
        """Both images of every part."""
        return self.preprocess_stage(frame, regions)

    def check_image(self, part: Prepared) -> tuple[Reason, ...]:
        """Why a part's picture cannot be judged; empty where it can."""
        return check_image(part.large, self.view.settings.image, self.view.name)

    def coarse(self, parts: Sequence[Prepared]) -> list[CoarseKeypoints]:
        """Positions and logits from the small images."""
        return coarse(parts, self.coarse_network)

    def refine(self, parts: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[RefinedKeypoints]:
        """Positions in the large images, with the logits of both networks summed; without a refine network as found."""
        xy_large_px = [
            geometry.apply(part.large_from_small, one.xy_small_px) for part, one in zip(parts, found, strict=True)
        ]
        if self.refine_stage is None:
            return [RefinedKeypoints(xy, one.logits) for xy, one in zip(xy_large_px, found, strict=True)]
        return [
            RefinedKeypoints(fine.xy_large_px, one.logits + fine.logits)
            for fine, one in zip(self.refine_stage(parts, xy_large_px), found, strict=True)
        ]

    def visibility(self, part: Prepared, refined: RefinedKeypoints) -> tuple[tuple[Reason, ...], tuple[Keypoint, ...]]:
        """The part's keypoints in sensor px with their states; hidden ones without a place.

        Where a network gave what is no finite number, even for a keypoint that nothing needs, nothing that it gave can be
        trusted: then the reason, and no keypoints.
        """
        if not refined.is_finite:
            return (Reason("network_not_finite", view=self.view.name),), ()
        names = self.view.settings.keypoints
        seen = visibility(refined.logits, names, self.view.thresholds)
        xy_sensor_px = geometry.apply(part.sensor_from_large, refined.xy_large_px)
        return (), as_keypoints(self.view.name, names, xy_sensor_px, seen)


def load_view(recipe: Recipe, view: ViewRecipe, *, backend: str = "auto", threads: int = 1) -> ViewStages:
    """Load a view's networks and run each once.

    Raises:
        NetworkError: a network does not fit its place, or fails.
        EngineError: the backend is missing.
        RecipeError: a network's file was changed after the recipe was verified.
    """
    device = CpuDevice()
    network = _load(recipe, view, view.coarse, CoarseCard, backend, threads)
    network.warm_up(1)
    refine = None
    if view.refine is not None:
        patches = _load(recipe, view, view.refine, RefineCard, backend, threads)
        found, wanted = patches.card.large_wh, network.card.large_wh
        if found != wanted:
            raise NetworkError(
                f"is for large images of {found}", where=str(view.refine), allowed=f"{wanted}, as coarse.onnx"
            )
        patches.warm_up(len(view.settings.keypoints))
        refine = Refine(patches, device)
    return ViewStages(
        view=view,
        coarse_network=network,
        refine_stage=refine,
        locate_stage=make_locate(view.settings.locate, view.name, device),
        preprocess_stage=Preprocess(network.card.small_wh, network.card.large_wh, device),
    )


def _load(recipe: Recipe, view: ViewRecipe, path: Path, role: type[Card], backend: str, threads: int) -> Network[Card]:
    network = load_network(path, role, backend=backend, threads=threads)
    locked = recipe.files.get(path.relative_to(recipe.folder).as_posix())
    if recipe.files and network.engine.spec.sha256 != locked:
        next_command = seal_command(recipe.folder)
        raise RecipeError("was changed while the recipe was loaded", where=str(path), next_command=next_command)
    if network.card.keypoints != view.settings.keypoints:
        raise NetworkError(
            f"finds the keypoints {', '.join(network.card.keypoints)}",
            where=str(path),
            allowed=f"{', '.join(view.settings.keypoints)}, as view.{view.name}.keypoints, in this order",
        )
    return network
