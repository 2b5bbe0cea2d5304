"""From the trigger register's writing to the result's registers, beside what the public client alone takes, part by part.

A PLC is a machine of its own, this client is not: one that polls as fast as it can would keep a processor of the station busy. So
it is a process that has a processor when nobody else wants one, and its own delay by that counts against the bridge. Each time is
told whole, and without what the daemon itself took for the part by its own stamps: from the trigger's taking up to the answer.
"""

import itertools
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.bridges.modbus_client import ModbusClient
from benchmarks.bridges.station import ENDPOINT, LINES, MODBUS, triggered_station, wait_for_port
from pipeline.client import Control, Subscription, find_control
from pipeline.result import Result

POLLS_MS = (0.0, 5.0, 10.0, 20.0)
OWN, LINE = "the client alone", "lines"
PLC = f'[plc]\nmodbus = {{ bind = "{MODBUS}" }}\nlines = {{ bind = "{LINES}" }}\n'
LIMIT_S = 10.0
REST_S = 0.002
LEAST = 19  # nice


def way(poll_ms: float) -> str:
    """What a way of polling is called."""
    return f"Modbus, polled every {poll_ms:g} ms" if poll_ms else "Modbus, polled at once"


@dataclass(frozen=True, slots=True)
class Times:
    """What each part took, by the way that it was inspected.

    Attributes:
        ms: whole.
        around_ms: less the daemon's own time for that part.
    """

    ms: dict[str, list[float]] = field(default_factory=dict)
    around_ms: dict[str, list[float]] = field(default_factory=dict)


class Ways:
    """Each way to have a part inspected, and the times that it takes."""

    def __init__(self, stack: ExitStack, name: str) -> None:
        for address in (MODBUS, LINES):
            wait_for_port(address)
        self.times = Times()
        self._took: dict[str, tuple[str, float]] = {}  # part id to its way and ms, until its result is heard
        self._heard: list[Result] = []
        self._subscription = stack.enter_context(Subscription(ENDPOINT, name))
        self._control = stack.enter_context(Control(find_control(ENDPOINT, name)))
        self._modbus = stack.enter_context(closing(ModbusClient()))
        host, _, port = LINES.rpartition(":")
        self._lines = stack.enter_context(socket.create_connection((host, int(port)), LIMIT_S))
        self._read_lines = stack.enter_context(self._lines.makefile("rb"))
        self._numbers = itertools.count(1)

    def go_round(self) -> None:
        """One part each way; the next when the one before has its answer."""
        self._note(OWN, self._own)
        for poll_ms in POLLS_MS:
            self._note(way(poll_ms), partial(self._polled, poll_ms / 1e3))
        self._note(LINE, self._line)
        while (message := self._subscription.receive(0.0)) is not None:
            if isinstance(message, Result):
                self._heard.append(message)
        for result in self._heard:
            name, took_ms = self._took.pop(result.part_id)
            own_ns = result.times["answered_monotonic_ns"] - result.times["opened_monotonic_ns"]
            self.times.around_ms.setdefault(name, []).append(took_ms - own_ns / 1e6)
        self._heard.clear()

    def _note(self, name: str, inspect: Callable[[int], float]) -> None:
        number = next(self._numbers)
        took_ms = inspect(number)
        self.times.ms.setdefault(name, []).append(took_ms)
        self._took[f"SN-{number}"] = name, took_ms
        time.sleep(REST_S)

    def _own(self, number: int) -> float:
        began_ns = time.monotonic_ns()
        key = self._control.trigger(f"SN-{number}")
        while True:
            message = self._subscription.receive(LIMIT_S)
            if message is None:
                raise RuntimeError("no answer")
            if isinstance(message, Result):
                self._heard.append(message)
            if isinstance(message, Result) and message.software_trigger == key:
                return (time.monotonic_ns() - began_ns) / 1e6

    def _polled(self, poll_s: float, number: int) -> float:
        return self._modbus.part(number, f"SN-{number}", poll_s)

    def _line(self, number: int) -> float:
        began_ns = time.monotonic_ns()
        self._lines.sendall(f"TRIGGER {number} SN-{number}\n".encode())
        while True:
            line = self._read_lines.readline().decode()
            if not line:
                raise RuntimeError("the bridge has hung up")
            if line.startswith("RESULT "):
                if not line.startswith(f"RESULT {number} "):
                    raise RuntimeError(f"part {number} is answered by {line}")
                return (time.monotonic_ns() - began_ns) / 1e6


def measure_latency(parts: int, warm_up: int = 20) -> Times:
    """So many parts each way, one after the other in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="datumd-bench-") as folder,
        triggered_station(Path(folder), PLC) as name,
        multiprocessing.get_context("spawn").Pool(1, _take_what_is_left) as client,
    ):
        return client.apply(_in_turn, (name, parts, warm_up))


def _take_what_is_left() -> None:
    """Have a processor when nobody else wants one."""
    os.setsid()  # Linux shares the processors among sessions before it looks at nice
    os.nice(LEAST)
    with suppress(OSError):  # a kernel without sched_autogroup
        Path("/proc/self/autogroup").write_text(str(LEAST), encoding="ascii")


def _in_turn(name: str, parts: int, warm_up: int) -> Times:
    with ExitStack() as stack:
        ways = Ways(stack, name)
        for _ in range(warm_up):
            ways.go_round()
        ways.times = Times()
        for _ in range(parts):
            ways.go_round()
        return ways.times
