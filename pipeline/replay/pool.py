"""Stored parts inspected again on all cores: a spawned process for each, a few parts at a time, outcomes in the parts' order."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from pipeline.errors import DatumdError, EngineError
from pipeline.replay.archive import ArchivedPart, pack
from pipeline.replay.rerun import Job, Outcome, Rerun

CHUNK = 8  # parts that a process is sent at a time, at most
AHEAD = 4  # chunks for each process that may be under way, or wait for an earlier one
ENDING_S = 5.0


@dataclass(frozen=True, slots=True)
class _Done:
    """A chunk, by its number."""

    number: int
    outcomes: list[Outcome]


class Pool:
    """Processes that each hold the recipe, and parts of which each reads its own. Memory does not grow with the archive."""

    def __init__(self, job: Job, processes: int) -> None:
        """Start them. Raises DatumdError where the recipe cannot be loaded."""
        spawning = multiprocessing.get_context("spawn")
        self._lines: list[Connection] = []
        self._children: list[BaseProcess] = []
        for _ in range(processes):
            ours, theirs = spawning.Pipe()
            child = spawning.Process(target=_serve, args=(theirs, job), daemon=True)
            child.start()
            theirs.close()
            self._lines.append(ours)
            self._children.append(child)
        try:
            backends = [self._ready(line) for line in self._lines]
            self.runs_on = backends[0]
        except BaseException:
            self.close()
            raise

    def outcomes(self, parts: Sequence[ArchivedPart]) -> Iterator[Outcome]:
        """What became of each part, in their order.

        Raises:
            EngineError: a process was killed.
        """
        size = max(1, min(CHUNK, len(parts) // (AHEAD * len(self._lines))))
        chunks = deque(enumerate(parts[start : start + size] for start in range(0, len(parts), size)))
        idle, busy = deque(self._lines * 2), 0  # each has one chunk before it and one at work
        done: dict[int, list[Outcome]] = {}
        next_number = 0
        while chunks or busy:
            while chunks and idle and chunks[0][0] < next_number + AHEAD * len(self._lines):
                idle.popleft().send(chunks.popleft())
                busy += 1
            for line in self._waited():
                heard = self._heard(line)
                done[heard.number] = heard.outcomes
                idle.append(line)
                busy -= 1
            while next_number in done:
                yield from done.pop(next_number)
                next_number += 1

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for line in self._lines:
            line.close()
        for child in self._children:
            child.join(ENDING_S)
            if child.is_alive():
                child.kill()
                child.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _waited(self) -> list[Connection]:
        """Those that have something to say; waits until one has."""
        spoken = set(map(id, wait(self._lines)))
        return [line for line in self._lines if id(line) in spoken]

    def _ready(self, line: Connection) -> str:
        """What runs the networks there. Raises what hindered the process."""
        told = self._received(line)
        if isinstance(told, DatumdError):
            raise told
        return str(told)

    def _heard(self, line: Connection) -> _Done:
        told = self._received(line)
        if not isinstance(told, _Done):
            raise EngineError(f"a process that inspects said {told!r}")
        return told

    def _received(self, line: Connection) -> object:
        try:
            return line.recv()
        except (EOFError, OSError):
            raise EngineError(
                "a process that inspects was killed: was there not enough memory?", next_command="--processes 1"
            ) from None


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def _serve(line: Connection, job: Job) -> None:
    """A process: load, then answer chunk by chunk, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches whoever asks
    with suppress(EOFError, OSError):  # nobody wants any more
        try:
            rerun = Rerun(job)
        except DatumdError as problem:
            line.send(problem)
            return
        line.send(rerun.inspector.backend)
        while True:
            number, parts = line.recv()
            line.send(_Done(number, [_outcome(rerun, part) for part in parts]))


def _outcome(rerun: Rerun, part: ArchivedPart) -> Outcome:
    try:
        return rerun.outcome(pack(part))
    except DatumdError as problem:
        return Outcome(part.name, [], [], fault=str(problem))
