"""One inspection of stored frames, and how it compares with what was published."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from engines.load import BACKENDS
from pipeline.calibration_file import read_calibration
from pipeline.config import InferSettings
from pipeline.errors import EngineError
from pipeline.evidence.recipe_store import RecipeStore
from pipeline.evidence.run_record import Machine, RunRecipe, RunRecord
from pipeline.inspector import Inspector
from pipeline.inspectors import open_inspector
from pipeline.plane_map import PlaneMap
from pipeline.recipe import Recipe
from pipeline.replay.again import PASSING, inspect_again, was_inspected
from pipeline.replay.archive import LoadedPart
from pipeline.replay.sameness import Comparison, Sameness, compare, other_circumstances
from pipeline.result import Evaluation, Result

UNKNOWN = "nobody wrote down what ran then"
Run = tuple[RunRecord, RunRecipe]
Planes = Mapping[str, PlaneMap]  # of the views whose camera has a calibration


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was found now.

    Attributes:
        recipe: by which.
        runs_on: libraries and precision that ran its networks.
        results: found now.
        was_inspected: whether what was published is the answer of an inspection; else there is nothing to reproduce.
        comparison: of what was published with `results`.
        circumstances: what is otherwise now, and may have changed the last digits; empty where the same ran.
    """

    recipe: Recipe
    runs_on: str
    results: list[Result]
    was_inspected: bool
    comparison: Comparison
    circumstances: list[str] = field(default_factory=list)

    @property
    def is_reproduced(self) -> bool:
        """Whether what was published came out again, bit for bit where the same ran."""
        sameness = self.comparison.sameness
        return sameness is Sameness.identical or (sameness is Sameness.within and bool(self.circumstances))

    @property
    def headline(self) -> str:
        """What came of it, in one line."""
        found, limit = (
            self.comparison,
            f"{self.comparison.max_px:.3g} px, the recipe allows {self.recipe.limit_px:g} px",
        )
        if not self.was_inspected:
            return f"it was answered without an inspection; its images show {evaluations(self.results)} now"
        if found.sameness is Sameness.identical:
            return "reproduced bit for bit" + (", though not all is as it was" if self.circumstances else "")
        if found.sameness is Sameness.other:
            return f"NOT reproduced: {evaluations(self.results)} now; keypoints moved by up to {limit}"
        if self.circumstances:
            return f"reproduced on another backend within the parity limit, not bit for bit: up to {limit}"
        return f"NOT reproduced bit for bit though the same ran: keypoints moved by up to {limit}"


def evaluations(results: list[Result]) -> str:
    """The verdicts on the parts of one trigger."""
    return ", ".join(result.result_evaluation.value for result in results)


def try_again(part: LoadedPart, inspector: Inspector, threads: int, run: Run | None, machine: Machine) -> Attempt:
    """Inspect a part by the recipe of that day, or another one, and compare. Raises NetworkError where a network fails."""
    passing: Collection[Evaluation] = run[0].passing if run else PASSING
    results = inspect_again(inspector, part, passing)
    circumstances = [UNKNOWN] if run is None else other_circumstances(*run, machine, inspector.backend, threads)
    return Attempt(
        recipe=inspector.recipe,
        runs_on=inspector.backend,
        results=results,
        was_inspected=was_inspected(part.results),
        comparison=compare(part.results, results, inspector.recipe),
        circumstances=circumstances,
    )


def settings_of(run: Run | None, fallback: InferSettings, backend: str) -> InferSettings:
    """How networks are to be run so that it is as it was.

    Args:
        run: what is known of that time.
        fallback: where nothing is.
        backend: to be taken instead, and nothing in its place where it cannot be used; "" for that of then.
    """
    infer = fallback if run is None else run[0].infer
    if backend:
        infer = msgspec.structs.replace(infer, without_plan="refuse")
    elif run is not None and infer.backend == "auto":
        backend = run[1].runs_on.partition(" ")[0]  # what `auto` was then
    if backend in BACKENDS or backend == "auto":
        infer = msgspec.structs.replace(infer, backend=backend)
    return msgspec.structs.replace(infer, batch=1)


def open_or_replace(infer: InferSettings, recipe: Recipe, planes: Planes) -> Inspector:
    """Load a recipe as it ran; where that backend is not here, on one that always is. Raises DatumdError."""
    try:
        return open_inspector(infer, recipe, planes)
    except EngineError:
        return Inspector.load(recipe, backend="onnxruntime", threads=infer.threads, calibrated=planes)


def planes_then(store: RecipeStore, record: RunRecord | None) -> Planes:
    """The planes that the cameras' calibrations gave then, out of the store.

    Raises:
        DataError: one was not kept.
        ConfigError: one cannot be read.
    """
    kept = {} if record is None else record.calibrations
    return {view: read_calibration(store.calibration(sha256)).plane_map() for view, sha256 in kept.items()}
