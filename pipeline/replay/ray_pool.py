"""Stored parts inspected again on a Ray cluster: for archives that outgrow a box. Needs the extra `ray`.

Whoever asks reads the archive and sends files; a node needs datumd and nothing else, no common disk.
"""

import logging
import os
import socket
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError, DatumdError, EngineError
from pipeline.replay.archive import ArchivedPart, PackedPart, pack
from pipeline.replay.rerun import Job, Outcome, Rerun
from pipeline.version import version

if TYPE_CHECKING:
    from pipeline.replay.trial_run import Start

LOCAL = "local"
CHUNK = 8
AHEAD = 2  # chunks for each actor
LARGEST_RECIPE_BYTES = 4 << 30
KNOCK_LIMIT_S = 5.0


def on_ray(address: str, actors: int) -> "Start":
    """So many actors of the cluster at `address`; one for each of its cores where `actors` is 0."""
    return lambda job: RayPool(job, address, actors)


class RayRerun:
    """What an actor does. Its recipe comes as files, into a folder of its own."""

    def __init__(self, files: dict[str, bytes], job: Job) -> None:
        """Load the recipe; what hinders that is told by `ready`."""
        self._fault, self._rerun = "", None
        with tempfile.TemporaryDirectory(prefix="datumd-ray-") as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            try:
                self._rerun = Rerun(replace(job, recipe=Path(folder)))
            except DatumdError as problem:
                self._fault = str(problem)

    def ready(self) -> tuple[str, str, str]:
        """What hinders it, "" = nothing; what runs the networks; the version of datumd."""
        return self._fault, self._rerun.inspector.backend if self._rerun else "", version()

    def inspect(self, parts: list[PackedPart]) -> list[Outcome]:
        """Inspect a chunk."""
        if self._rerun is None:
            return [Outcome(part.name, [], [], fault=self._fault) for part in parts]
        return [self._rerun.outcome(part) for part in parts]


class RayPool:
    """Actors that each hold the recipe."""

    def __init__(self, job: Job, address: str, actors: int) -> None:
        """Connect, and start them.

        Raises:
            EngineError: Ray is missing, the cluster does not answer, or its nodes have another version of datumd.
            DatumdError: the recipe cannot be read.
        """
        try:
            import ray  # noqa: PLC0415 - an extra, and a second to load
        except ImportError:
            raise EngineError("Ray is not installed", next_command="pip install 'datumd[ray]'") from None
        self._ray = ray
        _connect(address, actors)
        try:
            count = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
            files = ray.put(files_of(job.recipe))
            actor = ray.remote(num_cpus=1)(RayRerun)
            self._actors = [actor.remote(files, job) for _ in range(count)]
            self.runs_on = self._greeted(job)
        except BaseException:
            ray.shutdown()
            raise

    def _greeted(self, job: Job) -> str:
        try:
            told = self._ray.get([actor.ready.remote() for actor in self._actors])
        except self._ray.exceptions.RayError as problem:
            raise _lost(problem) from None
        for fault, _, there in told:
            if fault:
                raise DataError(fault, where=str(job.recipe))
            if there != version():
                raise EngineError(f"a node has datumd {there}", allowed=version(), next_command="pip install datumd")
        return ", ".join(dict.fromkeys(runs_on for _, runs_on, _ in told))

    def outcomes(self, parts: Sequence[ArchivedPart]) -> Iterator[Outcome]:
        """What became of each part, in their order. Raises EngineError where the cluster is lost."""
        chunks = iter([parts[start : start + CHUNK] for start in range(0, len(parts), CHUNK)])
        actors = deque(self._actors * AHEAD)
        under_way = deque(self._asked(actors, chunk) for chunk in islice(chunks, len(actors)))
        while under_way:
            actor, waiting, unread = under_way.popleft()
            try:
                found = iter(self._ray.get(waiting))
            except self._ray.exceptions.RayError as problem:
                raise _lost(problem) from None
            actors.append(actor)
            under_way.extend(self._asked(actors, chunk) for chunk in islice(chunks, 1))
            for fault in unread:
                yield fault or next(found)

    def _asked(
        self, actors: "deque[object]", parts: Sequence[ArchivedPart]
    ) -> tuple[object, object, list[Outcome | None]]:
        """Send a chunk to the next actor; with it, in its place, what became of a part that cannot be read."""
        actor: Any = actors.popleft()
        packed: list[PackedPart] = []
        unread: list[Outcome | None] = []
        for part in parts:
            try:
                packed.append(pack(part))
                unread.append(None)
            except DataError as problem:
                unread.append(Outcome(part.name, [], [], fault=str(problem)))
        return actor, actor.inspect.remote(packed), unread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()


def _connect(address: str, actors: int) -> None:
    import ray  # noqa: PLC0415

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray's own: what a station does is nobody else's business
    try:
        knock(address)
        if address == LOCAL:
            count = actors or len(os.sched_getaffinity(0))
            ray.init(num_cpus=count, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        else:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as problem:  # a node that does not start in time raises nothing more special
        first = str(problem).strip().partition("\n")[0]
        raise EngineError(
            f"there is no Ray cluster: {first}",
            where=f"--ray {address}",
            next_command="ray start --head, or --ray local",
        ) from None


def knock(address: str) -> None:
    """Ray itself asks a wrong address for 20 s, and warns meanwhile. Raises OSError, ValueError."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_LIMIT_S).close()


def files_of(recipe: Path) -> dict[str, bytes]:
    """All files of a recipe, those in other precisions as well; hidden ones are none of it."""
    paths = [path for path in sorted(recipe.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if sum(path.stat().st_size for path in paths) > LARGEST_RECIPE_BYTES:
        raise DataError("is too large to be sent", where=str(recipe), allowed=f"{LARGEST_RECIPE_BYTES} bytes")
    return {path.relative_to(recipe).as_posix(): path.read_bytes() for path in paths}


def _lost(problem: Exception) -> EngineError:
    first = str(problem).strip().partition("\n")[0]
    return EngineError(f"the cluster was lost: {first}", next_command="--processes N, on this machine")
