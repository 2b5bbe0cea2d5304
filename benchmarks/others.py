"""What else ran on the machine while something was measured: processor time that went to nobody of our own."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Others:
    """Counts from its making on."""

    def __init__(self) -> None:
        self._begun, self._all, self._own = time.monotonic(), all_ticks(), own_ticks()

    def share(self) -> float:
        """Processors that others had since then, in the mean; some hundredths are the kernel's and the host's own."""
        ticks = (all_ticks() - self._all) - (own_ticks() - self._own)
        return max(0.0, ticks / TICKS / (time.monotonic() - self._begun))


def all_ticks() -> int:
    """Of all processors: user, nice, system, irq, softirq and what the host took (proc(5), /proc/stat)."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(int(word) for index, word in enumerate(words[:8]) if index not in (3, 4))


def own_ticks() -> int:
    """Of this process and all below it, with those of their children that have ended (proc(5), /proc/PID/stat)."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # ended while we looked
            continue
        pid = int(path.parent.name)
        children.setdefault(int(words[1]), []).append(pid)
        ticks[pid] = sum(int(word) for word in words[11:15])
    waiting, own = [os.getpid()], 0
    while waiting:
        pid = waiting.pop()
        own += ticks.get(pid, 0)
        waiting += children.get(pid, [])
    return own
