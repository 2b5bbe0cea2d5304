"""One supervised process: start it, see whether it lives and makes progress, end it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.clock import monotonic_ns
from pipeline.supervisor.processes import ProcessSpec
from pipeline.vitals import Vitals, VitalWord, WorkerState

STARTING_LIMIT_NS = 120_000_000_000  # loading and qualifying networks may take this long
CONNECTING_LIMIT_NS = 60_000_000_000  # a GigE camera may take long to find
QUIET_RESTART_NS = 60_000_000_000  # after this long without one, restarts are forgotten
LARGEST_BACK_OFF_NS = 10_000_000_000


class Process:
    """A child process and its row of vital signs."""

    def __init__(self, spec: ProcessSpec, row: int, folder: Path, vitals: Vitals, stall_limit_ns: int) -> None:
        self.spec = spec
        self.restarts = 0
        self.start_at_ns = 0
        self._row = row
        self._folder = folder
        self._vitals = vitals
        self._stall_limit_ns = stall_limit_ns
        self._child: subprocess.Popen[bytes] | None = None
        self._started_ns = 0

    def start(self) -> None:
        """Spawn it (never fork: threads and device handles do not survive one)."""
        command = [
            sys.executable,
            "-m",
            "pipeline",
            "worker",
            self.spec.name,
            "--run-dir",
            str(self._folder),
            "--parent",
            str(os.getpid()),
        ]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._started_ns = monotonic_ns()

    @property
    def pid(self) -> int:
        """Its process id, 0 when it has not been started."""
        return self._child.pid if self._child else 0

    def exit_code(self) -> int | None:
        """How it ended, None while it runs or has not been started."""
        return self._child.poll() if self._child else None

    @property
    def is_running(self) -> bool:
        """Whether the operating system has it."""
        return self._child is not None and self._child.poll() is None

    @property
    def state(self) -> str:
        """What it says of itself, or `down`."""
        if not self.is_running:
            return "down"
        is_its_row = self._vitals.read(self._row, VitalWord.pid) == self.pid
        return (WorkerState(self._vitals.read(self._row, VitalWord.state)) if is_its_row else WorkerState.starting).name

    @property
    def is_ready(self) -> bool:
        """Whether it has begun its work (a camera that is in error has: it tries again for ever)."""
        return self.state in {WorkerState.ready.name, WorkerState.error.name}

    def has_stalled(self, watched_since_ns: int) -> bool:
        """Whether it has made no progress for longer than it may, while it was watched without a break."""
        now = monotonic_ns()
        if self._vitals.read(self._row, VitalWord.pid) != self.pid:
            return now - self._started_ns > STARTING_LIMIT_NS
        quiet_ns = now - max(watched_since_ns, self._vitals.read(self._row, VitalWord.progress_ns))
        match WorkerState(self._vitals.read(self._row, VitalWord.state)):
            case WorkerState.starting:
                return quiet_ns > STARTING_LIMIT_NS
            case WorkerState.connecting:
                return quiet_ns > CONNECTING_LIMIT_NS
            case _:
                return quiet_ns > self._stall_limit_ns

    def ended(self) -> None:
        """It has ended by itself or was killed: say when it may start again (at once the first time, then later and later)."""
        now = monotonic_ns()
        if now - self._started_ns > QUIET_RESTART_NS:
            self.restarts = 0
        self.restarts += 1
        self.start_at_ns = now + min(LARGEST_BACK_OFF_NS, 100_000_000 * 2 ** (self.restarts - 1))
        self._child = None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._child and self.is_running:
            self._child.send_signal(signal.SIGTERM)
            self._child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it now and wait until it is gone; a stopped process dies of SIGKILL as well."""
        if self._child:
            self._child.kill()
            self._child.wait()
