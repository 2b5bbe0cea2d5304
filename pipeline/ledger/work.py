"""Frames that wait for an infer worker, and what each worker has been given."""

from collections import deque
from collections.abc import Iterator, Sequence

from pipeline.config import PARTS_AT_WORKER
from pipeline.ledger.actions import Abandon, Dispatch, Part
from pipeline.ledger.counting import Counting
from pipeline.ledger.slots import Slots

MOST_DEATHS = 2  # a part that so many workers died of is answered, not given to one more

FrameKey = tuple[int, int]


class Work:
    """The queue before the workers. A part's frames all go to one worker, as they come."""

    def __init__(self, counting: Counting, slots: Slots) -> None:
        self._counting = counting
        self._parts = counting.parts
        self._slots = slots
        self._waiting: deque[tuple[int, str]] = deque()
        self._workers: dict[str, dict[int, set[FrameKey]]] = {}

    def __len__(self) -> int:
        """Frames that wait."""
        return len(self._waiting)

    def add(self, part: Part, view: str) -> None:
        """A frame is to be inspected."""
        self._waiting.append((part.number, view))

    def welcome(self, worker: str) -> None:
        """The worker takes frames; it holds none."""
        self._workers[worker] = {}

    def dismiss(self, worker: str) -> list[Part]:
        """The worker is gone. Returns the parts that died with it too often; the others wait again, before all else."""
        self._slots.reader_gone(worker)
        lost = []
        for number in sorted(self._workers.pop(worker, {}), reverse=True):
            part = self._parts.get(number)
            if part is None or part.worker != worker:
                continue
            part.dispatched.clear()
            part.worker = None
            part.deaths += 1
            if part.deaths >= MOST_DEATHS:
                lost.append(part)
            else:
                self._waiting = deque(entry for entry in self._waiting if entry[0] != number)
                self._waiting.extendleft((number, view) for view in reversed(list(part.frames)))
        return lost

    def answered(self, worker: str, frames: Sequence[FrameKey]) -> None:
        """The worker has answered for the part of these frames."""
        held = self._workers.get(worker, {})
        for number in [number for number, given in held.items() if not given.isdisjoint(frames)]:
            del held[number]

    def abandon(self, part: Part, answered_by: str | None) -> list[Abandon]:
        """The part is answered, not by the worker that has it. One that has all its views will answer nevertheless."""
        if part.worker is None or part.worker == answered_by:
            return []
        if not part.is_complete(self._counting.views(part)):
            self._workers[part.worker].pop(part.number, None)
        return [Abandon(part.worker, part.number)]

    def over_depth(self, depth: int, policy: str) -> list[Part]:
        """The parts that are too many in the queue: the oldest or the latest. What an earlier ledger took in does not count."""
        if policy == "wait":
            return []
        self._waiting = deque(entry for entry in self._waiting if self._parts.get(entry[0]) is not None)
        numbers = dict.fromkeys(number for number, _ in self._waiting)
        parts = [
            part for part in map(self._parts.get, numbers) if part and part.worker is None and not part.is_recovered
        ]
        surplus = max(0, len(parts) - depth)
        return parts[:surplus] if policy == "drop_oldest" else parts[len(parts) - surplus :]

    def dispatch(self, now: int) -> Iterator[Dispatch]:
        """Give out what the workers can take."""
        kept: deque[tuple[int, str]] = deque()
        while self._waiting:
            number, view = self._waiting.popleft()
            part = self._parts.get(number)
            if part is None:
                continue
            frame = part.frames[view]
            worker = part.worker or self._idlest()
            if (
                worker is None or self._slots.reader(frame.slot) is not None
            ):  # an earlier ledger's order may still be read
                kept.append((number, view))
                continue
            self._workers[worker].setdefault(number, set()).add(frame.key)
            part.worker, part.dispatched_ns = worker, now
            part.dispatched.add(view)
            self._slots.read_by(frame.slot, worker)
            yield Dispatch(worker, number, frame, part.is_complete(self._counting.views(part)), part.recipe)
        self._waiting = kept

    def _idlest(self) -> str | None:
        free = [worker for worker, parts in self._workers.items() if len(parts) < PARTS_AT_WORKER]
        return min(free, key=lambda worker: len(self._workers[worker]), default=None)
