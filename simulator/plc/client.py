"""The played PLC's connection: reads, scans, writes, and connects again whatever happens to the bridge."""

import threading
import time
from collections.abc import Callable

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from pipeline.client import Subscription
from pipeline.clock import monotonic_ns
from pipeline.result import Disposition, Result, ResultState
from pipeline.sinks.modbus.registers import DAEMON_BLOCK, DAEMON_START, PLC_START, size
from simulator.plc.program import PlcProgram

TIMEOUT_S = 2.0
AGAIN_S = 0.2


def play(program: PlcProgram, address: tuple[str, int], parts: int, scan_s: float, stop: Callable[[], bool]) -> bool:
    """Let so many parts come by; whether the bridge was ever there. One scan every `scan_s`, 0: as fast as it goes."""
    heard = False
    while not stop() and program.counts.parts <= parts:
        client = ModbusTcpClient(address[0], port=address[1], timeout=TIMEOUT_S, retries=0)
        try:
            if client.connect():  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
                heard = True
                _scan(client, program, parts, scan_s, stop)
        except (ModbusException, OSError):
            pass  # it is gone, or does not answer: the part is rejected below
        finally:
            client.close()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        program.disconnected(monotonic_ns())
        if not heard:
            return False
        time.sleep(AGAIN_S)
    return heard


def _scan(client: ModbusTcpClient, program: PlcProgram, parts: int, scan_s: float, stop: Callable[[], bool]) -> None:
    """Until the parts are done, the program drops the connection, or it is lost."""
    while not stop() and program.counts.parts <= parts:
        reply = client.read_holding_registers(DAEMON_START, count=size(DAEMON_BLOCK))
        if reply.isError():
            return
        words = program.scan(reply.registers, monotonic_ns())
        if client.write_registers(PLC_START, words).isError() or program.wants_reconnect:
            return
        time.sleep(scan_s)


class StationsOwn:
    """Part ids that the station itself has passed, heard on its stream in a thread, to hold the PLC's against."""

    def __init__(self, endpoint: str, run: str) -> None:
        self.passed: set[str] = set()
        self._endpoint, self._run = endpoint, run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with Subscription(self._endpoint) as subscription:
            while not self._stop.is_set():
                message = subscription.receive(0.2)
                if isinstance(message, Result) and message.part_id.startswith(self._run):
                    completed = message.result_state is ResultState.COMPLETED
                    if completed and message.disposition is Disposition.PASS:
                        self.passed.add(message.part_id)

    def close(self) -> None:
        """Listen no more."""
        self._stop.set()
        self._thread.join()
