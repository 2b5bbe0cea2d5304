"""The book under any order of events, with a crash of grab or infer possible between any two of them."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.actions import Action, Answer, Close, Dispatch, Grant
from pipeline.ledger.book import Book, BookSettings
from pipeline.loss import LossKind

DEADLINE_NS = 50
SLOTS = 30
CAMERAS = ("a", "b")
WORKERS = ("infer.0", "infer.1")
cameras, workers = st.sampled_from(CAMERAS), st.sampled_from(WORKERS)


class Station(RuleBasedStateMachine):
    """A line with two cameras, whose grab and infer workers do anything that real ones may do, dying included."""

    @initialize(
        joined=st.booleans(),
        depth=st.integers(1, 4),
        policy=st.sampled_from(["drop_oldest", "drop_latest"]),
        counts=st.booleans(),
    )
    def build(self, joined: bool, depth: int, policy: str, counts: bool) -> None:
        views = {"a": "top", "b": "side"}
        self.counts = counts or joined
        self.book = Book(BookSettings(views, joined, DEADLINE_NS, depth, policy, SLOTS))
        self.now = 0
        self.edges = dict.fromkeys(CAMERAS, 0)  # the line counter of each camera
        self.sent = dict.fromkeys(CAMERAS, 0)  # the last trigger that gave a frame
        self.grants: dict[str, list[Grant]] = {camera: [] for camera in CAMERAS}
        self.work: dict[str, list[Dispatch]] = {worker: [] for worker in WORKERS}
        self.reading: dict[int, str] = {}  # slot to the worker that reads it
        self.open: set[int] = set()  # slots that hold an unanswered frame
        self.answered: Counter[int] = Counter()
        self.triggers: Counter[tuple[str, int | None]] = Counter()
        for camera in CAMERAS:
            self.carry_out(self.book.camera_ready(camera))
            if self.counts:
                self.carry_out(self.book.connected(camera, 0, self.now))
        for worker in WORKERS:
            self.carry_out(self.book.worker_ready(worker, self.now))

    def carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Grant(camera, slot, _):
                    assert slot not in self.open, "granted a slot whose frame is unanswered"
                    assert slot not in self.reading, "granted a slot that is being read"
                    assert all(slot != other.slot for held in self.grants.values() for other in held)
                    self.grants[camera].append(action)
                case Dispatch(worker, _, frame, _):
                    assert frame.slot in self.open, "dispatched a frame that is answered"
                    self.work[worker].append(action)
                    self.reading[frame.slot] = worker
                case Answer(part, _, _):
                    self.answered[part.number] += 1
                    self.triggers[(part.domain, part.trigger_number)] += 1
                case Close(slot, _):
                    self.open.discard(slot)

    @rule(wait=st.integers(1, 30))
    def time_passes(self, wait: int) -> None:
        self.now += wait
        self.carry_out(self.book.tick(self.now))

    @rule(joined_edge=st.booleans(), camera=cameras)
    def part_passes(self, joined_edge: bool, camera: str) -> None:
        for name in CAMERAS if joined_edge else (camera,):
            self.edges[name] += 1

    @precondition(lambda self: any(self.grants.values()))
    @rule(camera=cameras, skipped=st.integers(0, 2))
    def frame_comes(self, camera: str, skipped: int) -> None:
        number = min(self.sent[camera] + 1 + skipped, self.edges[camera])
        if not self.grants[camera] or number <= self.sent[camera]:
            return
        self.sent[camera] = number
        grant = self.grants[camera].pop(0)
        self.open.add(grant.slot)
        info = FrameInfo(
            8, 8, PixelFormat.Mono8, number, number if self.counts else None, None, None, self.now, self.now
        )
        self.carry_out(self.book.accepted(camera, grant.slot, grant.generation, info, self.now))

    @rule(camera=cameras, kind=st.sampled_from([LossKind.incomplete, LossKind.lost_buffer]))
    def frame_is_lost(self, camera: str, kind: LossKind) -> None:
        if self.sent[camera] < self.edges[camera]:
            self.sent[camera] += 1
            number = self.sent[camera] if self.counts else None
            self.carry_out(self.book.lost(camera, kind, number, 1, self.now))

    @rule(camera=cameras)
    def counter_is_read(self, camera: str) -> None:
        if self.counts:
            self.carry_out(self.book.counted(camera, self.edges[camera], self.now))

    @rule(worker=workers)
    def worker_answers(self, worker: str) -> None:
        if not self.work[worker]:
            return
        order = self.work[worker].pop(0)
        del self.reading[order.frame.slot]
        actions = self.book.inspected(worker, order.part, self.now) if order.complete else []
        self.carry_out(actions)
        self.carry_out(self.book.released(order.frame.slot, order.frame.generation))

    @rule(worker=workers)
    def infer_dies_and_comes_back(self, worker: str) -> None:
        self.work[worker].clear()
        self.reading = {slot: reader for slot, reader in self.reading.items() if reader != worker}
        self.carry_out(self.book.worker_ready(worker, self.now))

    @rule(camera=cameras)
    def grab_dies_and_comes_back(self, camera: str) -> None:
        self.grants[camera].clear()
        self.carry_out(self.book.camera_ready(camera))
        self.sent[camera] = self.edges[camera]
        if self.counts:
            self.carry_out(self.book.connected(camera, self.edges[camera], self.now))

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        if hasattr(self, "answered"):
            assert all(count == 1 for count in self.answered.values())
            assert all(count == 1 for (_, number), count in self.triggers.items() if number is not None)

    def teardown(self) -> None:
        if not hasattr(self, "book"):
            return
        for camera in CAMERAS:
            self.counter_is_read(camera)
        self.now += DEADLINE_NS
        self.carry_out(self.book.tick(self.now))
        assert self.book.open_parts() == 0
        assert sum(self.answered.values()) == self.book.triggers
        assert not self.open, "a frame was never closed"
        if self.counts:
            domains = [("", max(self.edges.values()))] if self.book.settings.joined else list(self.edges.items())
            for domain, last in domains:
                numbers = {number for known, number in self.triggers if known == domain}
                assert numbers == set(range(1, last + 1)), "a trigger was never answered"
        for worker in WORKERS:
            self.infer_dies_and_comes_back(worker)
        held = [grant.slot for grants in self.grants.values() for grant in grants]
        assert len(set(held)) == len(held) == 2 * 3, "slots were lost"


Station.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBook = Station.TestCase
