"""The MQTT bridge: one station's messages to one broker, in a process of its own.

Results go one at a time, and the next is taken when the broker has acknowledged the one before: the station's journal is the
queue. While there is no broker nothing piles up here, and afterwards what was missed is fetched from the journal.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline.bridge_settings import MqttSettings
from pipeline.client import Subscription
from pipeline.client.cursor import Cursor
from pipeline.clock import iso_utc, monotonic_ns, utc_ns
from pipeline.errors import ConfigError
from pipeline.security import ClientKeys, own_client_keys
from pipeline.sinks.mqtt.broker import Broker
from pipeline.sinks.mqtt.courier import Courier
from pipeline.vitals import WorkerState
from pipeline.worker import WorkerContext

log = logging.getLogger(__name__)

TURN_S = 0.2
FAREWELL_S = 1.0
CURSOR = "mqtt.cursor"


class MqttBridge(msgspec.Struct, frozen=True):
    """How the bridge was started. `cursor`: file that keeps how far the broker has come; None: begin with the next result."""

    endpoint: str
    station: str
    keys: ClientKeys | None
    settings: MqttSettings
    cursor: Path | None = None


def main(context: WorkerContext, stop: threading.Event) -> None:
    """As the supervisor starts it, by the station file."""
    station = context.runtime.station
    settings = station.plc.mqtt
    if settings is None:
        raise ConfigError("no such bridge", where="plc.mqtt")
    bridge = MqttBridge(
        context.runtime.results_endpoint,
        station.station,
        own_client_keys(station.security),
        settings,
        Path(context.runtime.state_folder) / CURSOR,
    )

    def alive(is_up: bool) -> None:
        context.vitals.set_state(context.row, WorkerState.ready if is_up else WorkerState.error)
        context.progress()

    run(msgspec.structs.replace(bridge, cursor=_usable(bridge.cursor)), stop, alive)


def _usable(cursor: Path | None) -> Path | None:
    """The cursor's file, unless it is none any more: then what was missed meanwhile is given up, but not the inspection."""
    try:
        if cursor is not None:
            Cursor(cursor).close()
    except ConfigError as error:
        log.error("begins with the next result: %s", error)
        return None
    return cursor


def run(bridge: MqttBridge, stop: threading.Event, alive: Callable[[bool], None] = lambda _: None) -> None:
    """Serve until `stop` is set. `alive` is told every turn whether the broker is reached.

    Raises:
        ConfigError: an address, a file or a key cannot be used.
        AlreadyRunning: another bridge holds the cursor file.
    """
    station = bridge.station or _first_heard(bridge, stop)
    if not station:
        return
    courier = Courier(bridge.settings.prefix, station)
    broker = Broker(bridge.settings, f"datumd-{station}", courier.will(_stamp()))
    with Subscription(bridge.endpoint, station, cursor=bridge.cursor, keys=bridge.keys) as subscription:
        log.info("MQTT to %s for station %s at %s", bridge.settings.broker, station, bridge.endpoint)
        broker.start()
        try:
            _serve(courier, broker, subscription, stop, alive)
            if broker.is_up and broker.is_done(FAREWELL_S):
                broker.publish(courier.farewell(_stamp()))
                broker.is_done(FAREWELL_S)
        finally:
            broker.close()


def _serve(
    courier: Courier,
    broker: Broker,
    subscription: Subscription,
    stop: threading.Event,
    alive: Callable[[bool], None],
) -> None:
    connections = 0
    while not stop.is_set():
        alive(broker.is_up)
        if not broker.is_done(TURN_S):
            continue
        if not broker.is_up:
            time.sleep(TURN_S)
            continue
        if broker.connections != connections:
            connections = broker.connections
            courier.connected(monotonic_ns())
        publication = courier.state(monotonic_ns(), _stamp())
        if publication is None:
            message = subscription.receive(TURN_S)
            publication = None if message is None else courier.hear(message, monotonic_ns(), _stamp())
        if publication is not None:
            broker.publish(publication)


def _first_heard(bridge: MqttBridge, stop: threading.Event) -> str:
    """The station at an address where none was named: the first that is heard. "" where there is none until `stop`."""
    with Subscription(bridge.endpoint, keys=bridge.keys, replay=False) as subscription:
        while not stop.is_set():
            message = subscription.receive(TURN_S)
            if message is not None:
                return message.station
    return ""


def _stamp() -> str:
    return iso_utc(utc_ns())
