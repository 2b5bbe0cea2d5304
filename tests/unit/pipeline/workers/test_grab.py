"""The grab worker against a ledger that the test plays."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from pipeline import messages
from pipeline.camera_settings import SyntheticSettings
from pipeline.config import Station
from pipeline.messages import Accepted, CameraHello, CameraStatus, Granted, ToLedger
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime
from pipeline.vitals import Vitals
from pipeline.worker import WorkerContext
from pipeline.workers.grab import GrabWorker


class PlayedLedger:
    """The other end of a worker's line."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(endpoint)

    def tell(self, name: str, message: Granted) -> None:
        self._socket.send_multipart([name.encode(), messages.encode(message)])

    def hear(self, kind: type[ToLedger], timeout_ms: int = 10_000) -> ToLedger | None:
        while self._socket.poll(timeout_ms):
            message = messages.decode_to_ledger(self._socket.recv_multipart()[1])
            if isinstance(message, kind):
                return message
        return None

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture
def ledger(run_dir: Path, station_name: str) -> Iterator[PlayedLedger]:
    camera = SyntheticSettings(width=64, height=64, rate_hz=0.0, frames="tests.pictures:plain")
    station = Station(format=1, station=station_name, recipes="", camera={"top": camera})
    runtime = Runtime(station, str(run_dir), ["grab.top"])
    ring = FrameRing.create(runtime.ring_path, RingLayout(4, 64 * 64, 1))
    vitals = Vitals(runtime.vitals_path, rows=1)
    played = PlayedLedger(runtime.ledger_endpoint)
    worker, stop = GrabWorker(WorkerContext(runtime, "grab.top", vitals)), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    yield played
    stop.set()
    thread.join()
    worker.close()
    played.close()
    vitals.close()
    runtime.vitals_path.unlink()
    ring.close(unlink=True)


def test_slots_that_were_granted_to_the_forerunner_of_this_process_are_not_filled(ledger: PlayedLedger) -> None:
    hello = ledger.hear(CameraHello)
    assert hello == CameraHello("top", os.getpid())
    status = ledger.hear(CameraStatus)
    assert isinstance(status, CameraStatus)
    assert (status.up, status.baseline) == (True, 0)
    ledger.tell("grab.top", Granted(0, 7, os.getpid() + 1))
    ledger.tell("grab.top", Granted(1, 8, os.getpid()))
    assert ledger.hear(Accepted) == Accepted("top", 1, 8)
