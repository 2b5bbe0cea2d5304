"""The arrays given to a network: whether they fit it, and whether they still lie where its library was told."""

from typing import Any

from numpy.typing import NDArray

from engines.engine import Tensors
from engines.errors import EngineRefused
from engines.spec import NetworkSpec, TensorSpec


def batch_of(spec: NetworkSpec, inputs: Tensors) -> int:
    """The batch size of `inputs`. Raises EngineRefused: a wrong pointer or size would be read as if it were right."""
    expected = {tensor.name: tensor for tensor in spec.inputs}
    if inputs.keys() != expected.keys():
        raise EngineRefused(f"inputs {sorted(inputs)} were given, the network takes {sorted(expected)}")
    batch = len(next(iter(inputs.values())))
    for name, array in inputs.items():
        tensor = expected[name]
        if array.dtype != tensor.dtype or array.shape != tensor.sized(batch) or not array.flags.c_contiguous:
            found = TensorSpec(name, array.dtype, array.shape)
            raise EngineRefused(f"input {found} was given, the network takes {tensor}, contiguous, one batch size")
    return batch


class KeptInputs:
    """The arrays of one batch size that a library reads from; they stay alive as long as it does."""

    def __init__(self) -> None:
        """Start with none."""
        self._places: dict[str, int] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def moved(self, inputs: Tensors) -> list[tuple[str, NDArray[Any]]]:
        """Those of `inputs` that lie elsewhere than the last time: of these the library must be told."""
        found = []
        for name, array in inputs.items():
            place = array.__array_interface__["data"][0]
            if self._places.get(name) != place:
                self._places[name], self._arrays[name] = place, array
                found.append((name, array))
        return found
