"""Who gives way to whom on a machine with few processors: for processes that no answer waits for."""

import os
from contextlib import suppress

LAST = 10  # nice; beside a process of the usual 0 that is busy, a tenth of a processor


def give_way() -> None:
    """Take the processor from no other process when this thread is woken (SCHED_BATCH). Threads that it starts do as it does."""
    with suppress(OSError):  # a sandbox may not let us, and it works without
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def come_last() -> None:
    """Beyond that, have little of a processor that others want. Not for what a camera's buffers wait for."""
    give_way()
    with suppress(OSError):
        os.nice(max(0, LAST - os.nice(0)))
