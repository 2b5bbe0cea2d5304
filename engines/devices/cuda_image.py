"""Pixels in a GPU's memory, and the memory of those that live for a part of a frame."""

import math
from dataclasses import dataclass

from engines.devices.cuda_driver import CudaDriver, Memory

ALIGNMENT = 256  # bytes, of an image in the pool


@dataclass(frozen=True, slots=True)
class CudaImage:
    """Pixels in a GPU's memory, uint8, contiguous. A view keeps the memory."""

    memory: Memory
    address: int
    shape: tuple[int, ...]

    def __len__(self) -> int:
        """As of an array."""
        return self.shape[0]

    @property
    def count(self) -> int:
        """Bytes."""
        return math.prod(self.shape)

    def __getitem__(self, index: "int | slice") -> "CudaImage":
        """One of several images, or the first or next ones."""
        step = math.prod(self.shape[1:])
        if isinstance(index, slice):
            start, stop, stride = index.indices(self.shape[0])
            if stride != 1:
                raise IndexError("images of a GPU are sliced without steps")
            return CudaImage(self.memory, self.address + start * step, (max(0, stop - start), *self.shape[1:]))
        if not 0 <= index < self.shape[0]:
            raise IndexError(f"there is no image {index} of {self.shape[0]}")
        return CudaImage(self.memory, self.address + index * step, self.shape[1:])

    def reshape(self, *shape: int) -> "CudaImage":
        """The same pixels under another shape."""
        if math.prod(shape) != self.count:
            raise ValueError(f"{self.shape} cannot be seen as {shape}")
        return CudaImage(self.memory, self.address, shape)


class Pool:
    """Memory of images that live until the work on them is done."""

    def __init__(self, driver: CudaDriver) -> None:
        """Empty: it grows to what a frame takes."""
        self._driver = driver
        self._pieces: list[tuple[Memory, int]] = []  # memory and its bytes
        self._used = 0  # of the last piece

    def take(self, height: int, width: int) -> CudaImage:
        """Room for an image, with anything in it."""
        count = -(-height * width // ALIGNMENT) * ALIGNMENT
        if not self._pieces or self._used + count > self._pieces[-1][1]:
            wanted = max(count, 2 * sum(size for _, size in self._pieces))
            self._pieces.append((self._driver.allocate(wanted), wanted))
            self._used = 0
        memory = self._pieces[-1][0]
        self._used += count
        return CudaImage(memory, memory.address + self._used - count, (height, width))

    def reset(self) -> None:
        """All images are done with; the largest piece, which holds more than all others did, stays."""
        del self._pieces[:-1]
        self._used = 0
