"""The supervisor: makes the shared memory, starts the processes, restarts what fails, ends them in order."""

import logging
import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event

from pipeline.clock import monotonic_ns
from pipeline.config import Station
from pipeline.errors import AlreadyRunning, DatumdError, RingError
from pipeline.ring.frame_ring import FrameRing
from pipeline.ring.layout import RingLayout
from pipeline.runtime import Runtime, runtime_folder, state_folder
from pipeline.supervisor.kept_cpus import kept_cpus
from pipeline.supervisor.process import Process
from pipeline.supervisor.processes import ENDS_THE_DAEMON, processes
from pipeline.supervisor.systemd import Notifier
from pipeline.vitals import Vitals, VitalWord, survivors

log = logging.getLogger(__name__)

TURN_S = 0.1
LONGEST_TURN_NS = 1_000_000_000
SHORTEST_STALL_NS = 2_000_000_000
LEDGER_FAILURES = 5  # in a row
END_LIMIT_S = 3.0  # for each kind of process
KILL_LIMIT_S = 1.0
SURVIVORS_LIMIT_S = 5.0  # workers of a supervisor that was killed are killed by the kernel


class DaemonFailed(DatumdError):  # noqa: N818 - names the state that was reached
    """The daemon could not go on; systemd starts it again."""

    exit_code = 1


class Supervisor:
    """One station, from its shared memory to its last process."""

    def __init__(self, station: Station, notifier: Notifier) -> None:
        """Take the station's lock and make its shared memory.

        Raises:
            AlreadyRunning: another daemon of this station runs.
            RingError: no room for the frame ring, or for the files beside it.
            ConfigError: no folder for the run's sockets, or `infer.cpus` cannot be kept for inference.
        """
        self._notifier = notifier
        self._cpus = kept_cpus(station.infer.cpus)
        self._specs = processes(station)
        names = [spec.name for spec in self._specs]
        self.runtime = Runtime(station, str(runtime_folder(station.station)), str(state_folder(station)), names)
        layout = RingLayout(station.ring_slots, int(station.ring.slot_mb * 2**20), len(station.camera))
        self._ring = FrameRing.create(self.runtime.ring_path, layout, self._outlive_survivors)
        try:
            self._vitals = Vitals(self.runtime.vitals_path, rows=len(self._specs))
            self.runtime.save()
        except OSError as error:
            self.runtime.remove()
            self._ring.close(unlink=True)
            raise RingError(f"cannot be written: {error.strerror}", where=str(error.filename or "/dev/shm")) from error  # noqa: S108 - where the ring is
        stall_ns = max(SHORTEST_STALL_NS, int(3 * station.part.deadline_ms * 1e6))
        folder = Path(self.runtime.folder)
        self._processes = [
            Process(spec, row, folder, self._vitals, stall_ns, self._cpus.of(spec.kind))
            for row, spec in enumerate(self._specs)
        ]
        self._ready = self._told_ready = False
        self._said = ""
        self._ledger_progress = 0
        self._turned_ns = self._watched_since_ns = monotonic_ns()

    def _outlive_survivors(self) -> None:
        """Wait until the last worker of a daemon that was killed has gone: until then it may write to the ring."""
        until = time.monotonic() + SURVIVORS_LIMIT_S
        while left := survivors(self.runtime.vitals_path):
            if time.monotonic() > until:
                raise AlreadyRunning(
                    "processes of a former daemon do not end",
                    where=f"pid {', '.join(map(str, left))}",
                    next_command=f"kill -9 {' '.join(map(str, left))}",
                )
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def run(self, stop: Event) -> None:
        """Start all and keep them running until `stop` is set.

        Raises:
            DaemonFailed: a process cannot start at all, or the ledger fails again and again.
        """
        try:
            if self._cpus.others:
                os.sched_setaffinity(0, self._cpus.others)
            for process in self._processes:
                process.start()
            while not stop.is_set():
                # Not stop.wait: a signal handler that sets an event while it is waited for may hang.
                select.select([process.pidfd for process in self._processes if process.pidfd >= 0], [], [], TURN_S)
                self._turn()
        finally:
            self._notifier.stopping()
            self._end()

    def _turn(self) -> None:
        now = monotonic_ns()
        if now - self._turned_ns > LONGEST_TURN_NS:  # we stood still ourselves, as the whole machine may have
            self._watched_since_ns = now
        self._turned_ns = now
        for process in self._processes:
            self._look_after(process)
            process.note_ready()
            process.keep_spare()
        if not self._ready and all(process.is_ready for process in self._processes):
            self._ready = True
            log.info("ready: %d processes", len(self._processes))
        if self._ready and not self._told_ready:
            self._told_ready = self._notifier.ready()
        progress = self._vitals.read(0, VitalWord.progress)
        if progress != self._ledger_progress:  # the watchdog is fed by the ledger's progress, not by our own
            self._ledger_progress = progress
            self._notifier.alive()
        if (text := self._text()) != self._said and self._notifier.status(text):
            self._said = text

    def _look_after(self, process: Process) -> None:
        code = process.exit_code()
        if code is not None:
            if code == DatumdError.exit_code and not self._ready:
                raise DaemonFailed(
                    f"{process.spec.name} cannot start (its message is above)", next_command="datumd check STATION.toml"
                )
            log.error("%s ended (%s)", process.spec.name, _meaning(code))
            self._restart(process)
        elif process.is_running and process.has_stalled(self._watched_since_ns):
            log.error("%s makes no progress: killed", process.spec.name)
            process.kill()
            return
        if not process.is_running and monotonic_ns() >= process.start_at_ns:
            self._refuse_removed()
            process.start()

    def _refuse_removed(self) -> None:
        """A worker cannot start where somebody has removed what it attaches to; only a new daemon makes it anew."""
        is_there = {
            self.runtime.ring_path: self._ring.is_in_place,
            self.runtime.vitals_path: self.runtime.vitals_path.exists(),
            self.runtime.file_path: self.runtime.file_path.exists(),
        }
        for path, good in is_there.items():
            if not good:
                raise DaemonFailed("was removed while the daemon ran", where=str(path), next_command="start it again")

    def _restart(self, process: Process) -> None:
        """Plan a restart, of this process alone: what it held is in the ring, in the journal or at the other workers."""
        process.ended()
        if process.spec.name == ENDS_THE_DAEMON and process.failures > LEDGER_FAILURES:
            raise DaemonFailed(
                f"the ledger failed {process.failures} times in a row", next_command="read the log above"
            )

    def _text(self) -> str:
        """One line for systemd: what is not as it should be, by name."""
        faults = [f"{process.spec.name} {process.state}" for process in self._processes if process.state != "ready"]
        restarts = sum(process.restarts for process in self._processes)
        tail = f"; {restarts} restarts" if restarts else ""
        return f"{'Ready' if self._ready else 'Starting'}: {', '.join(faults) or 'all processes ready'}{tail}"

    def _end(self) -> None:
        """Cameras first, then inference, the ledger last, so that what was triggered is answered."""
        for process in self._processes:
            process.drop_spare()
        for kind in reversed(dict.fromkeys(process.spec.kind for process in self._processes)):
            ending = [process for process in self._processes if process.spec.kind == kind]
            for process in ending:
                process.terminate()
            until = (
                time.monotonic() + END_LIMIT_S
            )  # for each kind: a camera that hangs must not cost the ledger its last words
            while any(process.is_running for process in ending) and time.monotonic() < until:
                time.sleep(0.01)
            for process in ending:
                process.kill()
            until = time.monotonic() + KILL_LIMIT_S
            while any(process.is_running for process in ending) and time.monotonic() < until:
                time.sleep(0.01)

    def close(self) -> None:
        """Remove the shared memory and the run's files, and let go of the station's lock."""
        self._vitals.close()
        self.runtime.remove()
        with suppress(OSError):  # no room: the daemon ends all the same
            self._ring.keep_unanswered()
        self._ring.close(unlink=True)


def _meaning(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
