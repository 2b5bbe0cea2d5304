"""The ledger: the one process that grants slots, dispatches frames, and answers every trigger."""

import logging
import threading
from pathlib import Path
from typing import assert_never

import zmq

from pipeline import requests
from pipeline.addresses import split
from pipeline.camera_settings import GenicamSettings
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.evidence.keeping import Keeping
from pipeline.ledger.actions import Action
from pipeline.ledger.answers import Answering
from pipeline.ledger.book import Book
from pipeline.ledger.book_settings import BookSettings
from pipeline.ledger.journal import Journal
from pipeline.ledger.wire import ResultStream
from pipeline.messages import (
    Accepted,
    Adjusted,
    Asked,
    CameraHello,
    CameraStatus,
    Copied,
    Counted,
    DiskReport,
    EvidenceHello,
    Exhausted,
    Fired,
    InferHello,
    Inspected,
    LoadedRecipe,
    Lost,
    Refused,
    Released,
    RequestsHello,
    Stored,
    Told,
    ToLedger,
)
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.security import Gate
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.carrier import EVIDENCE, Carrier
from pipeline.workers.commands import Commands
from pipeline.workers.images import Images
from pipeline.workers.publishing import Publishing
from pipeline.workers.recipes import Recipes
from pipeline.workers.recovery import find, left_answers
from pipeline.workers.reporter import Reporter
from pipeline.workers.setup_desk import SetupDesk
from pipeline.workers.switchboard import Switchboard

log = logging.getLogger(__name__)

BEAT_NS = 1_000_000_000
LAST_TURNS = 50
PRUNED_AT_A_BEAT = 200
# By then who listened to the last ledger listens to this one: ZeroMQ connects again after 100 ms.
EARLY_NS = 400_000_000
YOUNG_NS = 2_000_000_000  # results so young may not have been published by the ledger that journaled them
REQUESTS = "requests"


def main(context: WorkerContext, stop: threading.Event) -> None:
    """Run until `stop` is set."""
    ledger = LedgerWorker(context)
    try:
        ledger.run(stop)
    finally:
        ledger.close()


class LedgerWorker:
    """Carries the book's actions out, and tells it of every event."""

    def __init__(self, context: WorkerContext) -> None:
        runtime = context.runtime
        station = runtime.station
        self._context = context
        self._ring = FrameRing.attach(runtime.ring_path)
        self._journal = Journal.open(
            Path(runtime.state_folder), self._ring.ring_id, self._ring.session, station.archive.days
        )
        self._cameras = list(station.camera)
        self._found = find(self._ring, self._journal, self._cameras, runtime.processes)
        self._book = Book(
            BookSettings.of(station, self._ring.layout.slots), self._found.slots, self._journal.accounts()
        )
        loaded: dict[int, LoadedRecipe] = {}
        self._recipes = Recipes(self._journal, station.recipe, loaded, station.shifts)
        self._book.recipe = self._recipes.selected
        self._zmq = zmq.Context[zmq.Socket[bytes]]()
        self._gate = Gate(self._zmq, station.security)
        self._publishing = Publishing(
            Answering.of(station, self._journal.session, loaded, self._recipes.purposes, self._recipes.masters),
            self._journal,
            ResultStream(self._zmq, station.station, runtime.results_endpoint, self._gate),
        )
        self._images = Images(Path(runtime.state_folder), self._journal)
        self._reporter = Reporter(
            self._publishing.answering,
            self._book,
            self._ring,
            context.vitals,
            runtime.processes,
            self._recipes,
            self._journal,
            self._publishing.counts,
            self._images,
            split(station.control_bind)[1],
        )
        self._commands = Commands(
            self._book,
            self._journal,
            self._recipes,
            self._reporter.status,
            self._reporter.unready,
            binds_part_ids=station.part.part_id == "plc",
        )
        self._keeping = Keeping(station.archive)
        self._switchboard = Switchboard(runtime.ledger_path)
        workers = [name for name in runtime.processes if name.startswith("infer.")]
        self._desk = SetupDesk(self._switchboard, self._journal, self._cameras, workers)
        self._carrier = Carrier(
            self._ring,
            self._book,
            self._switchboard,
            self._publishing,
            self._cameras,
            runtime.processes,
            self._images,
            [name for name, one in station.camera.items() if isinstance(one, GenicamSettings) and one.output],
        )

    def run(self, stop: threading.Event) -> None:
        """Take up what the last ledger left; then hear the workers, watch the deadlines, beat once a second."""
        self._recover()
        self._ring.begin_session(self._journal.session)
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        next_beat = monotonic_ns()
        early_until = next_beat + EARLY_NS
        while not stop.is_set():
            self._switchboard.wait(self._wait_ms(next_beat))
            self._hear()
            self._carrier.carry_out(self._book.tick(monotonic_ns()))
            if early_until and monotonic_ns() >= early_until:
                self._publishing.stream.publish_early()
                early_until = 0
            if monotonic_ns() >= next_beat:
                self._beat()
                next_beat = max(next_beat + BEAT_NS, monotonic_ns())
            self._context.progress()
        self._end()

    def _recover(self) -> None:
        """Publish what was journaled and perhaps not published, close it, and open what has no answer."""
        self._publishing.stream.keep_early()
        for payload in self._journal.young(utc_ns() - YOUNG_NS):
            self._publishing.stream.publish_result(payload)
        for slot, generation, payloads in self._found.unpublished:
            for payload in payloads:
                self._publishing.stream.publish_result(payload)
            self._ring.close_slot(slot, generation)
        self._carrier.carry_out(self._commands.resume())
        now = monotonic_ns()
        self._carrier.carry_out(self._book.recovered(now))
        for file, actions in left_answers(
            self._context.runtime.ring_path, self._book, self._journal, self._cameras, now
        ):
            self._carrier.carry_out(actions)
            file.unlink()
        self._carrier.carry_out(self._commands.restore())

    def _end(self) -> None:
        """The others have ended: hear what they said last, find the frames they had no time to tell of, answer what is owed."""
        for _ in range(LAST_TURNS):
            if not self._switchboard.wait(0):
                break
            self._hear()
        for camera in self._cameras:
            self._carrier.carry_out(self._scan(camera, monotonic_ns()))
        while actions := self._book.stopping():
            self._carrier.carry_out(actions)
        self._journal.forget_accounts()
        self._reporter.stopping = True
        self._beat()

    def _wait_ms(self, next_beat: int) -> int:
        due = min(next_beat, self._book.next_deadline_ns() or next_beat)
        return max(0, min((due - monotonic_ns()) // 1_000_000 + 1, 100))

    def _hear(self) -> None:
        """Take what the workers have said by now."""
        for message in self._switchboard.hear():
            self._take(message)
        now = monotonic_ns()
        for name in self._switchboard.ended():
            self._carrier.carry_out(self._ended(name, now))

    def _take(self, message: ToLedger) -> None:  # noqa: PLR0912 - one for each kind of message
        """One message: an event of the book, or something to remember."""
        now = monotonic_ns()
        book = self._book
        match message:
            case Accepted(camera, slot, generation):
                self._carrier.carry_out(book.accepted(camera, slot, generation, self._ring.info(slot), now))
            case Inspected(worker, frames, answers, released):
                keep = self._keeping.is_worth_keeping(answers)
                self._carrier.carry_out(book.inspected(worker, frames, keep, now), answers)
                self._release(worker, released)
            case Released(worker, released):
                self._release(worker, released)
            case Counted(camera, number):
                self._carrier.carry_out(book.counted(camera, number, now))
            case Lost(camera, kind, number, count):
                self._carrier.carry_out(book.lost(camera, kind, number, count, now))
            case Fired(camera, trigger, number, fault):
                if fault:
                    log.warning("camera %s did not take software trigger %d: %s", camera, trigger, fault)
                self._carrier.carry_out(book.fired(camera, trigger, number, now))
            case CameraStatus(camera=camera, up=up):
                self._reporter.cameras[camera] = message
                self._publishing.answering.is_simulated |= message.is_simulated
                if up and message.counts_triggers:
                    self._carrier.carry_out(book.connected(camera, message.baseline, now))
            case Exhausted(camera):
                self._reporter.exhausted.add(camera)
            case CameraHello() | InferHello() | EvidenceHello() | RequestsHello():
                if message.session == self._journal.session:  # one that was meant for an earlier ledger is void
                    self._carrier.carry_out(self._greet(message, now))
            case Copied(slot, generation, good):
                self._images.copied((slot, generation), good=good)
                self._carrier.carry_out(book.copied(slot, generation))
            case Stored():
                self._images.settle(message)
            case DiskReport():
                self._reporter.disk = message
            case Adjusted():
                self._desk.adjusted(message)
            case Asked(ticket, peer, command):
                if self._desk.takes(message):
                    return
                reply, actions = self._commands.carry_out(command, peer)
                self._carrier.carry_out(actions)
                self._switchboard.tell(REQUESTS, Told(ticket, requests.encode(reply)))
            case Refused(count):
                self._reporter.refused_messages += count
            case _:
                assert_never(message)

    def _greet(self, hello: CameraHello | InferHello | EvidenceHello | RequestsHello, now: int) -> list[Action]:
        """A worker has begun, or has seen that there is a new ledger."""
        match hello:
            case CameraHello(camera, pid):
                self._switchboard.greet(f"grab.{camera}", pid)
                self._reporter.cameras.pop(camera, None)
                self._reporter.exhausted.discard(camera)
                return self._scan(camera, now) + self._book.camera_ready(camera)
            case InferHello(worker, pid):
                self._switchboard.greet(worker, pid)
                self._recipes.greet(hello.recipes)
                self._reporter.backend = hello.backend
                return self._book.worker_ready(worker, now)
            case EvidenceHello(pid):
                self._switchboard.greet(EVIDENCE, pid)
                return self._book.copier(up=True)
            case RequestsHello(pid):
                self._switchboard.greet(REQUESTS, pid)
                return []

    def _ended(self, name: str, now: int) -> list[Action]:
        """The process of this name has ended, and its successor has not said its hello yet."""
        kind, _, camera = name.partition(".")
        match kind:
            case "grab":
                return self._scan(camera, now) + self._book.camera_died(camera)
            case "infer":
                return self._book.worker_died(name, now)
            case "evidence":
                self._images.copier_ended()
                return self._book.copier(up=False)
        return []

    def _scan(self, camera: str, now: int) -> list[Action]:
        """Frames that the camera's worker accepted and did not live to tell of, in the order in which they came."""
        self._book.camera_gone(camera)
        granted = dict(self._book.granted_slots(camera))
        told = [slot for slot, generation in granted.items() if self._ring.word(slot, SlotWord.accepted) == generation]
        frames = sorted(
            ((self._ring.info(slot), slot) for slot in told), key=lambda frame: frame[0].received_monotonic_ns
        )
        return [
            action for info, slot in frames for action in self._book.accepted(camera, slot, granted[slot], info, now)
        ]

    def _release(self, worker: str, released: list[tuple[int, int]]) -> None:
        for slot, generation in released:
            self._carrier.carry_out(self._book.released(slot, generation, worker))

    def _beat(self) -> None:
        """Heartbeat and status; what could not be written before; results that are too old."""
        self._journal.retry()
        self._journal.prune(utc_ns(), PRUNED_AT_A_BEAT)
        self._publishing.stream.publish_heartbeat(self._reporter.heartbeat())
        self._publishing.stream.publish_status(self._reporter.status())

    def close(self) -> None:
        """Send what is queued and let go."""
        self._publishing.stream.close()
        self._switchboard.close()
        self._gate.close()
        self._zmq.term()
        self._journal.close()
        self._ring.close()
