"""Software triggers: one at a time is under way to the cameras, the others wait in order."""

from collections import deque
from dataclasses import dataclass, field

from pipeline.ledger.actions import Fire, Part
from pipeline.ledger.counting import Counting
from pipeline.ledger.triggers import Heard
from pipeline.loss import LossKind

MOST_WAITING = 100  # software triggers; more are answered `overrun` at once


@dataclass(slots=True)
class Shot:
    """A software trigger under way.

    Attributes:
        parts: the part that it makes in each domain.
        waiting: cameras that have not said how it went.
        refused: cameras that did not take it.
        given: cameras that took it, and the trigger number that they gave it.
    """

    key: int
    parts: dict[str, Part]
    waiting: set[str]
    deadline_ns: int
    refused: set[str] = field(default_factory=set)
    given: dict[str, int] = field(default_factory=dict)


class Shots:
    """From a software trigger to the trigger numbers that the cameras give it."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._queue: deque[tuple[int, str, str]] = deque()
        self._shot: Shot | None = None

    def add(self, key: int, part_id: str, now: int, ticket: str = "") -> None:
        """One more. `ticket`: by which the cameras know it."""
        if len(self._queue) < MOST_WAITING:
            self._queue.append((key, part_id, ticket))
        else:
            for part in self._open(key, part_id, now).values():
                self._counting.end(part, LossKind.overrun)

    def next(self, up: set[str], now: int) -> list[Fire]:
        """Fire the next one, where none is under way, by the cameras that are `up`: of joined ones all or none.

        A trigger that only some of them are given sets their counters apart.
        """
        ready = {
            camera for one in self._counting.domains.values() if one.cameras.keys() <= up for camera in one.cameras
        }
        fires: list[Fire] = []
        while self._shot is None and self._queue:
            key, part_id, ticket = self._queue.popleft()
            cameras = list(self._counting.settings.views)
            self._counting.shot_pending = True
            deadline_ns = now + self._counting.settings.deadline_ns
            self._shot = Shot(key, self._open(key, part_id, now), set(cameras), deadline_ns)
            fires = [Fire(key, camera, ticket) for camera in cameras if camera in ready]
            for camera in cameras:
                if camera not in ready:
                    self.fired(camera, key, None, now)
        return fires

    def fired(self, camera: str, key: int, reading: int | None, now: int) -> None:
        """How it went: the camera's counter then stood at `reading`; None when the trigger was not taken."""
        counting, shot = self._counting, self._shot
        heard = None if reading is None else counting.hear(camera, reading, now)
        if shot is None or shot.key != key or camera not in shot.waiting:
            return
        domain = counting.domain(camera)
        part = shot.parts[domain.name]
        shot.waiting.discard(camera)
        if reading is None:
            shot.refused.add(camera)
        else:
            shot.given[camera] = domain.number(camera, reading)
            if heard is Heard.believed:
                self._bind(shot, domain.name, shot.given[camera])
            else:
                counting.end(part, LossKind.trigger_mismatch)
        if not shot.waiting.intersection(domain.cameras):
            self._settle(shot, domain.name)
        if not shot.waiting:
            self._end()

    def gone(self, camera: str, now: int) -> None:
        """The camera's worker is gone, and with it what it was told to fire."""
        if self._shot is not None and camera in self._shot.waiting:
            self.fired(camera, self._shot.key, None, now)

    def tick(self, now: int) -> None:
        """Wait for no camera beyond the deadline."""
        if self._shot is not None and self._shot.deadline_ns <= now:
            for name in self._shot.parts:
                self._settle(self._shot, name)
            self._end()

    def next_ns(self) -> int | None:
        """When `tick` is needed."""
        return None if self._shot is None else self._shot.deadline_ns

    def drain(self, now: int) -> None:
        """Nothing is fired any more: make parts of what waits, so that it is answered."""
        while self._queue:
            key, part_id, _ = self._queue.popleft()
            self._open(key, part_id, now)

    def _open(self, key: int, part_id: str, now: int) -> dict[str, Part]:
        parts = {name: self._counting.open(name, None, now, software=key) for name in self._counting.domains}
        for part in parts.values():
            part.part_id = part_id
        return parts

    def _bind(self, shot: Shot, name: str, number: int) -> None:
        """The part of this number is the one that was asked for."""
        parts, part = self._counting.parts, shot.parts[name]
        if part not in parts or part.trigger_number == number:
            return
        numbered = parts.of_trigger(name, number)
        if part.trigger_number is not None or numbered is None or numbered.ended is not None:
            self._counting.end(part, LossKind.trigger_mismatch)
            return
        numbered.software, numbered.part_id = shot.key, part.part_id
        numbered.opened_ns = min(numbered.opened_ns, part.opened_ns)
        numbered.deadline_ns = min(numbered.deadline_ns, part.deadline_ns)
        self._counting.undecided.setdefault(numbered.number, [])
        parts.remove(part)
        parts.watch(numbered)
        self._counting.triggers -= 1
        self._counting.note_software(numbered)
        shot.parts[name] = numbered

    def _settle(self, shot: Shot, name: str) -> None:
        """All cameras of the domain have spoken, or will not."""
        counting, part = self._counting, shot.parts[name]
        domain = counting.domains[name]
        refused = sorted(shot.refused & domain.cameras.keys())
        given = [shot.given[camera] for camera in shot.given.keys() & domain.cameras.keys()]
        for camera in refused if given else ():
            domain.skip(camera, min(given))
            for mixed in counting.parts.between(name, min(given), domain.highest):
                if (
                    counting.settings.views[camera] in mixed.frames
                ):  # it came before its number was known to be one more
                    counting.end(mixed, LossKind.trigger_mismatch)
        if given and min(given) < max(given):
            counting.mix(domain, min(given), max(given))
        if part not in counting.parts:
            return
        if part.trigger_number is None:
            counting.end(part, LossKind.not_triggered)
        for camera in refused:
            counting.lose(part, counting.settings.views[camera], LossKind.not_triggered)

    def _end(self) -> None:
        self._shot = None
        self._counting.shot_pending = False
        self._counting.decide()
