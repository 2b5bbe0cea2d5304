"""An open device and the buffers of its stream.

Facts that shape it (harvesters 1.4.3, genicam 1.6.0): waiting for a buffer holds the interpreter lock, so we wait in
short slices and a camera has its process; `ImageAcquirer.fetch` starts its timeout anew at each incomplete buffer and
`try_fetch` hides which frame was incomplete, so we wait on the acquirer's event ourselves; `stop` and `destroy` of a lost
device raise halfway, so the rest is closed here.
"""

from dataclasses import dataclass
from math import ceil

from pipeline.camera.genicam import chunk_layout
from pipeline.camera.genicam.node import DeviceNodes
from pipeline.camera.genicam.vendor import VENDOR_ERRORS, Untyped, gentl, log, or_none, ours, quietly, text_of
from pipeline.clock import monotonic_ns
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import PixelFormat

INT64_MAX = 2**63 - 1
SLICE_MS = 10  # signals and other threads wait no longer than this

PFNC = {  # numbers of the GenICam pixel format naming convention
    PixelFormat.Mono8: 0x01080001,
    PixelFormat.Mono10p: 0x010A0046,
    PixelFormat.Mono12p: 0x010C0047,
    PixelFormat.BayerRG8: 0x01080009,
    PixelFormat.RGB8: 0x02180014,
    PixelFormat.BGR8: 0x02180015,
    PixelFormat.RGBa8: 0x02200016,
    PixelFormat.BGRa8: 0x02200017,
}


@dataclass(frozen=True, slots=True)
class DeviceLabel:
    """What a producer tells of a device before it is opened; "" where it tells nothing."""

    id: str
    vendor: str
    model: str
    serial: str


class Device:
    """An open device: its nodes and its stream of buffers."""

    def __init__(self, acquirer: Untyped, label: DeviceLabel, where: str, buffers: int) -> None:
        """Made by `Producer.open`."""
        self.label = label
        self.nodes = DeviceNodes(acquirer.remote_device.node_map, where)
        self.where = where
        self._acquirer = acquirer
        acquirer.num_buffers = self.buffers = max(buffers, acquirer.min_num_buffers)
        self._event = next(iter(acquirer._new_buffer_event_monitor_dict.values()))
        self._stream = self._event.parent
        self._chunks = acquirer._chunk_adapter
        self.ticks_per_s = or_none(lambda: int(acquirer.device.timestamp_frequency))

    def start(self) -> None:
        """Announce buffers and start the acquisition. Raises CameraError or CameraLost."""
        with ours(self.where):
            self._acquirer.start()

    def stop(self) -> None:
        """Stop the acquisition; raises CameraLost, halfway through, where the device is gone."""
        with ours(self.where):
            self._acquirer.stop()

    def fetch(self, timeout_s: float) -> "Buffer | None":
        """The next buffer, complete or not, or None when the time is over. Give it back with `Buffer.release`.

        Raises:
            CameraLost: the stream is broken.
        """
        deadline_ns = monotonic_ns() + int(timeout_s * 1e9)
        while True:
            left_ms = ceil((deadline_ns - monotonic_ns()) / 1e6)
            try:
                self._event.update_event_data(max(0, min(SLICE_MS, left_ms)))
            except gentl.TimeoutException:
                if left_ms <= 0:
                    return None
            except gentl.GenericException as problem:
                raise CameraLost(f"the stream broke ({text_of(problem)})", where=self.where) from None
            else:
                return Buffer(self._event.buffer, self._stream, self._chunks, self)

    def underruns(self) -> int:
        """Frames that the producer had no buffer for since the stream was opened, 0 where it does not count them."""
        try:
            return int(self._stream.num_underrun)
        except gentl.GenericException:
            return 0

    def close(self) -> None:
        """Close the stream and the device whatever state they are in. Never raises."""
        acquirer = self._acquirer
        acquirer._finalizer.detach()  # it would keep the acquirer for as long as the process lives
        streams, remote, local = list(acquirer.data_streams), acquirer.remote_device, acquirer.device
        quietly(acquirer.stop)
        quietly(self._chunks._finalizer)  # this one keeps the node map, a third of a MB
        if quietly(acquirer.destroy):
            return
        for stream in streams:
            quietly(stream.close)
        quietly(remote.node_map.disconnect)
        quietly(local.close)


class Buffer:
    """One filled buffer, ours until `release`."""

    def __init__(self, buffer: Untyped, stream: Untyped, chunks: Untyped, device: Device) -> None:
        """Made by `Device.fetch`."""
        self._buffer, self._stream, self._chunks, self._device = buffer, stream, chunks, device

    @property
    def is_complete(self) -> bool:
        """All of the frame arrived."""
        return bool(or_none(self._buffer.is_complete))

    @property
    def frame_id(self) -> int | None:
        """The producer's number of this frame."""
        return or_none(lambda: int(self._buffer.frame_id))

    def check_shape(self, width: int, height: int, pixel_format: PixelFormat) -> None:
        """Raise CameraError where the buffer tells another size or format, or pads its lines."""
        buffer = self._buffer
        found = (or_none(lambda: buffer.width), or_none(lambda: buffer.height), or_none(lambda: buffer.pixel_format))
        wanted = (width, height, PFNC[pixel_format])
        if any(got is not None and int(got) not in (0, want) for got, want in zip(found, wanted, strict=True)):
            what = f"delivers {found[0]} x {found[1]}, format {int(found[2] or 0):#x}"
            allowed = f"{width} x {height} {pixel_format.name} ({PFNC[pixel_format]:#x}) as its features say"
            raise CameraError(what, where=self._device.where, allowed=allowed)
        padding = or_none(lambda: int(buffer.padding_x))
        if padding:
            raise CameraError(
                f"pads lines by {padding} bytes", where=self._device.where, allowed="a width without padding"
            )

    @property
    def camera_ns(self) -> int | None:
        """The camera's clock at this frame in nanoseconds, None where it has none, or one that 300 years have not brought."""
        ns = or_none(lambda: int(self._buffer.timestamp_ns))
        if ns is None:
            ticks, per_s = or_none(lambda: int(self._buffer.timestamp)), self._device.ticks_per_s
            ns = ticks * 1_000_000_000 // per_s if ticks is not None and per_s else None
        return ns if ns is not None and 0 <= ns <= INT64_MAX else None

    def copy_to(self, target: memoryview, size: int) -> None:
        """Copy the image's first `size` bytes to the start of `target`. Raises CameraError where there are fewer."""
        first = or_none(lambda: int(self._buffer.image_offset)) or 0
        raw = memoryview(self._buffer.raw_buffer)
        if first < 0 or len(raw) < first + size:
            what = f"delivers buffers of {len(raw)} bytes, the image needs {first + size}"
            raise CameraError(what, where=self._device.where)
        target[:size] = raw[first : first + size]

    def attach_chunks(self) -> bool:
        """Let the chunk nodes show this buffer's values; False where it carries none that can be read."""
        buffer = self._buffer
        try:
            raw, layer = buffer.raw_buffer, buffer.tl_type
            if layer in chunk_layout.LENGTHS:
                size = int(buffer.size_filled)
                if not chunk_layout.is_sound(raw, size, layer):
                    return False
                self._chunks.attach_buffer(raw, size)
            else:
                chunks = buffer.chunk_data_info_list
                if not chunks:
                    return False
                self._chunks.attach_buffer(raw, chunks)
        except VENDOR_ERRORS as problem:
            log.debug("chunks cannot be read: %s", text_of(problem))
            return False
        return True

    def release(self) -> None:
        """Give the buffer back to the producer."""
        try:
            self._stream.queue_buffer(self._buffer)
        except gentl.GenericException as problem:
            raise CameraLost(f"took no buffer back ({text_of(problem)})", where=self._device.where) from None
