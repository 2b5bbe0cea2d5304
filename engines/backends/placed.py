"""Tensors of a batch one after the other in a piece of memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.spec import TensorSpec

ALIGNMENT = 256  # bytes, as TensorRT asks for


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor of a batch in the GPU's memory, and its page-locked twin."""

    spec: TensorSpec
    address: int
    host: NDArray[Any]


def padded(tensor: TensorSpec, size: int) -> int:
    """The bytes from a tensor of `size` rows to what follows it."""
    bytes_ = int(np.prod(tensor.sized(size))) * tensor.dtype.itemsize
    return -(-bytes_ // ALIGNMENT) * ALIGNMENT


def offsets(tensors: tuple[TensorSpec, ...], size: int) -> Iterator[tuple[TensorSpec, int]]:
    """Each tensor, and at which byte it begins."""
    at = 0
    for tensor in tensors:
        yield tensor, at
        at += padded(tensor, size)


def seen(host: NDArray[np.uint8], tensor: TensorSpec, size: int, at: int) -> NDArray[Any]:
    """The tensor of `size` rows that begins at byte `at` of `host`."""
    shape = tensor.sized(size)
    length = int(np.prod(shape)) * tensor.dtype.itemsize
    return host[at : at + length].view(tensor.dtype).reshape(shape)
