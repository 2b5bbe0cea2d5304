"""What the CUDA device asks of the driver: memory, copies, launches and graphs, all in one stream."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK_WH = (32, 8)  # threads; one makes one pixel


class Memory(Protocol):
    """A piece of the GPU's memory, freed with this object."""

    @property
    def address(self) -> int:
        """Where it begins."""


class CudaDriver(Protocol):
    """One GPU and one stream: whatever is asked for is done in the order of the calls, and not before `wait` returns.

    Every method raises EngineRefused where the GPU fails.
    """

    @property
    def stream(self) -> int:
        """The stream's handle, for libraries that work in it, too."""

    def allocate(self, count: int) -> Memory:
        """So many bytes of the GPU's memory."""

    def pinned(self, count: int) -> NDArray[np.uint8]:
        """So many bytes of ordinary memory that the GPU reaches by itself."""

    def pin(self, memory: NDArray[np.uint8]) -> None:
        """Let the GPU reach memory of somebody else's by itself; a copy from there no longer waits for the processor."""

    def put(self, target: int, source: NDArray[Any]) -> None:
        """Copy a contiguous array to the GPU."""

    def put_rows(self, target: int, source: NDArray[np.uint8]) -> None:
        """Copy an image (h, w) to the GPU, whose rows need not be adjacent here and are there."""

    def fetch(self, target: NDArray[Any], source: int) -> None:
        """Fill a contiguous array from the GPU."""

    def copy(self, target: int, source: int, count: int) -> None:
        """Copy bytes within the GPU's memory."""

    def launch(self, kernel: str, operation: int, grid: tuple[int, int, int]) -> None:
        """Run a kernel of kernels.cu, in blocks of BLOCK_WH, on the record at this address."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Note what `work` asks for, without doing it; the result does it, with the same addresses, as often as called."""

    def wait(self) -> None:
        """Until all is done."""
