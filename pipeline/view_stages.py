"""The stages of one view, loaded for a recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.devices.device import AnyDevice
from pipeline import geometry
from pipeline.errors import NetworkError, RecipeError
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.keypoint_stages import KeypointStages, load_keypoint_stages
from pipeline.lock import seal_command
from pipeline.network import Card, KeypointCard, Network, load_network
from pipeline.precision import Precision, PrecisionFile, made_or_sealed, precision_file
from pipeline.recipe import Recipe, ViewRecipe
from pipeline.recipe_file import ImageSettings
from pipeline.result import Keypoint, KeypointState, Reason
from pipeline.segment_stage import check_told_by, load_segment
from pipeline.sigma import apply
from pipeline.stages.defects import ToldDefects
from pipeline.stages.image import ImageFigures, check_image, image_figures
from pipeline.stages.locate import Locate, make_locate
from pipeline.stages.segment import Segment
from pipeline.stages.values import CoarseKeypoints, Prepared, RefinedKeypoints
from pipeline.stages.visibility import as_keypoints, visibility
from pipeline.view_files import TRAIN_SEGMENT

_NO_LIMITS = ImageSettings()


@dataclass(frozen=True, slots=True)
class ViewStages:
    """What one view runs. Each method is one stage over all parts of a frame.

    Views whose `keypoint_stages` are the same have the same files: their frames can go through `preprocess`, `coarse` and
    `refine` of any of them together.
    """

    view: ViewRecipe
    locate_stage: Locate
    keypoint_stages: KeypointStages
    segment_stage: Segment | None = None

    @property
    def backends(self) -> tuple[str, ...]:
        """The libraries, with their versions, that run its networks."""
        return (*self.keypoint_stages.backends, *(self.segment_stage.backends if self.segment_stage else ()))

    @property
    def devices(self) -> tuple[AnyDevice, ...]:
        """Where its images live."""
        return (self.keypoint_stages.device, *((self.segment_stage.device,) if self.segment_stage else ()))

    def locate(self, frame: Frame) -> tuple[list[Region], tuple[Reason, ...]]:
        """Regions of the parts, and why they cannot be trusted, if so."""
        return self.locate_stage(frame)

    def preprocess(self, frames: Sequence[tuple[Frame, Sequence[Region]]]) -> list[Prepared]:
        """Both images of every part, those of the first frame first."""
        return self.keypoint_stages.preprocess.of_frames(frames)

    def check_image(self, part: Prepared) -> tuple[Reason, ...]:
        """Why a part's picture cannot be judged; empty where it can."""
        settings = self.view.settings.image
        if settings == _NO_LIMITS:  # then nothing comes down from the device
            return ()
        return check_image(self.keypoint_stages.device.download(part.large), settings, self.view.name)

    def figures(self, part: Prepared) -> ImageFigures:
        """What check_image compares with the recipe's limits."""
        return image_figures(self.keypoint_stages.device.download(part.large))

    def coarse(self, parts: Sequence[Prepared]) -> list[CoarseKeypoints]:
        """Positions and logits from the small images and, where the view has a second network, from posed ones."""
        return self.keypoint_stages.posed(parts, self.keypoint_stages.coarse(parts))

    def refine(self, parts: Sequence[Prepared], found: Sequence[CoarseKeypoints]) -> list[RefinedKeypoints]:
        """Positions in the large images, with the logits of all networks summed; without a refine network as found."""
        return self.keypoint_stages.refine(parts, found)

    def visibility(self, part: Prepared, refined: RefinedKeypoints) -> tuple[tuple[Reason, ...], tuple[Keypoint, ...]]:
        """The part's keypoints in sensor px with their states; hidden ones without a place.

        Where a network gave what is no finite number, even for a keypoint that nothing needs, nothing that it gave can be
        trusted: then the reason, and no keypoints.
        """
        if not refined.is_finite:
            return (Reason("network_not_finite", view=self.view.name),), ()
        names, scale = self.view.settings.keypoints, self.view.sigma
        seen = visibility(refined.logits, names, self.view.thresholds, refined.is_placed)
        xy_sensor_px = geometry.apply(part.sensor_from_large, refined.xy_large_px)
        raw_sensor_px = refined.sigma_large_px * geometry.scale(part.sensor_from_large)
        sigma_sensor_px = None
        if scale is not None:  # made for what networks say; a keypoint that the shape placed has the shape's own
            sigma_sensor_px = np.where(refined.is_placed, raw_sensor_px, apply(scale, raw_sensor_px))
        return (), as_keypoints(self.view.name, names, xy_sensor_px, seen, sigma_sensor_px)

    def segment(
        self, frame: Frame, regions: Sequence[Region], number: int, keypoints: Sequence[Keypoint]
    ) -> ToldDefects | None:
        """The defects of one of a frame's parts, whose keypoints are those; None where a network failed on it.

        Only where the recipe asks for it.
        """
        if self.segment_stage is None or self.view.segment is None:
            return ToldDefects()
        limits, scale = self.view.segment.thresholds, self.view.settings.scale_mm_per_px
        seen = {
            one.name: (one.x, one.y)
            for one in keypoints
            if one.state is KeypointState.visible and one.x is not None and one.y is not None
        }
        return self.segment_stage(frame, regions, number, limits, view=self.view.name, mm_per_px=scale, keypoints=seen)


@dataclass(frozen=True, slots=True)
class Inference:
    """What runs networks: see load_engine and precision_file. `batch`: frames of so many views may come together."""

    backend: str = "auto"
    threads: int = 1
    precision: Precision = "fp32"
    plans: Path | None = None
    batch: int = 1


def load_views(recipe: Recipe, inference: Inference) -> dict[str, ViewStages]:
    """Load the networks of all views and run each once. Views with the same files have them together.

    Raises:
        NetworkError: a network does not fit its place, or fails.
        EngineError: the backend is missing, or has no memory for what frames need.
        RecipeError: a network's file was changed after the recipe was verified, or there is none of it in this precision.
    """
    identities = {name: _identity(recipe, view, inference.precision) for name, view in recipe.views.items()}
    loaded: dict[str, ViewStages] = {}
    segments: dict[tuple[str, str], Segment] = {}
    for name, view in recipe.views.items():
        same = [other for other in recipe.views if identities[other] == identities[name]]
        first = loaded.get(same[0])
        stages = (
            first.keypoint_stages if first else _load_stages(recipe, view, inference, min(len(same), inference.batch))
        )
        locate = make_locate(view.settings.locate, name, stages.device)
        loaded[name] = ViewStages(view, locate, stages, _segment(recipe, view, inference, segments))
    return loaded


def _identity(recipe: Recipe, view: ViewRecipe, precision: Precision) -> tuple[object, ...]:
    """What must be the same for two views to be inspected by the same stages."""
    files = [None if path is None else precision_file(recipe.folder, path, precision) for path in view.networks]
    hashes = [None if file is None else (file.sha256, file.source_sha256) for file in files]
    locked = [path and recipe.files.get(path.relative_to(recipe.folder).as_posix()) for path in view.networks]
    return hashes, locked, view.shape, view.thresholds, view.settings.keypoints


def _load_stages(recipe: Recipe, view: ViewRecipe, inference: Inference, frames: int) -> KeypointStages:
    def load(path: Path, role: type[KeypointCard]) -> Network[KeypointCard]:
        return _load_of_keypoints(recipe, view, path, role, inference)

    return load_keypoint_stages(view, view.settings.keypoints, load, frames)


def _segment(
    recipe: Recipe, view: ViewRecipe, inference: Inference, loaded: dict[tuple[str, str], Segment]
) -> Segment | None:
    """The stage that looks for defects where the recipe asks for it; views with the same networks have it together."""
    if view.settings.segment is None:
        return None
    files = view.segment
    if files is None:
        raise RecipeError(
            f"defects are looked for in view {view.name}, and there is no network for it",
            where=str(recipe.folder / view.name / "segment_encoder.onnx"),
            next_command=TRAIN_SEGMENT,
        )
    made = {path: made_or_sealed(recipe.folder, path, inference.precision) for path in (files.encoder, files.decoder)}
    key = made[files.encoder].sha256, made[files.decoder].sha256

    def load(path: Path, role: type[Card]) -> Network[Card]:
        return _load(recipe, made[path], path, role, inference)

    if key not in loaded:
        loaded[key] = load_segment(files, load)
    check_told_by(loaded[key].keypoints, view.settings.keypoints, files.decoder)
    return loaded[key]


def _load_of_keypoints(
    recipe: Recipe, view: ViewRecipe, path: Path, role: type[KeypointCard], inference: Inference
) -> Network[KeypointCard]:
    network = _load(recipe, precision_file(recipe.folder, path, inference.precision), path, role, inference)
    if network.card.keypoints != view.settings.keypoints:
        raise NetworkError(
            f"finds the keypoints {', '.join(network.card.keypoints)}",
            where=str(path),
            allowed=f"{', '.join(view.settings.keypoints)}, as view.{view.name}.keypoints, in this order",
        )
    return network


def _load(recipe: Recipe, file: PrecisionFile, path: Path, role: type[Card], inference: Inference) -> Network[Card]:
    """The network at `path` of the recipe, from `file`."""
    network = load_network(file.path, role, backend=inference.backend, threads=inference.threads, plans=inference.plans)
    locked = recipe.files.get(path.relative_to(recipe.folder).as_posix())
    if network.engine.spec.sha256 != file.sha256 or (recipe.files and file.source_sha256 != locked):
        next_command = seal_command(recipe.folder)
        raise RecipeError("was changed while the recipe was loaded", where=str(path), next_command=next_command)
    return network
