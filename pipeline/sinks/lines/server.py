"""The TCP server of the line protocol: who may connect, and one controller at a time."""

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address

from pipeline.clock import monotonic_ns
from pipeline.errors import AlreadyRunning
from pipeline.sinks.lines import grammar
from pipeline.sinks.lines.conversation import Conversation
from pipeline.sinks.lines.grammar import LONGEST_LINE
from pipeline.sinks.modbus.signals import Action

log = logging.getLogger(__name__)

MOST_UNREAD = 65_536  # bytes that wait here, and as many in the kernel, for a controller that does not read
KEEPALIVE = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}  # s, s, probes


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: "LineServer") -> None:
        self.host = ""
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._unfinished = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let in, or close."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server's; asyncio's own type is wider
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        transport.set_write_buffer_limits(high=MOST_UNREAD)
        accepted = transport.get_extra_info("socket")
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_UNREAD)
        for option, value in KEEPALIVE.items():
            accepted.setsockopt(socket.IPPROTO_TCP, option, value)
        self._server.connected(self)

    def data_received(self, data: bytes) -> None:
        """Whole lines, in order."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in [*lines, self._unfinished]:
            if len(line) > LONGEST_LINE:
                self.hang_up(f"a line is longer than {LONGEST_LINE} bytes")
                return
        for line in lines:
            self._server.heard(self, line.removesuffix(b"\r").decode("ascii", "replace"))

    def pause_writing(self) -> None:
        """It does not read what it asked for."""
        log.warning("the controller at %s does not read its lines: hung up", self.host)
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """It has gone."""
        self._server.disconnected(self)

    def say(self, line: str) -> None:
        """Send a line."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(line.encode("ascii", "replace") + b"\n")

    def hang_up(self, why: str) -> None:
        """Say why, and close."""
        self.say(grammar.error(why))
        if self._transport is not None:
            self._transport.close()
        self._server.disconnected(self)


class LineServer:
    """Carries lines between one controller and a conversation. Made and used in the loop's thread."""

    def __init__(self, address: tuple[str, int], allowed: list[str]) -> None:
        self._address = address
        self._conversation: Conversation | None = None
        self._act: Callable[[Action], None] | None = None
        self._allowed = {ip_address(each) for each in allowed}
        self._controller: Connection | None = None
        self._server: asyncio.Server | None = None

    async def begin(self, conversation: Conversation, act: Callable[[Action], None]) -> None:
        """Listen; `act` is given what the station is to be asked. Raises AlreadyRunning where the address cannot be had."""
        self._conversation, self._act = conversation, act
        try:
            self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), *self._address)
        except OSError:
            host, port = self._address
            raise AlreadyRunning(
                f"cannot listen at {host}:{port}", where="--bind", next_command=f"ss -ltnp 'sport = :{port}'"
            ) from None

    def say(self, line: str) -> None:
        """Send a line to the controller; without one it is dropped, as nobody waits for it."""
        if self._controller is not None:
            self._controller.say(line)

    def connected(self, connection: Connection) -> None:
        """A client has come: the controller, or a newer connection of the same machine, or somebody else."""
        address = ip_address(connection.host.partition("%")[0]) if connection.host else None
        is_allowed = address is not None and (address in self._allowed if self._allowed else address.is_loopback)
        if not is_allowed:
            log.warning("refused a client from %s: it is not allowed", connection.host)
            connection.hang_up("not allowed")
            return
        former = self._controller
        if former is not None and former.host != connection.host:
            log.warning("refused a client from %s: the controller is %s", connection.host, former.host)
            connection.hang_up("another controller is connected")
            return
        self._controller = connection
        log.info("the controller is %s", connection.host)
        if former is not None:
            former.hang_up("connected again")
        if self._conversation is not None:
            self._conversation.begin(monotonic_ns())

    def heard(self, connection: Connection, line: str) -> None:
        """A line has come."""
        if connection is self._controller and self._conversation is not None and self._act is not None:
            for action in self._conversation.hear(line, monotonic_ns()):
                self._act(action)

    def disconnected(self, connection: Connection) -> None:
        """A client has gone; if it was the controller, nobody is answered any more."""
        if connection is self._controller:
            self._controller = None
            if self._conversation is not None:
                self._conversation.begin(monotonic_ns())

    def end(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        if self._controller is not None:
            self._controller.hang_up("the bridge ends")
