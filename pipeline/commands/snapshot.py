"""`datumd snapshot`: one frame of a camera as an image file."""

import argparse
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.camera.load import open_camera
from pipeline.camera.settings import CameraSettings, GenicamSettings
from pipeline.camera.source import Camera, CameraInfo, Loss
from pipeline.clock import monotonic_ns
from pipeline.config import load_station
from pipeline.errors import CameraError, ConfigError
from pipeline.frame import Frame, FrameInfo, PixelFormat
from pipeline.pixels import grey8

POLL_S = 0.1


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
    """Save one frame. Raises CameraError where none comes in time."""
    name, settings = _chosen(args)
    if args.output.suffix.lower() not in (".png", ".tif", ".tiff", ".bmp"):
        allowed = "an image without loss: .png, .tif, .bmp"
        raise ConfigError(f"{args.output} is no name for a snapshot", where="--output", allowed=allowed)
    camera = open_camera(settings)
    try:
        info = camera.connect()
        payload = memoryview(bytearray(info.payload_bytes))
        camera.start()
        frame = Frame(_next_frame(camera, payload, args.timeout, name), payload)
        camera.stop()
    finally:
        camera.disconnect()
    _save(frame, args.output)
    print(_line(info, frame))
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


def _next_frame(camera: Camera, payload: memoryview, timeout_s: float, name: str) -> FrameInfo:
    with suppress(CameraError):  # it waits for the line, or runs free
        camera.trigger_software()
    until_ns = monotonic_ns() + int(timeout_s * 1e9)
    while monotonic_ns() < until_ns and not camera.exhausted:
        outcome = camera.grab_into(payload, POLL_S)
        if isinstance(outcome, FrameInfo):
            return outcome
        if isinstance(outcome, Loss):
            print(f"lost {outcome.count} ({outcome.kind})")
    raise CameraError(
        f"gave no frame in {timeout_s:g} s",
        where=f"camera {name}",
        allowed="a camera that is triggered, or runs free (TriggerMode = Off)",
        next_command="the same with a longer --timeout while the line runs",
    )


def _save(frame: Frame, path: Path) -> None:
    try:
        is_encoded, encoded = cv2.imencode(path.suffix.lower(), _picture(frame))
        path.write_bytes(encoded.tobytes())
    except (OSError, cv2.error) as problem:
        raise ConfigError(f"cannot be written ({problem})", where=str(path)) from None
    if not is_encoded:
        raise ConfigError("cannot be encoded", where=str(path), allowed=".png, .tif, .bmp")


def _picture(frame: Frame) -> NDArray[np.uint8]:
    """Grey (H, W) for grey formats, BGR (H, W, 3) for colour."""
    info = frame.info
    codes = {
        PixelFormat.BayerRG8: (1, cv2.COLOR_BayerRGGB2BGR),
        PixelFormat.RGB8: (3, cv2.COLOR_RGB2BGR),
        PixelFormat.BGR8: (3, None),
        PixelFormat.RGBa8: (4, cv2.COLOR_RGBA2BGR),
        PixelFormat.BGRa8: (4, cv2.COLOR_BGRA2BGR),
    }
    if info.pixel_format not in codes:
        return grey8(frame, 0, 0, info.width, info.height)
    channels, code = codes[info.pixel_format]
    shape = (info.height, info.width) if channels == 1 else (info.height, info.width, channels)
    raw = np.frombuffer(frame.payload, np.uint8, info.payload_bytes).reshape(shape)
    return raw if code is None else np.asarray(cv2.cvtColor(raw, code), np.uint8)


def _line(info: CameraInfo, frame: Frame) -> str:
    mean = float(grey8(frame, 0, 0, info.width, info.height).mean())
    exposure = "not told" if frame.info.exposure_us is None else f"{frame.info.exposure_us:g} us"
    number = "" if frame.info.trigger_number is None else f", trigger {frame.info.trigger_number}"
    return (
        f"{info.vendor} {info.model} {info.serial}: {info.width} x {info.height} {info.pixel_format.name}, "
        f"exposure {exposure}, mean grey {mean:.1f}{number}"
    )
