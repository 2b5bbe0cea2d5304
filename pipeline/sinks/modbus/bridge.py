"""The Modbus bridge: handshake, server and the line to the station, in one process of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import msgspec

from pipeline.bridge_settings import ModbusSettings, check_listening
from pipeline.clock import monotonic_ns
from pipeline.errors import ConfigError, DatumdError
from pipeline.security import ClientKeys, own_client_keys
from pipeline.sinks.modbus.handshake import LARGEST_ID, Handshake
from pipeline.sinks.modbus.server import PlcServer
from pipeline.sinks.modbus.station_link import StationLink
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

TURN_S = 0.05


class ModbusBridge(msgspec.Struct, frozen=True):
    """How the bridge was started."""

    endpoint: str
    station: str
    keys: ClientKeys | None
    settings: ModbusSettings


def main(context: WorkerContext, stop: threading.Event) -> None:
    """As the supervisor starts it, by the station file."""
    station = context.runtime.station
    settings = station.plc.modbus
    if settings is None:
        raise ConfigError("no such bridge", where="plc.modbus")
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    keys = own_client_keys(station.security)

    def alive() -> None:  # ready from the first turn on: until then it has the time that a start may take
        context.vitals.set_state(context.row, WorkerState.ready)
        context.progress()

    run(ModbusBridge(context.runtime.results_endpoint, station.station, keys, settings), stop, alive)


def run(bridge: ModbusBridge, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
    """Serve until `stop` is set; `alive` is called every turn.

    Raises:
        ConfigError: an address or a key cannot be used.
        AlreadyRunning: the address is taken.
    """
    settings = bridge.settings
    address = check_listening(settings.bind, settings.allow, "modbus.bind", "modbus.allow")
    asyncio.run(_serve(bridge, address, stop, alive))


async def _serve(
    bridge: ModbusBridge, address: tuple[str, int], stop: threading.Event, alive: Callable[[], None]
) -> None:
    settings = bridge.settings
    window_ns = int(settings.window_ms * 1e6)
    handshake = Handshake(
        window_ns,
        first=int(time.time()) * 16 % LARGEST_ID + 1,  # beyond what the bridge before it can have counted to
        own_trigger=settings.own_trigger,
        silence_ns=int(settings.silence_ms * 1e6),
    )
    link = StationLink(
        handshake,
        bridge.endpoint,
        bridge.station,
        bridge.keys,
        own_trigger=settings.own_trigger,
        window_ns=window_ns,
    )
    server = PlcServer(
        handshake, address, settings.allow, link.act, scale=settings.scale, word_order=settings.word_order
    )
    await server.begin()
    log.info("Modbus TCP at %s:%d for the station at %s", *address, bridge.endpoint)
    link.start()
    try:
        while not stop.is_set() and link.fault is None:
            await asyncio.sleep(TURN_S)
            handshake.tick(monotonic_ns())
            link.refresh()
            alive()
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        await asyncio.to_thread(link.close)
    if isinstance(link.fault, DatumdError):
        raise link.fault
    if link.fault is not None:
        raise RuntimeError("the line to the station has failed") from link.fault
