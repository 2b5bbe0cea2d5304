"""Starts sessions of tests.process.gentl_session beside a line of this process, and listens to them."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import DatumdError
from simulator.content import PatternContent
from simulator.producer import LINE_VARIABLE, cti_path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
WIDTH, HEIGHT = 64, 48
LINE_TRIGGER = {"TriggerMode": "On", "TriggerSource": "Line1", "ChunkModeActive": True}


def skip_without_producer() -> None:
    try:
        cti_path()
    except DatumdError as missing:
        pytest.skip(str(missing))


def state_path(session_id: str) -> Iterator[Path]:
    path = Path(f"/dev/shm/datumd-test-{session_id}-line")  # noqa: S108 - shared memory is where it has to be
    yield path
    path.unlink(missing_ok=True)


def small() -> PatternContent:
    return PatternContent(width=WIDTH, height=HEIGHT)


class Session(AbstractContextManager["Session"]):
    """A session of tests.process.gentl_session; reads what it says, line by line, and wants it to end well."""

    def __init__(self, state: Path, name: str, **arguments: object) -> None:
        command = [sys.executable, "-m", "tests.process.gentl_session", name, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, LINE_VARIABLE: str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def hear(self) -> dict[str, Any]:
        line = self._lines.get(timeout=PATIENCE_S)
        assert line, f"the session ended: {self.process.stderr.read() if self.process.stderr else ''}"
        said: dict[str, Any] = json.loads(line)
        return said

    def hear_all(self, count: int) -> list[dict[str, Any]]:
        return [self.hear() for _ in range(count)]

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Wait for its end; returns what it wrote to standard error."""
        assert self.process.wait(timeout=PATIENCE_S) == 0
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_S)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self._reader.join(timeout=PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)
