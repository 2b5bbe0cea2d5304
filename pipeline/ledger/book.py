"""The book: which trigger is owed an answer, which slot holds what, and what must happen next.

A pure state machine. Events go in by method calls with the time they happened at, actions come out as a list; nothing is
read, written or waited for here, so that every order of events can be tested.

Invariant: a part that was opened is answered exactly once, and a slot is granted again only when nobody can touch it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import GRANTED_AHEAD, PARTS_AT_WORKER
from pipeline.frame import FrameInfo
from pipeline.ledger.actions import Abandon, Action, Answer, Close, Dispatch, Part, ViewFrame
from pipeline.ledger.slots import Slots
from pipeline.loss import LossKind

LARGEST_COUNTER_STEP = 10_000
MOST_DEATHS = 2  # a part that so many workers died of is answered, not given to one more


@dataclass(frozen=True, slots=True)
class BookSettings:
    """What the book must know of the station.

    Attributes:
        views: camera name to view name, in the order of the station.
        joined: whether views of one part share a trigger number; else every frame is a part of its own.
        deadline_ns: from the trigger to its answer.
        queue_depth: parts that may wait for a worker.
        policy: what happens when more wait: drop_oldest, drop_latest, or wait (sources that can).
    """

    views: dict[str, str]
    joined: bool
    deadline_ns: int
    queue_depth: int
    policy: str
    slots: int


class Book:
    """The state machine. Times are monotonic nanoseconds."""

    def __init__(self, settings: BookSettings, generations: Sequence[int] = ()) -> None:
        """`generations`: the last one granted of each slot, where the ring is older than this book."""
        self.settings = settings
        self.late_results = 0
        self.late_frames = 0
        self.triggers = 0
        self.mismatched: set[str] = set()
        self._parts: dict[int, Part] = {}
        self._next_part = 0
        self._by_trigger: dict[tuple[str, int], Part] = {}
        self._highest: dict[str, int] = {}
        self._counters: dict[str, int] = {}
        self._delivered: dict[str, int] = {}
        self._waiting: deque[tuple[int, str]] = deque()
        self._slots = Slots(generations or [0] * settings.slots)
        self._workers: dict[str, set[int]] = {}

    # Events

    def camera_ready(self, camera: str) -> list[Action]:
        """The camera's worker has started: whatever an earlier one was granted and did not fill comes back."""
        self._slots.take_back(camera)
        return self._grants()

    def connected(self, camera: str, counter: int | None, now: int) -> list[Action]:
        """The camera is armed and its line counter stands at `counter`; what it counted before gives no frame any more.

        At the first call the count starts here. Later, triggers since the last one seen were lost while the camera or its
        worker was down; a counter that went back has been reset, and the count follows it. `counter` is None where it
        cannot be read: the numbers of the frames then tell all of this.
        """
        if counter is None:
            return []
        domain = self._domain(camera)
        if counter < self._seen(camera):
            return self._reset(camera, counter)
        self._counters[camera] = counter
        self._highest.setdefault(domain, counter)
        self._open_through(domain, counter, now)
        return self._lose_through(camera, counter, LossKind.lost_while_down)

    def accepted(self, camera: str, slot: int, generation: int, info: FrameInfo, now: int) -> list[Action]:
        """A frame lies in a slot that was granted to the camera."""
        if not self._slots.fill(camera, slot, generation):
            return []
        frame = ViewFrame(camera, slot, generation, info)
        part, actions = self._part_of(camera, info, now)
        if part is None or self.settings.views[camera] in part.frames:
            self.late_frames += 1
            return [*actions, *self._close(frame), *self._grants()]
        view = self.settings.views[camera]
        part.frames[view] = frame
        part.lost.pop(view, None)
        self._waiting.append((part.number, view))
        actions += self._drop_over_depth()
        return [*actions, *self._settle(part), *self._dispatches(now), *self._grants()]

    def counted(self, camera: str, number: int, now: int) -> list[Action]:
        """The camera's line counter stands at `number`: every trigger up to it is owed an answer."""
        self._counters[camera] = number
        self._open_through(self._domain(camera), number, now)
        return []

    def lost(self, camera: str, kind: LossKind, number: int | None, count: int, now: int) -> list[Action]:
        """The camera or its transport lost frames.

        With a trigger number the loss belongs to that part. Without one, it is a part of its own where frames are counted
        (nothing else would ever tell of it), and is left to the line counter where there is one.
        """
        domain = self._domain(camera)
        if number is not None:
            self._open_through(domain, number, now)
            part = self._by_trigger.get((domain, number))
            return self._lose(part, self.settings.views[camera], kind) if part else []
        if domain in self._highest:
            return []
        actions: list[Action] = []
        for _ in range(min(count, LARGEST_COUNTER_STEP)):
            part = self._open(domain, None, now)
            actions += self._lose(part, self.settings.views[camera], kind)
        return actions

    def worker_ready(self, worker: str, now: int) -> list[Action]:
        """An infer worker has started and holds nothing; what its forerunner held is given out again, once."""
        actions: list[Action] = []
        orphans = sorted(self._workers.get(worker, set()))
        self._workers[worker] = set()
        self._slots.reader_gone(worker)
        for number in reversed(orphans):
            part = self._parts.get(number)
            if part is None:
                continue
            part.dispatched.clear()
            part.worker = None
            part.deaths += 1
            if part.deaths >= MOST_DEATHS:
                actions += self._finish(part, LossKind.worker_died)
            else:
                self._waiting.extendleft((number, view) for view in reversed(list(part.frames)))
        return [*actions, *self._dispatches(now), *self._grants()]

    def inspected(self, worker: str, part_number: int, now: int) -> list[Action]:
        """An infer worker has an answer. A late one is counted and changes nothing."""
        self._workers.get(worker, set()).discard(part_number)
        part = self._parts.get(part_number)
        if part is None or part.worker != worker:
            self.late_results += 1
            return [*self._dispatches(now), *self._grants()]
        return [*self._finish(part, None), *self._dispatches(now), *self._grants()]

    def released(self, slot: int, generation: int) -> list[Action]:
        """The infer worker reads the slot no more."""
        self._slots.release(slot, generation)
        return self._grants()

    def tick(self, now: int) -> list[Action]:
        """Time has passed: answer what is due."""
        actions: list[Action] = []
        for part in [part for part in self._parts.values() if part.deadline_ns <= now]:
            missing = tuple(view for view in self._views(part) if view not in part.frames)
            kind = LossKind.deadline
            if missing:
                kind = LossKind.view_missing if part.frames else LossKind.lost_transport
            actions += self._finish(part, kind, missing)
        return [*actions, *self._dispatches(now), *self._grants()] if actions else []

    def stopping(self) -> list[Action]:
        """The daemon ends in order: what is still owed is answered, as nobody else will."""
        parts = list(self._parts.values())
        return [action for part in parts for action in self._finish(part, LossKind.daemon_restarted)]

    # Questions

    def granted_slots(self, camera: str) -> list[tuple[int, int]]:
        """(slot, generation) that the camera's worker may be filling."""
        return self._slots.granted(camera)

    def next_deadline_ns(self) -> int | None:
        """When `tick` is next needed."""
        return min((part.deadline_ns for part in self._parts.values()), default=None)

    def open_parts(self) -> int:
        """Parts that are owed an answer."""
        return len(self._parts)

    # Inside

    def _domain(self, camera: str) -> str:
        return "" if self.settings.joined else camera

    def _seen(self, camera: str) -> int:
        """The newest number that the camera's counter or one of its frames has shown."""
        return max(self._counters.get(camera, 0), self._delivered.get(camera, 0))

    def _cameras(self, domain: str) -> list[str]:
        return list(self.settings.views) if self.settings.joined else [domain]

    def _views(self, part: Part) -> list[str]:
        if self.settings.joined:
            return list(self.settings.views.values())
        return [self.settings.views[part.domain]]

    def _open(self, domain: str, trigger_number: int | None, now: int) -> Part:
        part = Part(self._next_part, domain, trigger_number, now, now + self.settings.deadline_ns)
        self._next_part += 1
        self.triggers += 1
        self._parts[part.number] = part
        if trigger_number is not None:
            self._by_trigger[(domain, trigger_number)] = part
        return part

    def _open_through(self, domain: str, number: int, now: int) -> None:
        """Open a part for every trigger after the highest one seen, up to `number`."""
        first = self._highest.get(domain, number - 1) + 1
        for missing in range(max(first, number - LARGEST_COUNTER_STEP), number + 1):
            self._open(domain, missing, now)
        self._highest[domain] = max(number, first - 1)

    def _part_of(self, camera: str, info: FrameInfo, now: int) -> tuple[Part | None, list[Action]]:
        """The part a frame belongs to, and what its arrival says of earlier triggers of the same camera."""
        domain = self._domain(camera)
        at = min(now, info.received_monotonic_ns)
        number = info.trigger_number
        if number is None:
            return self._open(domain, None, at), []
        actions: list[Action] = []
        if number < self._delivered.get(camera, number):
            actions += self._reset(camera, number - 1)
        self._delivered[camera] = number
        self._open_through(domain, number, at)
        actions += self._lose_through(camera, number - 1, LossKind.lost_transport)
        part = self._by_trigger.get((domain, number))
        if part is not None:
            self.mismatched.discard(camera)
        return part, actions

    def _reset(self, camera: str, counter: int) -> list[Action]:
        """The camera counts from a lower number again: parts of the old count cannot be told from those of the new.

        Where another camera of the same parts is still at the old count, that count goes on: its triggers have been
        answered, and must not be opened again. The views of this one are missing until it has caught up or the others
        are reset as well.
        """
        domain = self._domain(camera)
        self._counters[camera] = self._delivered[camera] = counter
        newest = max(self._seen(one) for one in self._cameras(domain))
        if newest >= self._highest[domain]:
            self.mismatched.add(camera)
            return self._lose_through(camera, self._highest[domain], LossKind.lost_while_down)
        self._highest[domain] = newest
        old = [part for part in self._parts.values() if part.domain == domain and part.trigger_number is not None]
        return [action for part in old for action in self._finish(part, LossKind.lost_while_down)]

    def _lose_through(self, camera: str, number: int, kind: LossKind) -> list[Action]:
        """No frame of the camera will come for a trigger up to `number`: cameras deliver in order."""
        domain, view = self._domain(camera), self.settings.views[camera]
        actions: list[Action] = []
        for part in list(self._parts.values()):
            earlier = part.trigger_number is not None and part.trigger_number <= number
            if earlier and part.domain == domain and view not in part.frames and view not in part.lost:
                actions += self._lose(part, view, kind)
        return actions

    def _lose(self, part: Part, view: str, kind: LossKind) -> list[Action]:
        if view not in part.frames:
            part.lost.setdefault(view, kind)
        return self._settle(part)

    def _settle(self, part: Part) -> list[Action]:
        """Answer a part as soon as it is known that a view will never come and all others are in."""
        if part.number not in self._parts or not part.lost:
            return []
        views = self._views(part)
        if any(view not in part.frames and view not in part.lost for view in views):
            return []
        kind = next(iter(part.lost.values())) if len(part.lost) == len(views) else LossKind.view_missing
        return self._finish(part, kind, tuple(part.lost))

    def _finish(self, part: Part, loss: LossKind | None, lost_views: tuple[str, ...] = ()) -> list[Action]:
        del self._parts[part.number]
        if part.trigger_number is not None:
            del self._by_trigger[(part.domain, part.trigger_number)]
        actions: list[Action] = [Answer(part, loss, lost_views)]
        if loss is not None and part.worker is not None:
            actions.append(Abandon(part.worker, part.number))
            if not part.is_complete(self._views(part)):
                self._workers[part.worker].discard(part.number)
        for frame in part.frames.values():
            actions += self._close(frame)
        return actions

    def _close(self, frame: ViewFrame) -> list[Action]:
        self._slots.close(frame.slot)
        return [Close(frame.slot, frame.generation)]

    def _drop_over_depth(self) -> list[Action]:
        """Keep the queue within its depth by answering the oldest (or latest) waiting part."""
        if self.settings.policy == "wait":
            return []
        actions: list[Action] = []
        waiting = self._waiting_parts()
        while len(waiting) > self.settings.queue_depth:
            victim = waiting.pop(0 if self.settings.policy == "drop_oldest" else -1)
            actions += self._finish(self._parts[victim], LossKind.overrun)
        return actions

    def _waiting_parts(self) -> list[int]:
        self._waiting = deque(entry for entry in self._waiting if entry[0] in self._parts)
        return list(dict.fromkeys(number for number, _ in self._waiting if self._parts[number].worker is None))

    def _dispatches(self, now: int) -> list[Action]:
        actions: list[Action] = []
        held: deque[tuple[int, str]] = deque()
        while self._waiting:
            number, view = self._waiting.popleft()
            part = self._parts.get(number)
            if part is None:
                continue
            worker = part.worker or self._idlest_worker()
            if worker is None:
                held.append((number, view))
                continue
            frame = part.frames[view]
            self._workers[worker].add(number)
            part.worker, part.dispatched_ns = worker, now
            part.dispatched.add(view)
            self._slots.read_by(frame.slot, worker)
            actions.append(Dispatch(worker, number, frame, part.is_complete(self._views(part))))
        self._waiting = held
        return actions

    def _idlest_worker(self) -> str | None:
        free = [worker for worker, parts in self._workers.items() if len(parts) < PARTS_AT_WORKER]
        return min(free, key=lambda worker: len(self._workers[worker]), default=None)

    def _grants(self) -> list[Action]:
        """Keep a few slots ahead at every camera; none while a source that can wait has filled the queue."""
        ahead = GRANTED_AHEAD
        if self.settings.policy == "wait":
            ahead = 1 if len(self._waiting) < self.settings.queue_depth else 0
        return list(self._slots.grant(ahead))
