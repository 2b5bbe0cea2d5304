"""The book: which trigger is owed an answer, which slot holds what, and what must happen next.

A pure state machine. Events go in by method calls with the time they happened at, actions come out as a list; nothing is
read, written or waited for here, so that every order of events can be tested, and a death of the ledger between any two.

Of the actions those of Dispatch and Fire may be carried out first; then all of Answer are committed together with `accounts`
and published, then the rest is done in order. Wherever that is cut off, a new book from ring and journal answers what is owed.

Invariant: a part that was opened is answered exactly once, and a slot is granted again only when nobody can touch it.
"""

from collections.abc import Mapping, Sequence

from pipeline.frame import FrameInfo
from pipeline.ledger.account import Account
from pipeline.ledger.actions import Action, Part, ViewFrame
from pipeline.ledger.binding import bind
from pipeline.ledger.book_settings import BookSettings
from pipeline.ledger.counting import Counting
from pipeline.ledger.ending import Ending
from pipeline.ledger.shots import Shots
from pipeline.ledger.slots import Slots, SlotState
from pipeline.ledger.triggers import Heard
from pipeline.ledger.work import Work
from pipeline.loss import LossKind

__all__ = ["Book", "BookSettings"]

MOST_LOST = 10_000  # frames without numbers that are believed lost at once


class Book:
    """The state machine. Times are monotonic nanoseconds."""

    def __init__(
        self,
        settings: BookSettings,
        slots: Sequence[SlotState] | None = None,
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        """`slots`, `accounts`: what an earlier ledger left in the ring and in the journal; call `recovered` first."""
        self.settings = settings
        self.late_results = 0
        self.late_frames = 0
        self._found = list(slots) if slots is not None else [SlotState(0)] * settings.slots
        self._counting = Counting(settings, accounts or {})
        self._parts = self._counting.parts
        self._slots = Slots(self._found)
        self._work = Work(self._counting, self._slots)
        self._ending = Ending(settings, self._counting, self._slots, self._work)
        self._shots = Shots(self._counting)
        self._now = 0

    # Events

    def recovered(self, now: int) -> list[Action]:
        """Once, first of all: open what an earlier ledger did not live to answer."""
        found = [(slot, state, state.frame, state.camera) for slot, state in enumerate(self._found)]
        frames = [
            (ViewFrame(camera, slot, state.generation, info), state)
            for slot, state, info, camera in found
            if info is not None and camera is not None
        ]
        actions: list[Action] = []
        for frame, state in sorted(frames, key=lambda one: one[0].info.received_monotonic_ns):
            actions += self._take(frame, now)
            part = self._parts.of_frame(frame.key)
            if part is not None:
                part.is_recovered = True
                part.recipe = part.recipe if state.recipe is None else state.recipe
        self._counting.open_before(now)
        self._found.clear()
        return self._follow(actions, now)

    def camera_gone(self, camera: str) -> None:
        """The camera's worker has ended, or has forgotten its grants: it is given none before `camera_ready`.

        To be called before the ring is scanned for what it accepted and did not tell (`granted_slots`, `accepted`): a slot that
        is granted meanwhile would come back with the others and yet be known to the next worker.
        """
        self._slots.pause(camera)

    def camera_ready(self, camera: str) -> list[Action]:
        """The camera's worker has started, or speaks to a new ledger: what was granted and is not filled comes back."""
        self._slots.welcome(camera)
        self._shots.gone(camera, self._now)
        self._counting.ready(camera)
        return self._follow([], self._now)

    def camera_died(self, camera: str) -> list[Action]:
        """The camera's worker has ended: what it was granted comes back, and it is given none before it is ready again."""
        self._slots.take_back(camera)
        self._shots.gone(camera, self._now)
        return self._follow([], self._now)

    def connected(self, camera: str, counter: int | None, now: int) -> list[Action]:
        """The camera is armed and its line counter stands at `counter`; what it counted before gives no frame any more.

        At the first call the count starts here. Later, triggers since the last one seen were lost while the camera or its
        worker was down; a counter that went back has been reset, and the count follows it. `counter` is None where it
        cannot be read: the numbers of the frames then tell all of this.
        """
        if counter is None or not self._slots.is_up(camera):
            return []
        if self._counting.hear(camera, counter, now, is_baseline=True) is Heard.believed:
            number = self._counting.domain(camera).number(camera, counter)
            self._counting.lose_through(camera, number, LossKind.lost_while_down)
        return self._follow([], now)

    def accepted(self, camera: str, slot: int, generation: int, info: FrameInfo, now: int) -> list[Action]:
        """A frame lies in a slot that was granted to the camera."""
        if not self._slots.fill(camera, slot, generation):
            return []
        actions = self._take(ViewFrame(camera, slot, generation, info), now)
        for part in self._work.over_depth(self.settings.queue_depth, self.settings.policy):
            actions += self._ending.finish(part, LossKind.overrun, now)
        return self._follow(actions, now)

    def counted(self, camera: str, number: int, now: int) -> list[Action]:
        """The camera's line counter stands at `number`: every trigger up to it is owed an answer.

        What a worker says before its hello is old, and void.
        """
        if not self._slots.is_up(camera):
            return []
        self._counting.hear(camera, number, now)
        return self._follow([], now)

    def lost(self, camera: str, kind: LossKind, number: int | None, count: int, now: int) -> list[Action]:
        """The camera or its transport lost `count` frames, of the triggers from `number` on.

        With a trigger number each loss belongs to that part. Without one, it is a part of its own where frames are counted
        (nothing else would ever tell of it), and is left to the line counter where there is one.
        """
        counting, view = self._counting, self.settings.views[camera]
        domain = counting.domain(camera)
        if number is None:
            for _ in range(min(count, MOST_LOST) if not domain.is_begun else 0):
                counting.lose(counting.open(domain.name, None, now), view, kind)
        elif counting.hear_lost(camera, number, count, now) is Heard.believed:
            first = domain.number(camera, number, is_frame=True)
            for part in self._parts.between(domain.name, first, first + count - 1):
                counting.lose(part, view, kind)
        return self._follow([], now)

    def worker_ready(self, worker: str, now: int) -> list[Action]:
        """An infer worker has started, or speaks to a new ledger, and holds nothing."""
        actions = self._dismiss(worker, now)
        self._work.welcome(worker)
        return self._follow(actions, now)

    def worker_died(self, worker: str, now: int) -> list[Action]:
        """An infer worker has ended: what it held is given to another one, and it is given nothing before it is ready."""
        return self._follow(self._dismiss(worker, now), now)

    def inspected(self, worker: str, frames: Sequence[tuple[int, int]], keep: bool, now: int) -> list[Action]:
        """An infer worker has an answer for the part of these frames, (slot, generation) each, whoever asked for it.

        `keep`: their images are worth keeping. An answer that comes late, or that is not for all views of a part, is
        counted and changes nothing.
        """
        self._now = now
        keys = {(slot, generation) for slot, generation in frames}
        self._work.answered(worker, list(keys))
        part = self._parts.of_frame(next(iter(keys), (-1, -1)))
        given = {frame.key for frame in part.frames.values()} if part is not None and part.ended is None else set()
        if part is None or given != keys or len(given) < len(self._counting.views(part)):
            self.late_results += 1
            return self._follow([], now)
        return self._follow(self._ending.finish(part, None, now, keep=keep, worker=worker), now)

    def released(self, slot: int, generation: int, worker: str | None = None) -> list[Action]:
        """The infer worker reads the slot no more. `worker` is who says so; a word of one that died meanwhile is void."""
        self._slots.release(slot, generation, worker)
        return self._follow([], self._now)

    def fire(self, key: int, part_id: str, now: int, ticket: str = "") -> list[Action]:
        """A software trigger, known by `key`, to the cameras by `ticket`. One after the other is given to all of them."""
        self._shots.add(key, part_id, now, ticket)
        return self._follow([], now)

    def fired(self, camera: str, key: int, number: int | None, now: int) -> list[Action]:
        """The camera was given the software trigger, and its counter then stood at `number`; None: it was not taken."""
        self._shots.fired(camera, key, number, now)
        return self._follow([], now)

    def bind(self, domain_parts: Sequence[tuple[int, str]]) -> str:
        """Part ids of triggers to come, by trigger number. Returns what is wrong, "" where all are bound."""
        return bind(self._counting, domain_parts)

    def set_running(self, running: bool, now: int) -> list[Action]:
        """False: triggers of the line are answered `stopped` from now on; those of software are inspected."""
        self._counting.running = running
        return self._follow([], now)

    def resynchronise(self, now: int) -> list[Action]:
        """The line stands still: from here on the joined cameras' counters, whatever they show, count the same triggers."""
        if self.settings.joined and len(self.settings.views) > 1:
            self._counting.resynchronise(self._counting.domains[""])
        return self._follow([], now)

    def copied(self, slot: int, generation: int) -> list[Action]:
        """The copier reads the slot no more."""
        self._ending.copied(slot, generation)
        return self._follow([], self._now)

    def copier(self, up: bool) -> list[Action]:
        """Whether there is a copier; it has just started, or ended, and reads no slot. Nothing is held without one."""
        return self._follow(self._ending.copier(up=up), self._now)

    def tick(self, now: int) -> list[Action]:
        """Time has passed: answer what is due, a turn's worth at most."""
        self._shots.tick(now)
        self._counting.tick(now)
        return self._follow(self._ending.due(now), now)

    def stopping(self) -> list[Action]:
        """The daemon ends in order: what is still owed is answered, as nobody else will. Call it until it has no more."""
        self._shots.drain(self._now)
        return self._ending.rest(self._now)

    # Questions

    @property
    def running(self) -> bool:
        """Whether triggers of the line are inspected."""
        return self._counting.running

    @property
    def recipe(self) -> int:
        """Number of the recipe by which parts are inspected that are opened from now on."""
        return self._counting.recipe

    @recipe.setter
    def recipe(self, number: int) -> None:
        self._counting.recipe = number

    @property
    def triggers(self) -> int:
        """Parts that have been opened."""
        return self._counting.triggers

    @property
    def mismatched(self) -> set[str]:
        """Cameras whose trigger numbers do not agree with those of the others, or are in doubt."""
        return {camera for domain in self._counting.domains.values() for camera in domain.astray()}

    def accounts(self) -> dict[str, Account]:
        """The domains whose account has changed since this was last asked."""
        changed = {name: domain for name, domain in self._counting.domains.items() if domain.is_changed}
        for domain in changed.values():
            domain.is_changed = False
        return {name: domain.account() for name, domain in changed.items()}

    def granted_slots(self, camera: str) -> list[tuple[int, int]]:
        """(slot, generation) that the camera's worker may be filling."""
        return self._slots.granted(camera)

    def next_deadline_ns(self) -> int | None:
        """When `tick` is next needed."""
        if self._parts.settled or self._counting.has_unseen():
            return max(1, self._now)
        times = (self._parts.next_ns(), self._ending.next_ns(), self._shots.next_ns())
        return min((time for time in times if time is not None), default=None)

    def open_parts(self) -> int:
        """Parts that are owed an answer."""
        return len(self._parts)

    # Inside

    def _take(self, frame: ViewFrame, now: int) -> list[Action]:
        """Make the frame a view of its part; close it where it has none."""
        view, info = self.settings.views[frame.camera], frame.info
        at = min(now, info.received_monotonic_ns)
        if info.trigger_number is None:
            part: Part | None = self._counting.open(self._counting.domain(frame.camera).name, None, at)
        else:
            part = self._counting.part_of(frame.camera, info.trigger_number, info.received_monotonic_ns, at)
        if part is None or view in part.frames:
            self.late_frames += 1
            return [self._ending.close(frame)]
        self._parts.attach(part, view, frame)
        part.lost.pop(view, None)
        held_back = self._counting.undecided.get(part.number)
        if held_back is not None:
            held_back.append(view)
        elif part.ended is None:
            self._work.add(part, view)
        self._counting.settle(part)
        return []

    def _dismiss(self, worker: str, now: int) -> list[Action]:
        lost = self._work.dismiss(worker)
        return [action for part in lost for action in self._ending.finish(part, LossKind.worker_died, now)]

    def _follow(self, actions: list[Action], now: int) -> list[Action]:
        """What follows from every event: answers of what is lost, work, software triggers, slots."""
        self._now = now
        fires = self._shots.next({camera for camera in self.settings.views if self._slots.is_up(camera)}, now)
        actions += self._ending.settled(now)
        for part, view in self._counting.decided():
            self._work.add(part, view)
        actions += self._work.dispatch(now)
        return [*actions, *fires, *self._ending.grants()]
