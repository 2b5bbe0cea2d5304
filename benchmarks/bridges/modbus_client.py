"""A Modbus TCP client over a bare socket, so that little of what is measured is its own; and one part's handshake.

A PLC is a machine of its own, this client shares the station's processors. So the request for the block is made once, what comes
back is looked at as bytes until the bit is as awaited, and nothing is copied or decoded in between.
"""

import socket
import struct
import time

from benchmarks.bridges.station import MODBUS
from pipeline.sinks.modbus.registers import (
    CONTROL_BITS,
    DAEMON_BLOCK,
    DAEMON_START,
    PLC_BLOCK,
    STATUS_BITS,
    Value,
    bits_word,
    pack,
    size,
    unpack,
)

READ, WRITE = 3, 16
LIMIT_S = 10.0
_POLL = struct.pack(">HHHBBHH", 0, 0, 6, 1, READ, DAEMON_START, size(DAEMON_BLOCK))
_POLL_ANSWER = 9 + 2 * size(DAEMON_BLOCK)
_STATUS = {name: 1 << place for place, (name, _) in enumerate(STATUS_BITS)}


class ModbusClient:
    """One connection."""

    def __init__(self, address: str = MODBUS) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), LIMIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = 0

    def write(self, *bits: str, **values: Value) -> None:
        """The whole block of the PLC."""
        control = bits_word(CONTROL_BITS, dict.fromkeys(bits, True))
        words = pack(PLC_BLOCK, {"Control": control, **values}, "high_first")
        head = struct.pack(">BHHB", WRITE, 0, len(words), 2 * len(words))
        self._ask(head + struct.pack(f">{len(words)}H", *words))

    def _ask(self, request: bytes) -> bytes:
        self._number = self._number % 0xFFFF + 1
        self._socket.sendall(struct.pack(">HHHB", self._number, 0, len(request) + 1, 1) + request)
        number, _, length, _ = struct.unpack(">HHHB", self._receive(7))
        body = self._receive(length - 1)
        if number != self._number or body[0] != request[0]:
            raise RuntimeError(f"answered by function {body[0]:#x} {body[1:2].hex()}")
        return body

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise RuntimeError("the bridge has hung up")
            data += more
        return data

    def wait(self, bit: str, level: bool, poll_s: float) -> list[int]:
        """Read until a bit of Status is so; the words that show it."""
        mask, until = _STATUS[bit], time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            body = self._poll()
            if bool(int.from_bytes(body[2:4], "big") & mask) is level:
                return list(struct.unpack(f">{body[1] // 2}H", body[2:]))
            if poll_s:
                time.sleep(poll_s)
        raise RuntimeError(f"{bit} does not become {level}")

    def _poll(self) -> bytes:
        """The answer to the request that is asked again and again, from its function code on."""
        self._socket.sendall(_POLL)
        answer = self._socket.recv(_POLL_ANSWER)
        if answer[7:8] != _POLL[7:8]:
            raise RuntimeError(f"the bridge has hung up, or answered by {answer.hex()}")
        return (answer + self._receive(_POLL_ANSWER - len(answer)))[7:]

    def part(self, number: int, part_id: str, poll_s: float) -> float:
        """One part's whole handshake. Returns ms from the trigger register's writing to its result, read whole.

        Raises:
            RuntimeError: the result is another part's, or was read in the middle of a change.
        """
        self.write("TriggerEnable")
        self.wait("TriggerReady", True, 0.0)
        began_ns = time.monotonic_ns()
        self.write("TriggerEnable", "Trigger", TriggerNumber=number, PartId=part_id)
        words = self.wait("ResultsValid", True, poll_s)
        took_ms = (time.monotonic_ns() - began_ns) / 1e6
        values = unpack(DAEMON_BLOCK, words, "high_first")
        seen = values["ResultTriggerNumber"], values["ResultPartId"], values["InspectionIDRepeated"]
        if seen != (number, part_id, values["InspectionID"]):
            raise RuntimeError(f"part {number} is answered by {seen}")
        self.write("TriggerEnable", "ResultsAck")
        self.wait("ResultsValid", False, 0.0)
        return took_ms

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
