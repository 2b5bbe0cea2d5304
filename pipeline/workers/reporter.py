"""The station's state as it is told to the world, gathered once a second from the book, the ring and the vital signs."""

from dataclasses import dataclass, field

from pipeline.clock import iso_utc, monotonic_ns, utc_ns
from pipeline.ledger.answers import Answering
from pipeline.ledger.book import Book
from pipeline.messages import CameraStatus
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import CameraWord
from pipeline.status import CameraReport, Heartbeat, ProcessReport, Status
from pipeline.version import VERSION
from pipeline.vitals import Vitals, VitalWord, WorkerState, usage


@dataclass(slots=True)
class Reporter:
    """Makes heartbeats and status messages."""

    answering: Answering
    book: Book
    ring: FrameRing
    vitals: Vitals
    processes: list[str]
    cameras: dict[str, CameraStatus] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)
    backend: str = ""
    stopping: bool = False
    results: dict[str, int] = field(default_factory=dict)
    started_time: str = field(default_factory=lambda: iso_utc(utc_ns()))

    def heartbeat(self) -> Heartbeat:
        """The newest result's number."""
        return Heartbeat(self.answering.station, self.answering.session, self.answering.last_seq, iso_utc(utc_ns()))

    def state(self) -> tuple[str, str]:
        """OPC 40100-1's name for the state, and a sentence."""
        if self.stopping:
            return "Halted", "the daemon ends"
        if not self.answering.product_id:
            return "Initialized", "loading the recipe"
        down = [name for name in self.answering.views if not self._is_up(name)]
        if down:
            return "Error", "; ".join(f"camera {name}: {self._camera_text(name)}" for name in down)
        if self.book.mismatched:
            names = ", ".join(sorted(self.book.mismatched))
            return (
                "Error",
                f"trigger_mismatch: the line counter of {names} was reset, those of the other cameras were not",
            )
        if dead := [
            name for row, name in enumerate(self.processes) if name.startswith("infer.") and not self._is_alive(row)
        ]:
            return "Error", f"{', '.join(dead)} down"
        ended = f", {len(self.exhausted)} with no more frames" if self.exhausted else ""
        return "Ready", f"{len(self.answering.views)} cameras up{ended}, {sum(self.results.values())} results"

    def status(self) -> Status:
        """All of it."""
        state, text = self.state()
        return Status(
            station=self.answering.station,
            session=self.answering.session,
            state=state,
            text=text,
            version=VERSION,
            recipe_id=self.answering.recipe_id if self.answering.product_id else None,
            product_id=self.answering.product_id,
            configuration_id=self.answering.configuration_id,
            backend=self.backend,
            cameras=[self._camera(index, name) for index, name in enumerate(self.answering.views)],
            processes=[self._process(row, name) for row, name in enumerate(self.processes)],
            triggers=self.book.triggers,
            open_parts=self.book.open_parts(),
            results=dict(self.results),
            late_results=self.book.late_results,
            late_frames=self.book.late_frames,
            started_time=self.started_time,
        )

    def _is_up(self, camera: str) -> bool:
        row = self.processes.index(f"grab.{camera}")
        return camera in self.cameras and self.cameras[camera].up and self._is_alive(row)

    def _is_alive(self, row: int) -> bool:
        return usage(self.vitals.read(row, VitalWord.pid))[0] > 0

    def _camera_text(self, camera: str) -> str:
        if camera not in self.cameras:
            return "connecting"
        if not self._is_alive(self.processes.index(f"grab.{camera}")):
            return f"grab.{camera} is down"
        return self.cameras[camera].text + (", has no more frames" if camera in self.exhausted else "")

    def _camera(self, index: int, name: str) -> CameraReport:
        said = self.cameras.get(name)
        last_ns = self.ring.camera_word(index, CameraWord.last_frame_monotonic_ns)
        return CameraReport(
            camera=name,
            view=self.answering.views[name],
            up=self._is_up(name),
            text=self._camera_text(name),
            triggers="counted" if said is not None and said.counts_triggers else "unverified",
            frames=self.ring.camera_frames(index),
            losses={kind.value: count for kind, count in self.ring.camera_losses(index).items()},
            last_frame_time=iso_utc(utc_ns() - monotonic_ns() + last_ns) if last_ns else None,
        )

    def _process(self, row: int, name: str) -> ProcessReport:
        pid = self.vitals.read(row, VitalWord.pid)
        resident_bytes, cpu_seconds = usage(pid) if pid else (0, 0.0)
        state = WorkerState(self.vitals.read(row, VitalWord.state)).name
        restarts = max(0, self.vitals.read(row, VitalWord.starts) - 1)
        return ProcessReport(name, pid, state, resident_bytes, cpu_seconds, restarts)
