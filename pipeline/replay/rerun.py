"""Stored parts inspected again one by one: what every process of a pool does."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from pipeline.config import InferSettings
from pipeline.errors import DatumdError
from pipeline.inspector import Inspector
from pipeline.inspectors import open_inspector
from pipeline.recipe import Recipe, load_recipe
from pipeline.replay.again import PASSING, inspect_again
from pipeline.replay.archive import PackedPart, results_in, unpack
from pipeline.replay.attempt import Planes
from pipeline.result import Evaluation, Result


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with every part.

    Attributes:
        recipe: its folder; sealed.
        infer: what runs its networks.
        planes: of the views whose camera has a calibration.
        passing: evaluations that let a part pass.
        configuration_id: parts of another recipe than this one are left alone; "" leaves those of another number alone.
    """

    recipe: Path
    infer: InferSettings
    planes: Planes = field(default_factory=dict)
    passing: Collection[Evaluation] = PASSING
    configuration_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One part.

    Attributes:
        then: the published results, one for each part that was found in its frames.
        now: those of now; empty where it was not inspected.
        other_recipe: it was left alone.
        fault: why it could not be inspected; empty where it was.
    """

    name: str
    then: list[Result]
    now: list[Result]
    other_recipe: bool = False
    fault: str = ""


class Rerun:
    """Inspects parts as a job says. One thread."""

    def __init__(self, job: Job) -> None:
        """Load the recipe. Raises DatumdError."""
        cv2.setNumThreads(1)  # one process is one core
        self._job = job
        self.recipe: Recipe = load_recipe(job.recipe)
        self.inspector: Inspector = open_inspector(job.infer, self.recipe, job.planes)

    def outcome(self, packed: PackedPart) -> Outcome:
        """Inspect one part. What cannot be inspected is told; nothing is raised for it."""
        then: list[Result] = []
        try:
            then = results_in(packed)
            if not self._is_meant(then[0]):
                return Outcome(packed.name, then, [], other_recipe=True)
            part = unpack(packed)
            if strange := part.frames.keys() ^ self.recipe.views.keys():
                return Outcome(packed.name, then, [], fault=f"other views: {', '.join(sorted(strange))}")
            return Outcome(packed.name, then, inspect_again(self.inspector, part, self._job.passing))
        except DatumdError as problem:
            return Outcome(packed.name, then, [], fault=str(problem))

    def _is_meant(self, told: Result) -> bool:
        if self._job.configuration_id:
            return told.configuration_id == self._job.configuration_id
        return told.recipe_id == self.recipe.number
