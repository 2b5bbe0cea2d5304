"""Bridges that the daemon runs by its station file: they serve, are started again, and keep nobody from inspecting."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt", reason="needs the extra mqtt; next: pip install 'datumd[mqtt]'")
pytest.importorskip("asyncua", reason="needs the extra opcua; next: pip install 'datumd[opcua]'")

from asyncua.sync import Client

from pipeline.client import Subscription
from pipeline.priority import LAST
from pipeline.result import Result
from pipeline.sinks.opcua.nodes import LATEST, NAMESPACE
from pipeline.status import ProcessReport, Status
from tests.process.test_lines_bridge import Controller
from tests.recipes import make_recipe
from tests.stations import running, write_station

pytestmark = pytest.mark.time_limit_s(180)
SOFTWARE = '[camera.top]\ntype = "synthetic"\ntriggers = "software"\n'


def processes_when(
    subscription: Subscription, is_so: Callable[[dict[str, ProcessReport]], bool]
) -> dict[str, ProcessReport]:
    """The bridges, as soon as they are as they should be."""
    until, found = time.monotonic() + 60, {}
    while time.monotonic() < until:
        message = subscription.receive(0.5)
        if isinstance(message, Status):
            found = {one.name: one for one in message.processes if one.name.startswith("bridge.")}
            if is_so(found):
                return found
    raise AssertionError(f"the bridges are {found}")


def result_of(subscription: Subscription, part_id: str) -> Result:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        message = subscription.receive(0.5)
        if isinstance(message, Result) and message.part_id == part_id:
            return message
    raise AssertionError(f"no result of {part_id}")


def newest_part_by_opcua(port: int) -> str:
    with Client(f"opc.tcp://127.0.0.1:{port}/datumd", timeout=60) as client:
        newest = client.get_node(f"ns={client.get_namespace_index(NAMESPACE)};s={LATEST}.PartId")
        until = time.monotonic() + 30
        while not (part_id := str(newest.read_value())) and time.monotonic() < until:
            time.sleep(0.05)
        return part_id


def test_the_daemon_runs_bridges_and_starts_those_again_that_are_killed(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    make_recipe(run_dir / "recipes" / "part", ["top"])
    port, lines, opcua, nobody = (free_port() for _ in range(4))
    plc = f'[plc]\nlines = {{ bind = "127.0.0.1:{lines}" }}\nmqtt = {{ broker = "mqtt://127.0.0.1:{nobody}" }}\n'
    plc += f'opcua = {{ bind = "127.0.0.1:{opcua}" }}\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", port, free_port(), SOFTWARE + plc)
    (run_dir / "state").mkdir()
    # A power cut has left it so, which is no reason not to inspect.
    (run_dir / "state" / "mqtt.cursor").write_text("no cursor\n")
    with running(station, port) as (_, subscription):
        states = {"bridge.lines": "ready", "bridge.mqtt": "error", "bridge.opcua": "ready"}
        before = processes_when(subscription, lambda found: {name: one.state for name, one in found.items()} == states)
        last = {name for name, one in before.items() if os.sched_getscheduler(one.pid) == os.SCHED_BATCH}
        assert last == set(states)
        usual = os.getpriority(os.PRIO_PROCESS, os.getpid())
        assert {os.getpriority(os.PRIO_PROCESS, one.pid) for one in before.values()} == {max(usual, LAST)}
        with closing(Controller(lines)) as controller:
            controller.wait("STATUS 1")
            controller.send("TRIGGER 7 SN-7")
            told = controller.wait("RESULT").split(" ")
            assert (told[1], told[-1]) == ("7", "SN-7")
            assert (told[2] == "PASS") is (result_of(subscription, "SN-7").disposition == "PASS")
            assert newest_part_by_opcua(opcua) == "SN-7"
            os.kill(before["bridge.lines"].pid, signal.SIGKILL)
            with pytest.raises(AssertionError, match="hung up"):
                controller.wait("RESULT")
        after = processes_when(
            subscription, lambda found: found["bridge.lines"].restarts == 1 and found["bridge.lines"].state == "ready"
        )
        assert after["bridge.mqtt"].pid == before["bridge.mqtt"].pid
        with closing(Controller(lines)) as controller:
            controller.wait("STATUS 1")
            os.kill(after["bridge.mqtt"].pid, signal.SIGSTOP)  # one that stands still holds up nobody
            controller.send("TRIGGER 8 SN-8")
            assert controller.wait("RESULT").endswith("SN-8")


def test_a_bridge_that_cannot_start_is_told_in_one_line_before_anything_does(
    run_dir: Path, station_name: str, free_port: Callable[[], int]
) -> None:
    make_recipe(run_dir / "recipes" / "part", ["top"])
    plc = '[plc]\nlines = { bind = "0.0.0.0:1503" }\n'
    station = write_station(run_dir, station_name, run_dir / "recipes", free_port(), free_port(), SOFTWARE + plc)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(station)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "plc.lines.bind" in done.stderr
    assert "supervisor" not in done.stderr
