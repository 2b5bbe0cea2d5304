"""The rendered sets that every variant is trained and tested on: made once, kept in the cache folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data import Dataset
from training.labels.coco import read_coco

FAMILY = "bracket"
ORDINARY, HEAVY, FINAL_ORDINARY, FINAL_HEAVY = "ordinary", "heavy", "final-ordinary", "final-heavy"
_DONE = "whole"


@dataclass(frozen=True, slots=True)
class RenderedSet:
    """One call of ``datumd render``: what it is called here, how many frames, its seed, what is in the way.

    Attributes:
        defects: share of the parts that have defects.
    """

    name: str
    count: int
    seed: int
    occlusion: str
    defects: float = 0.0

    def folder(self, cache: Path) -> Path:
        """Where it lies; another count or seed lies elsewhere."""
        defects = f"-defects-{self.defects:g}" if self.defects else ""
        return cache / "sets" / f"{self.name}-{self.occlusion}{defects}-{self.count}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Sets:
    """All sets of one table.

    Attributes:
        train: together they are trained on; the calibration and the validation parts are taken from them.
        ordinary, heavy: tested on by every variant.
        final: ordinary and heavy, looked at for the best combination alone: nothing was chosen by them.
    """

    train: tuple[RenderedSet, ...]
    ordinary: RenderedSet
    heavy: RenderedSet
    final: tuple[RenderedSet, RenderedSet]


FULL = Sets(
    train=(RenderedSet("train", 2400, 41001, "ordinary"), RenderedSet("train", 800, 41002, "heavy")),
    ordinary=RenderedSet("test", 400, 42001, "ordinary"),
    heavy=RenderedSet("test", 400, 42002, "heavy"),
    final=(RenderedSet("final", 500, 43001, "ordinary"), RenderedSet("final", 500, 43002, "heavy")),
)
QUICK = Sets(
    train=(RenderedSet("quick", 24, 44001, "ordinary"),),
    ordinary=RenderedSet("quick-test", 6, 44002, "ordinary"),
    heavy=RenderedSet("quick-test", 6, 44003, "heavy"),
    final=(RenderedSet("quick-test", 6, 44002, "ordinary"), RenderedSet("quick-test", 6, 44003, "heavy")),
)


def dataset(cache: Path, *sets: RenderedSet) -> Dataset:
    """One or several sets as one, rendered if they are not there."""
    read = [_read(one, cache) for one in sets]
    parts = sorted((part for each in read for part in each.parts), key=lambda part: (part.image, part.annotation))
    return Dataset(read[0].keypoints, tuple(parts), read[0].name)


def rendered(one: RenderedSet, cache: Path) -> Path:
    """The folder of a set, rendered if it is not there: annotations.json and images/."""
    folder = one.folder(cache)
    with locked(folder.with_suffix(".lock")):  # another process may be rendering it
        if not (folder.parent / f"{folder.name}.{_DONE}").exists():
            words = ["render", str(folder), "--family", FAMILY, "--count", str(one.count), "--seed", str(one.seed)]
            words += ["--occlusion", one.occlusion, "--force"]
            words += ["--defects", str(one.defects)] if one.defects else []
            subprocess.run([sys.executable, "-m", "pipeline", *words], check=True, stdout=sys.stderr)
            (folder.parent / f"{folder.name}.{_DONE}").touch()
    return folder


def _read(one: RenderedSet, cache: Path) -> Dataset:
    folder = rendered(one, cache)
    return read_coco(folder / "annotations.json", folder / "images")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; waits for whoever holds it. It ends with the process that held it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """The same without waiting; False where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
