"""The copier: takes frames worth keeping out of the ring at once, so that their slots can be filled again, and writes them.

1. The ledger holds an answered frame's slot and sends Copy.
2. The payload is copied into private memory. Only if `granted` still shows the frame's generation afterwards is it whole:
   the ledger waits for a limited time, and then gives the slot away.
3. Copied: the ledger may give the slot away.
4. Encoded and written by another thread; then Stored, which tells too of those for which there was no memory here. Only of a
   slot that had been given away nothing more is said: the ledger counted that loss when it gave the slot away.
"""

import logging
import os
import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clock import monotonic_ns
from pipeline.evidence.buffers import BufferPool
from pipeline.evidence.image_writer import ImageWriter, Taken
from pipeline.messages import Copied, Copy, EvidenceHello, Stored
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.link import LedgerLink

log = logging.getLogger(__name__)

POLL_S = 0.03  # how soon a stop or a new ledger is noticed
REPORT_NS = 1_000_000_000
END_LIMIT_S = 2.0  # what is copied by then and not written is lost
NO_ROOM = "images come faster than they can be written"


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    cv2.setNumThreads(1)
    worker = EvidenceWorker(context)
    try:
        worker.run(stop)
    finally:
        worker.close()


class EvidenceWorker:
    """Copies; its writer writes."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        runtime = context.runtime
        self._cameras = list(runtime.station.camera)
        self._ring = FrameRing.attach(runtime.ring_path)
        self._link = LedgerLink(runtime.ledger_path, context.name)
        self._pool = BufferPool(self._ring.layout.slot_bytes)
        self._writer = ImageWriter(Path(runtime.state_folder), runtime.station.archive, self._pool)
        self._session = 0  # of the ledger that has our hello
        self._reported_ns = 0

    def run(self, stop: threading.Event) -> None:
        """Copy what comes, for whichever ledger is there."""
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        while not stop.is_set():
            self._greet()
            for message in self._link.receive(POLL_S):
                if isinstance(message, Copy):
                    self._copy(message)
                self._context.progress()
            self._tell()
            self._context.progress()

    def _greet(self) -> None:
        """Once to each ledger. What an earlier one ordered and is copied already is written all the same."""
        session = self._ring.session
        if session == self._session:
            return
        if self._session:
            self._link.reconnect()
        self._session = session
        self._link.send(EvidenceHello(os.getpid(), session))

    def _copy(self, order: Copy) -> None:
        """One frame out of the ring. What a ledger that is gone ordered is copied too, where it is still there."""
        if not self._is_there(order):
            self._gone(order)
            return
        buffer = self._pool.take(order.evaluation)
        if buffer is None:
            self._link.send(Copied(order.slot, order.generation, good=False))
            self._link.send(Stored(order.session, order.seq, order.view, order.path, NO_ROOM))
            return
        taken = self._take(order, buffer)
        if taken is None:
            self._pool.give_back(buffer)
            self._gone(order)
        else:
            self._link.send(Copied(order.slot, order.generation, good=True))
            self._writer.write(taken)

    def _gone(self, order: Copy) -> None:
        """The slot was given away. The ledger that did so has counted the image; another one does not know of it."""
        self._link.send(Copied(order.slot, order.generation, good=False))
        if order.session != self._ring.session:
            self._link.send(
                Stored(order.session, order.seq, order.view, order.path, "the ledger that ordered it ended")
            )

    def _take(self, order: Copy, buffer: NDArray[np.uint8]) -> Taken | None:
        """Identity and payload; None where the slot was given away meanwhile."""
        camera = self._cameras[self._ring.word(order.slot, SlotWord.camera)]
        frame = self._ring.frame(order.slot)
        if not self._is_there(order):  # else what was just read may be half of another frame's identity
            return None
        np.copyto(buffer[: frame.info.payload_bytes], np.frombuffer(frame.payload, np.uint8))
        return Taken(order, camera, frame.info, buffer) if self._is_there(order) else None

    def _is_there(self, order: Copy) -> bool:
        return self._ring.word(order.slot, SlotWord.granted) == order.generation

    def _tell(self) -> None:
        """What has been written, and once a second how the disk is."""
        for stored in self._writer.written():
            self._link.send(stored)
        now = monotonic_ns()
        if now - self._reported_ns >= REPORT_NS:
            self._reported_ns = now
            self._link.send(self._writer.report())

    def close(self) -> None:
        """Write what is copied already, as far as there is time, and let go of the ring and the ledger."""
        self._writer.close(END_LIMIT_S)
        for stored in self._writer.written():
            self._link.send(stored)
        self._link.close()
        self._ring.close()
