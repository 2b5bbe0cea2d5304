"""The Modbus bridge: handshake, server and the line to the station, in one process of its own."""

import asyncio
import logging
import threading
import time

import msgspec

from pipeline.clock import monotonic_ns
from pipeline.errors import DatumdError
from pipeline.security import ClientKeys
from pipeline.sinks.modbus.handshake import LARGEST_ID, Handshake
from pipeline.sinks.modbus.registers import WordOrder
from pipeline.sinks.modbus.server import PlcServer, check_bind
from pipeline.sinks.modbus.station_link import StationLink

log = logging.getLogger(__name__)

TURN_S = 0.05


class BridgeSettings(msgspec.Struct, frozen=True):
    """How the bridge was started. `own_trigger`: the line triggers the cameras itself."""

    endpoint: str
    station: str = ""
    keys: ClientKeys | None = None
    bind: str = "127.0.0.1:1502"
    allowed: list[str] = []
    window_ms: float = 1000.0
    silence_ms: float = 5000.0
    own_trigger: bool = False
    scale: float = 1000.0
    word_order: WordOrder = "high_first"


def run(settings: BridgeSettings, stop: threading.Event) -> None:
    """Serve until `stop` is set.

    Raises:
        ConfigError: an address or a key cannot be used.
        AlreadyRunning: the address is taken.
    """
    address = check_bind(settings.bind, settings.allowed)
    asyncio.run(_serve(settings, address, stop))


async def _serve(settings: BridgeSettings, address: tuple[str, int], stop: threading.Event) -> None:
    window_ns = int(settings.window_ms * 1e6)
    handshake = Handshake(
        window_ns,
        first=int(time.time()) * 16 % LARGEST_ID + 1,  # beyond what the bridge before it can have counted to
        own_trigger=settings.own_trigger,
        silence_ns=int(settings.silence_ms * 1e6),
    )
    link = StationLink(
        handshake,
        settings.endpoint,
        settings.station,
        settings.keys,
        own_trigger=settings.own_trigger,
        window_ns=window_ns,
    )
    server = PlcServer(
        handshake, address, settings.allowed, link.act, scale=settings.scale, word_order=settings.word_order
    )
    await server.begin()
    log.info("Modbus TCP at %s:%d for the station at %s", *address, settings.endpoint)
    link.start()
    try:
        while not stop.is_set() and link.fault is None:
            await asyncio.sleep(TURN_S)
            handshake.tick(monotonic_ns())
            link.refresh()
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped
        await asyncio.to_thread(link.close)
    if isinstance(link.fault, DatumdError):
        raise link.fault
    if link.fault is not None:
        raise RuntimeError("the line to the station has failed") from link.fault
