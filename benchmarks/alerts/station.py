"""A real daemon, and what may be done to it: it is killed, its processes stand still, its camera is sent pictures."""

import contextlib
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.stage import workers_of
from pipeline.client import Subscription
from pipeline.errors import DatumdError
from simulator.child import DaemonProcess, sweep

UP_LIMIT_S = 60.0
STATION = """format = 1
station = "{station}"
recipes = "{recipes}"
recipe = 1
[results]
bind = "tcp://127.0.0.1:{results}"
[control]
bind = "tcp://127.0.0.1:{control}"
[metrics]
bind = "127.0.0.1:{metrics}"
{tables}"""
HTTP_CAMERA = """[camera.top]
type = "http"
bind = "127.0.0.1:{port}"
token = "http.token"
width = {width}
height = {height}
"""
TOKEN = "a-token-of-a-benchmark-0123456789"  # noqa: S105 - of a benchmark


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of 127.0.0.1 that nobody has at this moment."""

    results: int
    control: int
    metrics: int
    prometheus: int
    nodes: int
    http: int

    @classmethod
    def free(cls) -> "Ports":
        """Some."""
        probes = [socket.socket() for _ in range(6)]
        try:
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            return cls(*(int(probe.getsockname()[1]) for probe in probes))
        finally:
            for probe in probes:
                probe.close()


class RunningStation:
    """A daemon that can be killed and started again. Use `running_station`."""

    def __init__(self, path: Path, name: str, ports: Ports, environment: dict[str, str]) -> None:
        self.name, self.ports = name, ports
        self._path, self._environment = path, environment
        self._stopped: list[int] = []
        self._daemon = DaemonProcess(path, environment)

    @property
    def control(self) -> str:
        """Where requests are answered."""
        return f"tcp://127.0.0.1:{self.ports.control}"

    def wait(self) -> None:
        """Until it inspects. Raises DatumdError with the daemon's own words where it does not."""
        with Subscription(f"tcp://127.0.0.1:{self.ports.results}", self.name) as subscription:
            self._daemon.wait_until_ready(subscription)

    def pid(self, process: str) -> int:
        """Of one of its processes, as soon as it runs. Raises DatumdError where it does not come up."""
        if process == "supervisor":
            return self._daemon.pid
        until = time.monotonic() + UP_LIMIT_S
        while time.monotonic() < until:
            if (pid := workers_of(self._daemon.pid, self.name).get(process)) is not None:
                return pid
            time.sleep(0.05)
        raise DatumdError(f"{process} is not up after {UP_LIMIT_S:g} s:\n{self._daemon.words()}")

    def stop(self, *processes: str) -> None:
        """Let these stand still (SIGSTOP)."""
        for pid in [self.pid(process) for process in processes]:
            os.kill(pid, signal.SIGSTOP)
            self._stopped.append(pid)

    def resume(self) -> None:
        """Let all that stand still go on, the last first."""
        while self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._stopped.pop(), signal.SIGCONT)

    def hold_up(self, process: str, still_s: float, run_s: float) -> None:
        """Let one stand still, and then go on for a while."""
        self.stop(process)
        time.sleep(still_s)
        self.resume()
        time.sleep(run_s)

    def kill(self, process: str) -> None:
        """Kill one (-9)."""
        os.kill(self.pid(process), signal.SIGKILL)

    def start_again(self) -> None:
        """After its supervisor was killed; it need not be ready yet."""
        self._daemon.close()
        self._daemon = DaemonProcess(self._path, self._environment)

    def close(self) -> None:
        """End it, and remove what it left if it was killed."""
        self.resume()
        self._daemon.close()
        sweep(self.name)


@contextmanager
def running_station(folder: Path, tables: str, recipes: Path, environment: dict[str, str]) -> Iterator[RunningStation]:
    """A daemon with these cameras and tables; its file lies in `folder`. It need not be ready yet."""
    ports, name = Ports.free(), f"alerts-{os.getpid()}"
    token = folder / "http.token"
    token.write_text(f"{TOKEN}\n", encoding="ascii")
    token.chmod(0o600)
    path = folder / "station.toml"
    text = STATION.format(
        station=name,
        recipes=recipes,
        results=ports.results,
        control=ports.control,
        metrics=ports.metrics,
        tables=tables.replace("{port}", str(ports.http)),
    )
    path.write_text(text, encoding="utf-8")
    station = RunningStation(path, name, ports, environment)
    try:
        yield station
    finally:
        station.close()


class Feeder:
    """Sends pictures to the station's camera, one after the other at a steady pace."""

    def __init__(self, port: int, pictures: list[bytes], part_id: str, rate_hz: float) -> None:
        """Begin: PNG files, in turn."""
        self._pictures = pictures
        self._address, self._part_id, self._pause_s = ("127.0.0.1", port), part_id, 1.0 / rate_hz
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def show(self, pictures: list[bytes]) -> None:
        """These from now on; none: it sends nothing."""
        self._pictures = pictures

    def _run(self) -> None:
        sent, due = 0, time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._pause_s, time.monotonic())  # what is late is not caught up with
            pictures = self._pictures
            if pictures:
                with contextlib.suppress(OSError, http.client.HTTPException):  # the station is not up yet, or has ended
                    self._send(pictures[sent % len(pictures)])
                    sent += 1

    def _send(self, picture: bytes) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        with contextlib.closing(connection):
            path = f"/inspect?part_id={self._part_id}" if self._part_id else "/inspect"
            connection.request("POST", path, picture, {"Authorization": f"Bearer {TOKEN}"})
            connection.getresponse().read()

    def close(self) -> None:
        """Send no more."""
        self._ended.set()
        self._thread.join()
