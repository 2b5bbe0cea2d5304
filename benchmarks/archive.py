"""`datumd try` on kept parts: how fast it inspects them again, over the bare stages on as many cores."""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import cv2
import msgspec

from benchmarks import report
from benchmarks.bare import RECIPE, VIEW, BareProcess, bracket_frames, inspect_bare
from benchmarks.others import TICKS, own_ticks
from benchmarks.report import Figure, Measured
from pipeline import result as result_schema
from pipeline.config import InferSettings
from pipeline.errors import EngineError
from pipeline.evidence import picture, record
from pipeline.evidence.image_name import image_path
from pipeline.evidence.record import text_path
from pipeline.inspector import Inspector
from pipeline.recipe import load_recipe
from pipeline.replay.again import inspect_again
from pipeline.replay.archive import ArchivedPart, LoadedPart, find_parts, pack, unpack
from pipeline.replay.pool import Pool
from pipeline.replay.ray_pool import RayPool
from pipeline.replay.rerun import Job
from pipeline.replay.trial import Trial
from pipeline.replay.trial_run import Runs
from pipeline.replay.trial_text import trial_text
from pipeline.result import SCHEMA_VERSION, Disposition, Evaluation, Result, ResultState, View

SESSION, BEGAN_NS = 1_769_866_000, 1_769_866_000_000_000_000
SLICES = 3
WAYS = "stages alone, frames in memory", "reading and decoding, then the stages", "datumd try", "datumd try --ray local"


def write_archive(folder: Path, parts: int) -> None:
    """Kept parts as a station leaves them: 24 rendered pictures, each linked as often as it takes, with their results."""
    cv2.setNumThreads(1)
    inspector = Inspector.load(load_recipe(RECIPE))
    frames = bracket_frames()
    pool = folder / "pool"
    pool.mkdir()
    found = []
    for number, frame in enumerate(frames):
        (pool / f"{number}.png").write_bytes(picture.encode(frame).tobytes())
        found.append(inspect_again(inspector, LoadedPart("", {VIEW: frame}, [_blank()]))[0])
    for seq in range(1, parts + 1):
        number = seq % len(frames)
        result = msgspec.structs.replace(found[number], seq=seq, result_id=f"{SESSION}-{seq}")
        utc_ns = BEGAN_NS + seq * 1_000_000_000
        image = folder / image_path(SESSION, seq, VIEW, utc_ns, result.result_evaluation)
        image.parent.mkdir(parents=True, exist_ok=True)
        os.link(pool / f"{number}.png", image)
        text = record.text_of(VIEW, "top", frames[number].info, result_schema.encode(result))
        text_path(image).write_bytes(text)


def _blank() -> Result:
    """A result without findings, of the one view."""
    return Result(
        schema_version=SCHEMA_VERSION,
        session=SESSION,
        seq=1,
        station="bench",
        result_id=f"{SESSION}-1",
        trigger_number=1,
        part_index=0,
        part_count=1,
        product_id="bracket",
        recipe_id=0,
        configuration_id="",
        is_simulated=True,
        result_state=ResultState.COMPLETED,
        result_evaluation=Evaluation.OK,
        disposition=Disposition.PASS,
        reasons=[],
        creation_time="2026-01-31T13:25:07.000000Z",
        answered_time="2026-01-31T13:25:07.000000Z",
        views=[View(VIEW, "top", 1)],
        keypoints=[],
        measurements=[],
        stages_ns={},
        times={},
    )


def _reading(folder: str, share: tuple[int, int], line: "Connection[None, None]") -> None:
    """A bare loop that has to read and decode each part first: its share of the archive, each time it is asked."""
    cv2.setNumThreads(1)
    inspector = Inspector.load(load_recipe(RECIPE))
    parts = find_parts(Path(folder))[share[0] :: share[1]]
    inspect_bare(inspector, unpack(pack(parts[0])).frames[VIEW])
    line.send(None)
    try:
        while True:
            line.recv()
            for part in parts:
                inspect_bare(inspector, unpack(pack(part)).frames[VIEW])
            line.send(None)
    except EOFError:
        return


class _Readers:
    """Such loops, one for each core."""

    def __init__(self, folder: Path, cores: int) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._lines, self._children = [], []
        for number in range(cores):
            ours, theirs = spawning.Pipe()
            child = spawning.Process(target=_reading, args=(str(folder), (number, cores), theirs), daemon=True)
            child.start()
            theirs.close()
            self._lines.append(ours)
            self._children.append(child)
        for line in self._lines:
            line.recv()

    def run(self) -> None:
        """Let each go through its share."""
        for line in self._lines:
            line.send(None)
        for line in self._lines:
            line.recv()

    def close(self) -> None:
        """End them."""
        for line, child in zip(self._lines, self._children, strict=True):
            line.close()
            child.join()


@dataclass(frozen=True, slots=True)
class Cost:
    """What a slice took: until it was done, and of all cores together."""

    wall_s: float
    cpu_s: float


def _cost(run: Callable[[], object]) -> Cost:
    """Of this process and all below it; whatever else the machine does slows the clock on the wall alone."""
    wall, ticks = time.perf_counter(), own_ticks()
    run()
    return Cost(time.perf_counter() - wall, (own_ticks() - ticks) / TICKS)


def _bare(processes: list[BareProcess], count: int) -> None:
    """So many frames that lie in memory, shared by all processes."""
    for one in processes:
        one.ask(count // len(processes))
    for one in processes:
        one.collect()


def _try(runs: Runs, parts: list[ArchivedPart]) -> str:
    """The table of all parts."""
    trial = Trial()
    for outcome in runs.outcomes(parts):
        trial.add(outcome)
    if trial.inspected != len(parts) or trial.unlike:
        raise RuntimeError("a part was not inspected, or otherwise than before")
    return trial_text(trial)


def _medians(ways: list[Callable[[], object]]) -> list[Cost]:
    """Each way in turn, several times."""
    slices = [[_cost(way) for way in ways] for _ in range(SLICES)]
    return [
        Cost(median(one.wall_s for one in taken), median(one.cpu_s for one in taken))
        for taken in zip(*slices, strict=True)
    ]


def measure(quick: bool) -> Measured:
    """Parts of 1280x1024 Mono8 of the example recipe, kept as PNG, on every core; each way in turn, the median of three slices.

    Then once on a local Ray cluster, where Ray is installed.
    """
    count, cores = (160, 2) if quick else (2000, len(os.sched_getaffinity(0)))
    job = Job(RECIPE, InferSettings(backend="onnxruntime"))
    tables: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="datumd-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        write_archive(folder, count)
        parts = find_parts(folder / "images")
        bare, readers = [BareProcess() for _ in range(cores)], _Readers(folder / "images", cores)
        try:
            with Pool(job, cores) as pool:
                _try(pool, parts[: 8 * cores])
                costs = _medians([lambda: _bare(bare, count), readers.run, lambda: tables.add(_try(pool, parts))])
        finally:
            readers.close()
            for one in bare:
                one.__exit__(None, None, None)
        costs += _on_ray(job, parts, cores, tables)
    memory, reading, trying, *ray = costs
    rows: list[list[str | float]] = [
        [name, count / one.wall_s, one.cpu_s * 1e3 / count, reading.cpu_s / one.cpu_s, memory.cpu_s / one.cpu_s]
        for name, one in zip(WAYS, costs, strict=False)
    ]
    figures = [
        Figure("parts_per_s", count / trying.wall_s),
        Figure("over_bare_that_reads", reading.cpu_s / trying.cpu_s),
        Figure("over_bare_in_memory", memory.cpu_s / trying.cpu_s),
        Figure("over_bare_that_reads_wall", reading.wall_s / trying.wall_s),
        *(Figure("ray_over_bare_that_reads", reading.cpu_s / one.cpu_s) for one in ray),
    ]
    title = (
        f"{count} kept parts of 24 pictures, 1280x1024 Mono8, {cores} processes; throughput per core from CPU time"
        f"{'; the tables are the same' if ray else ''}"
    )
    columns = ["what", "parts/s", "CPU ms a part", "per core over one that reads", "over one in memory"]
    return Measured(title, columns, rows, figures)


def _on_ray(job: Job, parts: list[ArchivedPart], cores: int, tables: set[str]) -> list[Cost]:
    """The same on a local cluster; nothing where none starts. Raises RuntimeError where its table is another one."""
    if find_spec("ray") is None:
        return []
    try:
        with RayPool(job, "local", cores) as pool:
            _try(pool, parts[: 8 * cores])
            cost = _cost(lambda: tables.add(_try(pool, parts)))
    except EngineError as problem:  # on a machine that is too busy its node does not start in time
        print(f"without Ray: {problem}", file=sys.stderr)
        return []
    if len(tables) != 1:
        raise RuntimeError("the cluster's table is not that of the cores")
    return [cost]


if __name__ == "__main__":
    sys.exit(report.main("archive", measure))
