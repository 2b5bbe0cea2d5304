"""One supervised process: start it, see whether it lives and makes progress, end it."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from pipeline.clock import monotonic_ns
from pipeline.priority import come_last, give_way
from pipeline.supervisor.processes import ProcessSpec
from pipeline.vitals import Vitals, VitalWord, WorkerState
from pipeline.worker import PR_SET_PDEATHSIG

SPARE_LIMIT_NS = 2_000_000_000  # it has imported everything; one that does not begin by then stands still
CONNECTING_LIMIT_NS = 60_000_000_000  # a GigE camera may take long to find
BEGINNING_LIMIT_NS = 20_000_000_000  # an interpreter and the first modules, on a busy machine
SPARE_AFTER_NS = 1_000_000_000  # a spare one is made when the station's start is over
GOOD_RUN_NS = 2_000_000_000  # who has worked for so long starts again at once, and has not failed in a row
FIRST_BACK_OFF_NS = 200_000_000
LARGEST_BACK_OFF_NS = 10_000_000_000
_C_LIBRARY = ctypes.CDLL(None)


class Process:
    """A child process and its row of vital signs."""

    def __init__(
        self,
        spec: ProcessSpec,
        row: int,
        folder: Path,
        vitals: Vitals,
        stall_limit_ns: int,
        cpus: frozenset[int] = frozenset(),
    ) -> None:
        """`cpus`: the processors that it runs on, empty for those of this process."""
        self.spec = spec
        self._cpus = cpus
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
        self._spare: subprocess.Popen[bytes] | None = None
        self._begin_limit_ns = BEGINNING_LIMIT_NS

    def start(self) -> None:
        """Let the spare one begin, or spawn one (never fork: threads and device handles do not survive it)."""
        spare, self._spare = self._spare, None
        if spare is not None and _told_to_begin(spare):
            self._child, self._begin_limit_ns = spare, SPARE_LIMIT_NS
        else:
            self._child, self._begin_limit_ns = self._spawn(), BEGINNING_LIMIT_NS
        self._pidfd = os.pidfd_open(self._child.pid)
        self._started_ns = monotonic_ns()
        self._ready_ns = 0
        self._is_killed = False

    @property
    def pid(self) -> int:
        """Its process id, 0 when it has not been started."""
        return self._child.pid if self._child else 0

    def keep_spare(self) -> None:
        """Have a process in reserve that has imported all it needs, where the list wants one and this one does its work."""
        if self._spare is not None and self._spare.poll() is not None:
            _let_go(self._spare)
            self._spare = None
        if (
            self.spec.has_spare
            and self._spare is None
            and self._ready_ns
            and monotonic_ns() - self._ready_ns > SPARE_AFTER_NS
        ):
            self._spare = self._spawn("--standby")

    def drop_spare(self) -> None:
        """The daemon ends: nobody is needed in reserve."""
        if self._spare is not None:
            _let_go(self._spare)
            self._spare = None

    def _spawn(self, *options: str) -> "subprocess.Popen[bytes]":
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
        return subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE if options else subprocess.DEVNULL,
            preexec_fn=partial(_begin_child, self._cpus, self.spec),  # noqa: PLW1509 - the supervisor has one thread
        )

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
            return now - self._started_ns > self._begin_limit_ns
        quiet_ns = now - max(watched_since_ns, self._vitals.read(self._row, VitalWord.progress_ns))
        match WorkerState(self._vitals.read(self._row, VitalWord.state)):
            case WorkerState.starting:
                return quiet_ns > self.spec.starting_s * 1e9
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
        self._vitals.count_restart(self._row)
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


def _begin_child(cpus: frozenset[int], spec: ProcessSpec) -> None:
    """In the new process before anything else: one that is stopped while it starts must not outlive us either."""
    _C_LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if spec.comes_last:
        come_last()
    elif spec.can_wait:
        give_way()
    if cpus:
        with suppress(OSError):  # they were taken away since the start: it runs where it may
            os.sched_setaffinity(0, cpus)


def _told_to_begin(spare: "subprocess.Popen[bytes]") -> bool:
    """Whether the spare process lives and has been told."""
    try:
        if spare.stdin is not None:
            spare.stdin.write(b"begin\n")
            spare.stdin.close()
    except OSError:
        _let_go(spare)
        return False
    return spare.poll() is None


def _let_go(spare: "subprocess.Popen[bytes]") -> None:
    spare.kill()
    spare.wait()
    if spare.stdin is not None:
        with suppress(OSError):
            spare.stdin.close()
