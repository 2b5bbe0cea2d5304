"""Chunk data: the line counter and the exposure time that came with a frame."""

from contextlib import suppress

from pipeline.camera.genicam import features
from pipeline.camera.genicam.device import Buffer
from pipeline.camera.genicam.features import Node, Nodes
from pipeline.camera_settings import Feature
from pipeline.errors import CameraError

EXPOSURE = "ChunkExposureTime"
LARGEST = 2**63
LONGEST_EXPOSURE_US = 1e12


class Chunks:
    """Reads one frame's chunk features; without any it reads nothing."""

    def __init__(self, number: Node | None = None, exposure: Node | None = None) -> None:
        """`number` and `exposure` are chunk features of the camera."""
        self._number, self._exposure = number, exposure

    @classmethod
    def switch_on(cls, nodes: Nodes, number_name: str) -> "Chunks":
        """Switch on the chunk `number_name` ("" = none, chunks are left as they are) and, where there is one, exposure.

        Raises:
            CameraError: the camera has no such chunk.
        """
        if not number_name:
            return cls()
        number = features.require(nodes, number_name)
        features.set_feature(nodes, "ChunkModeActive", True)
        _enable(nodes, number_name)
        exposure = nodes.find(EXPOSURE)
        if exposure is not None:
            with suppress(CameraError):
                _enable(nodes, EXPOSURE)
        return cls(number, exposure)

    def read(self, buffer: Buffer) -> tuple[int | None, float | None]:
        """Trigger number and exposure in microseconds of this buffer, None for what it does not carry."""
        if self._number is None or not buffer.attach_chunks():
            return None, None
        number = _value(self._number)
        if not isinstance(number, int | float) or not abs(number) < LARGEST:  # which NaN is not either
            number = None
        return None if number is None else int(number), exposure_us(_value(self._exposure))


def exposure_us(value: Feature | None) -> float | None:
    """An exposure time as a camera gives it, None where it can be none."""
    if not isinstance(value, int | float) or not 0.0 <= value <= LONGEST_EXPOSURE_US:
        return None
    return float(value)


def _value(node: Node | None) -> Feature | None:
    if node is None:
        return None
    try:
        return node.read()
    except CameraError:  # not in this buffer
        return None


def _enable(nodes: Nodes, name: str) -> None:
    """Select the chunk of this feature and enable it; a camera without a selector sends all of its chunks."""
    if nodes.find("ChunkSelector") is None:
        return
    features.set_feature(nodes, "ChunkSelector", name.removeprefix("Chunk"))
    if features.optional(nodes, "ChunkEnable") is not True:
        features.set_feature(nodes, "ChunkEnable", True)
