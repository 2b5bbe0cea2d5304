"""The ledger: the one process that grants slots, dispatches frames, and answers every trigger."""

import threading
import time
from typing import assert_never

import zmq

from pipeline import messages
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.config import Station
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Dispatch, Grant
from pipeline.ledger.answers import Answering, Moment
from pipeline.ledger.book import Book, BookSettings
from pipeline.ledger.wire import ResultStream
from pipeline.messages import (
    Abandoned,
    Accepted,
    CameraHello,
    CameraStatus,
    Counted,
    Dispatched,
    Exhausted,
    FromLedger,
    Granted,
    InferHello,
    Inspected,
    Lost,
    PartAnswer,
    Released,
    ToLedger,
)
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import SlotWord
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext
from pipeline.workers.reporter import Reporter

BEAT_NS = 1_000_000_000
MESSAGES_A_TURN = 200
LAST_TURNS = 50


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
        slots = self._ring.layout.slots
        generations = [self._ring.word(slot, SlotWord.granted) for slot in range(slots)]
        self._book = Book(_book_settings(station, slots), generations)
        self._answering = Answering(
            station=station.station,
            session=self._ring.begin_session(int(time.time())),
            views=station.views,
            passing=frozenset(station.part.pass_),
            shots={name: settings.shot for name, settings in station.camera.items()},
        )
        self._reporter = Reporter(self._answering, self._book, self._ring, context.vitals, runtime.processes)
        self._zmq = zmq.Context[zmq.Socket[bytes]]()
        self._stream = ResultStream(self._zmq, station.station, runtime.results_endpoint)
        self._workers = self._zmq.socket(zmq.ROUTER)
        self._workers.router_handover = True  # a restarted worker takes its forerunner's name over
        self._workers.sndhwm = self._workers.rcvhwm = 0
        self._workers.linger = 0
        self._workers.bind(runtime.ledger_endpoint)
        self._found: list[PartAnswer] = []
        self._pids: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Hear the workers, watch the deadlines, beat once a second."""
        self._context.vitals.set_state(self._context.row, WorkerState.ready)
        next_beat = monotonic_ns()
        while not stop.is_set():
            self._workers.poll(self._wait_ms(next_beat))
            self._hear()
            self._carry_out(self._book.tick(monotonic_ns()))
            if monotonic_ns() >= next_beat:
                self._beat()
                next_beat += BEAT_NS
            self._context.progress()
        self._end()

    def _end(self) -> None:
        """The others have ended: hear what they said last, find the frames they had no time to tell of, answer what is owed."""
        turns = 0
        while self._workers.poll(0) and turns < LAST_TURNS:
            self._hear()
            turns += 1
        for camera in self._answering.views:
            self._carry_out(self._scan(camera, monotonic_ns()))
        self._carry_out(self._book.stopping())
        self._reporter.stopping = True
        self._beat()

    def _wait_ms(self, next_beat: int) -> int:
        due = min(next_beat, self._book.next_deadline_ns() or next_beat)
        return max(0, min((due - monotonic_ns()) // 1_000_000 + 1, 100))

    def _hear(self) -> None:
        """What the workers have said by now; no more than a turn's worth, as deadlines wait meanwhile."""
        for _ in range(MESSAGES_A_TURN):
            try:
                _, payload = self._workers.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._carry_out(self._event(messages.decode_to_ledger(payload)))

    def _event(self, message: ToLedger) -> list[Action]:  # noqa: PLR0911 - one for each kind of message
        """One message as an event of the book."""
        now = monotonic_ns()
        book = self._book
        match message:
            case Accepted(camera, slot, generation):
                return book.accepted(camera, slot, generation, self._ring.info(slot), now)
            case Inspected(worker, part, answers, released):
                self._found = answers
                actions = book.inspected(worker, part, now)
                return actions + self._release(released)
            case Released(_, released):
                return self._release(released)
            case Counted(camera, number):
                return book.counted(camera, number, now)
            case Lost(camera, kind, number, count):
                if number is None:
                    return book.lost(camera, kind, None, count, now)
                return [action for step in range(count) for action in book.lost(camera, kind, number + step, 1, now)]
            case CameraHello(camera, pid):
                self._pids[f"grab.{camera}"] = pid
                self._reporter.cameras.pop(camera, None)
                self._reporter.exhausted.discard(camera)
                return self._scan(camera, now) + book.camera_ready(camera)
            case CameraStatus(camera=camera, up=up):
                self._reporter.cameras[camera] = message
                self._answering.is_simulated |= message.is_simulated
                return book.connected(camera, message.baseline, now) if up and message.counts_triggers else []
            case InferHello():
                return self._greet(message, now)
            case Exhausted(camera):
                self._reporter.exhausted.add(camera)
                return []
        assert_never(message)

    def _scan(self, camera: str, now: int) -> list[Action]:
        """Frames that the camera's worker accepted and did not live to tell of, in the order in which they came."""
        granted = self._book.granted_slots(camera)
        told = [slot for slot, generation in granted if self._ring.word(slot, SlotWord.accepted) == generation]
        frames = sorted(
            ((self._ring.info(slot), slot) for slot in told), key=lambda frame: frame[0].received_monotonic_ns
        )
        generations = dict(granted)
        return [
            action
            for info, slot in frames
            for action in self._book.accepted(camera, slot, generations[slot], info, now)
        ]

    def _greet(self, hello: InferHello, now: int) -> list[Action]:
        self._pids[hello.worker] = hello.pid
        self._answering.recipe_id = hello.recipe_number
        self._answering.product_id = hello.recipe_name
        self._answering.configuration_id = hello.configuration_id
        self._reporter.backend = hello.backend
        return self._book.worker_ready(hello.worker, now)

    def _release(self, released: list[tuple[int, int]]) -> list[Action]:
        return [action for slot, generation in released for action in self._book.released(slot, generation)]

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Grant(camera, slot, generation):
                    self._ring.grant(slot, generation)
                    self._tell(f"grab.{camera}", Granted(slot, generation, self._pids[f"grab.{camera}"]))
                case Dispatch(worker, part, frame, complete):
                    view = self._answering.views[frame.camera]
                    place = (frame.camera, view, frame.slot, frame.generation)
                    self._tell(worker, Dispatched(part, *place, complete, self._pids[worker]))
                case Abandon(worker, part):
                    self._tell(worker, Abandoned(part))
                case Answer():
                    self._answer(action)
                case Close(slot, generation):
                    self._ring.close_slot(slot, generation)

    def _answer(self, answer: Answer) -> None:
        moment = Moment(monotonic_ns(), utc_ns())
        for result in self._answering.results(answer, self._found, moment):
            self._stream.publish_result(result)
            evaluation = result.result_evaluation.value
            self._reporter.results[evaluation] = self._reporter.results.get(evaluation, 0) + 1

    def _tell(self, worker: str, message: FromLedger) -> None:
        self._workers.send_multipart([worker.encode(), messages.encode(message)])

    def _beat(self) -> None:
        """Heartbeat and status."""
        self._stream.publish_heartbeat(self._reporter.heartbeat())
        self._stream.publish_status(self._reporter.status())

    def close(self) -> None:
        """Send what is queued and let go."""
        self._stream.close()
        self._workers.close()
        self._zmq.term()
        self._ring.close()


def _book_settings(station: Station, slots: int) -> BookSettings:
    return BookSettings(
        views=station.views,
        joined=station.part.join == "trigger",
        deadline_ns=int(station.part.deadline_ms * 1e6),
        queue_depth=station.ring.queue_depth,
        policy=station.ring.policy,
        slots=slots,
    )
