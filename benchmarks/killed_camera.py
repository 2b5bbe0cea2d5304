"""How soon a page shows that the process of its camera was killed, and how soon parts are shown again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from benchmarks.onlookers import events

PROCESS = "grab.top"
BETWEEN_S = 3.0, 4.0  # the status comes once a second: kills are to meet each moment of it
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    """Seconds from a kill: until the page was told, and until it was told of a new part with its picture."""

    told_s: float
    recovered_s: float


def killed(address: str, kills: int) -> list[Shown]:
    """Kill it so often, each time when the page has shown for a while that all is well.

    Raises:
        TimeoutError: something that the page should show was not told in a minute.
    """
    chance = random.Random(0)  # noqa: S311 - nothing secret
    with closing(events(address)) as told:
        page = _Page(told)
        return [page.kill(chance.uniform(*BETWEEN_S)) for _ in range(kills)]


class _Page:
    """What the page shows of the camera's process by what it was told."""

    def __init__(self, told: Iterator[tuple[str, Any]]) -> None:
        self._told = told
        self._pid, self._is_up, self._fault, self._part = 0, False, "", ""

    def kill(self, after_s: float) -> Shown:
        """Kill the process once it has been well for `after_s`."""
        self._read_until(lambda: self._is_up and bool(self._part))
        begun = time.monotonic()
        self._read_until(lambda: time.monotonic() - begun > after_s)
        pid, fault = self._pid, self._fault
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self._read_until(lambda: not self._is_up or self._fault != fault)
        told_s = time.monotonic() - begun
        self._read_until(lambda: self._is_up and self._pid != pid)
        self._part = ""
        self._read_until(lambda: bool(self._part))
        return Shown(told_s, time.monotonic() - begun)

    def _read_until(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + LIMIT_S
        while not is_so():
            kind, note = next(self._told)
            if kind == "status":
                self._is_up = all(camera["up"] for camera in note["status"]["cameras"])
                self._pid = next(
                    process["pid"] for process in note["status"]["processes"] if process["name"] == PROCESS
                )
            elif kind == "incidents":
                self._fault = next((str(one) for one in note["incidents"] if one["is_bad"]), "")
            elif kind == "part" and note["pictures"]:
                self._part = note["result"]["result_id"]
            if time.monotonic() > until:
                raise TimeoutError("the page is not told what it should show")
