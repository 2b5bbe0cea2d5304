"""How far keypoints and defects are from what they should be on every backend and in every precision, and how long it takes."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engines.load import BACKENDS
from pipeline.defect_parity import DefectDifferences
from pipeline.errors import DatumdError, EngineError, NetworkError, RecipeError
from pipeline.frame import Frame
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.plans import plans_folder
from pipeline.precision import PRECISIONS, ParityPx, Precision
from pipeline.qualify import PROBABILITY_LIMIT, distance_px, read_grey
from pipeline.recipe import Recipe
from pipeline.result import Defect, Keypoint, KeypointState
from pipeline.stages.values import ViewFindings

REFERENCE = "onnxruntime"  # in fp32: what everything else is compared with

_NOT_RUN = ParityPx(0.0, 0.0, 0.0)

Parts = list[list[Keypoint]]  # of one frame: the keypoints of every part; none of a part that could not be judged


@dataclass(frozen=True, slots=True)
class Case:
    """A frame of a view, and what belongs there: keypoints, and defects, of every part."""

    view: str
    frame: Frame
    expected: Parts
    defects: Sequence[Sequence[Defect]] = ()


@dataclass(slots=True)
class Differences:
    """How keypoints differ from what was expected, frame after frame.

    Attributes:
        px: of every keypoint that is visible where it belongs and has a place in both, in sensor px.
        probability: of every keypoint, how far its visibility moved.
        unlike: frames in which other parts were found, or parts that could be judged in one of both only.
    """

    px: list[float] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    unlike: int = 0

    def add(self, expected: Parts, found: Parts) -> None:
        """Compare one frame."""
        if [len(part) for part in expected] != [len(part) for part in found]:
            self.unlike += 1
            return
        for part, other in zip(expected, found, strict=True):
            for wanted, keypoint in zip(part, other, strict=True):
                self.probability.append(abs(wanted.visibility - keypoint.visibility))
                if wanted.state is KeypointState.visible and keypoint.x is not None:
                    self.px.append(distance_px(keypoint, wanted))

    def parity_px(self) -> ParityPx:
        """Quantiles of `px`, to a thousandth."""
        values = self.px or [0.0]
        p50, p99 = (round(float(one), 3) for one in np.quantile(values, (0.5, 0.99)))
        return ParityPx(p50, p99, round(max(values), 3))

    def p99_probability(self) -> float:
        """The 99th percentile of `probability`."""
        return round(float(np.quantile(self.probability or [0.0], 0.99)), 3)


@dataclass(frozen=True, slots=True)
class Row:
    """One backend in one precision.

    Attributes:
        missing: why it cannot be run here; empty where it ran.
        refused: why a recipe is not run so; empty where all is within the limits.
        network_ms: median of what the networks of a frame take, the cutting of their images included.
        masks: None where no defects are looked for.
    """

    backend: str
    precision: Precision
    missing: str = ""
    refused: str = ""
    px: ParityPx = _NOT_RUN
    probability: float = 0.0
    network_ms: float = 0.0
    masks: "MaskParity | None" = None


@dataclass(frozen=True, slots=True)
class MaskParity:
    """Of defects that both find: the smallest IoU, the farthest that a boundary moved in cells of the mask, and a score."""

    iou: float
    boundary_cells: float
    score: float


def reference_cases(recipe: Recipe) -> list[Case]:
    """The reference frames of a sealed recipe, with what was found in them when it was sealed. Raises RecipeError."""
    return [
        Case(
            view.name,
            mono8_frame(read_grey(recipe.folder / reference.image)),
            [part.keypoints for part in reference.parts],
            [part.defects for part in reference.parts],
        )
        for view in recipe.views.values()
        for reference in view.references
    ]


def cases(images: Mapping[str, Sequence[Path]], inspector: Inspector) -> list[Case]:
    """Image files of each view that show a part, with what `inspector` finds in them now.

    Raises:
        RecipeError: a file is no image, or none of a view shows a part that can be judged.
        NetworkError: a network failed.
    """
    usable = []
    for view, paths in images.items():
        frames = [mono8_frame(read_grey(path)) for path in paths]
        of_view = [_case(inspector, view, frame) for frame in frames]
        usable += [case for case in of_view if any(case.expected)]
        if paths and not any(any(case.expected) for case in of_view):
            raise RecipeError(f"none of {len(paths)} images shows a part that can be judged", where=f"view {view}")
    return usable


def _case(inspector: Inspector, view: str, frame: Frame) -> Case:
    findings = inspector.inspect(view, frame, whole=True)
    return Case(view, frame, [list(part.keypoints) for part in findings], [part.defects for part in findings])


def find(inspector: Inspector, view: str, frame: Frame) -> tuple[Parts, float]:
    """The keypoints of a frame, and what its networks took in ms, 0 without a part. Raises NetworkError."""
    findings = inspector.inspect(view, frame)
    return [list(part.keypoints) for part in findings], _network_ms(findings)


def _network_ms(findings: Sequence[ViewFindings]) -> float:
    """Of all parts of a frame."""
    stages = ("coarse", "refine", "segment")
    return sum(part.stages_ns.get(stage, 0) for part in findings for stage in stages) / 1e6


def parity(
    recipe: Recipe, others: Sequence[Case], *, repeat: int = 1, threads: int = 1, plans: Path | None = None
) -> list[Row]:
    """Run every backend in every precision over the reference frames and `others`, in turn frame by frame.

    Plans of TensorRT lie in the folder `plans`; without one in this machine's cache.

    Raises:
        RecipeError: a reference frame cannot be read.
    """
    plans = plans or plans_folder()
    runs = [_Run(recipe, backend, precision, threads, plans) for backend in BACKENDS for precision in PRECISIONS]
    references = reference_cases(recipe)
    for _ in range(repeat):
        for case in references:
            for run in runs:
                run.take(case, is_reference=True)
        for case in others:
            for run in runs:
                run.take(case, is_reference=False)
    return [run.row(recipe.limit_px) for run in runs]


class _Run:
    """One backend in one precision, and what it has found so far."""

    def __init__(self, recipe: Recipe, backend: str, precision: Precision, threads: int, plans: Path) -> None:
        self._row = Row(backend, precision)
        self._recipe = recipe
        self._references, self._every = Differences(), Differences()
        self._reference_defects, self._every_defect = DefectDifferences(), DefectDifferences()
        self._took_ms: list[float] = []
        self._inspector: Inspector | None = None
        try:
            self._inspector = Inspector.load(recipe, backend=backend, threads=threads, precision=precision, plans=plans)
        except NetworkError as problem:  # the backend is here and does not accept the network
            self._row = Row(backend, precision, refused=_said(problem))
        except (EngineError, RecipeError) as problem:
            self._row = Row(backend, precision, missing=_said(problem))

    def take(self, case: Case, *, is_reference: bool) -> None:
        """Inspect one frame."""
        if self._inspector is None:
            return
        try:
            findings = self._inspector.inspect(case.view, case.frame, whole=True)
        except NetworkError as problem:
            self._row, self._inspector = Row(self._row.backend, self._row.precision, refused=_said(problem)), None
            return
        for differences in (self._every, self._references) if is_reference else (self._every,):
            differences.add(case.expected, [list(part.keypoints) for part in findings])
        files = self._recipe.views[case.view].segment
        if files is not None and len(findings) == len(case.defects):  # another number of parts has been told above
            every = (self._every_defect, self._reference_defects) if is_reference else (self._every_defect,)
            for part, expected in zip(findings, case.defects, strict=True):
                for defects in every:
                    defects.add(expected, part.defects, files.thresholds)
        self._took_ms.append(_network_ms(findings))

    def row(self, limit_px: float) -> Row:
        """What was found."""
        if self._inspector is None:
            return self._row
        return Row(
            backend=self._row.backend,
            precision=self._row.precision,
            refused=over_limit(self._references, self._every, limit_px)
            or over_limit_of_defects(self._reference_defects, self._every_defect),
            px=self._every.parity_px(),
            probability=self._every.p99_probability(),
            network_ms=statistics.median(self._took_ms),
            masks=self._masks(),
        )

    def _masks(self) -> MaskParity | None:
        every = self._every_defect
        if all(view.settings.segment is None for view in self._recipe.views.values()):
            return None
        worst = max(every.boundary_cells, default=0.0), max(every.score, default=0.0)
        return MaskParity(min(every.iou, default=1.0), *worst)


def over_limit(references: Differences, every: Differences, limit_px: float) -> str:
    """What is over the limit; empty where nothing is.

    Args:
        references: over the reference frames, where every keypoint must keep its place, as when a recipe is loaded.
        every: over these and others, where 99 in 100 must.
        limit_px: of the recipe.
    """
    if every.unlike:
        return f"{every.unlike} frame(s) show other parts"
    if (found := references.parity_px().max) > limit_px:
        return f"{found} px on a reference frame, allowed {limit_px}"
    if (found := max(references.probability, default=0.0)) > PROBABILITY_LIMIT:
        return f"visibility moves by {found:.3f} on a reference frame, allowed {PROBABILITY_LIMIT}"
    if (found := every.parity_px().p99) > limit_px:
        return f"{found} px at the 99th percentile, allowed {limit_px}"
    if (found := every.p99_probability()) > PROBABILITY_LIMIT:
        return f"visibility moves by {found:.3f} at the 99th percentile, allowed {PROBABILITY_LIMIT}"
    return ""


def over_limit_of_defects(references: DefectDifferences, every: DefectDifferences) -> str:
    """What is not allowed: other defects on a reference frame, or on more than one part in a hundred. Empty where nothing is."""
    if references.faults:
        return f"{references.faults[0]}, on a reference frame"
    if 100 * len(every.faults) > every.parts:
        return f"other defects on {len(every.faults)} of {every.parts} part(s), as: {every.faults[0]}"
    return ""


def _said(problem: DatumdError) -> str:
    return f"{problem.what}; next: {problem.next_command}" if problem.next_command else problem.what
