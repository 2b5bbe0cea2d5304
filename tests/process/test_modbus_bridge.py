"""`datumd bridge modbus` as its own process, spoken to by pymodbus's client; the ledger is played by the test."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("pymodbus", reason="needs the extra plc; next: pip install 'datumd[plc]'")

from pymodbus.client import ModbusTcpClient

from pipeline.sinks.modbus import registers
from pipeline.sinks.modbus.registers import (
    CONTROL_BITS,
    DAEMON_BLOCK,
    DAEMON_START,
    PLC_BLOCK,
    STATUS_BITS,
    VERDICT_BITS,
)
from pipeline.status import StationState
from tests.played_line import PlayedLine, Say, answer_of, say_by_number
from tests.played_stations import PlayedStation
from tests.plc_blocks import TEXTS, begin
from tests.structured_text import FunctionBlock

BRIDGE = [sys.executable, "-m", "pipeline", "bridge", "modbus"]


class Plc:
    """What a PLC program does, in Python."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.client = ModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0, source_address=(source, 0))
        assert self.client.connect()

    def write(self, *bits: str, **values: int | str) -> bool:
        control = registers.bits_word(CONTROL_BITS, dict.fromkeys(bits, True))
        words = registers.pack(PLC_BLOCK, {"Control": control, **values}, "high_first")
        return not self.client.write_registers(0, words).isError()

    def read(self) -> tuple[dict[str, bool], dict[str, int | str | list[int | float]]]:
        reply = self.client.read_holding_registers(DAEMON_START, count=registers.size(DAEMON_BLOCK))
        assert not reply.isError()
        values = registers.unpack(DAEMON_BLOCK, reply.registers, "high_first")
        bits = registers.bits_of(STATUS_BITS, int(str(values["Status"])))
        return bits | registers.bits_of(VERDICT_BITS, int(str(values["Verdict"]))), values

    def wait(self, bit: str, level: bool = True) -> tuple[dict[str, bool], dict[str, int | str | list[int | float]]]:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            bits, values = self.read()
            if bits[bit] is level:
                return bits, values
            time.sleep(0.002)
        raise AssertionError(f"{bit} does not become {level}: {bits}, {values}")

    def trigger(self, number: int, part_id: str = "") -> None:
        self.write("TriggerEnable")
        self.wait("TriggerReady")
        self.write("TriggerEnable", "Trigger", TriggerNumber=number, PartId=part_id)
        self.wait("TriggerAck")
        self.write("TriggerEnable")

    def acknowledge(self) -> None:
        self.write("TriggerEnable", "ResultsAck")
        self.wait("ResultsValid", level=False)
        self.write("TriggerEnable")


@pytest.fixture
def connect() -> Iterator[Callable[..., Plc]]:
    """Connects a PLC to a port."""
    plcs: list[Plc] = []

    def connected(port: int, source: str = "127.0.0.1") -> Plc:
        plcs.append(Plc(port, source))
        return plcs[-1]

    yield connected
    for plc in plcs:
        plc.client.close()


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
            bridge = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
            stack.callback(bridge.kill)
            until = time.monotonic() + 30
            while time.monotonic() < until and bridge.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            return line, port, bridge

        yield start


def test_each_part_has_its_own_answer_and_none_without(bridged: Bridged, connect: Callable[..., Plc]) -> None:
    _, port, bridge = bridged(say_by_number)
    plc = connect(port)
    seen = []
    for number in range(1, 9):
        plc.trigger(number + 1000, f"SN-{number}")
        bits, values = plc.wait("ResultsValid")
        assert values["InspectionID"] == values["InspectionIDRepeated"] == values["AcquisitionID"]
        assert values["ResultTriggerNumber"] == number + 1000
        assert values["ResultPartId"] == f"SN-{number}"
        if bits["Pass"]:
            assert str(values["ScaledMeasurement"]).startswith(f"[{number * 1000 + 500}, ")
        seen.append((bits["Pass"], bits["Fail"], values["Cause"]))
        plc.acknowledge()
    assert seen == [(True, False, 0), (False, True, 0), (False, False, 5), (False, False, 1)] * 2
    plc.client.close()
    bridge.send_signal(signal.SIGTERM)
    assert bridge.wait(20) == 0


@pytest.mark.parametrize("kind", TEXTS)
def test_the_block_to_copy_has_its_parts_inspected(bridged: Bridged, connect: Callable[..., Plc], kind: str) -> None:
    _, port, _ = bridged(say_by_number)
    client, block = connect(port).client, FunctionBlock(TEXTS[kind])
    values = block.values
    values["xConnected"] = True
    seen = []
    for number in range(65_534, 65_542):
        begin(block, number, f"SN-{number}")
        until = time.monotonic() + 20
        while not values["xDone"] and time.monotonic() < until:
            values["aRead"] = client.read_holding_registers(100, count=104).registers
            block.scan(time.monotonic_ns() // 10**6)
            assert not client.write_registers(0, values["aWrite"]).isError()
        seen.append((values["xDone"], values["xPass"], values["xReject"]))
        values["xStart"] = False
        block.scan(time.monotonic_ns() // 10**6)
    passed, rejected = (True, True, False), (True, False, True)
    assert seen == [passed, rejected, rejected, rejected] * 2


def test_a_reconnect_in_mid_handshake_shows_nothing_of_before(bridged: Bridged, connect: Callable[..., Plc]) -> None:
    _, port, _ = bridged(answer_of)
    plc = connect(port)
    plc.trigger(1)
    plc.wait("ResultsValid")
    plc.client.close()
    plc = connect(port)
    bits, values = plc.read()
    assert not bits["ResultsValid"]
    assert not bits["Pass"]
    assert values["InspectionID"] == 0
    plc.trigger(2)
    assert plc.wait("ResultsValid")[1]["ResultTriggerNumber"] == 2


def test_a_second_machine_reads_and_does_not_write(bridged: Bridged, connect: Callable[..., Plc]) -> None:
    _, port, _ = bridged(answer_of)
    plc = connect(port)
    plc.trigger(1)
    bits, _ = plc.wait("ResultsValid")
    other = connect(port, source="127.0.0.2")
    assert other.read()[0]["Pass"] == bits["Pass"]
    assert not other.write("ResultsAck")
    assert plc.read()[0]["ResultsValid"]
    assert other.client.write_registers(DAEMON_START, [1]).isError()
    assert other.client.read_coils(0, count=1).isError()
    assert other.client.read_holding_registers(60000, count=1).isError()


def test_it_is_not_ready_while_the_station_sets_up_and_recipes_are_told(
    bridged: Bridged, connect: Callable[..., Plc]
) -> None:
    line, port, _ = bridged(answer_of)
    plc = connect(port)
    plc.write("TriggerEnable")
    plc.wait("TriggerReady")
    line.state = StationState.Preoperational
    plc.wait("TriggerReady", level=False)
    plc.write("TriggerEnable", "Trigger", TriggerNumber=1)
    assert plc.read()[0]["MissedAcq"]
    plc.write()
    line.state = StationState.Ready
    plc.write("TriggerEnable", "ErrorReset")
    plc.wait("TriggerReady")
    plc.write("TriggerEnable", "RecipeRequest", RecipeNumber=2)
    bits, values = plc.wait("TriggerReady")
    assert values["CurrentJobID"] == 2
    plc.write("TriggerEnable")
    plc.write("TriggerEnable", "RecipeRequest", RecipeNumber=9)
    bits, values = plc.wait("RecipeError")
    assert bits["RecipeReady"]
    assert values["CurrentJobID"] == 2


def test_the_played_plc_finds_no_part_that_passed_without_its_own_ok(bridged: Bridged) -> None:
    line, port, _ = bridged(say_by_number)
    command = [sys.executable, "-m", "pipeline", "plc-sim", f"127.0.0.1:{port}", "--parts", "30", "--fault", "all"]
    more = ["--share", "0.3", "--patience-ms", "1500", "--results", line.station.endpoint]
    done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "parts      30\n" in done.stdout
    assert "disagree   0\n" in done.stdout
    assert "  passed  " in done.stdout
    assert "fault played" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bind", "0.0.0.0:1502"], "asks for no key"),
        (["--bind", "nowhere"], "--bind"),
        (["--bind", "127.0.0.1:1502", "--allow", "plc"], "--allow"),
    ],
)
def test_what_anybody_could_reach_is_refused(options: list[str], said: str) -> None:
    done = subprocess.run([*BRIDGE, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
