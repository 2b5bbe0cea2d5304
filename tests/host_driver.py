"""The CUDA device's driver on a machine without a GPU: the kernels' own text, compiled for the processor.

Nothing is done before `wait`, as on a GPU that is slow: who changes or frees memory too early is found out.
"""

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.devices.cuda_driver import BLOCK_WH

KERNELS = Path(__file__).parents[1] / "engines/devices/kernels.cu"
GUARD_BYTES = 256
GUARD_LEVEL = 0xA5


@cache
def compiled() -> ctypes.CDLL:
    """The kernels as a library of this machine. Raises CalledProcessError where the compiler refuses them."""
    with TemporaryDirectory() as folder:
        library = Path(folder) / "kernels.so"
        words = ["g++", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"]
        subprocess.run(
            [*words, f'-DKERNELS="{KERNELS}"', "-o", library, KERNELS.parents[2] / "tests/shim.cpp"], check=True
        )
        return ctypes.CDLL(str(library))


class HostMemory:
    """Memory between guards that must stay as they are."""

    def __init__(self, count: int) -> None:
        whole = np.full(count + 3 * GUARD_BYTES, GUARD_LEVEL, np.uint8)
        before = -whole.ctypes.data % GUARD_BYTES  # memory of a GPU begins at multiples of 256
        self.bytes = whole[before : before + count + 2 * GUARD_BYTES]
        self.address = self.bytes.ctypes.data + GUARD_BYTES

    def check(self) -> None:
        guards = (self.bytes[:GUARD_BYTES], self.bytes[-GUARD_BYTES:])
        assert all((guard == GUARD_LEVEL).all() for guard in guards), "written beyond an image"


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that was asked for."""

    name: str
    do: Callable[[], object]


class HostDriver:
    """See CudaDriver. `done` counts what was done, by name; `captures` the graphs that were made."""

    stream = 4242

    def __init__(self) -> None:
        self._library = compiled()
        self._calls: list[Call] = []
        self._memories: list[HostMemory] = []
        self._pinned: list[NDArray[np.uint8]] = []
        self.done: list[str] = []
        self.captures = 0

    def allocate(self, count: int) -> HostMemory:
        self._memories.append(HostMemory(count))
        return self._memories[-1]

    def pinned(self, count: int) -> NDArray[np.uint8]:
        self._pinned.append(np.empty(count, np.uint8))
        return self._pinned[-1]

    def pin(self, memory: NDArray[np.uint8]) -> None:
        self._pinned.append(memory)

    def put(self, target: int, source: NDArray[Any]) -> None:
        assert source.flags.c_contiguous
        seen = self._seen(source)
        self._ask("put", lambda: _fill(target, np.ascontiguousarray(seen)))

    def put_rows(self, target: int, source: NDArray[np.uint8]) -> None:
        assert source.ndim == 2
        seen = self._seen(source)
        self._ask("put_rows", lambda: _fill(target, np.ascontiguousarray(seen)))

    def fetch(self, target: NDArray[Any], source: int) -> None:
        assert target.flags.c_contiguous
        self._ask("fetch", lambda: ctypes.memmove(target.ctypes.data, source, target.nbytes))

    def copy(self, target: int, source: int, count: int) -> None:
        self._ask("copy", lambda: ctypes.memmove(target, source, count))

    def launch(self, kernel: str, operation: int, grid: tuple[int, int, int]) -> None:
        function = getattr(self._library, kernel)
        three, block = (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 2)(*BLOCK_WH)
        self._ask(kernel, lambda: self._library.launch(function, ctypes.c_void_p(operation), three, block))

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self.captures += 1
        before, self._calls = self._calls, []
        work()
        graph, self._calls = self._calls, before
        return lambda: self._calls.extend(graph)

    def wait(self) -> None:
        for call in self._calls:
            call.do()
            self.done.append(call.name)
        self._calls.clear()
        for memory in self._memories:
            memory.check()

    def ask(self, call: Call) -> None:
        """What a library does in this stream."""
        self._calls.append(call)

    def _ask(self, name: str, do: Callable[[], object]) -> None:
        self._calls.append(Call(name, do))

    def _seen(self, source: NDArray[Any]) -> NDArray[Any]:
        """Memory that is not pinned is read at once."""
        return source if any(np.shares_memory(source, pinned) for pinned in self._pinned) else source.copy()


def _fill(target: int, source: NDArray[Any]) -> None:
    ctypes.memmove(target, source.ctypes.data, source.nbytes)
