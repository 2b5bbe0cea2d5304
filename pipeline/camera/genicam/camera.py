"""Any camera with a GenTL producer, as the daemon sees it."""

from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from pipeline.camera.genicam import features
from pipeline.camera.genicam.account import FrameAccount
from pipeline.camera.genicam.chunks import Chunks, exposure_us
from pipeline.camera.genicam.device import Buffer, Device
from pipeline.camera.genicam.picture import describe
from pipeline.camera.genicam.producer import Producer
from pipeline.camera.genicam.trust import NumberTrust
from pipeline.camera.source import CameraInfo, Loss
from pipeline.camera_settings import Feature, GenicamSettings
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import FrameInfo

PROBE_EVERY_NS = 500_000_000  # how often a camera that sends no frames is asked whether it is still there
SOFTWARE_SOURCES = ("Software", "Any")  # SFNC: Software, SoftwareSignal0 …, Any
PROBES = ("Width", "PixelFormat", "AcquisitionMode")


class GenicamCamera:
    """See `source.Camera`. A gone device shows as a timeout only, so after one a feature is read from the device."""

    exhausted = False

    def __init__(self, settings: GenicamSettings) -> None:
        """Nothing is opened before `connect`."""
        self._settings = settings
        self._where = f"camera {settings.serial} of {settings.producer}".replace("camera  of", "camera of")
        self._open = ExitStack()
        self._device: Device | None = None
        self._info: CameraInfo | None = None
        self._chunks = Chunks()
        self._account: FrameAccount | None = None
        self._trust = NumberTrust(None, self._where)
        self._exposure_us: float | None = None
        self._losses: deque[Loss] = deque()
        self._held: tuple[Buffer, FrameInfo] | None = None
        self._checked_shape = False
        self._probed_ns = 0

    def connect(self) -> CameraInfo:
        """Open the device, set and read back its features; see `source.Camera.connect`."""
        if self._device is not None:
            raise CameraError("is connected already", where=self._where)
        with ExitStack() as undo:
            producer = Producer(Path(self._settings.producer))
            undo.callback(producer.close)
            device = producer.open(self._settings.serial, self._settings.buffers)
            undo.callback(device.close)
            _set_idle(device)
            self._chunks = Chunks.switch_on(device.nodes, self._settings.trigger_number)
            features.apply(device.nodes, self._settings.features)
            shot = self._settings.shots[0] if self._settings.shots else {}
            features.apply(device.nodes, {name: value for name, value in shot.items() if name != "name"})
            if self._settings.output is not None:
                output: dict[str, Feature] = {
                    "UserOutputSelector": self._settings.output.name,
                    "UserOutputValue": False,
                }
                features.apply(device.nodes, output)
            if self._settings.trigger_counter:
                features.require(device.nodes, self._settings.trigger_counter)
            self._info = describe(device, counts_triggers=bool(self._settings.trigger_number))
            self._where, self._device = device.where, device
            self._open = undo.pop_all()
        return self._info

    def start(self) -> None:
        """Begin to deliver frames."""
        device = self._connected()
        if self._account is not None:
            raise CameraError("is started already", where=self._where)
        self._losses.clear()
        self._held, self._checked_shape = None, False
        self._trust = NumberTrust(self.poll_trigger_counter(), self._where)
        device.start()
        self._exposure_us = exposure_us(features.optional(device.nodes, "ExposureTime"))
        self._account = FrameAccount(device.buffers, device.underruns())
        self._probed_ns = monotonic_ns()

    def grab_into(self, target: memoryview, timeout_s: float) -> FrameInfo | Loss | None:
        """See `source.Camera.grab_into`."""
        device, info, account = self._connected(), self._info, self._account
        if info is None or account is None:
            raise CameraError("is not started", where=self._where)
        if target.nbytes < info.payload_bytes:
            what = f"a frame of {info.payload_bytes} bytes does not fit into {target.nbytes}"
            raise CameraError(
                what, where=self._where, allowed=f"ring.slot_mb of {info.payload_bytes / 1e6:.3f} at least"
            )
        if not self._losses and self._held is None:
            buffer = device.fetch(timeout_s)
            if buffer is None:
                self._losses.extend(account.quiet(device.underruns()))
                self._probe()
            else:
                self._take(buffer, account, device.underruns())
        if self._losses:
            return self._losses.popleft()
        return None if self._held is None else self._deliver(target, info)

    def poll_trigger_counter(self) -> int | None:
        """The line counter in the camera now, None where the settings name none."""
        name = self._settings.trigger_counter
        if not name:
            return None
        value = features.require(self._connected().nodes, name).read(fresh=True)
        if not isinstance(value, int) or value < 0:
            raise CameraError(f"reads {value!r}", where=f"{self._where}: feature {name}", allowed="a count")
        return value

    def trigger_software(self, ticket: str = "") -> None:  # noqa: ARG002 - it exposes what lies before it
        """Execute TriggerSoftware; many cameras ignore it silently in the wrong mode, so the mode is looked at first."""
        nodes = self._connected().nodes
        node = features.require(nodes, "TriggerSoftware")
        mode, source = features.optional(nodes, "TriggerMode"), features.optional(nodes, "TriggerSource")
        listens = mode in (None, "On") and (source is None or str(source).startswith(SOFTWARE_SOURCES))
        if not listens or not node.is_writable:
            allowed = 'TriggerMode = "On" and TriggerSource = "Software" among the features'
            raise CameraError("takes no software trigger now", where=self._where, allowed=allowed)
        node.execute()

    def set_output(self, high: bool) -> None:
        """See `source.HasOutput`."""
        if self._settings.output is None:
            raise CameraError("has no output", where=self._where, allowed="output = {…} in the station file")
        features.require(self._connected().nodes, "UserOutputValue").write(high)

    def adjust(self, wanted: Mapping[str, Feature | None]) -> dict[str, Feature]:
        """See `source.CanAdjust`."""
        nodes = self._connected().nodes
        for name, value in wanted.items():
            if value is not None:
                features.set_feature(nodes, name, value)
        self._exposure_us = exposure_us(features.optional(nodes, "ExposureTime"))
        return {name: features.require(nodes, name).read(fresh=True) for name in wanted}

    def stop(self) -> None:
        """Deliver no more frames."""
        if self._device is None or self._account is None:
            return
        self._account, self._held = None, None
        self._losses.clear()
        self._device.stop()

    def disconnect(self) -> None:
        """Close stream, device and producer."""
        if self._device is not None and self._settings.output is not None:
            with suppress(CameraError, CameraLost):
                self.set_output(False)
        self._account, self._held, self._device, self._info = None, None, None, None
        self._chunks = Chunks()
        self._open.close()

    def _connected(self) -> Device:
        if self._device is None:
            raise CameraError("is not connected", where=self._where)
        return self._device

    def _take(self, buffer: Buffer, account: FrameAccount, underruns: int) -> None:
        """Queue what this buffer tells of losses; hold it for delivery if it is whole and its number is no lie."""
        received_monotonic_ns, received_utc_ns = monotonic_ns(), utc_ns()
        number, chunk_exposure_us = self._chunks.read(buffer)
        frame_id = buffer.frame_id
        is_true = self._is_true(number, buffer)
        if not is_true or not buffer.is_complete or self._info is None:
            buffer.release()
            if number is None or not is_true:
                number = self._number_by_counter(account, frame_id)
            self._losses.extend(account.incomplete(frame_id, number, underruns))
            return
        self._check_shape(buffer, self._info)
        frame_id = account.next_frame_id if frame_id is None else frame_id
        self._losses.extend(account.complete(frame_id, number, underruns))
        frame = FrameInfo(
            width=self._info.width,
            height=self._info.height,
            pixel_format=self._info.pixel_format,
            frame_id=frame_id,
            trigger_number=number,
            exposure_us=self._exposure_us if chunk_exposure_us is None else chunk_exposure_us,
            camera_ns=buffer.camera_ns,
            received_monotonic_ns=received_monotonic_ns,
            received_utc_ns=received_utc_ns,
        )
        self._held = (buffer, frame)

    def _is_true(self, number: int | None, buffer: Buffer) -> bool:
        """Whether the number that the buffer tells, or not, is that of its trigger."""
        if not self._settings.trigger_number or (number is None and not buffer.is_complete):
            return True
        return self._trust.believes(number, self.poll_trigger_counter)

    def _number_by_counter(self, account: FrameAccount, frame_id: int | None) -> int | None:
        """Trigger number of a frame whose chunk is lost, where the line counter leaves no doubt about it."""
        return account.number_if_last(frame_id, self.poll_trigger_counter()) if self._settings.trigger_number else None

    def _deliver(self, target: memoryview, info: CameraInfo) -> FrameInfo | None:
        if self._held is None:
            return None
        buffer, frame = self._held
        self._held = None
        buffer.copy_to(target, info.payload_bytes)
        buffer.release()
        return frame

    def _check_shape(self, buffer: Buffer, info: CameraInfo) -> None:
        """The first frame of a run is what the features promised."""
        if not self._checked_shape:
            buffer.check_shape(info.width, info.height, info.pixel_format)
            self._checked_shape = True

    def _probe(self) -> None:
        """Raise CameraLost where the device does not answer any more."""
        now_ns = monotonic_ns()
        if now_ns - self._probed_ns < PROBE_EVERY_NS:
            return
        self._probed_ns = now_ns
        nodes = self._connected().nodes
        for name in PROBES:
            node = nodes.find(name)
            try:
                if node is not None and node.is_readable:
                    node.read(fresh=True)
            except CameraError as problem:
                raise CameraLost(problem.what, where=problem.where) from None


def _set_idle(device: Device) -> None:
    """A process that died may have left the camera acquiring, with its features locked."""
    for name, value in (("AcquisitionStop", True), ("TLParamsLocked", 0)):
        with suppress(CameraError):
            features.set_feature(device.nodes, name, value)
