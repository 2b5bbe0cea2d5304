"""What camera tests share: a target, and grabbing with a limit."""

from contextlib import suppress

from pipeline.camera.source import Camera, CameraInfo, Loss
from pipeline.errors import CameraError
from pipeline.frame import FrameInfo

UNTOUCHED = 0xA5
BEYOND = 64
"""Bytes of a target behind the frame."""


def target_for(info: CameraInfo) -> bytearray:
    return bytearray([UNTOUCHED]) * (info.payload_bytes + BEYOND)


def next_frame(camera: Camera, target: bytearray) -> FrameInfo:
    """The next frame, triggered by software where the camera takes that."""
    with suppress(CameraError):
        camera.trigger_software()
    for _ in range(100):
        outcome = camera.grab_into(memoryview(target), 0.1)
        assert not isinstance(outcome, Loss), outcome
        if outcome is not None:
            return outcome
    raise AssertionError("no frame in 10 s")
