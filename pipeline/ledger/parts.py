"""The parts that are owed an answer, found by trigger, by frame and by deadline."""

import heapq
from collections import deque
from collections.abc import Iterator

from pipeline.ledger.actions import Part, ViewFrame


class Parts:
    """Every open part. `settled`: those whose loss is known, to be answered next, in order."""

    def __init__(self) -> None:
        self.settled: deque[Part] = deque()
        self._parts: dict[int, Part] = {}
        self._by_trigger: dict[tuple[str, int], Part] = {}
        self._by_frame: dict[tuple[int, int], Part] = {}
        self._deadlines: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Part]:
        return iter(list(self._parts.values()))

    def __contains__(self, part: Part) -> bool:
        return part.number in self._parts

    def get(self, number: int) -> Part | None:
        """The part of this number of the book's."""
        return self._parts.get(number)

    def of_trigger(self, domain: str, trigger_number: int) -> Part | None:
        """The part of this trigger."""
        return self._by_trigger.get((domain, trigger_number))

    def of_frame(self, key: tuple[int, int]) -> Part | None:
        """The part that this (slot, generation) is of."""
        return self._by_frame.get(key)

    def numbered(self, domain: str) -> list[Part]:
        """The parts of a domain that have trigger numbers of its present count, in order."""
        return [part for (name, _), part in sorted(self._by_trigger.items()) if name == domain]

    def between(self, domain: str, first: int, last: int) -> list[Part]:
        """The parts of a domain with these trigger numbers, both included, in order."""
        if last - first < len(self._by_trigger):
            found = (self._by_trigger.get((domain, number)) for number in range(first, last + 1))
            return [part for part in found if part is not None]
        numbers = sorted(number for name, number in self._by_trigger if name == domain and first <= number <= last)
        return [self._by_trigger[domain, number] for number in numbers]

    def add(self, part: Part, *, is_past: bool = False) -> None:
        """Open a part. `is_past`: its number is of a count that is over."""
        self._parts[part.number] = part
        if part.trigger_number is not None and not is_past:
            self._by_trigger[part.domain, part.trigger_number] = part
        self.watch(part)

    def watch(self, part: Part) -> None:
        """The part's deadline is this one now, which is no later than before."""
        heapq.heappush(self._deadlines, (part.deadline_ns, part.number))

    def attach(self, part: Part, view: str, frame: ViewFrame) -> None:
        """The frame is a view of the part."""
        part.frames[view] = frame
        self._by_frame[frame.key] = part

    def forget_number(self, part: Part) -> None:
        """The number of the part is one of a count that is over."""
        if part.trigger_number is not None:
            del self._by_trigger[part.domain, part.trigger_number]

    def remove(self, part: Part) -> None:
        """The part is answered."""
        del self._parts[part.number]
        if self._is_numbered(part):
            self.forget_number(part)
        for frame in part.frames.values():
            del self._by_frame[frame.key]

    def _is_numbered(self, part: Part) -> bool:
        number = part.trigger_number
        return number is not None and self._by_trigger.get((part.domain, number)) is part

    def due(self, now: int) -> Part | None:
        """The part whose deadline has been over for the longest, None where there is none."""
        until = self.next_ns()
        return None if until is None or until > now else self._parts[self._deadlines[0][1]]

    def next_ns(self) -> int | None:
        """The first deadline."""
        while self._deadlines:
            until, number = self._deadlines[0]
            if number in self._parts:
                return until
            heapq.heappop(self._deadlines)
        return None
