"""The thread that encodes and writes images while the next frame is copied: OpenCV and the disk do not hold the interpreter."""

import os
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clock import monotonic_ns
from pipeline.config import ArchiveSettings
from pipeline.evidence import picture, record
from pipeline.evidence.buffers import BufferPool
from pipeline.evidence.image_name import parse_path
from pipeline.evidence.image_store import ImageStore
from pipeline.frame import Frame, FrameInfo
from pipeline.messages import Copy, DiskReport, Stored

NICENESS = 10  # inspection comes first
IDLE_S = 0.2
LONGEST_WRITE_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that was copied out of the ring. `buffer` goes back to the pool when it has been written."""

    order: Copy
    camera: str
    info: FrameInfo
    buffer: NDArray[np.uint8]


class ImageWriter:
    """Give it frames, ask it what became of them. For one thread beside its own."""

    def __init__(self, folder: Path, archive: ArchiveSettings, pool: BufferPool) -> None:
        """Start the thread. `folder` is the state folder."""
        self._folder, self._archive, self._pool = folder, archive, pool
        self._waiting: queue.SimpleQueue[Taken | None] = queue.SimpleQueue()  # no longer than the pool is large
        self._written: queue.SimpleQueue[Stored] = queue.SimpleQueue()
        self._report = DiskReport(0, 0, "")
        self._since_ns = 0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    def write(self, taken: Taken) -> None:
        """Queue a frame."""
        self._waiting.put(taken)

    def written(self) -> list[Stored]:
        """What became of frames since the last call."""
        told = []
        with suppress(queue.Empty):
            while True:
                told.append(self._written.get_nowait())
        return told

    def report(self) -> DiskReport:
        """How the disk is. Raises whatever ended the thread, which nothing should."""
        if self._error is not None:
            raise self._error
        since_ns = self._since_ns
        quiet_ns = monotonic_ns() - since_ns if since_ns else 0
        if quiet_ns > LONGEST_WRITE_NS:
            used_bytes, images = self._report.used_bytes, self._report.images
            return DiskReport(used_bytes, images, f"the disk has not answered for {quiet_ns // 1_000_000_000} s")
        return self._report

    def close(self, limit_s: float) -> None:
        """Write what is queued, for so long at most."""
        self._waiting.put(None)
        self._thread.join(limit_s)

    def _run(self) -> None:
        try:
            with suppress(OSError):  # a sandbox may not let us, and it works without
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            self._since_ns = monotonic_ns()
            store = ImageStore(self._folder, self._archive)
            while self._turn(store):
                pass
        except BaseException as error:
            self._error = error

    def _turn(self, store: ImageStore) -> bool:
        """Write one image, or wait for one; then a step of tidying. False: that was the end."""
        self._since_ns = monotonic_ns()
        has_more = store.step()
        total = store.total
        self._report = DiskReport(total.size_bytes, total.images, store.fault)
        self._since_ns = 0
        try:
            taken = self._waiting.get(timeout=0.0 if has_more else IDLE_S)
        except queue.Empty:
            return True
        if taken is None:
            return False
        self._since_ns = monotonic_ns()
        order = taken.order
        fault = _write(store, taken)
        self._pool.give_back(taken.buffer)
        self._written.put(Stored(order.session, order.seq, order.view, order.path, fault))
        return True


def _write(store: ImageStore, taken: Taken) -> str:
    order = taken.order
    name = parse_path(order.path)
    if name is None:
        return f"{order.path} is no path of an image"
    try:
        png = picture.encode(Frame(taken.info, taken.buffer.data[: taken.info.payload_bytes]))
    except cv2.error as error:
        return f"cannot be encoded: {error.err}"
    return store.write(name, png.data, record.text_of(order.view, taken.camera, taken.info, order.result))
