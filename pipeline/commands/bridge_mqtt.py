"""`datumd bridge mqtt`: a station's results and state at an MQTT broker."""

import argparse
from pathlib import Path

from pipeline.commands.bridge_station import until_signal
from pipeline.commands.connection import add_connection, reached
from pipeline.priority import come_last


def add_parser(protocols: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the protocol."""
    mqtt = protocols.add_parser(
        "mqtt",
        help="MQTT",
        description="Send a station's results and its state to an MQTT broker. docs/mqtt.md has the topics.",
        epilog="Example: datumd bridge mqtt /etc/datumd/press4.toml --broker mqtts://broker.plant --user press4 "
        "--password mqtt.password --cursor mqtt.cursor",
    )
    add_connection(mqtt)
    mqtt.add_argument(
        "--broker",
        default="mqtt://127.0.0.1:1883",
        metavar="URL",
        help="mqtt://HOST:PORT, or mqtts://HOST:PORT over TLS (%(default)s)",
    )
    mqtt.add_argument("--prefix", default="datumd", help="topics begin with it (%(default)s)")
    mqtt.add_argument("--user", default="", help="name at the broker")
    mqtt.add_argument("--password", default="", metavar="FILE", help="file with the password, for its user alone")
    mqtt.add_argument("--ca", default="", metavar="FILE", help="certificates by which the broker is known")
    mqtt.add_argument("--certificate", default="", metavar="FILE", help="ours, where the broker asks for one")
    mqtt.add_argument("--certificate-key", default="", metavar="FILE", help="its key")
    mqtt.add_argument(
        "--cursor",
        type=Path,
        metavar="FILE",
        help="keep in FILE how far the broker has come: no result is missed while the bridge is not running",
    )
    mqtt.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    import logging
    import sys

    from pipeline.bridge_settings import MqttSettings, check_broker, require_library

    require_library("mqtt")
    come_last()
    settings = MqttSettings(
        args.broker, args.prefix, args.user, args.password, args.ca, args.certificate, args.certificate_key
    )
    check_broker(settings)
    endpoint, station, keys = reached(args)

    from pipeline.sinks.mqtt.bridge import MqttBridge
    from pipeline.sinks.mqtt.bridge import run as serve

    stop = until_signal()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="bridge: %(message)s")
    serve(MqttBridge(endpoint, station, keys, settings, args.cursor), stop)
    return 0
