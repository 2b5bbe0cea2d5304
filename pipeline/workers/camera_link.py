"""What passes between one camera's worker and the ledger, and what a new ledger is told of the camera again."""

import os
from collections import deque

import msgspec

from pipeline.messages import (
    Adjusting,
    CameraHello,
    CameraStatus,
    Counted,
    Exhausted,
    Fire,
    FromLedger,
    Granted,
    Passed,
    ToLedger,
)
from pipeline.ring.frame_ring import FrameRing
from pipeline.workers.link import LedgerLink


class CameraLink:
    """A line to whichever ledger is there now.

    Attributes:
        grants: slots to fill, in order. They are void as soon as there is a new ledger.
        fires: software triggers to give, in order; void likewise.
        adjusts: features to set; void likewise.
        passes: parts that have passed, for the output; void likewise.
    """

    def __init__(self, link: LedgerLink, ring: FrameRing, camera: str) -> None:
        self.grants: deque[Granted] = deque()
        self.fires: deque[Fire] = deque()
        self.adjusts: deque[Adjusting] = deque()
        self.passes: deque[Passed] = deque()
        self._link = link
        self._ring = ring
        self._camera = camera
        self._pid = os.getpid()
        self._session = 0  # of the ledger that has our hello
        self._status: CameraStatus | None = None
        self._exhausted = False
        self._counter: int | None = None

    def listen(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for the ledger's orders and keep them; where there is a new ledger, tell it all."""
        heard = list(self._link.receive(timeout_s))
        self._greet()
        for message in heard:
            self._take(message)

    def send(self, message: ToLedger) -> None:
        """Tell the ledger, unless there has been none yet in this run: then nothing was promised to anybody."""
        if self._session:
            self._link.send(message)

    def say_status(self, status: CameraStatus) -> None:
        """The camera is up, or is not. A ledger that comes later is told as well, without the baseline."""
        self._status, self._exhausted = status, False
        if status.up:
            self._counter = status.baseline
        if self._session:
            self._tell_status()

    def say_exhausted(self) -> None:
        """The camera has no more frames."""
        if not self._exhausted:
            self._exhausted = True
            self.send(Exhausted(self._camera))

    def note_counter(self, number: int) -> bool:
        """Remember where the camera's line counter stands, for a ledger that comes later. Returns whether that is news."""
        is_news = number != self._counter
        self._counter = number
        return is_news

    def _greet(self) -> None:
        """Once to each ledger: we own no slot, and this is how the camera stands."""
        session = self._ring.session
        if session == self._session:
            return
        self._session = session
        self.grants.clear()
        self.fires.clear()
        self.adjusts.clear()
        self.passes.clear()
        self._link.send(CameraHello(self._camera, self._pid, session))
        self._tell_status()
        if self._exhausted:
            self._link.send(Exhausted(self._camera))
        if self._counter is not None:
            self._link.send(Counted(self._camera, self._counter))

    def _tell_status(self) -> None:
        if self._status is not None:
            self._link.send(self._status)
            self._status = msgspec.structs.replace(self._status, baseline=None)

    def _take(self, message: FromLedger) -> None:
        match message:
            case Granted(pid=self._pid, session=self._session):
                self.grants.append(message)
            case Fire(pid=self._pid, session=self._session):
                self.fires.append(message)
            case Adjusting(pid=self._pid, session=self._session):
                self.adjusts.append(message)
            case Passed(pid=self._pid, session=self._session):
                self.passes.append(message)

    def close(self) -> None:
        """Send what is queued (at most 200 ms) and close."""
        self._link.close()
