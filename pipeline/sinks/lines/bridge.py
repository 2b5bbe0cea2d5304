"""The bridge of the line protocol: conversation, server and the line to the station, in one process of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import msgspec

from pipeline.bridge_settings import LinesSettings, check_listening
from pipeline.clock import monotonic_ns
from pipeline.errors import ConfigError, DatumdError
from pipeline.security import ClientKeys, own_client_keys
from pipeline.sinks.lines.conversation import Conversation
from pipeline.sinks.lines.server import LineServer
from pipeline.sinks.modbus.handshake import LARGEST_ID
from pipeline.sinks.modbus.station_link import StationLink
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

TURN_S = 0.05


class LinesBridge(msgspec.Struct, frozen=True):
    """How the bridge was started."""

    endpoint: str
    station: str
    keys: ClientKeys | None
    settings: LinesSettings


def main(context: WorkerContext, stop: threading.Event) -> None:
    """As the supervisor starts it, by the station file."""
    station = context.runtime.station
    settings = station.plc.lines
    if settings is None:
        raise ConfigError("no such bridge", where="plc.lines")
    keys = own_client_keys(station.security)

    def alive() -> None:  # ready from the first turn on: until then it has the time that a start may take
        context.vitals.set_state(context.row, WorkerState.ready)
        context.progress()

    run(LinesBridge(context.runtime.results_endpoint, station.station, keys, settings), stop, alive)


def run(bridge: LinesBridge, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
    """Serve until `stop` is set; `alive` is called every turn.

    Raises:
        ConfigError: an address or a key cannot be used.
        AlreadyRunning: the address is taken.
    """
    settings = bridge.settings
    address = check_listening(settings.bind, settings.allow, "lines.bind", "lines.allow")
    asyncio.run(_serve(bridge, address, stop, alive))


async def _serve(
    bridge: LinesBridge, address: tuple[str, int], stop: threading.Event, alive: Callable[[], None]
) -> None:
    settings = bridge.settings
    window_ns = int(settings.window_ms * 1e6)
    server = LineServer(address, settings.allow)
    conversation = Conversation(
        window_ns,
        server.say,
        first=int(time.time()) * 16 % LARGEST_ID + 1,  # beyond what the bridge before it can have counted to
        own_trigger=settings.own_trigger,
    )
    link = StationLink(
        conversation,
        bridge.endpoint,
        bridge.station,
        bridge.keys,
        own_trigger=settings.own_trigger,
        window_ns=window_ns,
    )
    await server.begin(conversation, link.act)
    log.info("lines over TCP at %s:%d for the station at %s", *address, bridge.endpoint)
    link.start()
    try:
        while not stop.is_set() and link.fault is None:
            await asyncio.sleep(TURN_S)
            conversation.tick(monotonic_ns())
            link.refresh()
            alive()
    finally:
        server.end()
        await asyncio.to_thread(link.close)
    if isinstance(link.fault, DatumdError):
        raise link.fault
    if link.fault is not None:
        raise RuntimeError("the line to the station has failed") from link.fault
