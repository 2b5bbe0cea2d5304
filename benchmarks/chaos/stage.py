"""The processes of a chaos run: the line, the daemon that is started again whenever it ends, and the subscriber."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.chaos.scene import VIEWS, fault_options, free_ports, write_scene
from pipeline.client import Subscription
from pipeline.errors import DatumdError
from pipeline.runtime import load_runtime, runtime_folder
from pipeline.vitals import ROW_WORDS, VitalWord
from simulator.child import DaemonProcess, LineProcess

RESTART_S = 0.5  # systemd waits 2 s
SUBSCRIBER_LIMIT_S = 20.0


class Stage:
    """Everything that runs, and may be killed. `ended_by_itself` tells of what ended though nobody killed it."""

    def __init__(self, folder: Path, *, triggers: int, rate_hz: float, seed: int) -> None:
        """Start line and daemon; the belt stands still until `go`.

        Raises:
            DatumdError: the line or the daemon did not come up; with their own words.
        """
        self.folder = folder
        self.station = f"chaos-{os.getpid()}"
        results, control, metrics = free_ports()
        self.results, self.control = f"tcp://127.0.0.1:{results}", f"tcp://127.0.0.1:{control}"
        self.ports = (results, control, metrics)
        self.received = folder / "subscriber.jsonl"
        self.ended_by_itself: list[str] = []
        self.daemon_starts = self.subscriber_starts = 0
        self._station_file = write_scene(folder, self.station, self.ports)
        self._daemon: DaemonProcess | None = None
        self._subscriber: subprocess.Popen[bytes] | None = None
        self._start_again_s = 0.0
        self._doomed: set[int] = set()
        options = ["--devices", str(len(VIEWS)), "--triggers", str(triggers), "--rate-hz", f"{rate_hz:g}"]
        options += ["--seed", str(seed), "--source", str(folder / "pictures"), "--announce", self.control]
        self.line = LineProcess(folder, [*options, *fault_options(triggers)])
        try:
            with Subscription(self.results, self.station) as subscription:
                self._start_daemon().wait_until_ready(subscription)
            self._start_subscriber()
            self._wait_for_subscriber()
        except BaseException:
            self.close()
            raise

    def _start_daemon(self) -> DaemonProcess:
        self.daemon_starts += 1
        self._daemon = DaemonProcess(self._station_file, self.line.environment)
        return self._daemon

    def _start_subscriber(self) -> None:
        self.subscriber_starts += 1
        words = [self.results, self.station, str(self.folder / "cursor"), str(self.received)]
        with (self.folder / "subscriber.log").open("ab") as log:
            self._subscriber = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.chaos.subscriber", *words, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _wait_for_subscriber(self) -> None:
        until = time.monotonic() + SUBSCRIBER_LIMIT_S
        while not self.received.exists() or not self.received.stat().st_size:
            if time.monotonic() > until:
                raise DatumdError(f"the subscriber hears nothing; see {self.folder / 'subscriber.log'}")
            time.sleep(0.01)

    def pids(self) -> dict[str, int]:
        """Name of each running process, and its process id; a worker is there as soon as it has its own command line."""
        found = {}
        if self._daemon and self._daemon.is_running:
            found = {"supervisor": self._daemon.pid} | workers_of(self._daemon.pid, self.station)
        if self._subscriber and self._subscriber.poll() is None:
            found["subscriber"] = self._subscriber.pid
        return found

    def expect_end(self, pid: int) -> None:
        """This process will be killed: its end is no wonder."""
        self._doomed.add(pid)

    def revive(self) -> None:
        """Start again what has ended, as systemd does with a daemon and a line's controller with a subscriber."""
        now_s = time.monotonic()
        if self._daemon and not self._daemon.is_running:
            if self._daemon.pid not in self._doomed:
                self.ended_by_itself.append(f"daemon, exit code {self._daemon.exit_code}:\n{self._daemon.words()}")
            self._daemon, self._start_again_s = None, now_s + RESTART_S
        elif self._daemon is None and now_s >= self._start_again_s:
            self._start_daemon()
        if self._subscriber and self._subscriber.poll() is not None:
            if self._subscriber.pid not in self._doomed:
                self.ended_by_itself.append(f"subscriber, exit code {self._subscriber.returncode}: see subscriber.log")
            self._start_subscriber()

    def end(self) -> None:
        """End the subscriber, then the daemon, in order. The line and its cameras stay."""
        if self._subscriber:
            self._subscriber.send_signal(signal.SIGCONT)
            self._subscriber.terminate()
            try:
                self._subscriber.wait(10.0)
            except subprocess.TimeoutExpired:
                self._subscriber.kill()
                self._subscriber.wait()
            self._subscriber = None
        if self._daemon:
            self._daemon.close()
            self._daemon = None

    def close(self) -> None:
        """End everything."""
        self.end()
        self.line.close()

    def leaks(self) -> list[str]:
        """What is still there after the end: shared memory, sockets, processes."""
        shared = Path("/dev/shm")  # noqa: S108 - where rings are
        found = [str(path) for path in shared.glob(f"datumd-{self.station}*")]
        found += [path for path in self.line.environment.values() if Path(path).exists()]
        folder = runtime_folder(self.station)
        found += [str(path) for path in folder.iterdir()]
        folder.rmdir() if not found else None
        marks = (f"{folder}", str(self._station_file), str(self.received))
        for process in Path("/proc").glob("[0-9]*"):
            words = _command_line(int(process.name))
            if any(word in marks for word in words):
                found.append(f"process {process.name}: {' '.join(words)}")
        return found


def workers_of(supervisor: int, station: str) -> dict[str, int]:
    """Name and process id of each worker of a supervisor that has its own command line by now.

    One that waits in reserve is `spare`; as soon as it has begun its work, the table of vital signs names it.
    """
    try:
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text(encoding="ascii").split()
    except OSError:
        return {}
    at_work = _at_work(station)
    found = {}
    for child in map(int, children):
        words = _command_line(child)
        if "worker" in words[:-1]:
            is_spare = "--standby" in words and child not in at_work
            found["spare" if is_spare else words[words.index("worker") + 1]] = child
    return found


def _at_work(station: str) -> set[int]:
    """The processes in the table of vital signs: read, not mapped, as the next supervisor makes the table anew."""
    try:
        table = load_runtime(runtime_folder(station)).vitals_path.read_bytes()
    except (DatumdError, OSError, msgspec.MsgspecError):  # there is none just now
        return set()
    words = memoryview(table[: len(table) // 8 * 8]).cast("Q")
    return {words[start + VitalWord.pid] for start in range(0, len(words), ROW_WORDS)}


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
