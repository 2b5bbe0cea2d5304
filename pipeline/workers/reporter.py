"""The station's state as it is told to the world, gathered once a second from the book, the ring and the vital signs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.clock import iso_utc, monotonic_ns, utc_ns
from pipeline.ledger.answers import Answering
from pipeline.ledger.book import Book
from pipeline.ledger.journal import Journal
from pipeline.messages import CameraStatus, DiskReport
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import CameraWord
from pipeline.status import CameraReport, EvidenceReport, Heartbeat, ProcessReport, StationState, Status
from pipeline.version import version
from pipeline.vitals import Vitals, VitalWord, WorkerState, usage
from pipeline.workers.images import Images
from pipeline.workers.recipes import Recipes
from pipeline.workers.setup_desk import SETUP


@dataclass(slots=True)
class Reporter:
    """Makes heartbeats and status messages."""

    answering: Answering
    book: Book
    ring: FrameRing
    vitals: Vitals
    processes: list[str]
    recipes: Recipes
    journal: Journal
    results: Mapping[str, int]
    images: Images
    control_port: int
    cameras: dict[str, CameraStatus] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)
    backend: str = ""
    stopping: bool = False
    disk: DiskReport = field(default_factory=lambda: DiskReport(0, 0, ""))
    refused_messages: int = 0
    started_time: str = field(default_factory=lambda: iso_utc(utc_ns()))

    def heartbeat(self) -> Heartbeat:
        """The newest result's number, and where to ask for those that were missed."""
        answering = self.answering
        now = iso_utc(utc_ns())
        return Heartbeat(answering.station, answering.session, answering.last_seq, now, self.control_port)

    def state(self) -> tuple[StationState, str]:  # noqa: PLR0911 - one for each state
        """The state, and a sentence."""
        if self.stopping:
            return StationState.Halted, "the daemon ends"
        if not self.recipes.loaded:
            return StationState.Preoperational, "loading the recipes"
        if self.journal.setting(SETUP) == "yes":
            return StationState.Initialized, "; ".join(["being set up", *self._faults()])
        if faults := self._faults():
            return StationState.Error, "; ".join(faults)
        if waiting := [name for name in self.answering.views if name not in self.cameras]:
            return StationState.Initialized, f"connecting {', '.join(waiting)}"
        ended = f", {len(self.exhausted)} with no more frames" if self.exhausted else ""
        cameras = len(self.answering.views)
        text = f"{cameras} {'camera' if cameras == 1 else 'cameras'} up{ended}, {sum(self.results.values())} results"
        if fault := self.journal.report().fault:
            text += f"; not journaled: {fault}"
        if self.disk.fault:
            text += f"; images: {self.disk.fault}"
        if drift := self.recipes.masters.alarms(self.recipes.current):
            text += f"; drift: {', '.join(drift)}"
        if self.book.running:
            return StationState.ContinuousExecution, text
        return (StationState.SingleExecution if self.book.open_parts() else StationState.Ready), text

    def unready(self) -> str:
        """Why a trigger that came now could not be inspected; "" where it could."""
        if not self.recipes.loaded:
            return "the recipes are being loaded"
        down = [name for name in self.answering.views if not self._is_up(name)]
        return "; ".join(f"camera {name}: {self._camera_text(name)}" for name in down)

    def _faults(self) -> list[str]:
        """What keeps parts from being inspected as they should be."""
        down = [name for name in self.answering.views if name in self.cameras and not self._is_up(name)]
        faults = [f"camera {name}: {self._camera_text(name)}" for name in down]
        if self.book.mismatched:
            names = ", ".join(sorted(self.book.mismatched))
            faults.append(
                f"trigger_mismatch: the line counter of {names} does not agree with the others "
                "(next: stop the belt, datumd resynchronise)"
            )
        faults += [
            f"{name} down"
            for row, name in enumerate(self.processes)
            if name.startswith("infer.") and not self._is_alive(row)
        ]
        if self.recipes.fault:
            faults.append(self.recipes.fault)
        if due := self.recipes.masters.fault(self.recipes.current, utc_ns()):
            faults.append(due)
        return faults

    def status(self) -> Status:
        """All of it."""
        state, text = self.state()
        recipe = self.recipes.loaded.get(self.recipes.selected)
        return Status(
            station=self.answering.station,
            session=self.answering.session,
            state=state,
            text=text,
            version=version(),
            recipe_id=recipe.number if recipe else None,
            product_id=recipe.name if recipe else "",
            configuration_id=recipe.configuration_id if recipe else "",
            backend=self.backend,
            cameras=[self._camera(index, name) for index, name in enumerate(self.answering.views)],
            processes=[self._process(row, name) for row, name in enumerate(self.processes)],
            triggers=self.book.triggers,
            open_parts=self.book.open_parts(),
            results=dict(self.results),
            late_results=self.book.late_results,
            late_frames=self.book.late_frames,
            started_time=self.started_time,
            recipes=self.recipes.entries(),
            journal=self.journal.report(),
            evidence=EvidenceReport(
                self.disk.fault, self.images.stored, self.images.lost, self.disk.used_bytes, self.disk.images
            ),
            refused_messages=self.refused_messages,
            masters=self.recipes.masters.report(self.recipes.current, utc_ns()),
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
        restarts = self.vitals.read(row, VitalWord.restarts)
        warmed = self.vitals.read(row, VitalWord.warmed)
        return ProcessReport(name, pid, state, resident_bytes, cpu_seconds, restarts, warmed)
