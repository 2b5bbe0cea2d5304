"""The process that copies frames out of the ring for the page, and gives them as JPEG: beside the inspection, never in its way.

1. The page asks for the frame that a result names, or for the newest (`pipeline.live_picture`).
2. Its slot is looked for; frames that are answered keep lying there until their slot is granted again.
3. The payload is copied. Only if `granted` still shows the generation that was found is the copy that frame, whole: nobody
   holds a slot for a picture.
4. Cut, made smaller, encoded, sent, all at a low priority.
"""

import logging
import os
import selectors
import socket
import threading
from contextlib import suppress

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.snapshot import picture_of
from pipeline.clock import iso_utc
from pipeline.frame import Frame, FrameInfo
from pipeline.live_picture import LARGEST_QUESTION_BYTES, Area, Figures, Shown, Wanted, framed, receive
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.stages.image import image_figures
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

TURN_S = 0.1
SEND_LIMIT_S = 1.0
MOST_LINES = 4
QUALITY = 80
NICENESS = 5  # where all cores are busy, inspection gets three times its share (sched(7)); more would starve it
CLASSES = 64  # of a histogram


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    cv2.setNumThreads(1)
    os.nice(NICENESS)
    worker = PicturesWorker(context)
    try:
        worker.run(stop)
    finally:
        worker.close()


class PicturesWorker:
    """Answers questions one after the other."""

    def __init__(self, context: WorkerContext) -> None:
        """Listen, in the place of a forerunner."""
        runtime = context.runtime
        self._context = context
        self._copier = FrameCopier(FrameRing.attach(runtime.ring_path), list(runtime.station.camera))
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        runtime.pictures_path.unlink(missing_ok=True)
        self._listener.bind(str(runtime.pictures_path))
        self._listener.listen(MOST_LINES)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self, stop: threading.Event) -> None:
        """Answer what is asked."""
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        while not stop.is_set():
            for key, _ in self._selector.select(TURN_S):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj)
                self._context.progress()
            self._context.progress()

    def _accept(self) -> None:
        connection = self._listener.accept()[0]
        if len(self._selector.get_map()) > MOST_LINES:
            connection.close()
            return
        connection.settimeout(SEND_LIMIT_S)
        self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        """One question; a line that breaks, or over which nonsense comes, is closed."""
        try:
            wanted = msgspec.json.decode(receive(connection, LARGEST_QUESTION_BYTES), type=Wanted)
            shown, picture = self._shown(wanted)
            connection.sendall(framed(msgspec.json.encode(shown)) + framed(picture))
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.debug("a line ended: %s", error)
            self._selector.unregister(connection)
            connection.close()

    def _shown(self, wanted: Wanted) -> tuple[Shown, bytes]:
        frame = self._copier.copy(wanted.camera, wanted.frame_id, wanted.received_time)
        if frame is None:
            return Shown(False), b""
        info = frame.info
        area = _within(wanted.area, info)
        x, y, width, height = area
        cut = picture_of(frame)[y : y + height, x : x + width]
        shown = Shown(
            shown=True,
            frame_id=info.frame_id,
            received_time=iso_utc(info.received_utc_ns),
            exposure_us=info.exposure_us,
            width=info.width,
            height=info.height,
            area=area,
            figures=figures_of(cut) if wanted.figures else None,
        )
        return shown, jpeg(cut, wanted.longest_px)

    def close(self) -> None:
        """Let go of everything."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._copier.close()


class FrameCopier:
    """Copies frames that lie in the ring and that nobody holds for it."""

    def __init__(self, ring: FrameRing, cameras: list[str]) -> None:
        """`cameras` in the order of the station file, as they are numbered in the ring."""
        self._ring, self._cameras = ring, cameras
        self._buffer: NDArray[np.uint8] = np.empty(ring.layout.slot_bytes, np.uint8)

    def copy(self, camera: str, frame_id: int | None, received_time: str) -> Frame | None:
        """The frame, or the newest of the camera; valid until the next call. None where it is not there, or not any more."""
        if camera not in self._cameras:
            return None
        index = self._cameras.index(camera)
        found: tuple[int, int, FrameInfo] | None = None
        for slot in range(self._ring.layout.slots):
            generation = self._ring.word(slot, SlotWord.granted)
            info = self._whole(slot, generation, index)
            if info is None:
                continue
            if frame_id is not None:
                if info.frame_id == frame_id and iso_utc(info.received_utc_ns) == received_time:
                    found = slot, generation, info
                    break
            elif found is None or info.received_monotonic_ns > found[2].received_monotonic_ns:
                found = slot, generation, info
        return None if found is None else self._copied(*found)

    def _whole(self, slot: int, generation: int, camera: int) -> FrameInfo | None:
        """The identity of the frame that was accepted under this generation from this camera."""
        if not generation or self._ring.word(slot, SlotWord.accepted) != generation:
            return None
        if self._ring.word(slot, SlotWord.camera) != camera:
            return None
        with suppress(ValueError):  # half of another frame's identity, as it may be by now
            info = self._ring.info(slot)
            return info if self._is_there(slot, generation) else None
        return None

    def _copied(self, slot: int, generation: int, info: FrameInfo) -> Frame | None:
        size = info.payload_bytes
        np.copyto(self._buffer[:size], np.frombuffer(self._ring.payload(slot), np.uint8, size))
        return Frame(info, self._buffer[:size].data) if self._is_there(slot, generation) else None

    def _is_there(self, slot: int, generation: int) -> bool:
        """Whether the slot has not been granted again since; only then may anybody have written to it."""
        return self._ring.word(slot, SlotWord.granted) == generation

    def close(self) -> None:
        """Let go of the ring."""
        self._ring.close()


def figures_of(picture: NDArray[np.uint8]) -> Figures:
    """Of a picture, uint8 (h, w) or BGR (h, w, 3)."""
    grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    counts = np.bincount(grey.reshape(-1), minlength=256).astype(np.float64) / grey.size
    figures = image_figures(grey)
    shares = counts.reshape(CLASSES, -1).sum(axis=1)
    return Figures([round(float(one), 5) for one in shares], figures.grey, float(counts[255]), figures.sharpness)


def jpeg(picture: NDArray[np.uint8], longest_px: int) -> bytes:
    """The picture, no larger than `longest_px` either way; each of its pixels is the mean of those that it stands for."""
    scale = longest_px / max(picture.shape[:2])
    if scale < 1.0:
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].tobytes()


def _within(area: Area | None, info: FrameInfo) -> Area:
    """The area cut to the frame; the whole frame where nothing is left of it."""
    if area is None:
        return 0, 0, info.width, info.height
    left, top = max(0, area[0]), max(0, area[1])
    right, bottom = min(info.width, area[0] + area[2]), min(info.height, area[1] + area[3])
    if right - left < 16 or bottom - top < 16:
        return 0, 0, info.width, info.height
    return left, top, right - left, bottom - top
