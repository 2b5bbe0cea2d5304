"""How long each stage took."""

from collections.abc import Mapping

from pipeline.clock import monotonic_ns


class Laps:
    """A stopwatch that names its laps; a name given twice adds up."""

    def __init__(self) -> None:
        """Start now."""
        self.ns: dict[str, int] = {}
        self._last = monotonic_ns()

    def lap(self, name: str) -> None:
        """What passed since the last lap was `name`."""
        now = monotonic_ns()
        self.ns[name] = self.ns.get(name, 0) + now - self._last
        self._last = now

    def add(self, ns: Mapping[str, int]) -> None:
        """Add laps that were timed elsewhere."""
        for name, duration in ns.items():
            self.ns[name] = self.ns.get(name, 0) + duration
