"""The OPC UA bridge: machine, server and the line to the station, in one process of its own."""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from asyncua import ua
from asyncua.server.server import Server

from pipeline.bridge_settings import OpcuaSettings, check_opcua
from pipeline.client import Gap, Message
from pipeline.clock import monotonic_ns, utc_ns
from pipeline.errors import AlreadyRunning, ConfigError, DatumdError
from pipeline.result import Result
from pipeline.security import ClientKeys, own_client_keys
from pipeline.sinks.opcua.address_space import AddressSpace
from pipeline.sinks.opcua.methods import Methods
from pipeline.sinks.opcua.past import Past
from pipeline.sinks.opcua.sessions import LARGEST_MESSAGE, Desk
from pipeline.sinks.opcua.shelf import ResultShelf
from pipeline.sinks.opcua.signals import Cause, Kind, Shown, Verdict
from pipeline.sinks.opcua.station_link import StationLink
from pipeline.sinks.opcua.trust import TrustFolder
from pipeline.sinks.opcua.users import read_users
from pipeline.sinks.opcua.vision_machine import VisionMachine
from pipeline.status import Status
from pipeline.version import version
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

TURN_S = 0.05


class OpcuaBridge(msgspec.Struct, frozen=True):
    """How the bridge was started."""

    endpoint: str
    station: str
    keys: ClientKeys | None
    settings: OpcuaSettings


def main(context: WorkerContext, stop: threading.Event) -> None:
    """As the supervisor starts it, by the station file."""
    station = context.runtime.station
    settings = station.plc.opcua
    if settings is None:
        raise ConfigError("no such bridge", where="plc.opcua")
    keys = own_client_keys(station.security)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)

    def alive() -> None:
        """It serves: to make keys and some hundred nodes takes a busy machine seconds, in which it is not ready."""
        context.vitals.set_state(context.row, WorkerState.ready)
        context.progress()

    run(OpcuaBridge(context.runtime.results_endpoint, station.station, keys, settings), stop, alive)


def run(bridge: OpcuaBridge, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
    """Serve until `stop` is set; `alive` is called every turn.

    Raises:
        ConfigError: an address, a key, a certificate or a file of users cannot be used.
        AlreadyRunning: the address is taken.
    """
    settings = bridge.settings
    address = check_opcua(settings, "opcua.bind", "opcua.trust", "opcua.users")
    trust = None
    if settings.trust:
        trust = TrustFolder(Path(settings.trust), f"urn:{socket.gethostname()}:datumd", address[0])
    if settings.users:
        read_users(Path(settings.users))
    asyncio.run(Bridge(bridge, address, trust).serve(stop, alive))


class Bridge:
    """Made in the thread that runs its loop."""

    def __init__(self, bridge: OpcuaBridge, address: tuple[str, int], trust: TrustFolder | None) -> None:
        self._bridge, self._settings, self._address, self._trust = bridge, bridge.settings, address, trust
        self._machine = VisionMachine(int(self._settings.window_ms * 1e6), f"{int(time.time())}")
        self._shelf = ResultShelf(self._settings.keep)
        self._status: Status | None = None

    async def serve(self, stop: threading.Event, alive: Callable[[], None]) -> None:
        """Until `stop` is set, or the line to the station has failed."""
        self._wake = asyncio.Event()
        self._link = StationLink(
            self._bridge.endpoint,
            self._bridge.station,
            self._bridge.keys,
            timeout_s=self._settings.window_ms / 1e3,
            depth=self._settings.keep,
            hear=self._hear,
            past=self._remember,
        )
        desk = Desk(self._trust, Path(self._settings.users) if self._settings.users else None)
        server = await self._server(desk)
        space = AddressSpace(server)
        await space.build(Methods(self._machine, self._link, self._shelf, self._wake.set).callbacks)
        desk.harmless = space.harmless()
        await _listen(server, self._address)
        desk.connections = server.bserver.clients if server.bserver is not None else []
        log.info("OPC UA at opc.tcp://%s:%d for the station at %s", *self._address, self._bridge.endpoint)
        self._link.start()
        try:
            while not stop.is_set() and self._link.fault is None:
                await self._turn(space, alive)
                desk.close_greedy()
        finally:
            await server.stop()
            await asyncio.to_thread(self._link.close)
        if isinstance(self._link.fault, DatumdError):
            raise self._link.fault
        if self._link.fault is not None:
            raise RuntimeError("the line to the station has failed") from self._link.fault

    async def _server(self, desk: Desk) -> Server:
        server = Server(iserver=desk)
        server.name, server.manufacturer_name, server.product_uri = "datumd", "datumd", "urn:datumd"
        server.application_type = ua.ApplicationType.Server
        server.limits.max_message_size = LARGEST_MESSAGE
        server.limits.max_chunk_count = LARGEST_MESSAGE // server.limits.max_recv_buffer + 1
        await server.init()
        server.set_endpoint(f"opc.tcp://{self._address[0]}:{self._address[1]}/datumd")
        if self._trust is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            desk.certificate, desk.private_key = self._trust.certificate, self._trust.key
            server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        uri = f"urn:{socket.gethostname()}:datumd" if self._trust is None else self._trust.application_uri
        await server.set_application_uri(uri)
        await server.set_build_info("urn:datumd", "datumd", "datumd", version(), "0", datetime.now())
        return server

    async def _turn(self, space: AddressSpace, alive: Callable[[], None]) -> None:
        """Wait for something to tell, or for time to pass, and tell it: each event told is progress, as many may come at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_S):
                await self._wake.wait()
        self._wake.clear()
        self._machine.station(self._link.is_heard, self._status, monotonic_ns())
        await space.show(self._machine.outputs())
        alive()
        while self._machine.happened:
            happened = self._machine.happened.popleft()
            if happened.kind is Kind.ResultReady and happened.shown is not None:
                self._shelf.put(happened.shown)
            await space.fire(happened)
            alive()

    def _hear(self, message: Message) -> None:
        """In the loop, from the link."""
        if isinstance(message, Result):
            self._machine.answer(message, _age_ns(message), monotonic_ns())
        elif isinstance(message, Status):
            self._status = message
        elif isinstance(message, Gap):
            missed = message.last - message.first + 1
            self._shelf.miss((message.session, max(message.first, message.last)))
            self._machine.gap(
                missed, f"{missed} results of session {message.session} are lost, from {message.first} on"
            )
        else:
            return
        self._wake.set()

    def _remember(self, past: Past) -> None:
        self._shelf.remember([Shown(each, "", Verdict.NONE, Cause.late) for each in past.results], past.since)


async def _listen(server: Server, address: tuple[str, int]) -> None:
    host, port = address
    try:
        await server.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigError(f"cannot listen at {host}:{port} ({error.strerror})", where="--bind") from None
        raise AlreadyRunning(
            f"cannot listen at {host}:{port}", where="--bind", next_command=f"ss -ltnp 'sport = :{port}'"
        ) from None


def _age_ns(result: Result) -> int:
    """Since the station answered; for ever ago where it does not say when."""
    try:
        answered = datetime.fromisoformat(result.answered_time).timestamp()
    except ValueError:
        return 1 << 62
    return utc_ns() - int(answered * 1e9)
