"""A camera to which pictures are sent: the end of it in the grab process. The HTTP itself is another process's."""

import time

from pipeline.camera.picture_post import PictureBox, Posted
from pipeline.camera.source import CameraInfo, Loss
from pipeline.camera_settings import HttpSettings
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.errors import AlreadyRunning, CameraError
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.loss import LossKind

MOST_PICTURES = 16  # that wait for their trigger
LONGEST_WAIT_NS = 60_000_000_000  # for it; then it is not coming


class HttpCamera:
    """See `source.Camera` and `HttpSettings`. A software trigger takes the picture that was sent under its ticket."""

    def __init__(self, settings: HttpSettings) -> None:
        """Nothing is received before `connect`."""
        self._settings = settings
        self._format = PixelFormat[settings.pixel_format]
        self._where = f"camera http {settings.bind}"
        self._box: PictureBox | None = None
        self._is_started = False
        self._number = 0
        self._waiting: dict[str, tuple[int, Posted]] = {}  # since when, in the order in which they came
        self._due: list[tuple[int, Posted]] = []  # triggered, with their trigger numbers

    @property
    def exhausted(self) -> bool:
        """Never."""
        return False

    def connect(self) -> CameraInfo:
        """Receive pictures from now on."""
        if self._box is not None:
            raise CameraError("is connected already", where=self._where)
        try:
            self._box = PictureBox(self._settings.bind)
        except AlreadyRunning as problem:
            raise CameraError(problem.what, where=self._where, allowed="one camera for each address") from None
        width, height = self._settings.width, self._settings.height
        return CameraInfo(
            vendor="datumd",
            model="http",
            serial=self._settings.bind,
            width=width,
            height=height,
            pixel_format=self._format,
            payload_bytes=self._format.payload_bytes(width, height),
            counts_triggers=True,
            is_simulated=False,
        )

    def start(self) -> None:
        """Take triggers."""
        if self._box is None or self._is_started:
            what = "is not connected" if self._box is None else "is started already"
            raise CameraError(what, where=self._where)
        self._is_started = True

    def grab_into(self, target: memoryview, timeout_s: float) -> FrameInfo | Loss | None:
        """The picture of the oldest trigger that has none yet; see `source.Camera.grab_into`."""
        size = self._format.payload_bytes(self._settings.width, self._settings.height)
        if not self._is_started:
            raise CameraError("is not started", where=self._where)
        if target.nbytes < size:
            allowed = f"ring.slot_mb of {size / 2**20:.3f} at least"
            raise CameraError(
                f"a frame of {size} bytes does not fit into {target.nbytes}", where=self._where, allowed=allowed
            )
        self._collect()
        if not self._due:
            time.sleep(timeout_s)  # a trigger comes by the thread that is here
            return None
        number, picture = self._due.pop(0)
        if not picture.read_into(target[:size]):
            return Loss(LossKind.incomplete, number)
        return FrameInfo(
            width=self._settings.width,
            height=self._settings.height,
            pixel_format=self._format,
            frame_id=number,
            trigger_number=number,
            exposure_us=None,
            camera_ns=None,
            received_monotonic_ns=monotonic_ns(),
            received_utc_ns=utc_ns(),
        )

    def poll_trigger_counter(self) -> int | None:
        """How many triggers there were."""
        return self._number

    def trigger_software(self, ticket: str = "") -> None:
        """Let the picture that was sent under `ticket` come. Raises CameraError where there is none."""
        if not self._is_started:
            raise CameraError("is not started", where=self._where)
        self._collect()
        picture = self._waiting.pop(ticket, None)
        if picture is None:
            allowed = "triggers that come with a picture: POST /inspect"
            raise CameraError("no picture was sent for this trigger", where=self._where, allowed=allowed)
        self._number += 1
        self._due.append((self._number, picture[1]))

    def stop(self) -> None:
        """Take no more triggers, and forget what was sent."""
        self._is_started = False
        for picture in [*(one for _, one in self._waiting.values()), *(one for _, one in self._due)]:
            picture.close()
        self._waiting.clear()
        self._due.clear()

    def disconnect(self) -> None:
        """Receive no more."""
        self.stop()
        if self._box is not None:
            self._box.close()
            self._box = None

    def _collect(self) -> None:
        """Take what has come; let go of what is too old or too much, the oldest first."""
        if self._box is None:
            return
        now = monotonic_ns()
        for posted in self._box.collect():
            former = self._waiting.pop(posted.ticket, None)
            if former is not None:
                former[1].close()
            self._waiting[posted.ticket] = (now, posted)
        while self._waiting:
            ticket, (since, picture) = next(iter(self._waiting.items()))
            if len(self._waiting) <= MOST_PICTURES and now - since < LONGEST_WAIT_NS:
                return
            picture.close()
            del self._waiting[ticket]
