"""From the name of a backend to a loaded network."""

import hashlib
import logging
import stat
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from engines.engine import Engine
from engines.errors import EngineRefused, EngineUnavailable
from engines.onnx_file import is_quantised
from engines.plan import has_plan

log = logging.getLogger(__name__)

BACKENDS = {
    "openvino": "engines.backends.openvino:OpenVinoEngine",
    "onnxruntime": "engines.backends.onnxruntime:OnnxRuntimeEngine",
    "tensorrt": "engines.backends.tensorrt:TensorRtEngine",
    "tensorrt-rtx": "engines.backends.rtx:RtxEngine",
}
WITH_PLANS = {"tensorrt"}  # they run what was made ahead of time
# What `auto` takes: a GPU with a plan, then as `python -m benchmarks.engines` ranks them: in fp32 OpenVINO is hardly faster than
# ONNX Runtime and starts later, in int8 it is twice as fast while ONNX Runtime is slower than in fp32. tensorrt-rtx is
# taken by name only: it builds while it loads. By whether a network is in int8.
BEST_FIRST = {False: ("tensorrt", "onnxruntime", "openvino"), True: ("tensorrt", "openvino", "onnxruntime")}
LARGEST_BYTES = 2 << 30  # a protocol buffer has no more


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that `auto`, or a name, stands for on this machine, and why it is that one."""

    backend: str
    reason: str

    def __str__(self) -> str:
        """Text for people: `onnxruntime (auto: the best here in fp32; tensorrt: there is no NVIDIA driver)`."""
        return f"{self.backend} ({self.reason})"


def choose(backend: str = "auto", *, is_int8: bool = False, plans: Path | None = None) -> Choice:
    """What `backend` stands for here.

    Args:
        backend: a key of BACKENDS, or `auto` for the best one that is present.
        is_int8: whether the networks round to integers.
        plans: where plans lie; `auto` does not look for what runs plans where there is none.

    Raises:
        EngineUnavailable: no such backend, or what it needs is missing.
    """
    if backend != "auto":
        _module(backend)
        return Choice(backend, "as configured")
    missing = []
    for name in BEST_FIRST[is_int8]:
        try:
            if name in WITH_PLANS and plans is not None and not has_plan(plans):
                raise EngineUnavailable(f"there is no plan in {plans}")
            _module(name)
        except EngineUnavailable as problem:
            missing.append(f"{name}: {problem.what}")
        else:
            return Choice(name, "; ".join([f"auto: the best here in {'int8' if is_int8 else 'fp32'}", *missing]))
    raise EngineUnavailable("; ".join(missing), "pip install onnxruntime")


def load_engine(path: Path, *, backend: str = "auto", threads: int = 1, plans: Path | None = None) -> Engine:
    """Load the network at `path`.

    Args:
        path: an ONNX file.
        backend: a key of BACKENDS, or `auto` for the best one that is present and has what this network needs: a plan of
            TensorRT is made beforehand, or the next best backend is taken.
        threads: CPU threads that one run may use.
        plans: where plans of TensorRT lie.

    Raises:
        EngineUnavailable: no such backend, or what it needs is missing.
        EngineRefused: the file cannot be read, or the backend does not accept the network.
    """
    network = _read(path)
    is_int8 = backend == "auto" and is_quantised(network)
    if backend != "auto":
        return _loaded(backend, network, threads, plans)
    names: tuple[str, ...] = BEST_FIRST[is_int8]
    # Importing TensorRT takes seconds: not for a network without a plan.
    if plans is None or not has_plan(plans, hashlib.sha256(network).hexdigest()):
        names = tuple(name for name in names if name not in WITH_PLANS)
    first = next((number for number, name in enumerate(names) if _found(name) is None), len(names) - 1)
    for name in names[first:-1]:
        try:
            return _loaded(name, network, threads, plans)
        except EngineUnavailable as problem:
            log.warning("%s is not run on %s: %s", path, name, problem)
    return _loaded(names[-1], network, threads, plans)


def _loaded(name: str, network: bytes, threads: int, plans: Path | None) -> Engine:
    engine = getattr(_module(name), BACKENDS[name].partition(":")[2])
    more = {"plans": plans} if name in WITH_PLANS else {}
    return cast(Engine, engine(network, threads=threads, **more))


def _module(name: str) -> ModuleType:
    """The module of a backend that can be used. Raises EngineUnavailable where it cannot."""
    if problem := _found(name):
        raise EngineUnavailable(problem.what, problem.next)
    return import_module(BACKENDS[name].partition(":")[0])


@cache  # what fails once, an import or a driver, is not tried again by every network
def _found(name: str) -> EngineUnavailable | None:
    """What keeps a backend from being used; None where nothing does."""
    try:
        _look_for(name)
    except EngineUnavailable as problem:
        return EngineUnavailable(problem.what, problem.next)
    return None


def _look_for(name: str) -> None:
    if name not in BACKENDS:
        raise EngineUnavailable(f"there is no backend {name!r}; allowed: auto, {', '.join(BACKENDS)}")
    module = import_module(BACKENDS[name].partition(":")[0])
    missing = getattr(module, "missing", None)  # a driver, a device: what importing does not tell
    what = missing() if missing else None
    if what:
        what, _, command = what.partition("; next: ")
        raise EngineUnavailable(
            what, command or "install NVIDIA's driver for this machine's GPU, or take the backend auto"
        )


def _read(path: Path) -> bytes:
    """The bytes of a plain file; a named pipe would be waited for."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise EngineRefused("is no plain file")
        if status.st_size > LARGEST_BYTES:
            raise EngineRefused(f"is too large; allowed: {LARGEST_BYTES} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise EngineRefused(f"cannot be read ({problem.strerror})") from None
