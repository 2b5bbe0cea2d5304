"""The CUDA device's driver on a real GPU, through pycuda."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.devices import kernel_text, libcuda
from engines.devices.cuda_driver import BLOCK_WH
from engines.errors import EngineRefused, EngineUnavailable

INSTALL = "pip install 'datumd[gpu]' (it builds pycuda: CUDA's headers and a C++ compiler must be there)"
_NOT_THE_LEGACY_STREAM = 1  # CU_STREAM_NON_BLOCKING: what other libraries do does not wait for ours


@dataclass(frozen=True, slots=True)
class PyCudaMemory:
    """See Memory: pycuda frees it."""

    allocation: Any
    address: int


class PyCudaDriver:
    """See CudaDriver: the first GPU, in its primary context, which TensorRT uses, too."""

    def __init__(self) -> None:
        """Raises EngineUnavailable without a driver, a GPU or pycuda; EngineRefused where the GPU does not take the kernels."""
        if what := libcuda.missing():
            raise EngineUnavailable(what, "install NVIDIA's driver")
        try:
            import pycuda.driver as cuda  # noqa: PLC0415 - it needs a driver
        except ImportError as problem:
            raise EngineUnavailable(f"pycuda cannot be imported ({problem})", INSTALL) from None
        self._cuda = cuda
        with self._mapped():
            cuda.init()
            context = cuda.Device(0).retain_primary_context()
            context.push()
            atexit.register(context.pop)  # pycuda aborts the process where a context is left
            self._stream = cuda.Stream(_NOT_THE_LEGACY_STREAM)
            # The driver compiles the text for its GPU, once: it keeps the result in its own cache.
            self._module = cuda.module_from_buffer(kernel_text.ptx_text().encode("ascii") + b"\0")
            self._kernels = {name: self._module.get_function(name) for name in kernel_text.NAMES}
            for kernel in self._kernels.values():
                kernel.prepare("P")

    @property
    def stream(self) -> int:
        """See CudaDriver."""
        return int(self._stream.handle)

    def allocate(self, count: int) -> PyCudaMemory:
        """See CudaDriver."""
        with self._mapped():
            allocation = self._cuda.mem_alloc(count)
        return PyCudaMemory(allocation, int(allocation))

    def pinned(self, count: int) -> NDArray[np.uint8]:
        """See CudaDriver."""
        with self._mapped():
            memory: NDArray[np.uint8] = self._cuda.pagelocked_empty((count,), np.uint8)
        return memory

    def pin(self, memory: NDArray[np.uint8]) -> None:
        """See CudaDriver. By the driver itself: pycuda's own keeps the array, and a frame ring could not be closed."""
        libcuda.pin(memory.ctypes.data, memory.nbytes)

    def put(self, target: int, source: NDArray[Any]) -> None:
        """See CudaDriver."""
        with self._mapped():
            self._cuda.memcpy_htod_async(target, source, self._stream)

    def put_rows(self, target: int, source: NDArray[np.uint8]) -> None:
        """See CudaDriver."""
        if source.strides[1] != 1:
            source = np.ascontiguousarray(source)
        copy = self._cuda.Memcpy2D()
        copy.set_src_host(source)
        copy.src_pitch = source.strides[0]
        copy.set_dst_device(target)
        copy.height, copy.width_in_bytes = source.shape
        copy.dst_pitch = copy.width_in_bytes
        with self._mapped():
            copy(self._stream)

    def fetch(self, target: NDArray[Any], source: int) -> None:
        """See CudaDriver."""
        with self._mapped():
            self._cuda.memcpy_dtoh_async(target, source, self._stream)

    def copy(self, target: int, source: int, count: int) -> None:
        """See CudaDriver."""
        with self._mapped():
            self._cuda.memcpy_dtod_async(target, source, count, self._stream)

    def launch(self, kernel: str, operation: int, grid: tuple[int, int, int]) -> None:
        """See CudaDriver."""
        with self._mapped():
            self._kernels[kernel].prepared_async_call(grid, (*BLOCK_WH, 1), self._stream, operation)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See CudaDriver."""
        return libcuda.capture(self.stream, work)

    def wait(self) -> None:
        """See CudaDriver."""
        with self._mapped():
            self._stream.synchronize()

    def timed_ms(self, work: Callable[[], None]) -> float:
        """How long the GPU takes for what `work` asks for, by its own clock. For measuring."""
        begun, ended = self._cuda.Event(), self._cuda.Event()
        with self._mapped():
            begun.record(self._stream)
            work()
            ended.record(self._stream)
            ended.synchronize()
            return float(begun.time_till(ended))

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except self._cuda.Error as problem:
            raise EngineRefused(f"the GPU failed: {' '.join(str(problem).split())[:300]}") from None
