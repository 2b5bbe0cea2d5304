"""The GPU path of the example recipe: networks beside their plans alone, copies and kernels beside the memory's speed, end to end.

On a machine without a GPU it says what is missing, and measures nothing.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bare import RECIPE, VIEW, bracket_frames, inspect_bare
from benchmarks.report import Figure, Measured, main
from engines.backends.tensorrt import TensorRtEngine, missing
from engines.build import build_plan
from engines.devices import libcuda
from engines.devices.cuda import CudaDevice, Ending, cuda_device
from engines.devices.pycuda_driver import PyCudaDriver
from engines.load import load_engine
from pipeline.inspector import Inspector
from pipeline.plans import profiles
from pipeline.recipe import load_recipe

COLUMNS = ["what", "measured", "ratio", "to"]
LARGE_BYTES = 1 << 28
SAME = 50  # times that one operation is repeated between two looks at the GPU's clock
SPARSE_S = 0.1
Rows = list[tuple[str, str, str | float, str]]


def measure(quick: bool) -> Measured:
    """Measure the example recipe on the first GPU: engines, copies, kernels, whole inspections beside the processor's."""
    cv2.setNumThreads(1)
    if what := missing():
        return Measured(f"nothing was measured: {what}", COLUMNS, [("GPU", "missing", "", what)], [])
    device = cuda_device()
    driver = device.driver
    if not isinstance(driver, PyCudaDriver):
        raise TypeError("the GPU of a process is pycuda's")
    gpu, rounds = libcuda.gpu(), 100 if quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        plans = Path(folder)
        engines = _engines(plans)
        rows, figures = _networks(engines, driver, rounds)
        for part in (_memory(device, driver), _whole(plans, rounds)):
            rows += part[0]
            figures += part[1]
    title = f"{gpu.name}, driver {gpu.driver}, {next(iter(engines.values())).backend}, the example recipe in fp32"
    return Measured(title, COLUMNS, rows, figures)


def _engines(plans: Path) -> dict[str, TensorRtEngine]:
    """The example's networks, by name; their plans are built, which takes minutes."""
    found = {}
    for path, profile in profiles(load_recipe(RECIPE).views[VIEW]).items():
        build_plan(path.read_bytes(), profile, "fp32", plans, lambda _: None)
        engine = load_engine(path, backend="tensorrt", plans=plans)
        if isinstance(engine, TensorRtEngine):
            engine.warm_up(profile.usual)
            found[f"{path.stem} x {profile.usual}"] = engine
    return found


def _networks(engines: dict[str, TensorRtEngine], driver: PyCudaDriver, rounds: int) -> tuple[Rows, list[Figure]]:
    """A run of ours, with its copies and its waiting, beside the same plan alone, back to back on the GPU's clock."""
    rows: Rows = []
    figures = []
    for name, engine in engines.items():
        size = int(name.split()[-1])
        inputs = {tensor.name: np.zeros(tensor.sized(size), tensor.dtype) for tensor in engine.spec.inputs}
        ours = statistics.median(_host_ms(partial(engine.run, inputs), rounds))
        alone = driver.timed_ms(_repeated(partial(engine.enqueue, size))) / SAME
        rows.append((f"{name}, a run", f"{ours:.3f} ms", ours / alone, f"the plan alone, {alone:.3f} ms"))
        figures.append(Figure(f"{name.split()[0]}_over_plan", ours / alone))
    return rows, figures


def _memory(device: CudaDevice, driver: PyCudaDriver) -> tuple[Rows, list[Figure]]:
    """Copies and kernels, as GB/s of what they must move, beside plain copies of a quarter of a GiB in the same run."""
    host, there = driver.pinned(LARGE_BYTES), driver.allocate(LARGE_BYTES)
    other = driver.allocate(LARGE_BYTES)
    up = LARGE_BYTES / driver.timed_ms(lambda: driver.put(there.address, host)) / 1e6
    within = 2 * LARGE_BYTES / driver.timed_ms(lambda: driver.copy(other.address, there.address, LARGE_BYTES)) / 1e6
    frame = driver.pinned(1280 * 1024).reshape(1024, 1280)
    frame[:] = 90
    area = frame[64:960, 64:1216]
    source, large, small = device.empty(896, 1152), device.empty(896, 1152), device.empty(224, 288)
    half, patches = device.empty(448, 576), device.empty(14, 48, 48)
    centres = np.random.default_rng(0).uniform(200, 700, (14, 2))
    upload = driver.timed_ms(_repeated(lambda: driver.put_rows(source.address, area))) / SAME
    kernels = {
        "resize to a half": (lambda: device.resize(large, half), large.count + half.count),
        "resize to a quarter": (lambda: device.resize(large, small), large.count + small.count),
        "14 patches of 48 px from 144": (lambda: device.gather(large, centres, 144.0, patches), 14 * (144**2 + 48**2)),
        "14 patches of 48 px from 72": (
            lambda: device.gather(large, centres, 72.0, patches, 0.4),
            14 * (72**2 + 48**2),
        ),
    }
    rows: Rows = [
        ("copy up, pinned", f"{up:.1f} GB/s", "", ""),
        ("copy within the GPU", f"{within:.0f} GB/s", "", ""),
        ("region of 1152 x 896, up", f"{1e3 * upload:.1f} us", area.size / upload / 1e6 / up, "the copy up"),
    ]
    for name, (work, moved) in kernels.items():
        took = driver.timed_ms(_put_off(device, work)) / SAME
        rows.append((name, f"{1e3 * took:.2f} us", moved / took / 1e6 / within, "the copy within"))
    return rows, [Figure("upload_over_copy", area.size / upload / 1e6 / up)]


def _whole(plans: Path, rounds: int) -> tuple[Rows, list[Figure]]:
    """Whole inspections on the GPU and on the processor in turn, back to back, then with a pause before each."""
    recipe, frames = load_recipe(RECIPE), bracket_frames()
    gpu = Inspector.load(recipe, backend="tensorrt", plans=plans)
    cpu = Inspector.load(recipe, backend="onnxruntime")
    rows: Rows = []
    figures = []
    for name, pause_s, count in (("back_to_back", 0.0, rounds), ("after_100_ms", SPARSE_S, max(20, rounds // 10))):
        times: dict[str, list[float]] = {"gpu": [], "cpu": []}
        for index in range(count):
            for key, inspector in (("gpu", gpu), ("cpu", cpu)):
                time.sleep(pause_s)
                frame = frames[index % len(frames)]
                times[key] += _host_ms(partial(inspect_bare, inspector, frame), 1)
        ours, theirs = (statistics.median(times[key][count // 10 :]) for key in ("gpu", "cpu"))
        label = f"inspection, {name.replace('_', ' ')}"
        rows.append((label, f"{ours:.2f} ms", ours / theirs, f"on the processor, {theirs:.2f} ms"))
        figures.append(Figure(f"{name}_gpu_over_cpu", ours / theirs))
    return rows, figures


def _host_ms(work: Callable[[], object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begun))
    return times


def _repeated(work: Callable[[], object]) -> Callable[[], None]:
    def all_of_them() -> None:
        for _ in range(SAME):
            work()

    return all_of_them


def _put_off(device: CudaDevice, work: Callable[[], None]) -> Callable[[], None]:
    """Operations that wait until all are there, and then begin; their records' copy is one in SAME."""
    _repeated(work)()
    device.finish(Ending("warm", lambda: None))
    _repeated(work)()
    return lambda: device.finish(Ending("measured", lambda: None))


if __name__ == "__main__":
    sys.exit(main("gpu", measure))
