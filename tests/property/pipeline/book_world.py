"""The world around the book, as a model: a ring, a journal, cameras, workers that die, and a ledger that dies at any step."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from pipeline.frame import FrameInfo, PixelFormat
from pipeline.ledger.account import Account
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Copy, Dispatch, Fire, Grant, ImageLost
from pipeline.ledger.book import Book, BookSettings
from pipeline.ledger.slots import SlotState
from pipeline.loss import LossKind

Key = tuple[int, int]


class LedgerDied(Exception):  # noqa: N818 - no error: it is meant
    """At this very step."""


@dataclass
class Slot:
    """The words of a slot."""

    granted: int = 0
    camera: str = ""
    accepted: int = 0
    info: FrameInfo | None = None
    closed: int = 0
    dispatched: int = 0
    again: int = 0
    reader: str = ""
    recipe: int = 0
    released: int = 0


@dataclass
class Journal:
    """What is on the disk."""

    rows: list[Answer] = field(default_factory=list)
    unpublished: dict[int, Answer] = field(default_factory=dict)  # by its row
    software: set[int] = field(default_factory=set)  # keys that are not answered
    frames: dict[tuple[int, int, int], Answer] = field(default_factory=dict)  # (ring, slot, generation)
    accounts: dict[str, Account] = field(default_factory=dict)
    running: bool = True
    recipe: int = 1


@dataclass
class Camera:
    """A camera and its line counter. `sees`: triggers that have left a frame (or a loss) in its buffers, by counter."""

    counter: int = 0
    is_on: bool = True
    buffer: deque[tuple[int, int, str]] = field(default_factory=deque)  # (counter, trigger, "" or how it was lost)


@dataclass
class Process:
    """A worker: what it has to say and what it has been told. `session` is that of the ledger which has its hello."""

    name: str
    pid: int = 0
    is_alive: bool = False
    session: int = 0
    says: deque[tuple[Any, ...]] = field(default_factory=deque)
    told: deque[tuple[Any, ...]] = field(default_factory=deque)


@dataclass
class Grab(Process):
    """One camera's worker."""

    is_connected: bool = False
    polled: int | None = None
    baseline: int | None = None
    grants: list[Key] = field(default_factory=list)


@dataclass
class Infer(Process):
    """An infer worker. `reading`: the order it is busy with. `held`: answers that are not published, with their recipe."""

    reading: tuple[Any, ...] | None = None
    partial: dict[int, list[Key]] = field(default_factory=dict)
    recipes: dict[int, int] = field(default_factory=dict)
    held: dict[tuple[Key, ...], int] = field(default_factory=dict)


class World:
    """All that is outside the book. `counts`: cameras number their frames."""

    def __init__(self, settings: BookSettings, *, counts: bool, workers: int, starts: dict[str, int]) -> None:
        self.settings = settings
        self.counts = counts
        self.now = 1
        self.trigger = 0  # of the line: the truth, which nobody reads
        self.cameras = {name: Camera(starts[name]) for name in settings.views}
        self.grabs = {name: Grab(f"grab.{name}") for name in settings.views}
        self.infers = {f"infer.{number}": Infer(f"infer.{number}") for number in range(workers)}
        self.copier = Process("evidence")
        self.journal = Journal()
        self.ring_id = 0
        self.slots: list[Slot] = []
        self.session = 0
        self.next_pid = 1
        self.book: Book | None = None
        self.fuse: int | None = None
        self.pids: dict[str, int] = {}  # that the ledger knows
        self.ended: deque[tuple[str, int]] = deque()
        self.held: set[Key] = set()
        self.left: list[tuple[str, FrameInfo]] = []
        self.published: Counter[int] = Counter()
        self.bound: dict[tuple[int, int], str] = {}
        self.used: Counter[tuple[str, int, int]] = Counter()
        self.software: Counter[int] = Counter()
        self.underway: dict[int, set[str]] = {}  # software triggers, and cameras that the ledger has not heard of
        self.fired_at = 0
        self.aligned = True
        self.begin: dict[tuple[str, int], int] = {}  # (domain, count): certainly owed from here on
        self.format_ring()

    # The daemon

    def format_ring(self) -> None:
        self.ring_id += 1
        self.slots = [Slot() for _ in range(self.settings.slots)]
        self.session = 0

    def processes(self) -> list[Process]:
        return [*self.grabs.values(), *self.infers.values(), self.copier]

    def start_process(self, process: Process) -> None:
        process.pid, process.is_alive, process.session = self.next_pid, True, 0
        self.next_pid += 1
        process.says.clear()
        process.told.clear()
        if isinstance(process, Grab):
            process.is_connected, process.polled, process.baseline, process.grants = False, None, None, []
        if isinstance(process, Infer):
            process.reading, process.partial, process.recipes, process.held = None, {}, {}, {}

    def kill(self, process: Process) -> None:
        if process.is_alive:
            process.is_alive = False
            process.told.clear()
            if isinstance(process, Grab):
                self.cameras[process.name.removeprefix("grab.")].buffer.clear()
                self.doubt()
            if self.book and self.pids.get(process.name) == process.pid:
                self.ended.append((process.name, process.pid))

    def kill_daemon(self) -> None:
        self.ledger_dies()
        for process in self.processes():
            self.kill(process)
        for slot in self.slots:
            key = (self.ring_id, self.slots.index(slot), slot.granted)
            if slot.info and slot.accepted == slot.granted != slot.closed and key not in self.journal.frames:
                self.left.append((slot.camera, slot.info))
        self.format_ring()

    def doubt(self) -> None:
        """Who was given a software trigger and who was not, nobody can know any more: the counters may be apart."""
        if self.underway and self.settings.joined and len(self.cameras) > 1:
            self.aligned = False
        self.underway.clear()

    def ledger_dies(self) -> None:
        self.doubt()
        self.book = None
        self.fuse = None
        self.pids.clear()
        self.ended.clear()
        self.held.clear()

    def lose_messages(self, process: Process, kept: int) -> None:
        """The newest `kept` of what it said to the ledger that died wait for the next one."""
        while len(process.says) > kept:
            process.says.popleft()

    def new_ledger(self, fuse: int | None) -> None:
        """As a worker makes it: from the ring and the journal."""
        states = []
        for index, slot in enumerate(self.slots):
            is_open = slot.accepted == slot.granted != slot.closed and slot.granted > 0
            if is_open and (self.ring_id, index, slot.granted) in self.journal.frames:
                is_open = False
                slot.closed = slot.granted
            is_read = slot.released != slot.granted or slot.again == slot.granted
            is_reader = slot.dispatched == slot.granted > 0 and is_read
            is_free = slot.granted in {0, slot.closed}
            states.append(
                SlotState(
                    slot.granted,
                    None if is_free else slot.camera,
                    slot.reader if is_reader else None,
                    slot.info if is_open else None,
                    slot.recipe if slot.dispatched == slot.granted and slot.granted else None,
                )
            )
        book = Book(self.settings, states, dict(self.journal.accounts))
        book.set_running(self.journal.running, self.now)
        book.recipe = self.journal.recipe
        self.book, self.fuse = book, fuse
        for row in list(self.journal.unpublished):
            self.publish(row)
        for key in self.journal.software - {
            key for one in self.journal.accounts.values() for key in one.software.values()
        }:
            self.software[key] += 1  # nobody knows whether it was given: answered so
            self.journal.software.discard(key)
        try:
            self._carry_out(book.recovered(self.now))
            for camera, info in list(self.left):
                self._carry_out(book.lost(camera, LossKind.daemon_restarted, info.trigger_number, 1, self.now))
                self.left.remove((camera, info))
        except LedgerDied:
            self.ledger_dies()
            return
        self.session = self.next_pid
        self.next_pid += 1

    # The ledger carries out what its book asks for

    def step(self) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                raise LedgerDied
            self.fuse -= 1

    def carry_out(self, actions: list[Action], recipe: int | None = None) -> None:
        try:
            self._carry_out(actions, recipe)
        except LedgerDied:
            self.ledger_dies()

    def _carry_out(self, actions: list[Action], recipe: int | None = None) -> None:
        assert self.book is not None
        self.step()
        for action in actions:
            if isinstance(action, Dispatch):
                self._dispatch(action)
            elif isinstance(action, Fire):
                self.tell(self.grabs[action.camera], ("fire", action.key))
                self.underway.setdefault(action.key, set()).add(action.camera)
                self.fired_at = self.now
        answers = [action for action in actions if isinstance(action, Answer)]
        accounts = self.book.accounts()
        self.step()
        self._commit(answers, accounts, recipe)
        for row in range(len(self.journal.rows) - len(answers), len(self.journal.rows)):
            self.step()
            self.publish(row)
        for action in actions:
            match action:
                case Grant():
                    self.step()
                    self._grant(action)
                case Close(slot, generation):
                    self.step()
                    assert self.slots[slot].granted == generation == self.slots[slot].accepted
                    self.slots[slot].closed = generation
                case Copy(part, frame):
                    assert part in [answer.part for answer in answers]
                    self.held.add(frame.key)
                    self.tell(self.copier, ("copy", frame.slot, frame.generation))
                case ImageLost(frame):
                    self.held.discard(frame.key)
                case Abandon(worker, part):
                    self.tell(self.infers[worker], ("abandon", part))

    def tell(self, process: Process, message: tuple[Any, ...]) -> None:
        assert process.name in self.pids, "an order for a worker that has not said hello"
        process.told.append((self.pids[process.name], self.session, *message))

    def _grant(self, grant: Grant) -> None:
        slot = self.slots[grant.slot]
        assert grant.generation > slot.granted, "a generation that was used"
        assert (grant.slot, slot.granted) not in self.held, "granted a slot that is held"
        assert slot.accepted != slot.granted or slot.closed == slot.granted, "granted a slot with an unanswered frame"
        for infer in self.infers.values():
            reads = infer.reading is not None and infer.reading[2] == grant.slot
            assert not (infer.is_alive and reads), "granted a slot that is being read"
            if infer.is_alive and infer.session == self.session:
                ordered = [told for told in infer.told if told[:3] == (infer.pid, self.session, "dispatch")]
                assert all(told[4] != grant.slot for told in ordered), "granted a slot that is about to be read"
        slot.granted, slot.camera = grant.generation, grant.camera
        self.tell(self.grabs[grant.camera], ("grant", grant.slot, grant.generation))

    def _dispatch(self, order: Dispatch) -> None:
        self.step()
        frame = order.frame
        slot = self.slots[frame.slot]
        assert slot.granted == slot.accepted == frame.generation != slot.closed, "dispatched a frame that is not open"
        slot.again = frame.generation if slot.dispatched == frame.generation else slot.again
        slot.reader, slot.recipe, slot.dispatched = order.worker, order.recipe, frame.generation
        self.tell(
            self.infers[order.worker],
            ("dispatch", order.part, frame.slot, frame.generation, order.complete, order.recipe),
        )

    def _commit(self, answers: list[Answer], accounts: dict[str, Account], recipe: int | None) -> None:
        for answer in answers:
            self._judge(answer, recipe)
            self.journal.unpublished[len(self.journal.rows)] = answer
            self.journal.rows.append(answer)
            if answer.part.software is not None:
                self.journal.software.discard(answer.part.software)
            for frame in answer.part.frames.values():
                key = (self.ring_id, *frame.key)
                assert key not in self.journal.frames, "a frame is answered twice"
                self.journal.frames[key] = answer
        self.journal.accounts.update(accounts)
        for name, account in accounts.items():
            counter = max(self.cameras[camera].counter for camera in ([name] if name else self.cameras))
            self.begin.setdefault(
                (name, account.count), max(counter, account.through) if account.count or answers else account.through
            )

    def _judge(self, answer: Answer, recipe: int | None) -> None:
        """What must be true of every single answer."""
        part = answer.part
        if part.trigger_number is not None:
            self.used[part.domain, part.count, part.trigger_number] += 1
            assert self.used[part.domain, part.count, part.trigger_number] == 1, "a trigger is answered twice"
            bound = self.bound.get((part.count, part.trigger_number))
            if bound is not None and part.software is None:
                assert part.part_id == bound, "the part id of another trigger"
        if part.part_id.startswith("P"):
            assert part.part_id == f"P{part.count}.{part.trigger_number}", "a part id on the wrong part"
        if part.software is not None:
            self.software[part.software] += 1
            if part.part_id.startswith("S"):
                assert part.part_id == f"S{part.software}"
        if answer.loss is None:
            assert set(part.frames) == set(self.views(part.domain)), "a verdict without all views"
            assert recipe is None or part.recipe == recipe, "a part that was inspected by another recipe"
            seen = {frame.info.frame_id for frame in part.frames.values()}
            assert len(seen) == 1 or not self.aligned, "views of two triggers in one answer"
        else:
            for view in answer.lost_views:
                assert view not in part.frames

    def views(self, domain: str) -> list[str]:
        return list(self.settings.views.values()) if not domain else [self.settings.views[domain]]

    def publish(self, row: int) -> None:
        self.published[row] += 1
        del self.journal.unpublished[row]

    # The ledger hears

    def hear(self, process: Process) -> None:
        """One message of a worker."""
        if self.book is None or not process.says:
            return
        self.event(process, process.says.popleft())

    def hear_of_deaths(self) -> None:
        while self.book is not None and self.ended:
            name, pid = self.ended.popleft()
            if self.pids.get(name) != pid:
                continue
            del self.pids[name]
            if name in self.infers:
                self.carry_out(self.book.worker_died(name, self.now))
            elif name == "evidence":
                self.held.clear()
                self.carry_out(self.book.copier(up=False))
            else:
                camera = name.removeprefix("grab.")
                self.scan(camera)
                if self.book is not None:
                    self.carry_out(self.book.camera_died(camera))

    def scan(self, camera: str) -> None:
        assert self.book is not None
        self.book.camera_gone(camera)
        found = [
            (slot, generation)
            for slot, generation in self.book.granted_slots(camera)
            if self.slots[slot].accepted == generation
        ]
        for slot, generation in sorted(found, key=lambda one: self.slots[one[0]].info.received_monotonic_ns):  # type: ignore[union-attr]  # accepted slots have one
            info = self.slots[slot].info
            assert info is not None
            if self.book is not None:
                self.carry_out(self.book.accepted(camera, slot, generation, info, self.now))

    def event(self, process: Process, message: tuple[Any, ...]) -> None:  # noqa: PLR0912 - one for each message
        book = self.book
        assert book is not None
        name = process.name
        match message:
            case ("hello", pid, session):
                if session != self.session:
                    return
                self.pids[name] = pid
                if name in self.infers:
                    self.carry_out(book.worker_ready(name, self.now))
                elif name == "evidence":
                    self.held.clear()
                    self.carry_out(book.copier(up=True))
                else:
                    camera = name.removeprefix("grab.")
                    self.scan(camera)
                    if self.book is not None:
                        self.carry_out(book.camera_ready(camera))
            case ("connected", camera, baseline):
                self.carry_out(book.connected(camera, baseline, self.now))
            case ("counted", camera, number):
                self.carry_out(book.counted(camera, number, self.now))
            case ("accepted", camera, slot, generation):
                info = self.slots[slot].info
                assert info is not None
                self.carry_out(book.accepted(camera, slot, generation, info, self.now))
            case ("lost", camera, kind, number):
                self.carry_out(book.lost(camera, kind, number, 1, self.now))
            case ("fired", camera, key, number):
                self.carry_out(book.fired(camera, key, number, self.now))
                self.underway.get(key, set()).discard(camera)
                if not self.underway.get(key):
                    self.underway.pop(key, None)
            case ("inspected", frames, recipe, released, keep):
                self.carry_out(book.inspected(name, list(frames), keep, self.now), recipe)
                for slot, generation in released:
                    if self.book is not None:
                        self.carry_out(book.released(slot, generation, name))
            case ("released", slot, generation):
                self.carry_out(book.released(slot, generation, name))
            case ("copied", slot, generation):
                self.held.discard((slot, generation))
                self.carry_out(book.copied(slot, generation))

    def tick(self) -> None:
        if self.book is not None:
            if self.now >= self.fired_at + self.settings.deadline_ns:
                self.doubt()
            self.carry_out(self.book.tick(self.now))

    # The workers

    def turn(self, process: Process, *, keep: bool = False) -> None:
        """A worker does one thing."""
        if not process.is_alive or not self.session:
            return
        if isinstance(process, Infer) and process.reading is not None:
            self._read(process, keep=keep)
        elif process.session != self.session:
            self._greet(process)
        elif process.told:
            pid, session, *order = process.told.popleft()
            if pid == process.pid and session == self.session:
                self._obey(process, order)
        elif isinstance(process, Grab):
            self._grab(process)

    def _greet(self, process: Process) -> None:
        process.session = self.session
        process.says.append(("hello", process.pid, self.session))
        if isinstance(process, Grab):
            camera = process.name.removeprefix("grab.")
            process.grants.clear()
            if process.is_connected:
                process.says.append(("connected", camera, process.baseline))
                process.baseline = None
                if process.polled is not None:
                    process.says.append(("counted", camera, process.polled))
        if isinstance(process, Infer):
            process.partial.clear()
            process.recipes.clear()
            self._forget_published(process)
            for frames, recipe in process.held.items():
                process.says.append(("inspected", frames, recipe, (), False))

    def _forget_published(self, infer: Infer) -> None:
        infer.held = {
            frames: recipe
            for frames, recipe in infer.held.items()
            if any(self.slots[slot].granted == generation != self.slots[slot].closed for slot, generation in frames)
        }

    def _obey(self, process: Process, order: list[Any]) -> None:
        match order:
            case ["grant", slot, generation]:
                assert isinstance(process, Grab)
                process.grants.append((slot, generation))
            case ["fire", key]:
                self._fire(process.name.removeprefix("grab."), key)
            case ["dispatch", *_]:
                assert isinstance(process, Infer)
                _, part, slot, generation, complete, recipe = order
                process.reading = (part, (slot, generation), slot, complete, recipe)
                process.recipes.setdefault(part, recipe)
                assert process.recipes[part] == recipe, "two recipes for one part"
                assert self.slots[slot].granted == generation, "told to read a slot that was granted anew"
            case ["abandon", part]:
                assert isinstance(process, Infer)
                process.partial.pop(part, None)
            case ["copy", slot, generation]:
                process.says.append(("copied", slot, generation))

    def _read(self, infer: Infer, *, keep: bool) -> None:
        assert infer.reading is not None
        part, key, slot, complete, recipe = infer.reading
        infer.reading = None
        assert self.slots[slot].granted == key[1], "the slot was granted while it was read"
        self.slots[slot].released = key[1]
        frames = infer.partial.setdefault(part, [])
        frames.append(key)
        if not complete:
            infer.says.append(("released", *key))
            return
        del infer.partial[part]
        self._forget_published(infer)
        infer.held[tuple(frames)] = recipe
        infer.says.append(("inspected", tuple(frames), recipe, (key,), keep))

    def _grab(self, grab: Grab) -> None:
        """One frame or loss from the camera's buffer."""
        name = grab.name.removeprefix("grab.")
        camera = self.cameras[name]
        if not grab.is_connected or not grab.grants or not camera.buffer:
            return
        counter, trigger, fault = camera.buffer.popleft()
        number = counter if self.counts else None
        if fault == "told":
            grab.says.append(("lost", name, LossKind.incomplete, number))
        elif not fault or fault.startswith("corrupt"):
            slot, generation = grab.grants.pop(0)
            if fault:
                number = int(fault.removeprefix("corrupt"))
            self.now += 1
            info = FrameInfo(8, 8, PixelFormat.Mono8, trigger, number, None, None, self.now, self.now)
            self.slots[slot].info, self.slots[slot].accepted = info, generation
            grab.says.append(("accepted", name, slot, generation))

    def connect(self, name: str) -> None:
        grab, camera = self.grabs[name], self.cameras[name]
        if not grab.is_alive or grab.is_connected or not camera.is_on or not self.session:
            return
        camera.buffer.clear()
        grab.is_connected = True
        grab.polled = grab.baseline = camera.counter if self.counts else None
        if grab.session and self.counts:
            grab.says.append(("connected", name, grab.baseline))
            grab.baseline = None

    def poll(self, name: str) -> None:
        grab, camera = self.grabs[name], self.cameras[name]
        if self.counts and grab.is_alive and grab.is_connected and grab.session and grab.polled != camera.counter:
            grab.polled = camera.counter
            grab.says.append(("counted", name, camera.counter))

    def _fire(self, name: str, key: int) -> None:
        grab = self.grabs[name]
        if not grab.is_connected or not self.counts:
            grab.says.append(("fired", name, key, None))
            return
        self._expose(name, -key, "")
        grab.polled = self.cameras[name].counter
        grab.says.append(("fired", name, key, grab.polled))

    def _expose(self, name: str, trigger: int, fault: str) -> None:
        camera, grab = self.cameras[name], self.grabs[name]
        if not camera.is_on:
            return
        camera.counter += 1
        if grab.is_alive and grab.is_connected and fault != "silent":
            camera.buffer.append((camera.counter, trigger, fault))

    def part_passes(self, faults: dict[str, str]) -> None:
        """The line triggers: all cameras of a joined station together."""
        self.trigger += 1
        for name, fault in faults.items():
            self._expose(name, self.trigger, fault)
