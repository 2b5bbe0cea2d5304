"""The record of one kernel's arguments, as struct Operation in kernels.cu reads it."""

import struct
from typing import NamedTuple

_LAYOUT = struct.Struct("<3Q6i6f")
BYTES = _LAYOUT.size
ALIGNED_BYTES = 80  # records follow each other at multiples of 16
UNCHANGED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Operation(NamedTuple):
    """See kernels.cu: addresses, sizes in px, two numbers and a map that each kernel takes in its own way."""

    source: int
    target: int
    source_wh: tuple[int, int]
    target_wh: tuple[int, int]
    first: int = 0
    second: int = 0
    corners: int = 0
    source_from_target: tuple[float, ...] = UNCHANGED

    def write(self, buffer: memoryview, offset: int) -> None:
        """Put the record into a buffer."""
        addresses = (self.source, self.target, self.corners)
        numbers = (*self.source_wh, *self.target_wh, self.first, self.second)
        _LAYOUT.pack_into(buffer, offset, *addresses, *numbers, *self.source_from_target)
