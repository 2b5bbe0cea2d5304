"""``datumd calibrate``: everything that is found out once and then relied on, one subcommand each."""

from __future__ import annotations

import argparse
import importlib
from importlib.metadata import entry_points

OWN = ("calibration.board_command", "calibration.lens_command", "calibration.plane_command")
GROUP = "datumd.calibrate"  # of entry points: further modules with add_parser(), so that nothing is imported upward


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and what is below it."""
    parser = subparsers.add_parser(
        "calibrate",
        help="calibrate lens and plane of a camera, or thresholds and sigmas of a recipe",
        description="A camera is calibrated in three steps: print a board, calibrate the lens by views of it, lay it where "
        "parts are measured and calibrate the plane. A recipe's thresholds and sigmas are calibrated from labelled images.",
        epilog="Each has its own --help. docs/calibration.md tells the whole way.",
    )
    below = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    others = sorted(point.value for point in entry_points(group=GROUP))
    for module in dict.fromkeys((*OWN, *others)):
        importlib.import_module(module).add_parser(below)
