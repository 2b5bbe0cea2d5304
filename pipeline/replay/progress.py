"""How far a long run is, on a terminal."""

import sys

from pipeline.clock import monotonic_ns

WIDTH = 24
EVERY_NS = 200_000_000


class Progress:
    """A bar on standard error; nothing where that is no terminal."""

    def __init__(self, total: int) -> None:
        """`total`: parts in all."""
        self._total, self._count = total, 0
        self._began_ns, self._shown_ns = monotonic_ns(), 0
        self._is_terminal = sys.stderr.isatty()

    def step(self) -> None:
        """One more part is done."""
        self._count += 1
        now = monotonic_ns()
        if self._is_terminal and (now - self._shown_ns >= EVERY_NS or self._count == self._total):
            self._shown_ns = now
            sys.stderr.write(f"\r\033[K{self.text(now - self._began_ns)}")
            sys.stderr.flush()

    def text(self, passed_ns: int) -> str:
        """The bar, how many of how many, how fast, and how long it will take."""
        done = self._count * WIDTH // max(1, self._total)
        rate_hz = self._count * 1e9 / max(1, passed_ns)
        left_s = (self._total - self._count) / max(rate_hz, 1e-9)
        bar = f"[{'#' * done}{'.' * (WIDTH - done)}]"
        return f"{bar} {self._count}/{self._total} parts  {rate_hz:.1f}/s  {left_s:.0f} s left"

    def end(self) -> None:
        """Take the bar away."""
        if self._is_terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
