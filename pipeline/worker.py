"""What a worker is given: which one it is, its run, its row of vital signs; and how it ends."""

import ctypes
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass

from pipeline.runtime import Runtime
from pipeline.vitals import Vitals

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The place of a worker in a run. `name` is as in the process list; `argument` is what follows its dot."""

    runtime: Runtime
    name: str
    vitals: Vitals

    @property
    def argument(self) -> str:
        """`top` of `grab.top`."""
        return self.name.partition(".")[2]

    @property
    def row(self) -> int:
        """The worker's row in the table of vital signs."""
        return self.runtime.processes.index(self.name)

    def progress(self) -> None:
        """Tell that a turn of the loop has done its work."""
        self.vitals.progress(self.row)


def begin(runtime: Runtime, name: str) -> tuple[WorkerContext, threading.Event]:
    """Make this process a worker: signals, log, vital signs.

    Returns its context and the event that asks it to stop. Ask `is_set`, never `wait`: the event is set by a signal handler
    of the same thread, which would wait for ever for the lock that `wait` may hold at that moment.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which ends its workers in order
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"{name}: %(message)s")
    context = WorkerContext(runtime, name, Vitals(runtime.vitals_path))
    context.vitals.begin(context.row)
    return context, stop


def end_with_parent(parent: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel send `how` to this process when its parent ends; ends it now if that has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:
        sys.exit(1)
