"""What a camera is to the rest of the daemon: it is given the memory to fill and tells each loss once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.loss import LossKind


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """Who a connected camera is and what it will deliver.

    Attributes:
        serial: serial number, or the GenTL device id where the device has none.
        width, height: px of every frame until the next `connect`.
        payload_bytes: bytes of every frame's raw payload.
        counts_triggers: frames carry trigger numbers.
        is_simulated: no real part was seen; results say so.
        readout: which part of its sensor the pictures are, and how it is read, as "OffsetX=64 ReverseX=True"; "" for all of it.
    """

    vendor: str
    model: str
    serial: str
    width: int
    height: int
    pixel_format: PixelFormat
    payload_bytes: int
    counts_triggers: bool
    is_simulated: bool
    readout: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """One or more frames that were exposed, or should have been, and will never come.

    A loss is told before the frame that reveals it, each loss once. What it means for the account of triggers depends
    on the camera:

    - Without trigger numbers (`CameraInfo.counts_triggers` is False) losses are the account: frames + sum of `count` is
      all that is known of the number of triggers, and `trigger_number` is None.
    - With trigger numbers the frames' own numbers are the account and a loss says why a number is missing.
      `trigger_number` = n and `count` = k mean exactly the numbers n, n + 1 … n + k - 1. `trigger_number` is None where
      the number of missing frames and the gap in the trigger numbers do not agree; the frames' numbers then tell which
      are missing, and `count` must not be added to them.

    Attributes:
        kind: `incomplete` = a buffer came with holes; `lost_transport` = a gap in the frame ids;
            `lost_buffer` = the producer had no free buffer for it (`num_underrun`).
        trigger_number: number of the first lost trigger, or None where it cannot be known.
        count: how many frames.
    """

    kind: LossKind
    trigger_number: int | None = None
    count: int = 1


class Camera(Protocol):
    """A camera; one thread of one process uses it.

    `connect` ▸ (`start` ▸ `grab_into` … ▸ `stop`) any number of times ▸ `disconnect`, and round again. Calls out of
    order raise CameraError. After CameraLost only `disconnect` is of use.
    """

    def connect(self) -> CameraInfo:
        """Open the device and set it up. On failure everything is undone.

        Raises:
            CameraError: the set-up is wrong (what, which node, what is allowed).
            CameraLost: the device went away meanwhile.
        """
        ...

    def start(self) -> None:
        """Begin to deliver frames; those of before a `stop` are gone."""
        ...

    def grab_into(self, target: memoryview, timeout_s: float) -> FrameInfo | Loss | None:
        """Copy the next frame's raw payload to `target[:payload_bytes]`, or tell a loss; None when `timeout_s` is over.

        `target` is contiguous and writable. Its content is unspecified unless a FrameInfo comes back.

        Raises:
            CameraError: `target` is too small, or the camera is not started.
            CameraLost: the device does not answer any more.
        """
        ...

    @property
    def exhausted(self) -> bool:
        """True when no frame will ever come again (the end of a folder or video); False for a live camera."""
        ...

    def poll_trigger_counter(self) -> int | None:
        """The line counter now, None where there is none. Raises CameraLost."""
        ...

    def trigger_software(self, ticket: str = "") -> None:
        """Expose one frame now. Raises CameraError where the camera takes no software trigger, and CameraLost.

        `ticket` is the id of the request for it: of account only where pictures are sent to the camera.
        """
        ...

    def stop(self) -> None:
        """Deliver no more frames. Does nothing when stopped already. Raises CameraLost."""
        ...

    def disconnect(self) -> None:
        """Let go of the device whatever state it is in. Never raises."""
        ...


@runtime_checkable
class HasOutput(Protocol):
    """A camera with a digital output; it is low after `connect`, and after an orderly `disconnect`."""

    def set_output(self, high: bool) -> None:
        """Raise or lower it. Raises CameraError where the settings name none or the camera refuses, and CameraLost."""
        ...


@runtime_checkable
class CanAdjust(Protocol):
    """A camera whose features can be set while it delivers frames."""

    def adjust(self, features: Mapping[str, bool | int | float | str | None]) -> dict[str, bool | int | float | str]:
        """Set them in their order (None: only read), and tell what they are now.

        Raises:
            CameraError: there is no such feature, or a value is refused; those before it are set.
            CameraLost: the camera is gone.
        """
        ...
