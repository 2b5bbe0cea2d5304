"""Stored parts inspected again one by one: what every process of a pool does."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2

from pipeline.config import InferSettings
from pipeline.errors import DatumdError
from pipeline.inspector import Inspector
from pipeline.recipe import Recipe, load_recipe
from pipeline.replay.again import PASSING, inspect_again
from pipeline.replay.archive import LoadedPart, PackedPart, unpack
from pipeline.replay.attempt import open_or_replace
from pipeline.result import Evaluation, Result


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with every part.

    Attributes:
        recipe: its folder; sealed.
        infer: what runs its networks.
        passing: evaluations that let a part pass.
        configuration_id: parts of another recipe than this one are left alone; "" leaves those of another number alone.
    """

    recipe: Path
    infer: InferSettings
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
        self.inspector: Inspector = open_or_replace(job.infer, self.recipe)

    def outcome(self, packed: PackedPart) -> Outcome:
        """Inspect one part. What cannot be inspected is told; nothing is raised for it."""
        part: LoadedPart | None = None
        try:
            part = unpack(packed)
            if not self._is_meant(part):
                return Outcome(packed.name, part.results, [], other_recipe=True)
            if strange := part.frames.keys() ^ self.recipe.views.keys():
                return Outcome(packed.name, part.results, [], fault=f"other views: {', '.join(sorted(strange))}")
            return Outcome(packed.name, part.results, inspect_again(self.inspector, part, self._job.passing))
        except DatumdError as problem:
            return Outcome(packed.name, [] if part is None else part.results, [], fault=str(problem))

    def _is_meant(self, part: LoadedPart) -> bool:
        if self._job.configuration_id:
            return part.configuration_id == self._job.configuration_id
        return part.recipe_id == self.recipe.number
