"""The two processes of a simulated station, started and ended together: the line with its cameras, and the daemon."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.client import Subscription
from pipeline.errors import ConfigError, DatumdError
from pipeline.result import Result
from pipeline.runtime import load_runtime, runtime_folder
from pipeline.status import StationState, Status
from simulator.line_log import LineLog, read_log
from simulator.producer import LINE_VARIABLE

END_LIMIT_S = 10.0
READY_LIMIT_S = 60.0
READY_STATES = (StationState.Ready, StationState.ContinuousExecution)  # somebody may have stopped the station


def sweep(station: str) -> None:
    """Remove what a killed daemon left, where no next one has its name and would take it over."""
    with suppress(ConfigError):
        runtime = load_runtime(runtime_folder(station))
        runtime.remove()
        runtime.ring_path.unlink(missing_ok=True)


class LineProcess:
    """A line that stands still until `go`. Its cameras are there from the start, and until `close`."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        """Start it; `options` as `python -m simulator.line --help` tells. Its log is FOLDER/line.jsonl.

        Raises:
            DatumdError: it did not come up; its own words are above on standard error.
        """
        state = f"/dev/shm/datumd-sim-{os.getpid()}-{secrets.token_hex(3)}"  # noqa: S108 - shared memory is where it has to be
        self.environment = {LINE_VARIABLE: state}
        self._log = folder / "line.jsonl"
        command = [sys.executable, "-m", "simulator.line", "--state", state, "--log", str(self._log), "--hold"]
        self._child = subprocess.Popen(
            [*command, "--linger-s", "3600", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._child.stdout is None or not self._child.stdout.readline().startswith("ready"):
            self.close()
            raise DatumdError("the simulated line did not come up", where="simulator.line")

    def go(self) -> None:
        """Let the parts come."""
        self._tell("go")

    def pause(self) -> None:
        """The belt stands still until `go`."""
        self._tell("pause")

    def fault(self, plan: str) -> None:
        """From the next part on at every part, until `mend`: KIND[:device=D][:seconds=S], as `--fault` has it."""
        self._tell(f"fault {plan}")

    def mend(self) -> None:
        """End what `fault` began."""
        self._tell("mend")

    def _tell(self, word: str) -> None:
        if self._child.stdin:
            self._child.stdin.write(f"{word}\n")
            self._child.stdin.flush()

    def halt(self) -> None:
        """No more parts; the cameras and the log stay."""
        self._child.send_signal(signal.SIGUSR1)

    def log(self) -> LineLog:
        """What the line has done by now."""
        return read_log(self._log)

    def close(self) -> None:
        """Take line and cameras away."""
        _end(self._child)


class DaemonProcess:
    """`datumd run STATION.toml`, its words added to those of its forerunners in a file."""

    def __init__(self, station: Path, environment: dict[str, str]) -> None:
        """Start it; `environment` is added to this process's own."""
        self._log = station.with_suffix(".log")
        with self._log.open("a", encoding="utf-8") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "run", str(station), "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether the supervisor runs."""
        return self._child.poll() is None

    @property
    def pid(self) -> int:
        """The supervisor's."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """How the supervisor ended, None while it runs."""
        return self._child.poll()

    def wait_until_ready(self, subscription: Subscription, stopped: Callable[[], bool] = lambda: False) -> list[Result]:
        """Until the station says that it inspects. Returns the results that came before: some cameras wait for nobody.

        Raises:
            DatumdError: with the daemon's own words, when it does not come up.
        """
        until = time.monotonic() + READY_LIMIT_S
        results: list[Result] = []
        while not stopped():
            message = subscription.receive(0.2)
            if isinstance(message, Status) and message.state in READY_STATES:
                break
            if isinstance(message, Result):
                results.append(message)
            if not self.is_running or time.monotonic() > until:
                raise DatumdError(f"the daemon did not come up:\n{self.words()}")
        return results

    def words(self) -> str:
        """The last lines that it wrote."""
        return "\n".join(self._log.read_text(encoding="utf-8").splitlines()[-20:])

    def close(self) -> int:
        """End it in order. Returns its exit code."""
        _end(self._child)
        return self._child.returncode


def _end(child: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
