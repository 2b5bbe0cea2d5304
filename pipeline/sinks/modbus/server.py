"""The Modbus TCP server: who may connect, which connection is the PLC, and its registers. pymodbus stays in here.

Everything runs in one asyncio loop, and a request is carried out whole: a block that is read in one request is never torn.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from pipeline.clock import monotonic_ns
from pipeline.errors import AlreadyRunning
from pipeline.sinks.modbus import registers
from pipeline.sinks.modbus.handshake import Handshake
from pipeline.sinks.modbus.registers import BELT_BLOCK, BELT_START, DAEMON_START, PLC_BLOCK, WordOrder
from pipeline.sinks.modbus.signals import Action, Outputs

log = logging.getLogger(__name__)

WORDS = BELT_START + registers.size(BELT_BLOCK)
REGISTER_READS = frozenset({3, 4, 6, 16, 22, 23})  # 6, 16, 22 and 23 read back what they have written
HEARTBEAT_NS = 500_000_000
KEEPALIVE = {
    socket.TCP_KEEPIDLE: 5,
    socket.TCP_KEEPINTVL: 2,
    socket.TCP_KEEPCNT: 3,
}  # s, s, probes: a PLC without power


class Connection(ServerRequestHandler):
    """One client."""

    def __init__(self, server: "PlcServer") -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        self.plc_server = server
        self.host = ""
        self._task: asyncio.Task[None] | None = None  # held, as the loop itself does not hold it

    def callback_connected(self) -> None:
        """Let in, or close."""
        super().callback_connected()
        peer = self.transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        if not self.plc_server.is_allowed(self.host):
            log.warning("refused a client from %s: it is not allowed", self.host)
            self.close()
            return
        accepted = self.transport.get_extra_info("socket")
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            accepted.setsockopt(socket.IPPROTO_TCP, option, value)

    def callback_disconnected(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().callback_disconnected(exc)
        self.plc_server.disconnected(self)

    def handle_later(self) -> None:
        """Begin with a request in the next turn of the loop; pymodbus would go there by the way of other threads."""
        self._task = self.loop.create_task(self.handle_request())

    async def handle_request(self) -> None:
        """Carry out one request, as this client; nothing in it waits."""
        if self.is_closing:
            return
        self.plc_server.asking = self
        await super().handle_request()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped


class PlcServer(ModbusTcpServer):
    """Registers over `handshake`. Made and used in the loop's thread."""

    def __init__(
        self,
        handshake: Handshake,
        address: tuple[str, int],
        allowed: list[str],
        act: Callable[[Action], None],
        *,
        scale: float,
        word_order: WordOrder,
    ) -> None:
        """`act` is called for what is to be asked of the station, and must not wait. No `allowed`: the loopback alone."""
        self.asking: Connection | None = None
        self._handshake, self._act = handshake, act
        self._allowed = {ip_address(each) for each in allowed}
        self._scale, self._order = scale, word_order
        self._plc: Connection | None = None
        self._written = [0] * registers.size(PLC_BLOCK)
        self._filled: tuple[Outputs, int] | None = None  # what the registers show
        data = SimData(0, count=WORDS, values=0, datatype=DataType.REGISTERS)
        super().__init__(SimDevice(0, simdata=[data], action=self._access), address=address)

    async def begin(self) -> None:
        """Listen. Raises AlreadyRunning where the address cannot be had."""
        try:
            await self.serve_forever(background=True)
        except RuntimeError:
            host, port = self.comm_params.source_address or ("", 0)
            raise AlreadyRunning(
                f"cannot listen at {host}:{port}", where="--bind", next_command=f"ss -ltnp 'sport = :{port}'"
            ) from None

    def is_allowed(self, host: str) -> bool:
        """Whether this address may connect."""
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return address in self._allowed if self._allowed else address.is_loopback

    def callback_new_connection(self) -> Connection:
        """What pymodbus calls for each client."""
        return Connection(self)

    def disconnected(self, connection: Connection) -> None:
        """A client is gone; if it was the PLC, nothing of its handshake is left."""
        if connection is self._plc:
            self._forget(None)

    def _forget(self, plc: Connection | None) -> None:
        self._plc = plc
        self._handshake.reset()
        self._written = [0] * len(self._written)

    def _owns(self, connection: Connection | None) -> bool:
        """Whether this client is the PLC: the first that writes, or a newer connection of the same machine."""
        if connection is None:
            return False
        if self._plc is None:
            self._forget(connection)
            log.info("the PLC is %s", connection.host)
        elif self._plc is not connection:
            if self._plc.host != connection.host:
                log.warning("refused a write from %s: the PLC is %s", connection.host, self._plc.host)
                return False
            former = self._plc
            self._forget(connection)
            log.info("the PLC at %s has connected again", connection.host)
            former.close()
        return True

    async def _access(
        self,
        function: int,
        start: int,  # noqa: ARG002 - what pymodbus calls
        address: int,
        count: int,
        words: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Before each read and write: take the write in, and bring what may be read up to date."""
        if function not in REGISTER_READS:
            return ExcCodes.ILLEGAL_FUNCTION
        if values is not None:
            if address + count > len(self._written):
                return ExcCodes.ILLEGAL_ADDRESS
            if not self._owns(self.asking):
                return ExcCodes.DEVICE_BUSY
            self._written[address : address + count] = [int(each) for each in values]
            inputs = registers.read_inputs(self._written, self._order)
            for action in self._handshake.write(inputs, monotonic_ns()):
                self._act(action)
            return None
        self._fill(words, monotonic_ns())
        return None

    def _fill(self, words: list[int], now_ns: int) -> None:
        """Bring all registers up to date; a PLC that polls finds the same again and again."""
        self._handshake.tick(now_ns)
        outputs, heartbeat = self._handshake.outputs(), now_ns // HEARTBEAT_NS & 0xFFFF
        words[: len(self._written)] = self._written
        if (outputs, heartbeat) == self._filled:
            return
        self._filled = outputs, heartbeat
        status = registers.status_words(outputs, heartbeat, self._scale, self._order)
        belt = registers.belt_words(outputs, self._order)
        words[DAEMON_START : DAEMON_START + len(status)] = status
        words[BELT_START : BELT_START + len(belt)] = belt
