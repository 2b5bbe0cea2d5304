"""A frame as it lies in the ring: raw camera bytes and who they are."""

from dataclasses import dataclass
from enum import IntEnum


class PixelFormat(IntEnum):
    """Raw layouts that datumd unpacks itself; names are those of the GenICam PFNC, numbers are ours (ring header)."""

    Mono8 = 1
    Mono10p = 2
    Mono12p = 3
    BayerRG8 = 4
    RGB8 = 5
    BGR8 = 6
    RGBa8 = 7
    BGRa8 = 8

    @property
    def bits_per_pixel(self) -> int:
        """Bits that one pixel takes in the payload; lines are not padded."""
        return _BITS[self]

    def payload_bytes(self, width: int, height: int) -> int:
        """Bytes of a frame of this format; packed formats run on over line ends."""
        return (width * height * self.bits_per_pixel + 7) // 8


_BITS = {
    PixelFormat.Mono8: 8,
    PixelFormat.Mono10p: 10,
    PixelFormat.Mono12p: 12,
    PixelFormat.BayerRG8: 8,
    PixelFormat.RGB8: 24,
    PixelFormat.BGR8: 24,
    PixelFormat.RGBa8: 32,
    PixelFormat.BGRa8: 32,
}


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """What is known of one frame beside its pixels.

    Attributes:
        frame_id: the producer's running number; a gap means that a frame was lost on the way.
        trigger_number: the line counter's value at this exposure, or None where the camera has no counter.
        exposure_us: exposure time in microseconds, None if not told.
        camera_ns: the camera's own clock in nanoseconds, None if it has none.
        received_monotonic_ns, received_utc_ns: host clocks when the buffer was delivered.
    """

    width: int
    height: int
    pixel_format: PixelFormat
    frame_id: int
    trigger_number: int | None
    exposure_us: float | None
    camera_ns: int | None
    received_monotonic_ns: int
    received_utc_ns: int

    @property
    def payload_bytes(self) -> int:
        """Bytes of the raw payload."""
        return self.pixel_format.payload_bytes(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame to inspect: `payload` is a view of a ring slot (or any buffer) of `info.payload_bytes` bytes, not a copy."""

    info: FrameInfo
    payload: memoryview
