"""A whole daemon that waits for software triggers, and bridges as processes of their own beside it."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.bare import POOL, RECIPE
from benchmarks.bracket_station import METRICS, RESULTS
from pipeline.client import Subscription
from pipeline.recipe import load_recipe
from pipeline.status import Status
from simulator.child import DaemonProcess, LineProcess
from simulator.demo import STATION
from simulator.producer import cti_path

ENDPOINT = f"tcp://{RESULTS}"
MODBUS, LINES, OPCUA, BROKER = (f"127.0.0.1:{port}" for port in (15599, 15600, 15601, 15602))
DEADLINE_MS = 500
UP_LIMIT_S = 30.0
CAMERA = """
[camera.top]
producer = "{producer}"
serial = "SIM-0"
trigger_number = "ChunkCounterValue"
trigger_counter = "CounterValue"
shots = [{{ name = "top", ExposureTime = 1000.0 }}]
[camera.top.features]
PixelFormat = "Mono8"
TriggerSelector = "FrameStart"
TriggerMode = "On"
TriggerSource = "Software"
CounterSelector = "Counter1"
ChunkCounterSelector = "Counter1"
"""


@contextmanager
def triggered_station(folder: Path, plc: str = "") -> Iterator[str]:
    """The example's bracket, inspected at each software trigger; `plc` is the text of a table. Gives the station's name.

    Raises:
        DatumdError: the daemon does not come up; with its own words.
    """
    name = f"bench-{os.getpid()}"
    path = folder / "station.toml"
    text = STATION.format(
        station=name,
        recipes=RECIPE.parent,
        recipe=load_recipe(RECIPE).number,
        deadline_ms=DEADLINE_MS,
        results=RESULTS,
        metrics=METRICS,
        camera=CAMERA.format(producer=cti_path()),
    )
    path.write_text(text + plc, encoding="utf-8")
    with ExitStack() as stack:
        line = LineProcess(folder, ["--pool", str(POOL)])
        stack.callback(line.close)
        subscription = stack.enter_context(Subscription(ENDPOINT))
        daemon = DaemonProcess(path, line.environment)
        stack.callback(daemon.close)
        daemon.wait_until_ready(subscription)
        yield name


class Bridges:
    """`datumd bridge …` processes; they may be stopped for a while."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, protocol: str, *options: str) -> None:
        """Start one."""
        command = [sys.executable, "-m", "pipeline", "bridge", protocol, ENDPOINT, *options]
        self._children.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))

    def stop(self) -> None:
        """Let them stand still."""
        for child in self._children:
            child.send_signal(signal.SIGSTOP)

    def ended(self) -> int:
        """How many have ended by themselves."""
        return sum(child.poll() is not None for child in self._children)

    def close(self) -> None:
        """End them all."""
        for child in self._children:
            child.kill()
            child.wait()


def broker_program() -> str | None:
    """Mosquitto, where it is installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


@contextmanager
def broker() -> Iterator[None]:
    """Mosquitto, where it is installed."""
    program, quiet = broker_program(), subprocess.DEVNULL
    if program is None:
        yield
        return
    child = subprocess.Popen([program, "-p", BROKER.rpartition(":")[2]], stdout=quiet, stderr=quiet)
    try:
        wait_for_port(BROKER)
        yield
    finally:
        child.kill()
        child.wait()


def protocols() -> list[str]:
    """Of which the bridges can be run here."""
    return [
        "modbus",
        "lines",
        *(["mqtt"] if broker_program() is not None else []),
        *(["opcua"] if _has("asyncua") else []),
    ]


def bridged_table() -> str:
    """The table of a station file by which the daemon runs every bridge."""
    settings = {
        "modbus": f'bind = "{MODBUS}"',
        "lines": f'bind = "{LINES}"',
        "mqtt": f'broker = "mqtt://{BROKER}"',
        "opcua": f'bind = "{OPCUA}"',
    }
    return "\n".join(["[plc]", *(f"{each} = {{ {settings[each]} }}" for each in protocols()), ""])


def wait_until_bridged(subscription: Subscription) -> None:
    """Until the daemon says that all its bridges serve, for the first time. Raises RuntimeError when one does not."""
    wanted = {f"bridge.{each}" for each in protocols()}
    until = time.monotonic() + UP_LIMIT_S
    while time.monotonic() < until:
        message = subscription.receive(1.0)
        if isinstance(message, Status):
            states = {each.name: each for each in message.processes if each.name in wanted}
            if any(each.restarts for each in states.values()):
                break
            if len(states) == len(wanted) and all(each.state == "ready" for each in states.values()):
                return
    raise RuntimeError(f"the daemon's bridges do not serve, or have ended: {sorted(wanted)}")


@contextmanager
def all_bridges(station: str) -> Iterator[Bridges]:
    """Every bridge of this station that can be run here, as processes of their own."""
    bridges = Bridges()
    options = {
        "modbus": ["--bind", MODBUS],
        "lines": ["--bind", LINES],
        "mqtt": ["--station", station, "--broker", f"mqtt://{BROKER}"],
        "opcua": ["--bind", OPCUA],
    }
    try:
        for protocol in protocols():
            bridges.start(protocol, *options[protocol])
        for address in (MODBUS, LINES, *([OPCUA] if "opcua" in protocols() else [])):
            wait_for_port(address)
        yield bridges
    finally:
        bridges.close()


def _has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def wait_for_port(address: str) -> None:
    """Until somebody listens there. Raises RuntimeError when nobody does."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + UP_LIMIT_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens at {address} after {UP_LIMIT_S:g} s")
