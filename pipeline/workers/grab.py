"""One camera: connect, fill the slots that the ledger grants, tell of every frame and loss; try again for ever."""

import logging
import os
import threading
import time
from collections import deque

from pipeline.camera.load import open_camera
from pipeline.camera.source import Camera, CameraInfo, Loss
from pipeline.clock import monotonic_ns
from pipeline.errors import CameraError, CameraLost
from pipeline.frame import FrameInfo
from pipeline.messages import Accepted, CameraHello, CameraStatus, Counted, Exhausted, Granted, Lost
from pipeline.ring.frame_ring import FrameRing
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.link import LedgerLink

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 1.0, 30.0
GRAB_TIMEOUT_S = 0.1  # also how soon a stop is noticed
COUNTER_PERIOD_NS = 200_000_000


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    worker = GrabWorker(context)
    try:
        worker.run(stop)
    finally:
        worker.close()


class GrabWorker:
    """Holds the slots granted to one camera."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._name = context.argument
        cameras = context.runtime.station.camera
        self._settings = cameras[self._name]
        self._index = list(cameras).index(self._name)
        self._ring = FrameRing.attach(context.runtime.ring_path)
        self._link = LedgerLink(context.runtime.ledger_endpoint, context.name)
        self._grants: deque[Granted] = deque()
        self._counter_read_ns = 0
        self._counter = -1
        self._pid = os.getpid()

    def run(self, stop: threading.Event) -> None:
        """Connect and grab; after a failure wait 1, 2, 4 … 30 s and connect again."""
        self._link.send(CameraHello(self._name, self._pid))
        back_off_s = FIRST_BACK_OFF_S
        while not stop.is_set():
            frames = self._ring.camera_frames(self._index)
            try:
                self._session(stop)
            except (CameraLost, CameraError) as error:
                log.error("%s", error)
                self._context.vitals.set_state(self._context.row, WorkerState.error)
                self._link.send(CameraStatus(self._name, up=False, text=str(error)))
                if self._ring.camera_frames(self._index) > frames:
                    back_off_s = FIRST_BACK_OFF_S
                self._rest(back_off_s, stop)
                back_off_s = min(back_off_s * 2, LAST_BACK_OFF_S)

    def _session(self, stop: threading.Event) -> None:
        """From one connect to its end."""
        self._context.vitals.set_state(self._context.row, WorkerState.connecting)
        camera = open_camera(self._settings)
        try:
            info = camera.connect()
            if info.payload_bytes > self._ring.layout.slot_bytes:
                raise CameraError(
                    f"frames of {info.payload_bytes / 2**20:.2f} MiB do not fit into a slot",
                    where=f"camera {self._name}",
                    allowed=f"at most {self._ring.layout.slot_bytes / 2**20:.2f} MiB",
                    next_command="raise ring.slot_mb in the station file",
                )
            baseline = camera.poll_trigger_counter()
            camera.start()
            self._announce(info, baseline)
            self._context.vitals.set_state(self._context.row, WorkerState.ready)
            while not stop.is_set() and not camera.exhausted:
                self._turn(camera)
                self._context.progress()
            if camera.exhausted:
                self._link.send(Exhausted(self._name))
                while not stop.is_set():
                    time.sleep(GRAB_TIMEOUT_S)
                    self._context.progress()
            camera.stop()
        finally:
            camera.disconnect()

    def _announce(self, info: CameraInfo, baseline: int | None) -> None:
        text = f"{info.vendor} {info.model} {info.serial} {info.width}x{info.height} {info.pixel_format.name}"
        self._link.send(
            CameraStatus(
                self._name,
                up=True,
                text=text,
                counts_triggers=info.counts_triggers,
                is_simulated=info.is_simulated,
                baseline=baseline,
            )
        )
        log.info("up: %s", text)

    def _turn(self, camera: Camera) -> None:
        """Fill one granted slot, or tell of a loss, or read the line counter."""
        for message in self._link.receive(0.0 if self._grants else GRAB_TIMEOUT_S):
            if isinstance(message, Granted) and message.pid == self._pid:
                self._grants.append(message)
        if self._grants:
            grant = self._grants[0]
            target = self._ring.payload(grant.slot)
            match camera.grab_into(target, GRAB_TIMEOUT_S):
                case FrameInfo() as info:
                    self._grants.popleft()
                    self._ring.accept(grant.slot, grant.generation, self._index, info)
                    self._link.send(Accepted(self._name, grant.slot, grant.generation))
                case Loss() as loss:
                    self._ring.count_loss(self._index, loss.kind, loss.count)
                    self._link.send(Lost(self._name, loss.kind, loss.trigger_number, loss.count))
        self._read_counter(camera)

    def _read_counter(self, camera: Camera) -> None:
        """Triggers that gave no frame show only in the camera's own counter."""
        now = monotonic_ns()
        if now - self._counter_read_ns < COUNTER_PERIOD_NS:
            return
        self._counter_read_ns = now
        number = camera.poll_trigger_counter()
        if number is not None and number != self._counter:
            self._counter = number
            self._ring.set_triggers_counted(self._index, number)
            self._link.send(Counted(self._name, number))

    def _rest(self, seconds: float, stop: threading.Event) -> None:
        until = monotonic_ns() + int(seconds * 1e9)
        while monotonic_ns() < until and not stop.is_set():
            time.sleep(GRAB_TIMEOUT_S)
            self._context.progress()

    def close(self) -> None:
        """Let go of the ring and the ledger."""
        self._link.close()
        self._ring.close()
