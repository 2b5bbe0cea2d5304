"""Who a frame is, as words of its slot's header."""

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ring.layout import SlotFlag, SlotWord


def write_identity(words: memoryview, base: int, camera: int, info: FrameInfo) -> None:
    """Write all words of grab's but `accepted`. `base` is the index of the header's first word; `camera` that of the camera."""
    flags = 0
    if info.trigger_number is not None:
        flags |= SlotFlag.trigger_number
        words[base + SlotWord.trigger_number] = info.trigger_number
    if info.camera_ns is not None:
        flags |= SlotFlag.camera_ns
        words[base + SlotWord.camera_ns] = info.camera_ns
    if info.exposure_us is not None:
        flags |= SlotFlag.exposure
        words[base + SlotWord.exposure_ns] = round(info.exposure_us * 1000)
    words[base + SlotWord.camera] = camera
    words[base + SlotWord.flags] = flags
    words[base + SlotWord.frame_id] = info.frame_id
    words[base + SlotWord.received_monotonic_ns] = info.received_monotonic_ns
    words[base + SlotWord.received_utc_ns] = info.received_utc_ns
    words[base + SlotWord.width] = info.width
    words[base + SlotWord.height] = info.height
    words[base + SlotWord.pixel_format] = info.pixel_format


def read_identity(words: memoryview, base: int) -> FrameInfo:
    """What `write_identity` wrote."""
    flags = words[base + SlotWord.flags]
    return FrameInfo(
        width=words[base + SlotWord.width],
        height=words[base + SlotWord.height],
        pixel_format=PixelFormat(words[base + SlotWord.pixel_format]),
        frame_id=words[base + SlotWord.frame_id],
        trigger_number=words[base + SlotWord.trigger_number] if flags & SlotFlag.trigger_number else None,
        exposure_us=words[base + SlotWord.exposure_ns] / 1000 if flags & SlotFlag.exposure else None,
        camera_ns=words[base + SlotWord.camera_ns] if flags & SlotFlag.camera_ns else None,
        received_monotonic_ns=words[base + SlotWord.received_monotonic_ns],
        received_utc_ns=words[base + SlotWord.received_utc_ns],
    )
