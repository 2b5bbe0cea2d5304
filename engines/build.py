"""Makes TensorRT plans ahead of time: minutes, once for a network, a GPU and a version; never while the daemon starts."""

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from engines.backends.tensorrt import Installed, installed
from engines.errors import EngineRefused
from engines.onnx_file import read_spec
from engines.plan import PlanNote, Profile, is_current, plan_path, write_plan
from engines.spec import TensorSpec

Told = Callable[["Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What the builder is at: `done` of `steps` of its outermost phase, and the innermost one's name."""

    phase: str
    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class Built:
    """A plan in the cache; `is_new` where it was made just now."""

    path: Path
    is_new: bool


def build_plan(
    network: bytes,
    profile: Profile,
    precision: str,
    folder: Path,
    told: Told,
    found: Installed | None = None,
) -> Built:
    """Make the plan of a network for the first GPU of this machine, unless a good one is there.

    Args:
        network: the bytes of an ONNX file. Its types are kept as they are: 16 and 8 bits are in the file.
        profile: the batch sizes.
        precision: of the file, for the note.
        folder: the cache of plans.
        told: called with what the builder is at, from its threads.
        found: the library and the machine; those that `installed` finds.

    Raises:
        EngineUnavailable: TensorRT cannot run here.
        EngineRefused: it does not accept the network, or the plan cannot be written.
        KeyboardInterrupt: it was interrupted; nothing is left behind.
    """
    spec = read_spec(network)
    found = found or installed()
    here = found.machine
    if is_current(folder, spec.sha256, here, profile):
        return Built(plan_path(folder, spec.sha256, here), False)
    with _interruptible() as interrupted:
        plan = _built(found.library, network, spec.inputs, profile, _Watch(told, interrupted))
    note = PlanNote(spec.sha256, precision, here, profile, hashlib.sha256(plan).hexdigest())
    return Built(write_plan(folder, plan, note), True)


def _built(
    trt: Any,  # noqa: ANN401 - the library has no types
    network: bytes,
    inputs: tuple[TensorSpec, ...],
    profile: Profile,
    watch: "_Watch",
) -> bytes:
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    definition = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(definition, logger)
    if not parser.parse(network):
        faults = [parser.get_error(index) for index in range(parser.num_errors)]
        lines = "; ".join(f"{fault.node_operator()}: {fault.desc()}" for fault in faults)
        raise EngineRefused(f"is no network that TensorRT accepts: {' '.join(lines.split())[:300]}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default: 10 bits where the file says 23
    config.max_aux_streams = 0  # one stream, that of the images
    config.progress_monitor = _monitor(trt, watch)
    batches = builder.create_optimization_profile()
    for tensor in inputs:
        batches.set_shape(tensor.name, tensor.sized(1), tensor.sized(profile.usual), tensor.sized(profile.most))
    config.add_optimization_profile(batches)
    plan = builder.build_serialized_network(definition, config)
    if watch.interrupted.is_set():
        raise KeyboardInterrupt
    if plan is None:
        raise EngineRefused("TensorRT makes no plan of it (its reason is above)")
    return bytes(plan)


class _Watch:
    """Follows the builder's phases, which lie within each other."""

    def __init__(self, told: Told, interrupted: threading.Event) -> None:
        self._told, self.interrupted = told, interrupted
        self._outermost = ""
        self._progress = Progress("", 0, 0)

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        if not parent:
            self._outermost, self._progress = phase, Progress(phase, 0, steps)
        else:
            self._progress = Progress(phase, self._progress.done, self._progress.steps)
        self._told(self._progress)

    def step(self, phase: str, step: int) -> bool:
        """Whether to go on."""
        if phase == self._outermost:
            self._progress = Progress(self._progress.phase, step + 1, self._progress.steps)
            self._told(self._progress)
        return not self.interrupted.is_set()


def _monitor(trt: Any, watch: _Watch) -> Any:  # noqa: ANN401 - the library has no types
    """A progress monitor of the library's class, which is known only once it is there."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # likewise
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            watch.start(phase_name, parent_phase, num_steps)

        def phase_finish(self, phase_name: str) -> None:
            del phase_name

        def step_complete(self, phase_name: str, step: int) -> bool:
            return watch.step(phase_name, step)

    return Monitor()


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C as an event: an exception would have to pass through the library, which ends the process on it."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupted.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
