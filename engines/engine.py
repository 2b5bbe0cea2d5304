"""What every backend offers."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from engines.devices.device import AnyDevice
from engines.spec import NetworkSpec

Tensors = Mapping[str, NDArray[Any]]
Inputs = Mapping[str, Any]  # NumPy arrays, or images of the device that the engine was loaded for


class Engine(Protocol):
    """One loaded network. Not thread-safe: a worker owns its engines."""

    @property
    def spec(self) -> NetworkSpec:
        """Tensors, hash and metadata of the network."""

    @property
    def backend(self) -> str:
        """Library and version, as `onnxruntime 1.31.1`."""

    def warm_up(self, batch: int) -> None:
        """Allocate what a batch of this size needs and run it once.

        Raises:
            EngineUnavailable: there is no memory for it: the network can still be run elsewhere.
            EngineRefused: the network fails.
        """

    def run(self, inputs: Inputs) -> Tensors:
        """Run one batch.

        Args:
            inputs: contiguous arrays of the spec's dtypes and shapes, all of one batch size; in ordinary memory, or
                images of the device that the engine was loaded for.

        Returns:
            outputs by name, always in ordinary memory: views of buffers that the next run with the same batch size
            overwrites.

        Raises:
            EngineRefused: another name, dtype or shape than the spec's, or the network failed.
        """

    def close(self) -> None:
        """Free the network. May be called twice."""


@runtime_checkable
class OnDevice(Protocol):
    """An engine that takes images of a device, beside arrays in ordinary memory."""

    @property
    def device(self) -> AnyDevice:
        """Where the images live."""


def device_of(engines: Iterable[Engine]) -> AnyDevice:
    """Where images should live for these engines: on the device that all of them share, else in ordinary memory."""
    devices = [engine.device if isinstance(engine, OnDevice) else None for engine in engines]
    first = devices[0] if devices else None
    return first if first is not None and all(device is first for device in devices) else CpuDevice()
