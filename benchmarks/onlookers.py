"""Browsers that look at a station's page, as processes: each asks for all that the page's script asks for, and draws nothing."""

import http.client
import json
import multiprocessing
import time
from collections.abc import Callable, Generator
from contextlib import closing
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any, Self

LIMIT_S = 60.0
LEAST_BYTES = 1000  # of a picture


def events(address: str) -> Generator[tuple[str, Any], None, None]:
    """What the page at `address` (HOST:PORT) is told, as it comes, a word each second at least: its kind, and what it says."""
    with closing(http.client.HTTPConnection(address, timeout=LIMIT_S)) as connection:
        connection.request("GET", "/events")
        stream = connection.getresponse()
        kind = ""
        while line := stream.readline():
            if line.startswith(b"event: "):
                kind = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                yield kind, json.loads(line[6:])


class Onlookers:
    """So many browsers, which look or rest. Use as a context manager."""

    def __init__(self, address: str, count: int) -> None:
        """Start them at rest; `address` of the page: HOST:PORT."""
        spawning = multiprocessing.get_context("spawn")
        self._looking = spawning.Event()
        self._at, self._pictures = spawning.Value("i", 0), spawning.Value("i", 0)
        self._count = count
        self._children = [
            spawning.Process(target=_browse, args=(address, self._looking, self._at, self._pictures), daemon=True)
            for _ in range(count)
        ]
        for child in self._children:
            child.start()

    def look(self) -> None:
        """Let all look; returns when they have had a picture each. Raises TimeoutError where they do not get one."""
        self._looking.set()
        _wait(lambda: self._at.value == self._count)
        self._pictures.value = 0
        _wait(lambda: self._pictures.value >= self._count)
        self._pictures.value = 0

    def rest(self) -> int:
        """Let all go. Returns how many pictures they had since they looked."""
        pictures = int(self._pictures.value)
        self._looking.clear()
        _wait(lambda: self._at.value == 0)
        return pictures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._children:
            child.terminate()
            child.join()


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError("the page gives no pictures")
        time.sleep(0.05)


def _browse(address: str, looking: Event, at: "Synchronized[int]", pictures: "Synchronized[int]") -> None:
    """A process: whenever it is to look, listen and ask for the pictures of each part that is told."""
    while True:
        looking.wait()
        with at.get_lock():
            at.value += 1
        with closing(http.client.HTTPConnection(address, timeout=LIMIT_S)) as asking, closing(events(address)) as told:
            for kind, note in told:
                if not looking.is_set():
                    break
                for picture in note["pictures"].values() if kind == "part" else ():
                    asking.request("GET", picture["url"])
                    if len(asking.getresponse().read()) > LEAST_BYTES:
                        with pictures.get_lock():
                            pictures.value += 1
        with at.get_lock():
            at.value -= 1
