"""Frames that are answered and wait for the copier."""

from collections.abc import Callable

from pipeline.ledger.actions import ViewFrame


class Holds:
    """Oldest first; each is given up after `hold_ns`."""

    def __init__(self, hold_ns: int) -> None:
        self._hold_ns = hold_ns
        self._frames: dict[tuple[int, int], tuple[ViewFrame, int]] = {}

    def add(self, frame: ViewFrame, now: int) -> None:
        """The frame is held from now on."""
        self._frames[frame.key] = (frame, now + self._hold_ns)

    def remove(self, key: tuple[int, int]) -> bool:
        """The frame is held no more. False when it was not held."""
        return self._frames.pop(key, None) is not None

    def over(self, now: int) -> list[ViewFrame]:
        """Those that have been held for too long."""
        return [frame for frame, until in self._frames.values() if until <= now]

    def everything(self) -> list[ViewFrame]:
        """All of them."""
        return [frame for frame, _ in self._frames.values()]

    def oldest(self, gives: Callable[[int], bool]) -> ViewFrame | None:
        """The oldest one whose slot `gives` something."""
        return next((frame for frame, _ in self._frames.values() if gives(frame.slot)), None)

    def next_ns(self) -> int | None:
        """When the first of them is over."""
        return next((until for _, until in self._frames.values()), None)
