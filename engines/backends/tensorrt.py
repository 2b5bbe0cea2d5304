"""TensorRT 10 and 11 on the first GPU: runs plans that `datumd build` made, in the stream of the images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends.placed import Placed, offsets, padded, seen
from engines.devices import libcuda
from engines.devices.cuda import CudaDevice, Ending, cuda_device
from engines.devices.cuda_driver import Memory
from engines.devices.cuda_image import CudaImage
from engines.engine import Inputs, Tensors
from engines.errors import EngineRefused, EngineUnavailable, one_line
from engines.onnx_file import read_spec
from engines.plan import Machine, find_plan
from engines.spec import NetworkSpec, TensorSpec

INSTALL = "pip install tensorrt (a wheel for your driver's CUDA, from NVIDIA), then pip install 'datumd[gpu]'"
BUILD = "datumd build RECIPE --precision PRECISION, as the station has it"
_numbers = count()


def missing() -> str | None:
    """What keeps TensorRT from running here, in one line; None where nothing does. The driver is asked before its libraries."""
    if what := libcuda.missing():
        return what
    for name in ("tensorrt", "pycuda.driver"):
        try:
            import_module(name)
        # A library of theirs that is not there, or of another version: each fails in its own way.
        except Exception as problem:
            return f"{name} cannot be imported ({one_line(problem)}); next: {INSTALL}"
    return None


@dataclass(frozen=True, slots=True)
class Installed:
    """The module `tensorrt`, which has no types, and what plans are made for here."""

    library: Any
    machine: Machine


def installed() -> Installed:
    """What is installed. Raises EngineUnavailable where TensorRT cannot run here, or the driver fails."""
    if what := missing():
        raise EngineUnavailable(what)
    with _not_the_network():
        library, gpu = import_module("tensorrt"), libcuda.gpu()
    return Installed(library, Machine(str(library.__version__), gpu.driver, gpu.name, gpu.capability))


@dataclass(slots=True)
class _Batch:
    """What one batch size needs, kept from run to run: a context with its bindings, and the memory behind them."""

    context: Any
    memories: list[Memory]
    inputs: dict[str, Placed]
    outputs: dict[str, Placed]
    answers: tuple[NDArray[np.uint8], int]  # all outputs in one piece: here, and their address there
    views: dict[int, dict[str, NDArray[Any]]] = field(default_factory=dict)  # by the rows that count

    def first(self, rows: int) -> dict[str, NDArray[Any]]:
        """The first rows of the outputs."""
        if rows not in self.views:
            self.views[rows] = {name: placed.host[:rows] for name, placed in self.outputs.items()}
        return self.views[rows]


class TensorRtEngine:
    """One plan. Takes arrays and images of its device; a batch is run as the next larger size that is kept.

    Kept from the start are the powers of two that the plan takes, and its largest size: how many parts a frame shows, and
    how many keypoints are looked for again, is not known before, and a part's deadline bears no new context and memory.
    """

    def __init__(
        self,
        network: bytes,
        *,
        threads: int,  # noqa: ARG002 - every backend is told
        plans: Path | None = None,
        device: CudaDevice | None = None,
        found: Installed | None = None,
    ) -> None:
        """Load the plan of `network`, the bytes of an ONNX file, from the folder `plans`.

        Args:
            network: its tensors, metadata and hash count; the plan is what runs.
            threads: of no use here: one thread launches.
            plans: the cache of plans.
            device: where images live; the process's own.
            found: the library and the machine; those that `installed` finds.

        Raises:
            EngineUnavailable: TensorRT cannot run here, has no plan that fits, or the GPU fails or is full: the network
                can still be run elsewhere.
            EngineRefused: the network cannot be used.
        """
        found = found or installed()
        self._trt = library = found.library
        self.spec: NetworkSpec = read_spec(network)
        try:
            plan = find_plan(plans, self.spec.sha256, found.machine)
        except EngineUnavailable as problem:
            raise EngineUnavailable(problem.what, BUILD) from None
        self.backend = f"tensorrt {library.__version__}"
        with _not_the_network():
            self.device = device or cuda_device()
        self._most = plan.note.profile.most
        self._number = next(_numbers)  # in the keys of graphs: another engine must not meet ours
        self._runtime = library.Runtime(library.Logger(library.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(plan.plan)
        if self._engine is None:
            raise EngineUnavailable("TensorRT does not accept its plan (its reason is above)", BUILD)
        self._check()
        with _not_the_network():
            self._workspace = self.device.driver.allocate(max(1, self._engine.device_memory_size_v2))
            self._batches = {size: self._allocate(size) for size in _kept_sizes(self._most)}
        self._joined: dict[int, dict[str, NDArray[Any]]] = {}

    def warm_up(self, batch: int) -> None:
        """See Engine. The other sizes that are kept are run, too: a context's first run takes what later ones do not."""
        self._require_open()
        if batch <= self._most and batch not in self._batches:
            with _not_the_network():
                self._batches[batch] = self._allocate(batch)
        for size in sorted({*self._batches, batch}):
            self.run({tensor.name: np.zeros(tensor.sized(size), tensor.dtype) for tensor in self.spec.inputs})

    def run(self, inputs: Inputs) -> Tensors:
        """See Engine. Larger batches than the plan takes are run in pieces."""
        self._require_open()
        rows = self._rows(inputs)
        if rows > self._most:
            return self._in_pieces(inputs, rows)
        size = min(kept for kept in self._batches if kept >= rows)
        return self._run(self._batches[size], inputs, rows, size)

    def enqueue(self, size: int) -> None:
        """The network alone, on what lies in the memory of a batch size that it was warmed up for. For measuring."""
        if not self._batches[size].context.execute_async_v3(self.device.driver.stream):
            raise EngineRefused("the network failed (TensorRT's reason is above)")

    def close(self) -> None:
        """See Engine."""
        self._batches.clear()
        self._engine = None

    def _run(self, batch: _Batch, inputs: Inputs, rows: int, size: int) -> Tensors:
        driver, context = self.device.driver, batch.context
        uploads: list[Placed] = []
        images: list[tuple[Placed, CudaImage]] = []
        for name, value in inputs.items():
            placed = batch.inputs[name]
            if isinstance(value, CudaImage):
                images.append((placed, value))
            else:
                np.copyto(placed.host[:rows], value)
                uploads.append(placed)

        def issue() -> None:
            for placed in uploads:
                driver.put(placed.address, placed.host)
                self._bind(context, placed.spec.name, placed.address)
            for placed, image in images:
                if rows == size:
                    self._bind(context, placed.spec.name, image.address)
                else:  # the network reads more rows than the image has
                    driver.copy(placed.address, image.address, image.count)
                    self._bind(context, placed.spec.name, placed.address)
            if not context.execute_async_v3(driver.stream):
                raise EngineRefused("the network failed (TensorRT's reason is above)")
            driver.fetch(*batch.answers)

        addresses = tuple((placed.spec.name, image.address, image.count) for placed, image in images)
        self.device.finish(Ending((self._number, size, addresses), issue))
        return batch.first(rows)

    def _in_pieces(self, inputs: Inputs, rows: int) -> Tensors:
        joined = self._joined.get(rows)
        if joined is None:
            joined = {tensor.name: np.empty(tensor.sized(rows), tensor.dtype) for tensor in self.spec.outputs}
            self._joined[rows] = joined
        for start in range(0, rows, self._most):
            piece = slice(start, min(start + self._most, rows))
            for name, array in self.run({name: value[piece] for name, value in inputs.items()}).items():
                joined[name][piece] = array
        return joined

    def _rows(self, inputs: Inputs) -> int:
        """The rows of all inputs. Raises EngineRefused: a wrong size would be read as if it were right."""
        expected = {tensor.name: tensor for tensor in self.spec.inputs}
        if inputs.keys() != expected.keys():
            raise EngineRefused(f"inputs {sorted(inputs)} were given, the network takes {sorted(expected)}")
        rows = len(next(iter(inputs.values())))
        for name, value in inputs.items():
            tensor, dtype = expected[name], np.dtype(getattr(value, "dtype", np.uint8))
            if dtype != tensor.dtype or tuple(value.shape) != tensor.sized(rows) or not rows:
                found = TensorSpec(name, dtype, tuple(value.shape))
                raise EngineRefused(f"input {found} was given, the network takes {tensor}, one batch size")
        return rows

    def _allocate(self, size: int) -> _Batch:
        trt, driver = self._trt, self.device.driver
        # One piece of working memory for all contexts: in one stream they never run at the same time.
        context = self._engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise EngineRefused("TensorRT makes no context for its plan (its reason is above)")
        context.set_device_memory(self._workspace.address, self._engine.device_memory_size_v2)
        memories, inputs = [], {}
        for tensor in self.spec.inputs:
            if not context.set_input_shape(tensor.name, tensor.sized(size)):
                raise EngineRefused(f"TensorRT does not take {tensor} for {size} rows")
            memory, host = self._twins((tensor,), size)
            host[:] = 0  # rows beyond those that are given must be numbers that a network can bear
            memories.append(memory)
            inputs[tensor.name] = Placed(tensor, memory.address, seen(host, tensor, size, 0))
            driver.put(memory.address, host)
        answers, host = self._twins(self.spec.outputs, size)
        outputs = {
            tensor.name: Placed(tensor, answers.address + at, seen(host, tensor, size, at))
            for tensor, at in offsets(self.spec.outputs, size)
        }
        for placed in (*inputs.values(), *outputs.values()):
            self._bind(context, placed.spec.name, placed.address)
        driver.wait()
        return _Batch(context, [*memories, answers], inputs, outputs, (host, answers.address))

    def _twins(
        self, tensors: "tuple[TensorSpec, ...] | list[TensorSpec]", size: int
    ) -> tuple[Memory, NDArray[np.uint8]]:
        """Memory for some tensors one after the other: the GPU's and page-locked."""
        length = sum(padded(tensor, size) for tensor in tensors)
        return self.device.driver.allocate(length), self.device.driver.pinned(length)

    def _bind(self, context: Any, name: str, address: int) -> None:  # noqa: ANN401 - the library has no types
        if not context.set_tensor_address(name, address):
            raise EngineRefused(f"TensorRT does not take the memory of {name}")

    def _check(self) -> None:
        """Raises EngineUnavailable where the plan's tensors are not the network's."""
        engine, trt = self._engine, self._trt
        found = {
            (
                name,
                np.dtype(trt.nptype(engine.get_tensor_dtype(name))),
                tuple(engine.get_tensor_shape(name))[1:],
                engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            )
            for name in (engine.get_tensor_name(index) for index in range(engine.num_io_tensors))
        }
        expected = {
            (tensor.name, tensor.dtype, tensor.shape[1:], is_input)
            for tensors, is_input in ((self.spec.inputs, True), (self.spec.outputs, False))
            for tensor in tensors
        }
        if found != expected:
            raise EngineUnavailable("its plan has other tensors than the network", BUILD)

    def _require_open(self) -> None:
        if self._engine is None:
            raise EngineRefused("the network was closed")


@contextmanager
def _not_the_network() -> Iterator[None]:
    """A GPU that fails or is full says nothing against the network: EngineRefused becomes EngineUnavailable."""
    try:
        yield
    except EngineRefused as problem:
        raise EngineUnavailable(problem.what, problem.next) from None


def _kept_sizes(most: int) -> list[int]:
    """1, 2, 4 and so on below `most`, and `most`."""
    return [*(1 << power for power in range((most - 1).bit_length())), most]
