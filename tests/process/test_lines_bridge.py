"""`datumd bridge lines` as its own process, spoken to over a bare socket; the ledger is played by the test."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.result import Evaluation, Result
from tests.played_line import PlayedLine, Say, answer_of, say_by_number
from tests.played_stations import PlayedStation

BRIDGE = [sys.executable, "-m", "pipeline", "bridge", "lines"]


class Controller:
    """What a controller does, in Python."""

    def __init__(self, port: int, source: str = "127.0.0.1", room: int = 65_536) -> None:
        until = time.monotonic() + 30
        while True:
            self.socket = socket.socket()
            self.socket.settimeout(20)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            self.socket.bind((source, 0))
            try:
                self.socket.connect(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                self.socket.close()
                assert time.monotonic() < until
                time.sleep(0.05)
        self._file = self.socket.makefile("rb")

    def send(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def line(self) -> str:
        """The next, "" at the end of the connection."""
        return self._file.readline().decode().removesuffix("\n")

    def wait(self, start: str) -> str:
        while not (line := self.line()).startswith(start):
            assert line, f"hung up before {start}"
        return line

    def close(self) -> None:
        self._file.close()
        self.socket.close()


Bridged = Callable[[Say], tuple[PlayedLine, int, "subprocess.Popen[str]"]]


@pytest.fixture
def bridged(run_dir: Path, station_name: str, free_port: Callable[[], int]) -> Iterator[Bridged]:
    """Starts a played station and a bridge."""
    with ExitStack() as stack:

        def start(say: Say) -> tuple[PlayedLine, int, "subprocess.Popen[str]"]:
            station = PlayedStation(run_dir, station_name, free_port(), free_port())
            stack.callback(station.close)
            line = PlayedLine(station, say)
            stack.enter_context(line.playing())
            port = free_port()
            command = [*BRIDGE, station.endpoint, "--bind", f"127.0.0.1:{port}", "--window-ms", "400"]
            bridge = stack.enter_context(
                subprocess.Popen([*command, "--allow", "127.0.0.1", "--allow", "127.0.0.3"], text=True)
            )
            stack.callback(bridge.kill)
            return line, port, bridge

        yield start


@pytest.fixture
def connect() -> Iterator[Callable[..., Controller]]:
    """Connects a controller to a port."""
    with ExitStack() as stack:

        def connected(port: int, source: str = "127.0.0.1", room: int = 65_536) -> Controller:
            controller = Controller(port, source, room)
            stack.callback(controller.close)
            return controller

        yield connected


def test_each_trigger_has_one_result_of_its_own(bridged: Bridged, connect: Callable[..., Controller]) -> None:
    _, port, bridge = bridged(say_by_number)
    controller = connect(port)
    controller.wait("STATUS 1 1 0")
    results = []
    for number in range(1, 9):
        controller.send(f"TRIGGER {number + 1000} SN {number}")
        assert controller.wait("TAKEN") == f"TAKEN {number + 1000}"
        results.append(controller.wait("RESULT"))
    ends = ("PASS 0 OK 1", "FAIL 0 NOT_OK 1", "NONE 5 NOT_DECIDABLE 1", "NONE 1 - 0")
    wanted = []
    for number in range(1, 9):
        value = f" {number + 0.5:.4f}" if number % 4 else ""
        wanted.append(f"RESULT {number + 1000} {ends[(number - 1) % 4]}{value} SN {number}")
    assert results == wanted
    bridge.send_signal(signal.SIGTERM)
    assert controller.wait("ERROR") == "ERROR the bridge ends"
    assert bridge.wait(20) == 0


def test_who_connects_anew_is_not_told_of_before_and_others_are_turned_away(
    bridged: Bridged, connect: Callable[..., Controller]
) -> None:
    def say(number: int, part_id: str) -> Result | None:
        time.sleep(0.05)
        return answer_of(number, part_id, Evaluation.OK)

    _, port, _ = bridged(say)
    first = connect(port)
    first.wait("STATUS 1")
    first.send("TRIGGER 1 A")
    second = connect(port)
    assert first.wait("ERROR") == "ERROR connected again"
    assert first.line() == ""
    assert connect(port, "127.0.0.2").line() == "ERROR not allowed"
    assert connect(port, "127.0.0.3").line() == "ERROR another controller is connected"
    second.wait("STATUS 1")
    second.send("TRIGGER 2 B")
    assert second.wait("RESULT").startswith("RESULT 2 PASS")
    second.send("x" * 300)
    assert second.wait("ERROR") == "ERROR a line is longer than 200 bytes"
    assert second.line() == ""


def is_hung_up(deaf: Controller) -> bool:
    """Ask again and again, and read nothing."""
    until = time.monotonic() + 20
    try:
        while time.monotonic() < until:
            deaf.send("STATUS\n" * 100)
            time.sleep(0.01)
    except OSError:
        return True
    return False


def test_who_does_not_read_is_hung_up(bridged: Bridged, connect: Callable[..., Controller]) -> None:
    _, port, bridge = bridged(answer_of)
    deaf = connect(port, room=4096)
    deaf.wait("STATUS")
    assert is_hung_up(deaf)
    controller = connect(port)
    assert controller.wait("STATUS")
    assert bridge.poll() is None
