"""The networks of one training, run up to three points: before refinement, refined, and with the shape fit in the loop."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import onnx

from pipeline.geometry import Region
from pipeline.shape import FILE_NAME as SHAPE_FILE
from training.canvas import read_grey, region_of
from training.data import Dataset
from training.export import rescale
from training.method import ViewShape
from training.shipped import ShippedView

FIRST, REFINED, FITTED = "first", "refined", "fitted"
BEFORE = ("coarse.onnx", "posed.onnx")
REFINE = "refine.onnx"
_TIMED = 30


def decodings(recipe: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and view folder of each point that the networks in ``recipe`` can be run up to, made anew in ``folder``."""
    kinds = {FIRST: BEFORE, REFINED: (*BEFORE, REFINE), FITTED: (*BEFORE, REFINE, SHAPE_FILE)}
    for name, files in kinds.items():
        if not (recipe / files[-1]).exists() and name != FIRST:
            continue
        view = folder / name
        shutil.rmtree(view, ignore_errors=True)
        view.mkdir(parents=True)
        for file in files:
            if (recipe / file).exists():
                shutil.copy2(recipe / file, view / file)
                if name == FIRST:  # its visibility by itself: in the recipe it is weighed against the refine network's
                    rescale(view / file, 1.0)
        yield name, view


def parameters(view: Path) -> int:
    """How many weights the networks of a view have."""
    count = 0
    for path in view.glob("*.onnx"):
        for tensor in onnx.load(path).graph.initializer:
            if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
                size = 1
                for side in tensor.dims:
                    size *= side
                count += size
    return count


def milliseconds(view: Path, shape: ViewShape, dataset: Dataset) -> float:
    """CPU time that a part takes from the frame on, with one thread; the median of 30 parts. Waiting does not count."""
    shipped, times = ShippedView(view), []
    for part in dataset.parts[:_TIMED]:
        image, region = read_grey(part), Region(*region_of(part, shape))
        shipped.predict(image, [region])  # the first run of a frame finds cold caches; a line's parts are alike
        started = time.process_time()
        shipped.predict(image, [region])
        times.append((time.process_time() - started) * 1e3)
    return statistics.median(times)
