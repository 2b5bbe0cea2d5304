"""Who may touch which slot of the frame ring: the ledger's own account of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.ledger.actions import Grant


@dataclass(slots=True)
class _Slot:
    """`camera` is None while the slot is free. `is_open`: it holds a frame without an answer. `reader` may look at it."""

    generation: int
    camera: str | None = None
    reader: str | None = None
    is_open: bool = False


class Slots:
    """A slot is free again when its frame is answered and nobody reads it, and then granted under a new generation."""

    def __init__(self, generations: Sequence[int]) -> None:
        """`generations`: the last one granted of each slot."""
        self._slots = [_Slot(generation) for generation in generations]
        self._free = deque(range(len(self._slots)))
        self._granted: dict[str, set[int]] = {}

    def granted(self, camera: str) -> list[tuple[int, int]]:
        """(slot, generation) that the camera's worker may be filling."""
        return [(slot, self._slots[slot].generation) for slot in sorted(self._granted.get(camera, set()))]

    def grant(self, ahead: int) -> Iterator[Grant]:
        """Give free slots to the cameras, the poorest first, until each has `ahead`."""
        while self._free and self._granted:
            camera = min(self._granted, key=lambda name: len(self._granted[name]))
            if len(self._granted[camera]) >= ahead:
                return
            slot = self._free.popleft()
            entry = self._slots[slot]
            entry.generation += 1
            entry.camera = camera
            self._granted[camera].add(slot)
            yield Grant(camera, slot, entry.generation)

    def take_back(self, camera: str) -> None:
        """The camera's worker is a new one: what its forerunner was granted and did not fill is free."""
        for slot in self._granted.get(camera, set()):
            self._reuse(slot)
        self._granted[camera] = set()

    def fill(self, camera: str, slot: int, generation: int) -> bool:
        """A frame lies in the slot. False when the slot was not granted to this camera under this generation."""
        if self._slots[slot].generation != generation or slot not in self._granted.get(camera, set()):
            return False
        self._granted[camera].discard(slot)
        self._slots[slot].is_open = True
        return True

    def read_by(self, slot: int, worker: str) -> None:
        """The worker has been told to read the slot."""
        self._slots[slot].reader = worker

    def release(self, slot: int, generation: int) -> None:
        """The worker reads it no more."""
        entry = self._slots[slot]
        if entry.generation == generation and entry.reader is not None:
            entry.reader = None
            self._reuse(slot)

    def reader_gone(self, worker: str) -> None:
        """The worker has died: it reads nothing."""
        for slot, entry in enumerate(self._slots):
            if entry.reader == worker:
                entry.reader = None
                self._reuse(slot)

    def close(self, slot: int) -> None:
        """The frame in the slot has been answered."""
        self._slots[slot].is_open = False
        self._reuse(slot)

    def _reuse(self, slot: int) -> None:
        entry = self._slots[slot]
        if entry.camera is not None and not entry.is_open and entry.reader is None:
            entry.camera = None
            self._free.append(slot)
