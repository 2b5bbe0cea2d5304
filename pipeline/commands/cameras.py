"""`datumd cameras`: what a GenTL producer shows, and what a camera lets be set."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.camera.genicam.features import shown

if TYPE_CHECKING:
    from pipeline.camera.genicam.producer import Producer


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "cameras",
        help="list the cameras of a GenTL producer",
        description="List the cameras that a vendor's GenTL producer (.cti file) shows. With --features, open one of them "
        "and list what may be set now under `features` in a station file: name, present value, allowed values. "
        "A camera that a running daemon holds cannot be opened.",
        epilog="Example: datumd cameras /opt/vendor/ProducerGEV.cti --features 40123456",
    )
    parser.add_argument("producer", type=Path, metavar="PRODUCER.cti", help="the producer's .cti file")
    parser.add_argument("--features", metavar="SERIAL", help="list the writable features of this camera")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a camera, or one line a feature. Returns 1 where the producer shows no camera."""
    from pipeline.camera.genicam.producer import Producer  # loads harvesters

    with Producer(args.producer) as producer:
        if args.features is not None:
            return _print_features(producer, args.features)
        if not producer.labels:
            print(f"{args.producer} shows no camera")
            return 1
        rows = [("serial", "vendor", "model", "id")]
        rows += [(label.serial or "-", label.vendor, label.model, label.id) for label in producer.labels]
        _print_table(rows)
    return 0


def _print_features(producer: "Producer", serial: str) -> int:
    device = producer.open(serial, buffers=2)
    try:
        rows = [("feature", "now", "allowed")]
        for name in device.nodes.names():
            node = device.nodes.find(name)
            if node is None or not node.is_writable:
                continue
            if node.kind is None:
                rows.append((name, "", "true (a command)"))
            else:
                rows.append((name, shown(node.read()) if node.is_readable else "", node.allowed()))
    finally:
        device.close()
    _print_table(rows)
    return 0


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
