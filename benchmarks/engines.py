"""How long the example recipes' networks take on every backend that is present, beside ONNX Runtime in fp32.

The files in fp16 and int8 are made here, with every layer that can be lowered: a recipe's own may keep some in fp32, and take
longer. Ranges are any: they change no time.
"""

import os
import random
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, Measured, main
from calibration import fp16, int8, onnx_graph
from engines.engine import Engine
from engines.errors import EngineUnavailable
from engines.load import BACKENDS, BEST_FIRST, choose, load_engine
from engines.spec import NetworkSpec
from pipeline.clock import monotonic_ns
from pipeline.network import METADATA_KEY
from simulator.demo import RECIPES

REFERENCE = "onnxruntime fp32"
VIEWS = ("bracket/top", "photos/tubes/top")
THREADS = (1, 2)
NOT_HERE = {"onnxruntime", "tensorrt"}
SEED = 7
WARM_UP = 5
BLOCKS = 40  # of ten rounds of each kind, one after the other
Inputs = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One backend with a network in one precision."""

    name: str
    engine: Engine

    def ms(self, inputs: Inputs) -> float:
        """Run one batch; how long it took."""
        begun_ns = monotonic_ns()
        self.engine.run(inputs)
        return (monotonic_ns() - begun_ns) / 1e6


def measure(quick: bool) -> Measured:
    """Run all of them in turn, in an order that is drawn anew every time, so that a busy machine slows all alike."""
    rounds = 30 if quick else 300
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    rows: list[tuple[str | float, ...]] = []
    ratios: dict[str, list[float]] = defaultdict(list)
    for network, threads in ((network, threads) for network in _networks() for threads in _threads()):
        contenders = _contenders(network, threads)
        for batch in _batches(contenders[0].engine.spec):
            times = _interleaved(contenders, batch, rounds, draw)
            for name, ms in times.items():
                ratio = _undisturbed(ms) / _undisturbed(times[REFERENCE])
                ratios[name].append(ratio)
                middle, tail = np.percentile(ms, [50, 99])
                rows.append((_name(network), name, str(batch), str(threads), middle, tail, _undisturbed(ms), ratio))
        for one in contenders:
            one.engine.close()
    means = {name: statistics.geometric_mean(values) for name, values in ratios.items()}
    return Measured(
        title=f"networks of {', '.join(VIEWS)}: ms of {rounds} rounds, in one run; "
        f"auto, without plans, is {_taken('fp32')} in fp32 and {_taken('int8')} in int8",
        columns=["network", "engine", "batch", "threads", "p50", "p99", "p10", "p10 over onnxruntime fp32"],
        rows=rows,
        figures=[
            *(Figure(f"{name.replace(' ', '_').replace('-', '_')}_ratio", mean) for name, mean in means.items()),
            Figure("auto_over_best_fp32", _auto_over_best(means, "fp32")),
            Figure("auto_over_best_int8", _auto_over_best(means, "int8")),
            Figure("alternating_over_alone", max(map(_alternating, _present()))),
        ],
    )


def _auto_over_best(means: Mapping[str, float], precision: str) -> float:
    """What `auto` takes for networks of this precision and no plan, over the fastest that is present."""
    return means[f"{_taken(precision)} {precision}"] / min(means[f"{backend} {precision}"] for backend in _present())


def _taken(precision: str) -> str:
    """What `auto` takes where there are no plans: TensorRT, though present, is not among those measured here."""
    return next(name for name in BEST_FIRST[precision == "int8"] if name in _present())


def _alternating(backend: str) -> float:
    """The time of two networks of one process that run in turn, over that of the same two each by itself."""
    networks = [path for path in _networks() if path.parent == RECIPES / VIEWS[0]]
    engines = [Contender(path.stem, load_engine(path, backend=backend, threads=max(_threads()))) for path in networks]
    inputs = [_inputs(one.engine.spec, _batches(one.engine.spec)[0]) for one in engines]
    together: dict[str, list[float]] = defaultdict(list)
    alone: dict[str, list[float]] = defaultdict(list)
    for one, given in zip(engines, inputs, strict=True):
        one.engine.warm_up(len(next(iter(given.values()))))
    for _ in range(BLOCKS):
        for one, given in zip(engines, inputs, strict=True):
            alone[one.name] += [one.ms(given) for _ in range(10)]
        for _ in range(10):
            for one, given in zip(engines, inputs, strict=True):
                together[one.name].append(one.ms(given))
    for one in engines:
        one.engine.close()
    return sum(map(_undisturbed, together.values())) / sum(map(_undisturbed, alone.values()))


def _interleaved(contenders: list[Contender], batch: int, rounds: int, draw: random.Random) -> dict[str, list[float]]:
    """The ms of each contender in each round."""
    inputs = _inputs(contenders[0].engine.spec, batch)
    times: dict[str, list[float]] = {one.name: [] for one in contenders}
    for one in contenders:
        one.engine.warm_up(batch)
        for _ in range(WARM_UP):
            one.ms(inputs)
    for _ in range(rounds):
        for one in draw.sample(contenders, len(contenders)):
            times[one.name].append(one.ms(inputs))
    return times


def _undisturbed(ms: list[float]) -> float:
    """The lower tenth: what else the machine does falls on the others, also where it has something to do half of the time."""
    return float(np.percentile(ms, 10))


def _contenders(network: Path, threads: int) -> list[Contender]:
    """The reference first; every backend in every precision."""
    model = onnx_graph.read(network)
    ranges = dict.fromkeys(onnx_graph.layer_inputs(model), 4.0)
    files = {
        "fp32": network.read_bytes(),
        "fp16": fp16.to_fp16(model, []),
        "int8": int8.to_int8(model, ranges, []),
    }
    contenders = []
    with tempfile.TemporaryDirectory(prefix="datumd-bench-") as folder:
        for precision, content in files.items():
            path = Path(folder) / f"{network.stem}.{precision}.onnx"
            path.write_bytes(content)
            for backend in _present():
                engine = load_engine(path, backend=backend, threads=threads)
                contenders.append(Contender(f"{backend} {precision}", engine))
    return contenders


def _present() -> list[str]:
    """The backends that can be used here, onnxruntime first. TensorRT's plans have a benchmark of their own."""
    return ["onnxruntime", *(name for name in sorted(BACKENDS.keys() - NOT_HERE) if _is_present(name))]


def _is_present(backend: str) -> bool:
    try:
        choose(backend)
    except EngineUnavailable:
        return False
    return True


def _networks() -> list[Path]:
    return [path for view in VIEWS for path in sorted((RECIPES / view).glob("*.onnx"))]


def _threads() -> list[int]:
    return [threads for threads in THREADS if threads <= (os.cpu_count() or 1)]


class _Card(msgspec.Struct):
    role: str
    keypoints: list[str]


def _batches(spec: NetworkSpec) -> tuple[int, int]:
    """Of one part and of two: patches are as many as keypoints, images are one."""
    card = msgspec.json.decode(spec.metadata[METADATA_KEY], type=_Card)
    one = len(card.keypoints) if card.role == "refine" else 1
    return one, 2 * one


def _inputs(spec: NetworkSpec, batch: int) -> Inputs:
    """Grey noise; numbers of keypoints and spans are all the first."""
    noise = np.random.default_rng(SEED)
    fill: dict[bool, Callable[[tuple[int, ...], np.dtype[np.generic]], NDArray[np.generic]]] = {
        True: lambda shape, dtype: noise.integers(0, 256, shape).astype(dtype),
        False: np.zeros,
    }
    return {tensor.name: fill[tensor.dtype == np.uint8](tensor.sized(batch), tensor.dtype) for tensor in spec.inputs}


def _name(network: Path) -> str:
    return network.relative_to(RECIPES).with_suffix("").as_posix()


if __name__ == "__main__":
    sys.exit(main("engines", measure))
