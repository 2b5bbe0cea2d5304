"""What becomes of the images that results name: each is stored or lost, and counted once."""

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.ledger.journal import Journal
from pipeline.messages import Stored


@dataclass(frozen=True, slots=True)
class _Promise:
    """An image that a published result names; `path` is below the state folder."""

    session: int
    seq: int
    view: str
    path: str

    @property
    def key(self) -> tuple[int, int, str]:
        return self.session, self.seq, self.view


@dataclass(slots=True)
class Images:
    """The ledger's account of them. A frame's key is (slot, generation)."""

    folder: Path
    journal: Journal
    stored: int = 0
    lost: int = 0
    _ordered: dict[tuple[int, int], _Promise] = field(default_factory=dict)
    _copied: dict[tuple[int, int, str], _Promise] = field(default_factory=dict)

    def order(self, frame: tuple[int, int], seq: int, view: str, path: str) -> None:
        """The copier is told to copy this frame."""
        self._ordered[frame] = _Promise(self.journal.session, seq, view, path)

    def copied(self, frame: tuple[int, int], *, good: bool) -> None:
        """The copier has had its look; what is good will be written."""
        promise = self._ordered.pop(frame, None)
        if promise is not None and good:
            self._copied[promise.key] = promise

    def given_up(self, frame: tuple[int, int]) -> None:
        """The frame was given away before it was copied, or there is no copier."""
        self.lost += 1
        promise = self._ordered.pop(frame, None)
        if promise is not None:
            self.journal.image(*promise.key, promise.path, "was not copied in time")

    def settle(self, stored: Stored) -> None:
        """The copier has written the image, or could not."""
        self._copied.pop((stored.session, stored.seq, stored.view), None)
        self._count(stored)

    def copier_ended(self) -> None:
        """What it had copied is on the disk, or is gone with it."""
        for promise in self._copied.values():
            fault = "" if (self.folder / promise.path).is_file() else "the copier ended"
            self._count(Stored(*promise.key, promise.path, fault))
        self._copied.clear()

    def _count(self, stored: Stored) -> None:
        self.stored += not stored.fault
        self.lost += bool(stored.fault)
        self.journal.image(stored.session, stored.seq, stored.view, stored.path, stored.fault)
