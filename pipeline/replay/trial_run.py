"""A recipe tried on the parts of an archive, on this machine's cores or on a cluster's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import DataError
from pipeline.evidence.recipe_store import FOLDER, RecipeStore
from pipeline.evidence.run_record import read_runs
from pipeline.replay.again import PASSING
from pipeline.replay.archive import ArchivedPart
from pipeline.replay.attempt import Planes, planes_then
from pipeline.replay.pool import Pool
from pipeline.replay.rerun import Job, Outcome
from pipeline.replay.trial import Trial
from pipeline.result import Evaluation


class Runs(Protocol):
    """Whoever inspects parts again."""

    runs_on: str  # libraries and precision of the networks

    def outcomes(self, parts: Sequence[ArchivedPart]) -> Iterator[Outcome]:
        """What became of each part, in their order."""


Start = Callable[[Job], AbstractContextManager[Runs]]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it, and what ran."""

    trial: Trial
    runs_on: str


def on_cores(processes: int) -> Start:
    """So many processes of this machine."""
    return lambda job: Pool(job, processes)


def tried(job: Job, parts: Sequence[ArchivedPart], start: Start, step: Callable[[], None] = lambda: None) -> Tried:
    """Inspect every part that the job means; `step` is called after each.

    Raises:
        DatumdError: the recipe cannot be loaded, or whoever inspects was killed.
    """
    trial = Trial()
    with start(job) as runs:
        for outcome in runs.outcomes(parts):
            trial.add(outcome)
            step()
        return Tried(trial, runs.runs_on)


def spread_over(parts: Sequence[ArchivedPart], most: int) -> list[ArchivedPart]:
    """At most so many parts, spread evenly over all; all where `most` is 0."""
    if not most or most >= len(parts):
        return list(parts)
    return [parts[number * len(parts) // most] for number in range(most)]


def planes_in(archive: Path) -> Planes:
    """The planes of the views, as the newest run of the archive's station has them; none where nobody knows.

    Raises:
        DataError: a calibration was not kept.
        ConfigError: one cannot be read.
    """
    store = RecipeStore.of(archive)
    runs = read_runs(store.folder)
    return planes_then(store, runs[-1] if runs else None)


def passing_in(archive: Path) -> Sequence[Evaluation]:
    """The evaluations that let a part pass, as the newest run of the archive's station has it; OK where nobody knows."""
    try:
        runs = read_runs(archive / FOLDER)
    except DataError:
        return PASSING
    return runs[-1].passing if runs else PASSING
