"""The `[camera.NAME]` tables of a station file, one struct for each type of camera."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

Feature = bool | int | float | str
Rate = Annotated[float, msgspec.Meta(ge=0.0, le=10_000.0)]
Side = Annotated[int, msgspec.Meta(ge=8, le=65_536)]
Shots = Annotated[list[dict[str, Feature]], msgspec.Meta(max_length=1)]
Buffers = Annotated[int, msgspec.Meta(ge=2, le=256)]


class CommonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """What every camera's table may hold.

    Attributes:
        view: the name of its picture of the part; "" = the camera's own name.
        calibration: file of its lens and the plane that it measures in; "" = none. A relative path starts at the station file.
    """

    view: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,63})?\Z")] = ""
    calibration: str = ""

    @property
    def shot(self) -> str:
        """Name of the camera's one shot, "" where it has none."""
        return ""


class OutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A camera's digital output as a wire to the gate: each part that passes is one pulse, any other part is none.

    Attributes:
        name: the entry of UserOutputSelector; that it is the source of a line is set among the features.
        pulse_ms: length of a pulse; shorter than from one part to the next.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "UserOutput1"
    pulse_ms: Annotated[float, msgspec.Meta(ge=1.0, le=10_000.0)] = 20.0


class GenicamSettings(CommonSettings, frozen=True, tag="genicam"):
    """Any camera with a GenTL producer.

    Attributes:
        producer: the producer's .cti file; a relative path starts at the station file.
        serial: the device's serial number (or its GenTL id); "" only where the producer shows a single device.
        features: SFNC names and values, set in this order before the shot's and each read back.
        shots: at most one table; `name` names the shot, the rest are features as above.
        trigger_number: chunk feature that carries the line counter; "" = the camera counts no triggers.
        trigger_counter: node with the line counter's present value, polled for triggers that gave no frame; "" = none.
        buffers: how many buffers the producer may fill ahead.
        output: a digital output that is pulsed for each part that passes.
    """

    producer: str
    serial: str = ""
    features: dict[str, Feature] = {}
    shots: Shots = []
    trigger_number: str = ""
    trigger_counter: str = ""
    buffers: Buffers = 8
    output: OutputSettings | None = None

    def __post_init__(self) -> None:
        if any(not isinstance(shot.get("name", ""), str) for shot in self.shots):
            raise ValueError("a shot's name is text")

    @property
    def shot(self) -> str:
        """Name of the camera's one shot, "" where it has none."""
        return str(self.shots[0].get("name", "")) if self.shots else ""


class FolderSettings(CommonSettings, frozen=True, tag="folder"):
    """A folder of images (png, jpg, bmp, tif), played in the order of their names.

    Attributes:
        path: the folder; a relative path starts at the station file.
        rate_hz: images a second; 0 = as fast as they are asked for.
        repeat: start again after the last image.
        pixel_format: what the images are converted to.
        pad: put smaller images at the top left of a black canvas as large as the largest width and height of them all;
            otherwise images of differing sizes are refused.
    """

    path: str
    rate_hz: Rate = 0.0
    repeat: bool = False
    pixel_format: Literal["Mono8", "RGB8", "BGR8"] = "Mono8"
    pad: bool = False


class VideoSettings(CommonSettings, frozen=True, tag="video"):
    """A video file, played from its beginning.

    Attributes:
        path: the file; a relative path starts at the station file.
        rate_hz: frames a second; 0 = as fast as they are asked for. The rate noted in the file is not used.
        repeat: start again after the last frame.
        pixel_format: what the frames are converted to.
    """

    path: str
    rate_hz: Rate = 0.0
    repeat: bool = False
    pixel_format: Literal["Mono8", "RGB8", "BGR8"] = "Mono8"


class SyntheticSettings(CommonSettings, frozen=True, tag="synthetic"):
    """A camera without hardware: pictures made in the grab process.

    Attributes:
        width, height: px, given to `frames`.
        rate_hz: pictures a second with triggers = "timer"; 0 = as fast as they are asked for.
        seed: given to `frames`; the same seed gives the same pictures.
        triggers: "timer" = at rate_hz; "software" = one picture for each software trigger.
        limit: triggers after which it ends; 0 = never.
        frames: "package.module:callable", called as `frames(width, height, seed)`; returns an iterable of uint8 (H, W).
    """

    width: Side = 1280
    height: Side = 1024
    rate_hz: Rate = 10.0
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    triggers: Literal["timer", "software"] = "timer"
    limit: Annotated[int, msgspec.Meta(ge=0)] = 0
    frames: Annotated[str, msgspec.Meta(pattern=r"^[\w.]+:\w+\Z")] = "simulator.synthetic:frames"


class HttpSettings(CommonSettings, frozen=True, tag="http"):
    """A camera to which pictures are sent: `POST /inspect`, one trigger each (docs/decisions/0022).

    Attributes:
        bind: HOST:PORT of the loopback, as the token goes over it in the clear.
        token: file with the token that clients must show, readable by its user alone; a relative path starts at the
            station file.
        width, height: px of every picture.
        pixel_format: what pictures are converted to.
        limit_mb: the largest body of a request, in MiB.
        queue: requests that may be under way; more are turned away.
    """

    token: str
    width: Side
    height: Side
    bind: Annotated[str, msgspec.Meta(pattern=r"^(127\.[0-9]+\.[0-9]+\.[0-9]+|localhost):[1-9][0-9]{0,4}\Z")] = (
        "127.0.0.1:8570"
    )
    pixel_format: Literal["Mono8", "RGB8", "BGR8"] = "Mono8"
    limit_mb: Annotated[float, msgspec.Meta(gt=0.0, le=256.0)] = 20.0
    queue: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4


CameraSettings = GenicamSettings | FolderSettings | VideoSettings | SyntheticSettings | HttpSettings


def beside(settings: CameraSettings, folder: Path) -> CameraSettings:
    """The same settings with relative paths starting at `folder`, which is where the station file lies."""
    if settings.calibration:
        settings = msgspec.structs.replace(settings, calibration=str(folder / settings.calibration))
    match settings:
        case GenicamSettings():
            return msgspec.structs.replace(settings, producer=str(folder / settings.producer))
        case FolderSettings() | VideoSettings():
            return msgspec.structs.replace(settings, path=str(folder / settings.path))
        case HttpSettings():
            return msgspec.structs.replace(settings, token=str(folder / settings.token))
        case SyntheticSettings():
            return settings
