"""The inspection of a part: every stage, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engines.devices.device import AnyDevice
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.plane_map import PlaneMap
from pipeline.planes import areas_mm2, placed_mm, planes_of
from pipeline.precision import Precision
from pipeline.recipe import Recipe
from pipeline.result import Edge, Evaluation, Reason
from pipeline.stages.edges import Edges
from pipeline.stages.image import ImageFigures, as_measurements
from pipeline.stages.laps import Laps
from pipeline.stages.measure import Measure
from pipeline.stages.values import Decision, ViewFindings
from pipeline.stages.verdict import verdict
from pipeline.stages.zones import Zones
from pipeline.view_stages import Inference, ViewStages, load_views


class Inspector:
    """Inspects the frames of one recipe. Not thread-safe: its images' memory is used again for the next frame."""

    def __init__(
        self,
        recipe: Recipe,
        views: Mapping[str, ViewStages],
        precision: Precision = "fp32",
        calibrated: Mapping[str, PlaneMap] | None = None,
    ) -> None:
        """For the views of `recipe`, loaded in `precision`; `calibrated`: the planes of those whose camera is calibrated."""
        self.recipe = recipe
        self.precision = precision
        self._views = views
        self.planes, self._calibrated = planes_of(recipe.file, calibrated), calibrated or {}
        self._measure, self._zones = Measure(recipe.file, self.planes), Zones(recipe.file, self.planes)
        self._edges = Edges(recipe.file, self.planes)
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
        calibrated: Mapping[str, PlaneMap] | None = None,
    ) -> "Inspector":
        """Load the networks, and warm them for `batch` frames together. Raises as load_views."""
        inference = Inference(backend, threads, precision, plans, batch)
        return cls(recipe, load_views(recipe, inference), precision, calibrated)

    @property
    def backends(self) -> list[str]:
        """Every library, with its version, that runs one of the networks, that of the first network first."""
        return list(dict.fromkeys(name for view in self._views.values() for name in view.backends))

    @property
    def backend(self) -> str:
        """Libraries and versions that run the networks, and in which precision where it is not fp32."""
        libraries = " and ".join(self.backends)
        return libraries if self.precision == "fp32" else f"{libraries} {self.precision}"

    @property
    def devices(self) -> list[AnyDevice]:
        """Where the images of each view live."""
        return [device for view in self._views.values() for device in view.devices]

    @property
    def blank_runs(self) -> Sequence[Callable[[], None]]:
        """Each runs one network on zeros, to keep it warm. They raise NetworkError where it fails.

        Those that look for defects are not among them: a frame that came meanwhile would wait for all of such a run.
        """
        return self._blank_runs

    def figures(self, view: str, frame: Frame) -> list[ImageFigures]:
        """What `image` in recipe.toml limits, of every part in a frame."""
        stages = self._views[view]
        return [stages.figures(part) for part in stages.preprocess([(frame, stages.locate(frame)[0])])]

    def are_alike(self, view: str, other: str) -> bool:
        """Whether frames of both views can be inspected together: their networks and what belongs to them are the same."""
        return self._views[view].keypoint_stages is self._views[other].keypoint_stages

    def inspect(self, view: str, frame: Frame, *, whole: bool = False) -> list[ViewFindings]:
        """Find the keypoints and defects of every part in a frame, in the order of the parts. No part, no findings.

        Args:
            view: its name.
            frame: of its camera.
            whole: defects are looked for even where the recipe wants it only as long as nothing else is wrong.

        Raises:
            NetworkError: a network failed.
        """
        return self.inspect_together([(view, frame)], whole=whole)[0]

    def inspect_together(self, frames: Sequence[tuple[str, Frame]], *, whole: bool = False) -> list[list[ViewFindings]]:
        """As `inspect`, frames of several views that are alike, through each network of keypoints in one batch.

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
            shared, view = {} if number else laps.ns, frames[owner][0]
            figures = as_measurements(view, views[owner].figures(part)) if self.recipe.file.masters else ()
            answers[owner].append(ViewFindings(view, part.region, why, keypoints, shared, figures=figures))
        for (_, frame), stages, (regions, _), parts_there in zip(frames, views, located, answers, strict=True):
            for number, found_so_far in enumerate(parts_there):
                findings = parts_there[number] = self._with_edges(frame, found_so_far)
                if self._is_searched(stages, findings, whole=whole):
                    parts_there[number] = self._with_defects(stages, frame, regions, number, findings)
        return answers

    def _with_edges(self, frame: Frame, findings: ViewFindings) -> ViewFindings:
        """The findings of a part, and its edges: while its picture is there, for they are found in the frame itself."""
        if findings.image_reasons or not self._edges.has_any(findings.view):
            return findings
        laps = Laps()
        edges = self._edges(findings.view, frame, findings.keypoints)
        laps.lap("edges")
        return replace(findings, edges=edges, stages_ns={**findings.stages_ns, **laps.ns})

    def _is_searched(self, stages: ViewStages, findings: ViewFindings, *, whole: bool) -> bool:
        """Whether defects are looked for: always, or as long as nothing else in this view has made the part NOT_OK."""
        segment = stages.view.settings.segment
        if segment is None or stages.segment_stage is None or findings.image_reasons:
            return False
        if whole or segment.when == "always":
            return True
        measured = self._measure.of_view(findings)
        known = verdict({findings.view: stages.view.settings}, {findings.view: findings}, measured, {})
        return known[1] is not Evaluation.NOT_OK

    def _with_defects(
        self, stages: ViewStages, frame: Frame, regions: Sequence[Region], number: int, findings: ViewFindings
    ) -> ViewFindings:
        """The findings of a part, and its defects. Nothing of them is shared with other parts: the time is its own."""
        laps = Laps()
        told = stages.segment(frame, regions, number, findings.keypoints)
        if told is None:  # as with keypoints: nothing that the networks gave can be trusted
            reasons = (Reason("network_not_finite", view=findings.view),)
            return replace(findings, image_reasons=reasons, keypoints=())
        plane = self.planes[findings.view]
        defects = (
            told.defects
        )  # their areas are in mm² by the recipe's scale, if it has one; a calibration knows better
        if plane.map is not None and plane.unit == "mm" and findings.view in self._calibrated:
            defects = areas_mm2(defects, plane.map)
        named, unplaced = self._zones(findings.view, findings.keypoints, defects)
        laps.lap("segment")
        ns = {**findings.stages_ns, **laps.ns}
        return replace(findings, defects=named, untold_defects=told.untold, unplaced=unplaced, stages_ns=ns)

    def decide(self, views: Mapping[str, ViewFindings]) -> Decision:
        """Measure one part and reach its verdict from what its views found; a view without this part is left out."""
        laps = Laps()
        measured = self._measure(views)
        laps.lap("measure")
        settings = {name: view.settings for name, view in self.recipe.views.items()}
        state, evaluation, reasons = verdict(settings, views, measured, self.recipe.file.zone)
        laps.lap("verdict")
        for findings in views.values():
            laps.add(findings.stages_ns)
        return Decision(
            result_state=state,
            evaluation=evaluation,
            reasons=reasons,
            keypoints=tuple(
                keypoint
                for view, findings in views.items()
                for keypoint in placed_mm(findings.keypoints, self.planes[view])
            ),
            measurements=(
                *(one.measurement for one in measured),
                *(figure for findings in views.values() for figure in findings.figures),
            ),
            stages_ns=laps.ns,
            defects=tuple(defect for findings in views.values() for defect in findings.defects),
            edges=tuple(
                Edge(edge.name, view, list(edge.outline_px))
                for view, findings in views.items()
                for edge in findings.edges
            ),
        )
