"""The other end of a worker's line, what a worker finds around it, and a worker in a thread."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pipeline.camera_settings import CameraSettings
from pipeline.config import Station
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime
from pipeline.vitals import Vitals
from pipeline.worker import WorkerContext
from pipeline.workers.grab import GrabWorker
from tests.played_ledger import PlayedLedger

SESSION = 7
SIDE = 64


class QuickClock:
    """Every sleep is over at once."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ns(self) -> int:
        return int(self.now_s * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Surroundings:
    """Ledger, ring and the place of workers."""

    runtime: Runtime
    ring: FrameRing
    vitals: Vitals
    ledger: PlayedLedger

    def context(self, name: str) -> WorkerContext:
        """A worker's place."""
        return WorkerContext(self.runtime, name, self.vitals)


class Scene(Surroundings):
    """What grab workers find."""

    def worker(self, camera: str, clock: "QuickClock | None" = None) -> GrabWorker:
        """With a `clock`, rests between attempts are over at once."""
        context = self.context(f"grab.{camera}")
        return GrabWorker(context, now_ns=clock.now_ns, sleep=clock.sleep) if clock else GrabWorker(context)


Kind = TypeVar("Kind", bound=Surroundings)


@contextmanager
def surroundings(kind: type[Kind], runtime: Runtime, layout: RingLayout) -> Iterator[Kind]:
    """A station's shared memory, and a ledger that the test plays."""
    ring = FrameRing.create(runtime.ring_path, layout)
    vitals = Vitals(runtime.vitals_path, rows=len(runtime.processes))
    ledger = PlayedLedger(runtime.ledger_path)
    try:
        yield kind(runtime, ring, vitals, ledger)
    finally:
        ledger.close()
        vitals.close()
        runtime.vitals_path.unlink()
        ring.close(unlink=True)


@contextmanager
def scene(
    run_dir: Path,
    station_name: str,
    cameras: dict[str, CameraSettings],
    *,
    session: int = SESSION,
    slot_bytes: int = 4096,
) -> Iterator[Scene]:
    """For grab workers."""
    station = Station(format=1, station=station_name, recipes="", camera=cameras)
    runtime = Runtime(station, str(run_dir), str(run_dir), [f"grab.{name}" for name in cameras])
    with surroundings(Scene, runtime, RingLayout(8, slot_bytes, len(cameras))) as made:
        if session:
            made.ring.begin_session(session)
        yield made


class Worker(Protocol):
    """What every worker can do."""

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""

    def close(self) -> None:
        """Let go of everything."""


@contextmanager
def in_thread(worker: Worker) -> Iterator[None]:
    """The worker runs in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def at_work(worker: Worker) -> Iterator[None]:
    """The worker runs in a thread, and is closed."""
    with closing(worker), in_thread(worker):
        yield
