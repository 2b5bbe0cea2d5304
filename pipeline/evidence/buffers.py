"""Private memory for frames that wait to be written: bounded, and half of it only for what is not OK."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pipeline.result import Evaluation

MOST_BUFFERS = 32
MOST_BYTES = 256 * 2**20


class BufferPool:
    """Buffers of one size, made when they are first needed and used again. One thread takes, another may give back."""

    def __init__(self, buffer_bytes: int) -> None:
        """As many as fit into MOST_BYTES, at most MOST_BUFFERS, one at least."""
        self.count = max(1, min(MOST_BUFFERS, MOST_BYTES // buffer_bytes))
        self._buffer_bytes = buffer_bytes
        self._free: deque[NDArray[np.uint8]] = deque()
        self._made = 0

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self._made - len(self._free)

    def take(self, evaluation: Evaluation) -> NDArray[np.uint8] | None:
        """A buffer, uint8 (buffer_bytes,); None where there is none left for a part of this evaluation."""
        limit = (self.count + 1) // 2 if evaluation is Evaluation.OK else self.count
        if self.taken >= limit:
            return None
        if self._free:
            return self._free.pop()
        self._made += 1
        return np.empty(self._buffer_bytes, np.uint8)

    def give_back(self, buffer: NDArray[np.uint8]) -> None:
        """It is used no more."""
        self._free.append(buffer)
