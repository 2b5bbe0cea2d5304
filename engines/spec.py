"""What a network takes and gives: names, dtypes and shapes of its tensors, its hash and its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One named tensor. None in `shape` is a dimension chosen at run time: the batch."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        """Text for messages: `image uint8 (N, 128, 128, 1)`."""
        shape = ", ".join("N" if size is None else str(size) for size in self.shape)
        return f"{self.name} {self.dtype.name} ({shape}{',' if len(self.shape) == 1 else ''})"

    def sized(self, batch: int) -> tuple[int, ...]:
        """The shape of a batch."""
        return tuple(batch if size is None else size for size in self.shape)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """The tensors of one network file, in the file's order. `sha256` is of the file's bytes, in hex."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sha256: str
    metadata: Mapping[str, str]
