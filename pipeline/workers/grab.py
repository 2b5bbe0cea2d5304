"""One camera: connect, fill the slots that the ledger grants, tell of every frame and loss; try again for ever."""

import logging
import threading
import time
from collections.abc import Callable

from pipeline.camera.calibrated import refuse_other_camera
from pipeline.camera.load import open_camera
from pipeline.camera.source import Camera, CameraInfo, HasOutput, Loss
from pipeline.camera_settings import GenicamSettings
from pipeline.clock import monotonic_ns
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import FrameInfo, PixelFormat
from pipeline.messages import Accepted, Adjusted, CameraStatus, Counted, Fire, Fired, Lost
from pipeline.ring.frame_ring import FrameRing
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.adjusting import adjust
from pipeline.workers.camera_link import CameraLink
from pipeline.workers.link import LedgerLink
from pipeline.workers.pass_wire import PassWire
from pipeline.workers.repeated_log import RepeatedLog

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 1.0, 30.0
WIRE_TURN_S = 0.004  # how soon a part that passes is shown at an output
TURN_S = 0.03  # how soon a stop, a new ledger or a software trigger is noticed
COUNTER_PERIOD_NS = 200_000_000
MOVE_LIMIT_NS, MOVE_POLL_S = 50_000_000, 0.001  # how long a counter may take to show a software trigger


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    worker = GrabWorker(context)
    try:
        worker.run(stop)
    finally:
        worker.close()


class GrabWorker:
    """Holds the slots granted to one camera."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        now_ns: Callable[[], int] = monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`now_ns` and `sleep` are the clock by which it rests between attempts to connect."""
        self._context = context
        self._name = context.argument
        self._now_ns, self._sleep = now_ns, sleep
        cameras = context.runtime.station.camera
        self._settings = cameras[self._name]
        self._index = list(cameras).index(self._name)
        self._ring = FrameRing.attach(context.runtime.ring_path)
        self._ledger = CameraLink(LedgerLink(context.runtime.ledger_path, context.name), self._ring, self._name)
        self._faults, self._ups = RepeatedLog(log.error, now_ns), RepeatedLog(log.info, now_ns)
        self._up_since_ns: int | None = None
        self._counter_read_ns = 0
        self._takes_fires = False
        self._due = 0  # software triggers whose frames are still to come
        self._wire: PassWire | None = None

    def run(self, stop: threading.Event) -> None:
        """Connect and grab; after a failure wait 1, 2, 4 … 30 s and connect again."""
        back_off_s = FIRST_BACK_OFF_S
        self._ledger.listen(0.0)
        while not stop.is_set():
            frames = self._ring.camera_frames(self._index)
            fault = self._fault_of_connection(stop)
            if fault is None:
                return
            if self._ring.camera_frames(self._index) > frames or self._was_up_for_long():
                back_off_s = FIRST_BACK_OFF_S
                self._faults.over()
                self._ups.over()
            self._faults.tell(fault)
            self._context.vitals.set_state(self._context.row, WorkerState.error)
            self._ledger.say_status(CameraStatus(self._name, up=False, text=fault))
            self._rest(back_off_s, fault, stop)
            back_off_s = min(back_off_s * 2, LAST_BACK_OFF_S)

    def _fault_of_connection(self, stop: threading.Event) -> str | None:
        """From one connect to its end: what went wrong, None when it was asked to stop."""
        self._context.vitals.set_state(self._context.row, WorkerState.connecting)
        self._up_since_ns = None
        try:
            camera = open_camera(self._settings)
            try:
                self._connect(camera)
                while not stop.is_set():
                    self._turn(camera)
                    self._context.progress()
                camera.stop()
            finally:
                camera.disconnect()
        except (CameraLost, CameraError) as error:
            return str(error)
        return None

    def _was_up_for_long(self) -> bool:
        return self._up_since_ns is not None and self._now_ns() - self._up_since_ns > LAST_BACK_OFF_S * 1e9

    def _connect(self, camera: Camera) -> None:
        info = camera.connect()
        self._check(info)
        baseline = camera.poll_trigger_counter()
        camera.start()
        self._takes_fires, self._due = False, 0
        self._ledger.listen(0.0)
        self._refuse_fires("the camera was not up")  # what waited meanwhile: its part has been answered, or will be
        self._ledger.passes.clear()  # of parts that are gone
        self._wire = self._open_wire(camera)
        self._announce(info, baseline)
        self._context.vitals.set_state(self._context.row, WorkerState.ready)

    def _open_wire(self, camera: Camera) -> PassWire | None:
        settings = self._settings
        if not (isinstance(settings, GenicamSettings) and settings.output and isinstance(camera, HasOutput)):
            return None
        return PassWire(camera.set_output, int(settings.output.pulse_ms * 1e6), RepeatedLog(log.warning, self._now_ns))

    def _show_passes(self) -> float:
        """Pulse the output for what has passed. Returns how long may be waited, in s."""
        if self._wire is None:
            return TURN_S
        while self._ledger.passes:
            self._wire.show(self._ledger.passes.popleft().until_ns, monotonic_ns())
        self._wire.tick(monotonic_ns())
        return self._wire.left_s(monotonic_ns(), WIRE_TURN_S)

    def _check(self, info: CameraInfo) -> None:
        """Whether the pictures are those that this run was begun with, and fit. Raises CameraError."""
        before, now = self._ring.picture(self._index), (info.width, info.height, info.pixel_format)
        if before is not None and before != now:
            raise CameraError(
                f"gives {_picture_text(*now)} now",
                where=f"camera {self._name}",
                allowed=f"{_picture_text(*before)} as when the daemon started, which the recipes are qualified for",
                next_command="set the camera as it was; or start the daemon anew to go on with other pictures",
            )
        if info.payload_bytes > self._ring.layout.slot_bytes:
            raise CameraError(
                f"frames of {info.payload_bytes / 2**20:.2f} MiB do not fit into a slot",
                where=f"camera {self._name}",
                allowed=f"at most {self._ring.layout.slot_bytes / 2**20:.2f} MiB",
                next_command="raise ring.slot_mb in the station file",
            )
        refuse_other_camera(self._name, self._settings.calibration, info)
        self._ring.set_picture(self._index, *now)

    def _announce(self, info: CameraInfo, baseline: int | None) -> None:
        picture = _picture_text(info.width, info.height, info.pixel_format)
        text = f"{info.vendor} {info.model} {info.serial} {picture}"
        if baseline is not None:
            self._ring.set_triggers_counted(self._index, baseline)
        self._ledger.say_status(
            CameraStatus(
                self._name,
                up=True,
                text=text,
                counts_triggers=info.counts_triggers,
                is_simulated=info.is_simulated,
                baseline=baseline,
            )
        )
        self._up_since_ns = self._now_ns()
        self._ups.tell(f"up: {text}")

    def _turn(self, camera: Camera) -> None:
        """Take orders; fill one granted slot, or tell of a loss; read the line counter."""
        turn_s = self._show_passes()
        if camera.exhausted:
            self._ledger.say_exhausted()
            self._ledger.listen(TURN_S)
            self._refuse_fires("the camera has no more frames")
            return
        waits_for_orders = not self._ledger.grants or (self._takes_fires and not self._due)
        self._ledger.listen(turn_s if waits_for_orders else 0.0)
        turn_s = self._show_passes()
        while self._ledger.fires:
            self._fire(camera, self._ledger.fires.popleft())
        while self._ledger.adjusts:
            adjust(camera, self._ledger.adjusts.popleft(), self._ledger.send)
        if self._ledger.grants:
            self._fill(camera, 0.0 if waits_for_orders and not self._due else turn_s)
        self._read_counter(camera)

    def _fill(self, camera: Camera, timeout_s: float) -> None:
        grant = self._ledger.grants[0]
        match camera.grab_into(self._ring.payload(grant.slot), timeout_s):
            case FrameInfo() as info:
                self._ledger.grants.popleft()
                self._ring.accept(grant.slot, grant.generation, self._index, info)
                self._ledger.send(Accepted(self._name, grant.slot, grant.generation))
                self._due = max(0, self._due - 1)
            case Loss() as loss:
                self._ring.count_loss(self._index, loss.kind, loss.count)
                self._ledger.send(Lost(self._name, loss.kind, loss.trigger_number, loss.count))
                self._due = max(0, self._due - loss.count)

    def _fire(self, camera: Camera, fire: Fire) -> None:
        """Give one software trigger and tell its number. Raises CameraLost, with the trigger refused."""
        number, fault = None, ""
        try:
            number = self._triggered(camera, fire.ticket)
            if number is None:
                fault = "the camera's counter did not move"
        except (CameraError, CameraLost) as error:
            fault = str(error)
            if isinstance(error, CameraLost):
                raise
        finally:
            self._ledger.send(Fired(self._name, fire.trigger, number, fault))

    def _triggered(self, camera: Camera, ticket: str) -> int | None:
        """Trigger by software; where the camera's counter then stands, None where it has not moved in time.

        Raises:
            CameraError: it takes no software trigger, or none whose number could be known.
            CameraLost: it is gone.
        """
        before = camera.poll_trigger_counter()
        if before is None:
            raise CameraError(
                "counts no software triggers", where=f"camera {self._name}", allowed="a station with trigger_counter"
            )
        camera.trigger_software(ticket)
        until_ns = monotonic_ns() + MOVE_LIMIT_NS
        while (number := camera.poll_trigger_counter()) == before:
            if monotonic_ns() > until_ns:
                return None
            time.sleep(MOVE_POLL_S)
        self._takes_fires = True
        self._due += 1
        if number is not None:
            self._ring.set_triggers_counted(self._index, number)
            self._ledger.note_counter(number)  # Fired tells it, with the part that it belongs to
        return number

    def _refuse_fires(self, fault: str) -> None:
        while self._ledger.fires:
            self._ledger.send(Fired(self._name, self._ledger.fires.popleft().trigger, None, fault))
        while self._ledger.adjusts:
            self._ledger.send(Adjusted(self._ledger.adjusts.popleft().ticket, {}, fault))

    def _read_counter(self, camera: Camera) -> None:
        """Triggers that gave no frame show only in the camera's own counter."""
        now = monotonic_ns()
        if now - self._counter_read_ns < COUNTER_PERIOD_NS:
            return
        self._counter_read_ns = now
        number = camera.poll_trigger_counter()
        if number is not None and self._ledger.note_counter(number):
            self._ring.set_triggers_counted(self._index, number)
            self._ledger.send(Counted(self._name, number))

    def _rest(self, seconds: float, fault: str, stop: threading.Event) -> None:
        until_ns = self._now_ns() + int(seconds * 1e9)
        while self._now_ns() < until_ns and not stop.is_set():
            self._sleep(TURN_S)
            self._ledger.listen(0.0)
            self._refuse_fires(fault)
            self._context.progress()

    def close(self) -> None:
        """Let go of the ring and the ledger."""
        self._ledger.close()
        self._ring.close()


def _picture_text(width: int, height: int, pixel_format: PixelFormat) -> str:
    return f"{width}x{height} {pixel_format.name}"
