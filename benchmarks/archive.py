"""`datumd try` on kept parts: how fast it inspects them again, over the bare stages on as many cores."""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec

from benchmarks import report
from benchmarks.bare import RECIPE, VIEW, BareProcess, bracket_frames, inspect_bare
from benchmarks.report import Figure, Measured
from pipeline import result as result_schema
from pipeline.config import InferSettings
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
from pipeline.replay.trial_run import Start, tried
from pipeline.replay.trial_text import trial_text
from pipeline.result import SCHEMA_VERSION, Disposition, Evaluation, Result, ResultState, View

SESSION, BEGAN_NS = 1_769_866_000, 1_769_866_000_000_000_000
SLICES = 3


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


def _reading(folder: str, share: tuple[int, int], line: "multiprocessing.connection.Connection[float, None]") -> None:
    """A bare loop that has to read and decode each part first: seconds for its share of the archive, each time it is asked."""
    cv2.setNumThreads(1)
    inspector = Inspector.load(load_recipe(RECIPE))
    parts = find_parts(Path(folder))[share[0] :: share[1]]
    inspect_bare(inspector, unpack(pack(parts[0])).frames[VIEW])
    line.send(0.0)
    try:
        while True:
            line.recv()
            began = time.perf_counter()
            for part in parts:
                inspect_bare(inspector, unpack(pack(part)).frames[VIEW])
            line.send(time.perf_counter() - began)
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

    def seconds(self) -> float:
        """Until the slowest has gone through its share."""
        for line in self._lines:
            line.send(None)
        return max(float(line.recv()) for line in self._lines)

    def close(self) -> None:
        """End them."""
        for line, child in zip(self._lines, self._children, strict=True):
            line.close()
            child.join()


def _bare_seconds(bare: list[BareProcess], count: int) -> float:
    """Seconds for `count` frames that lie in memory, shared by all processes."""
    began = time.perf_counter()
    for one in bare:
        one.ask(count // len(bare))
    for one in bare:
        one.collect()
    return time.perf_counter() - began


def _timed(pool: Pool, parts: list[ArchivedPart]) -> float:
    began = time.perf_counter()
    if sum(1 for outcome in pool.outcomes(parts) if outcome.now) != len(parts):
        raise RuntimeError("a part was not inspected")
    return time.perf_counter() - began


def _median(slices: Callable[[], list[float]]) -> list[float]:
    """Of each column of several slices."""
    taken = [slices() for _ in range(SLICES)]
    return [sorted(column)[len(column) // 2] for column in zip(*taken, strict=True)]


def measure(quick: bool) -> Measured:
    """Parts of 1280x1024 Mono8 of the example recipe, kept as PNG, on every core; each way in turn, the median of three slices."""
    count, cores = (160, 2) if quick else (2000, len(os.sched_getaffinity(0)))
    job = Job(RECIPE, InferSettings(backend="onnxruntime"))
    with tempfile.TemporaryDirectory(prefix="datumd-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        write_archive(folder, count)
        parts = find_parts(folder / "images")
        bare, readers = [BareProcess() for _ in range(cores)], _Readers(folder / "images", cores)
        try:
            with Pool(job, cores) as pool:
                _timed(pool, parts[: 8 * cores])
                memory, reading, trying = _median(
                    lambda: [_bare_seconds(bare, count), readers.seconds(), _timed(pool, parts)]
                )
        finally:
            readers.close()
            for one in bare:
                one.__exit__(None, None, None)
        tables = _tables(job, parts, cores)
    rows: list[list[str | float]] = [
        ["stages alone, frames in memory", count / memory, 1.0],
        ["reading and decoding, then the stages", count / reading, memory / reading],
        ["datumd try", count / trying, memory / trying],
    ]
    figures = [
        Figure("parts_per_s", count / trying),
        Figure("over_bare_reading", reading / trying),
        Figure("over_bare_in_memory", memory / trying),
        Figure("ray_same_table", tables),
    ]
    title = f"{count} kept parts of 24 pictures, 1280x1024 Mono8, {cores} processes"
    return Measured(title, ["what", "parts/s", "over the first"], rows, figures)


def _tables(job: Job, parts: list[ArchivedPart], cores: int) -> float:
    """1 where a local Ray cluster gives the same table as the cores of this machine, 0 where not; NaN without Ray."""
    starts: list[Start] = [lambda job: Pool(job, cores), lambda job: RayPool(job, "local", cores)]
    try:
        import ray  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return float("nan")
    texts = [trial_text(tried(job, parts, start).trial) for start in starts]
    return float(texts[0] == texts[1])


if __name__ == "__main__":
    sys.exit(report.main("archive", measure))
