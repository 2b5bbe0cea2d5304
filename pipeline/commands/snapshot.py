"""`datumd snapshot`: one frame of a camera as an image file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.camera.load import open_camera
from pipeline.camera_settings import CameraSettings, GenicamSettings
from pipeline.config import load_station
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.camera.snapshot import Snapshot


LONGEST_S = 86_400


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "snapshot",
        help="save one frame of a camera",
        description="Set up a camera as the station file says (or take it as it is, with --producer), save its next frame "
        "and say its format, size, exposure and mean grey. Where the camera takes software triggers one is sent; "
        "otherwise the frame comes with the line's next trigger or by itself. Packed formats are saved with 8 bits.",
        epilog="Examples: datumd snapshot station.toml --camera top -o top.png; "
        "datumd snapshot --producer /opt/vendor/ProducerGEV.cti --serial 40123456 -o top.png",
    )
    parser.add_argument("station", type=Path, nargs="?", metavar="STATION.toml", help="the station file")
    parser.add_argument("--camera", metavar="NAME", help="the camera's table; needed where the station has several")
    parser.add_argument("--producer", metavar="PRODUCER.cti", help="a GenTL producer, instead of a station file")
    parser.add_argument("--serial", default="", metavar="SERIAL", help="with --producer: which of its cameras")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png", help="the image to write")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="how long to wait for the frame")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Save one frame."""
    from pipeline.camera.snapshot import SUFFIXES, take  # loads OpenCV

    name, settings = _chosen(args)
    if args.output.suffix.lower() not in SUFFIXES:
        what = f"{args.output} is no name for a snapshot"
        raise ConfigError(
            what, where="--output", allowed=f"an image that keeps every grey level: {', '.join(SUFFIXES)}"
        )
    if not 0.0 < args.timeout <= LONGEST_S:
        raise ConfigError(f"is {args.timeout:g}", where="--timeout", allowed=f"above 0, at most {LONGEST_S} seconds")
    snapshot = take(open_camera(settings), args.timeout, f"camera {name}")
    snapshot.save(args.output)
    for loss in snapshot.losses:
        print(f"lost {loss.count} ({loss.kind.value}) while waiting")
    print(_line(snapshot))
    print(f"saved {args.output}")
    return 0


def _chosen(args: argparse.Namespace) -> tuple[str, CameraSettings]:
    """Which camera the arguments mean."""
    if (args.station is None) == (args.producer is None):
        raise ConfigError("name a station file or a producer", where="datumd snapshot", allowed="exactly one of them")
    if args.producer is not None:
        return args.serial or args.producer, GenicamSettings(producer=args.producer, serial=args.serial)
    cameras = load_station(args.station).camera
    name = args.camera or (next(iter(cameras)) if len(cameras) == 1 else "")
    if name not in cameras:
        what = f"the station has no camera {name}" if name else "the station has several cameras"
        raise ConfigError(what, where="--camera", allowed=", ".join(cameras))
    return name, cameras[name]


def _line(snapshot: "Snapshot") -> str:
    camera, info = snapshot.camera, snapshot.frame.info
    exposure = "not told" if info.exposure_us is None else f"{info.exposure_us:g} us"
    number = "" if info.trigger_number is None else f", trigger {info.trigger_number}"
    return (
        f"{camera.vendor} {camera.model} {camera.serial}: {info.width} x {info.height} {info.pixel_format.name}, "
        f"exposure {exposure}, mean grey {snapshot.mean_grey:.1f}{number}"
    )
