"""Who may touch which slot of the frame ring: the ledger's own account of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.frame import FrameInfo
from pipeline.ledger.actions import Grant


@dataclass(frozen=True, slots=True)
class SlotState:
    """A slot as a new ledger finds it in the ring.

    Attributes:
        generation: the last one granted.
        camera: who it was granted to, while it is not free.
        reader: infer worker that may still read it.
        frame: accepted and not answered.
        recipe: by which the frame was dispatched, None where it was not.
    """

    generation: int
    camera: str | None = None
    reader: str | None = None
    frame: FrameInfo | None = None
    recipe: int | None = None


@dataclass(slots=True)
class _Slot:
    """`camera` is None while the slot is free. `is_open`: it holds a frame without an answer. `reader` may look at it."""

    generation: int
    camera: str | None = None
    reader: str | None = None
    is_open: bool = False
    is_held: bool = False

    @property
    def is_used(self) -> bool:
        return self.is_open or self.is_held or self.reader is not None


class Slots:
    """A slot is free again when its frame is answered, nobody reads it and it is not held; then it may be granted anew."""

    def __init__(self, states: Sequence[SlotState]) -> None:
        self._slots = [_Slot(state.generation, state.camera, state.reader, bool(state.frame)) for state in states]
        self._granted: dict[str, set[int]] = {}
        self._up: set[str] = set()
        self._free: deque[int] = deque()
        for slot, entry in enumerate(self._slots):
            if entry.camera is None and not entry.is_used:
                self._free.append(slot)
            elif entry.camera is not None and not entry.is_used:
                self._granted.setdefault(entry.camera, set()).add(slot)
            else:
                entry.camera = entry.camera or ""

    def granted(self, camera: str) -> list[tuple[int, int]]:
        """(slot, generation) that the camera's worker may be filling."""
        return [(slot, self._slots[slot].generation) for slot in sorted(self._granted.get(camera, set()))]

    def is_up(self, camera: str) -> bool:
        """Whether the camera's worker takes slots."""
        return camera in self._up

    def grant(self, ahead: int) -> Iterator[Grant]:
        """Give free slots to the cameras, the poorest first, until each has `ahead`."""
        while self._free:
            camera = self.poorest(ahead)
            if camera is None:
                return
            slot = self._free.popleft()
            entry = self._slots[slot]
            entry.generation += 1
            entry.camera = camera
            self._granted[camera].add(slot)
            yield Grant(camera, slot, entry.generation)

    def poorest(self, ahead: int) -> str | None:
        """The camera with the fewest slots, None where each has `ahead`."""
        camera = min(self._up, key=lambda name: (len(self._granted[name]), name), default=None)
        return camera if camera is not None and len(self._granted[camera]) < ahead else None

    def pause(self, camera: str) -> None:
        """The camera is given no more slots before it is welcome again; those that it has may have been filled."""
        self._up.discard(camera)

    def take_back(self, camera: str) -> None:
        """The camera's worker is gone: what it was granted and did not fill is free, and it is given no more."""
        self._up.discard(camera)
        for slot in sorted(self._granted.pop(camera, set())):
            self._reuse(slot)

    def welcome(self, camera: str) -> None:
        """The camera's worker is a new one, or has forgotten what it was granted."""
        self.take_back(camera)
        self._up.add(camera)
        self._granted[camera] = set()

    def fill(self, camera: str, slot: int, generation: int) -> bool:
        """A frame lies in the slot. False when the slot was not granted to this camera under this generation."""
        if slot not in self._granted.get(camera, set()) or self._slots[slot].generation != generation:
            return False
        self._granted[camera].discard(slot)
        self._slots[slot].is_open = True
        return True

    def reader(self, slot: int) -> str | None:
        """The infer worker that may read the slot."""
        return self._slots[slot].reader

    def read_by(self, slot: int, worker: str) -> None:
        """The worker has been told to read the slot."""
        self._slots[slot].reader = worker

    def release(self, slot: int, generation: int, worker: str | None) -> None:
        """The worker (whoever it is, where None) reads it no more."""
        entry = self._slots[slot]
        if entry.generation == generation and entry.reader is not None and worker in {None, entry.reader}:
            entry.reader = None
            self._reuse(slot)

    def reader_gone(self, worker: str) -> None:
        """The worker has died, or has forgotten what it was told: it reads nothing."""
        for slot, entry in enumerate(self._slots):
            if entry.reader == worker:
                entry.reader = None
                self._reuse(slot)

    def close(self, slot: int) -> None:
        """The frame in the slot has been answered."""
        self._slots[slot].is_open = False
        self._reuse(slot)

    def hold(self, slot: int) -> None:
        """The copier may read the slot after it has been closed."""
        self._slots[slot].is_held = True

    def let_go(self, slot: int) -> None:
        """The slot is held no more."""
        self._slots[slot].is_held = False
        self._reuse(slot)

    def is_merely_held(self, slot: int) -> bool:
        """Whether the slot would be free but for being held."""
        entry = self._slots[slot]
        return entry.is_held and not entry.is_open and entry.reader is None

    def _reuse(self, slot: int) -> None:
        entry = self._slots[slot]
        if entry.camera is not None and not entry.is_used:
            entry.camera = None
            self._free.append(slot)
