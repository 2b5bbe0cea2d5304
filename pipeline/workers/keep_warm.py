"""Runs of the networks that nobody asked for, while no frame is there.

What is not used gets slow: its memory leaves the processor's caches, cores sleep, a GPU lowers its clocks. A part that comes
after a pause pays for it.
"""

import logging
import math
from collections.abc import Callable, Sequence

from pipeline.clock import monotonic_ns
from pipeline.errors import NetworkError
from pipeline.workers.repeated_log import RepeatedLog

log = logging.getLogger(__name__)

Runs = Sequence[Callable[[], None]]


class KeepWarm:
    """Runs the networks of a recipe one after the other, so many ms after they were last used.

    A turn runs one network at most: whoever asks for orders between turns lets a frame wait for no more than that.
    """

    def __init__(self, every_ms: float, runs: Runs, now_ns: Callable[[], int] = monotonic_ns) -> None:
        """`every_ms`: 0 = never. `runs`: each runs one network, and raises NetworkError where that fails."""
        self._every_ns, self._now_ns = int(every_ms * 1e6), now_ns
        self._failures = RepeatedLog(log.warning, now_ns)
        self.used(runs)

    def used(self, runs: Runs) -> None:
        """A frame has just been inspected by these networks: they are warm, and those to be kept so from now on."""
        self._runs = runs
        self._rest()

    def wait_s(self, longest_s: float) -> float:
        """For how long there is nothing to do here, in whole ms: so long may be waited for an order."""
        if not self._is_on:
            return longest_s
        left_ms = math.ceil((self._due_ns - self._now_ns()) / 1e6)
        return min(longest_s, max(0, left_ms) / 1000)

    def turn(self) -> bool:
        """Run one network, if it is time. Returns whether it was the last one of the recipe's: all are warm now."""
        if not self._is_on or self._now_ns() < self._due_ns:
            return False
        try:
            self._runs[self._next]()
        except NetworkError as problem:  # nobody waits for it; a part that comes will meet it, and be answered
            self._failures.tell(f"cannot keep the networks warm: {problem}")
            self._rest()
            return False
        self._next += 1
        if self._next < len(self._runs):
            return False
        self._failures.over()
        self._rest()
        return True

    @property
    def _is_on(self) -> bool:
        return self._every_ns > 0 and len(self._runs) > 0

    def _rest(self) -> None:
        self._next = 0
        self._due_ns = self._now_ns() + self._every_ns
