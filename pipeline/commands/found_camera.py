"""What `datumd init` finds to look through: a GenICam camera, a folder of pictures, or a simulated camera."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.camera.load import open_camera
from pipeline.camera_settings import CameraSettings, FolderSettings, GenicamSettings, SyntheticSettings
from pipeline.errors import CameraError, CameraLost
from pipeline.toml_edit import rendered

if TYPE_CHECKING:
    from pipeline.camera.genicam.device import DeviceLabel

PRODUCERS = "GENICAM_GENTL64_PATH"
"""GenTL's own variable: the folders in which vendors put their producers."""
PATIENCE_S = 2.0  # for a first picture: a camera that waits for the line gives none
Say = Callable[[str], None]
_PADDED = 40  # column at which comments begin


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera, and the lines of its table in a station file.

    Attributes:
        table: lines that go below `[camera.NAME]`.
        size_wh: width and height of its pictures, px.
        payload_bytes: of one frame.
        picture: uint8 (h, w), its first one; flat grey where it gave none.
        can_wait: pictures come from files, so that none need be dropped.
    """

    table: list[str]
    size_wh: tuple[int, int]
    payload_bytes: int
    picture: NDArray[np.uint8]
    can_wait: bool = False


def of_folder(folder: Path, written: str) -> FoundCamera:
    """The pictures of a folder; `written` is its path as it is written into the station file.

    Raises:
        CameraError: there is none, or one of them is no picture.
    """
    from pipeline.camera.folder import SUFFIXES
    from pipeline.camera.image_file import read_image
    from pipeline.camera.image_size import image_size

    open_camera(FolderSettings(path=str(folder), pad=True)).connect()  # tells what is wrong with the folder
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    differ = len({image_size(path) for path in files}) > 1
    first = read_image(files[0], colour=True)
    is_colour = bool((first != first[..., :1]).any())
    settings = FolderSettings(path=str(folder), pad=differ, pixel_format="BGR8" if is_colour else "Mono8")
    table = [
        'type = "folder"',
        _line("path", written, f"{len(files)} pictures, in the order of their names"),
        _line("rate_hz", 1.0, "pictures a second"),
        _line("repeat", True, "begin again after the last one"),
        _line("pixel_format", settings.pixel_format, "networks look at grey; kept pictures are as this says"),
    ]
    if differ:
        table.append(
            _line("pad", True, "they differ in size: black to the right and below, an edge that blobs may be found at")
        )
    return _looked_at(settings, table, can_wait=True)


def simulated() -> FoundCamera:
    """A camera without hardware: rendered brackets. Raises CameraError where the simulator is not installed."""
    table = ['type = "synthetic"', _line("rate_hz", 2.0, "rendered brackets, so many a second")]
    return _looked_at(SyntheticSettings(), table)


def producers(environment: Mapping[str, str]) -> list[Path]:
    """The .cti files in the folders that GenTL's variable names."""
    folders = [Path(name).absolute() for name in environment.get(PRODUCERS, "").split(os.pathsep) if name]
    return [file for folder in dict.fromkeys(folders) for file in sorted(folder.glob("*.cti"))]


def of_producers(files: list[Path], say: Say) -> Iterator[FoundCamera]:
    """Every camera that these producers show and that can be opened; of the others is said why not."""
    from pipeline.camera.genicam.producer import list_devices

    for file in files:
        try:
            labels = list_devices(file)
        except CameraError as problem:
            say(f"not used: {problem}")
            continue
        say(f"{file} shows {len(labels)} camera(s)")
        for label in labels:
            try:
                yield _of_device(file, label)
            except (CameraError, CameraLost) as problem:
                say(f"not used: {problem}")


def _of_device(producer: Path, label: "DeviceLabel") -> FoundCamera:
    from pipeline.camera.genicam.producer import Producer

    serial = label.serial or label.id
    with Producer(producer) as opened:
        device = opened.open(serial, buffers=2)
        try:
            formats = device.nodes.find("PixelFormat")
            has_grey = formats is not None and "Mono8" in re.split(r", *", formats.allowed())
        finally:
            device.close()
    features = {"PixelFormat": "Mono8"} if has_grey else {}
    grey = 'PixelFormat = "Mono8", ' if has_grey else ""
    settings = GenicamSettings(producer=str(producer), serial=serial, features={**features})
    table = [
        _line("producer", str(producer), "the vendor's GenTL producer"),
        _line("serial", serial, " ".join(f"{label.vendor} {label.model}".split())),
        _line("features", {**features}, "SFNC names, set in this order and read back"),
        f"# All that may be set: datumd cameras {producer} --features {serial}",
        "# It runs free as it stands. To expose with the line's trigger, and let the camera count what passes:",
        '# trigger_number = "ChunkCounterValue"',
        '# trigger_counter = "CounterValue"',
        f'# features = {{ {grey}TriggerSelector = "FrameStart", TriggerMode = "On", TriggerSource = "Line1" }}',
        '# shots = [{ name = "top", ExposureTime = 1000.0 }]       # microseconds',
    ]
    return _looked_at(settings, table)


def _looked_at(settings: CameraSettings, table: list[str], *, can_wait: bool = False) -> FoundCamera:
    """Its size and, where one comes, its first picture. Raises CameraError, CameraLost."""
    from pipeline.camera.snapshot import take
    from pipeline.pixels import whole_grey8

    camera = open_camera(settings)
    try:
        info = camera.connect()
    finally:
        camera.disconnect()
    try:
        grey = whole_grey8(take(open_camera(settings), PATIENCE_S, "the camera").frame)
        picture = np.array(grey, np.uint8)
    except CameraError:  # it waits for its trigger
        picture = np.full((info.height, info.width), 128, np.uint8)
    return FoundCamera(table, (info.width, info.height), info.payload_bytes, picture, can_wait)


def _line(key: str, value: object, why: str) -> str:
    text = f"{key} = {rendered(value)}"
    return f"{text:<{_PADDED - 2}}  # {why}"
