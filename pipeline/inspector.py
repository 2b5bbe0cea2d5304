"""The inspection of a part: every stage, in order."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engines.devices.device import AnyDevice
from pipeline.frame import Frame
from pipeline.precision import Precision
from pipeline.recipe import Recipe
from pipeline.stages.image import ImageFigures
from pipeline.stages.laps import Laps
from pipeline.stages.measure import Measure
from pipeline.stages.values import Decision, ViewFindings
from pipeline.stages.verdict import verdict
from pipeline.view_stages import Inference, ViewStages, load_views


class Inspector:
    """Inspects the frames of one recipe. Not thread-safe: its images' memory is used again for the next frame."""

    def __init__(self, recipe: Recipe, views: Mapping[str, ViewStages], precision: Precision = "fp32") -> None:
        """For the views of `recipe`, loaded in `precision`."""
        self.recipe = recipe
        self.precision = precision
        self._views = views
        self._measure = Measure(recipe.file)
        stages = {id(view.keypoint_stages): view.keypoint_stages for view in views.values()}
        self._blank_runs = [run for one in stages.values() for run in one.blank_runs]

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        *,
        backend: str = "auto",
        threads: int = 1,
        precision: Precision = "fp32",
        plans: Path | None = None,
        batch: int = 1,
    ) -> "Inspector":
        """Load the networks, and warm them for `batch` frames together. Raises as load_views."""
        inference = Inference(backend, threads, precision, plans, batch)
        return cls(recipe, load_views(recipe, inference), precision)

    @property
    def backends(self) -> list[str]:
        """Every library, with its version, that runs one of the networks, that of the first network first."""
        return list(dict.fromkeys(name for view in self._views.values() for name in view.keypoint_stages.backends))

    @property
    def backend(self) -> str:
        """Libraries and versions that run the networks, and in which precision where it is not fp32."""
        libraries = " and ".join(self.backends)
        return libraries if self.precision == "fp32" else f"{libraries} {self.precision}"

    @property
    def devices(self) -> list[AnyDevice]:
        """Where the images of each view live."""
        return [view.keypoint_stages.device for view in self._views.values()]

    @property
    def blank_runs(self) -> Sequence[Callable[[], None]]:
        """Each runs one network on zeros, to keep it warm. They raise NetworkError where it fails."""
        return self._blank_runs

    def figures(self, view: str, frame: Frame) -> list[ImageFigures]:
        """What `image` in recipe.toml limits, of every part in a frame."""
        stages = self._views[view]
        return [stages.figures(part) for part in stages.preprocess([(frame, stages.locate(frame)[0])])]

    def are_alike(self, view: str, other: str) -> bool:
        """Whether frames of both views can be inspected together: their networks and what belongs to them are the same."""
        return self._views[view].keypoint_stages is self._views[other].keypoint_stages

    def inspect(self, view: str, frame: Frame) -> list[ViewFindings]:
        """Find the keypoints of every part in a frame, in the order of the parts. No part, no findings.

        Raises:
            NetworkError: a network failed.
        """
        return self.inspect_together([(view, frame)])[0]

    def inspect_together(self, frames: Sequence[tuple[str, Frame]]) -> list[list[ViewFindings]]:
        """As `inspect`, frames of several views that are alike, through each network in one batch.

        The times of the stages, which they share, are told with the first part that is found.

        Raises:
            NetworkError: a network failed.
        """
        views, laps = [self._views[view] for view, _ in frames], Laps()
        located = [stages.locate(frame) for stages, (_, frame) in zip(views, frames, strict=True)]
        laps.lap("locate")
        parts = views[0].preprocess(
            [(frame, regions) for (_, frame), (regions, _) in zip(frames, located, strict=True)]
        )
        owners = [number for number, (regions, _) in enumerate(located) for _ in regions]
        laps.lap("preprocess")
        reasons = [
            located[owner][1] or views[owner].check_image(part) for owner, part in zip(owners, parts, strict=True)
        ]
        judged = [part for part, bad in zip(parts, reasons, strict=True) if not bad]
        laps.lap("image")
        found = views[0].coarse(judged)
        laps.lap("coarse")
        refined = iter(views[0].refine(judged, found))
        laps.lap("refine")
        seen = [
            (bad, ()) if bad else views[owner].visibility(part, next(refined))
            for owner, part, bad in zip(owners, parts, reasons, strict=True)
        ]
        laps.lap("visibility")
        answers: list[list[ViewFindings]] = [[] for _ in frames]
        for number, (owner, part, (why, keypoints)) in enumerate(zip(owners, parts, seen, strict=True)):
            shared = {} if number else laps.ns
            answers[owner].append(ViewFindings(frames[owner][0], part.region, why, keypoints, shared))
        return answers

    def decide(self, views: Mapping[str, ViewFindings]) -> Decision:
        """Measure one part and reach its verdict from what its views found; a view without this part is left out."""
        laps = Laps()
        measured = self._measure(views)
        laps.lap("measure")
        settings = {name: view.settings for name, view in self.recipe.views.items()}
        state, evaluation, reasons = verdict(settings, views, measured)
        laps.lap("verdict")
        for findings in views.values():
            laps.add(findings.stages_ns)
        return Decision(
            result_state=state,
            evaluation=evaluation,
            reasons=reasons,
            keypoints=tuple(keypoint for findings in views.values() for keypoint in findings.keypoints),
            measurements=tuple(one.measurement for one in measured),
            stages_ns=laps.ns,
        )
