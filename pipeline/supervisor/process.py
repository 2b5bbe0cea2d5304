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
GOOD_RUN_NS = 2_000_000_000  # who has worked for so long starts again at once, and has not failed in a row
FIRST_BACK_OFF_NS = 200_000_000
LARGEST_BACK_OFF_NS = 10_000_000_000


class Process:
    """A child process and its row of vital signs."""

    def __init__(self, spec: ProcessSpec, row: int, folder: Path, vitals: Vitals, stall_limit_ns: int) -> None:
        self.spec = spec
        self.restarts = 0
        self.failures = 0
        self.start_at_ns = 0
        self._row = row
        self._folder = folder
        self._vitals = vitals
        self._stall_limit_ns = stall_limit_ns
        self._child: subprocess.Popen[bytes] | None = None
        self._started_ns = 0
        self._ready_ns = 0
        self._pidfd = -1
        self._is_killed = False

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
        self._pidfd = os.pidfd_open(self._child.pid)
        self._started_ns = monotonic_ns()
        self._ready_ns = 0
        self._is_killed = False

    @property
    def pid(self) -> int:
        """Its process id, 0 when it has not been started."""
        return self._child.pid if self._child else 0

    @property
    def pidfd(self) -> int:
        """Descriptor that becomes readable when it ends, -1 when it is not running."""
        return self._pidfd

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
        if self._is_killed:
            return False
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

    def note_ready(self) -> None:
        """Remember since when it has done its work."""
        if not self._ready_ns and self.is_ready:
            self._ready_ns = monotonic_ns()

    def ended(self) -> None:
        """It has ended, by itself or killed: say when it may start again (at once after a good run, else later and later)."""
        now = monotonic_ns()
        self.restarts += 1
        was_good = self._ready_ns and now - self._ready_ns > GOOD_RUN_NS
        self.failures = 1 if was_good else self.failures + 1
        back_off_ns = FIRST_BACK_OFF_NS * 2 ** min(self.failures - 2, 10) if self.failures > 1 else 0
        self.start_at_ns = now + min(LARGEST_BACK_OFF_NS, back_off_ns)
        os.close(self._pidfd)
        self._pidfd = -1
        self._child = None

    def terminate(self) -> None:
        """Ask it to end."""
        if self._child and self.is_running:
            self._child.send_signal(signal.SIGTERM)
            self._child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it now: a stopped process dies of SIGKILL as well. One that waits inside the kernel dies when that is over."""
        if self._child and self.is_running:
            self._is_killed = True
            self._child.kill()
