"""Whether the trigger number that came with a frame can be believed: a damaged one would put a part's name on another part."""

from collections.abc import Callable

from pipeline.errors import CameraError

MOST_ABOVE = 3  # numbers in a row above the counter that follow each other: then it is not damage
MOST_WITHOUT = 3  # whole frames in a row without a number: likewise


class NumberTrust:
    """One run of a camera. A number that follows the one before is believed; any other is held against the line counter."""

    def __init__(self, counter: int | None, where: str) -> None:
        """`counter` is where the line counter stands at the start, None where it cannot be read; `where` names the camera."""
        self._last = counter
        self._doubted: int | None = None
        self._above = self._without = 0
        self._where = where

    def believes(self, number: int | None, counter: Callable[[], int | None]) -> bool:
        """Whether a frame's number is true as far as can be known; `counter` reads the line counter from the camera now.

        None is the number of a whole frame that carries none that could be read.

        No frame can have been counted beyond the counter. A number that goes back is believed where the counter went back
        too, or where the next number confirms it: then the counter was reset, and has passed its old count already.

        Raises:
            CameraError: number and counter count different things, or frame after frame has no number.
        """
        if number is None:
            self._count_without()
            return False
        self._without = 0
        if self._last is None or number != self._last + 1:
            now = counter()
            if number < 0 or (now is not None and not self._is_possible(number, now)):
                self._doubted = number
                return False
        self._last, self._doubted, self._above = number, None, 0
        return True

    def _count_without(self) -> None:
        self._without += 1
        if self._without >= MOST_WITHOUT:
            raise CameraError(
                f"sent {self._without} whole frames in a row without a trigger number",
                where=self._where,
                allowed="chunk data that carry it (ChunkModeActive, ChunkEnable), or no trigger_number in the station file",
            )

    def _is_possible(self, number: int, now: int) -> bool:
        is_confirmed = self._doubted is not None and number == self._doubted + 1
        if number > now:
            self._above = self._above + 1 if is_confirmed else 1
            if self._above >= MOST_ABOVE:
                raise CameraError(
                    f"numbers frames {number - MOST_ABOVE + 1} to {number} while its counter stands at {now}",
                    where=self._where,
                    allowed="trigger_number and trigger_counter of one counter"
                    " (features ChunkCounterSelector and CounterSelector)",
                )
            return False
        return self._last is None or number > self._last or now < self._last or is_confirmed
