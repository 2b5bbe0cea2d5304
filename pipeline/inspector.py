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
from pipeline.view_stages import Inference, ViewStages, load_view


class Inspector:
    """Inspects the frames of one recipe. Not thread-safe: its images' memory is used again for the next frame."""

    def __init__(self, recipe: Recipe, views: Mapping[str, ViewStages], precision: Precision = "fp32") -> None:
        """For the views of `recipe`, loaded in `precision`."""
        self.recipe = recipe
        self.precision = precision
        self._views = views
        self._measure = Measure(recipe.file)
        self._blank_runs = [run for view in views.values() for run in view.keypoint_stages.blank_runs]

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        *,
        backend: str = "auto",
        threads: int = 1,
        precision: Precision = "fp32",
        plans: Path | None = None,
    ) -> "Inspector":
        """Load and warm the networks. Raises NetworkError, EngineError and RecipeError, as load_view."""
        inference = Inference(backend, threads, precision, plans)
        views = {name: load_view(recipe, view, inference) for name, view in recipe.views.items()}
        return cls(recipe, views, precision)

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
        return [stages.figures(part) for part in stages.preprocess(frame, stages.locate(frame)[0])]

    def inspect(self, view: str, frame: Frame) -> list[ViewFindings]:
        """Find the keypoints of every part in a frame, in the order of the parts. No part, no findings.

        Raises:
            NetworkError: a network failed.
        """
        stages, laps = self._views[view], Laps()
        regions, mislocated = stages.locate(frame)
        laps.lap("locate")
        parts = stages.preprocess(frame, regions)
        laps.lap("preprocess")
        reasons = [mislocated or stages.check_image(part) for part in parts]
        judged = [part for part, bad in zip(parts, reasons, strict=True) if not bad]
        laps.lap("image")
        found = stages.coarse(judged)
        laps.lap("coarse")
        refined = stages.refine(judged, found)
        laps.lap("refine")
        answers = iter([stages.visibility(part, one) for part, one in zip(judged, refined, strict=True)])
        laps.lap("visibility")
        seen = [(bad, ()) if bad else next(answers) for bad in reasons]
        return [
            ViewFindings(view, part.region, why, keypoints, {} if number else laps.ns)
            for number, (part, (why, keypoints)) in enumerate(zip(parts, seen, strict=True))
        ]

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
