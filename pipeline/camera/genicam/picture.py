"""What pictures a set-up device will deliver."""

from collections.abc import Mapping

from pipeline.camera.genicam import features
from pipeline.camera.genicam.device import Device
from pipeline.camera.image_size import LARGEST_PIXELS
from pipeline.camera.source import CameraInfo
from pipeline.camera_settings import Feature
from pipeline.errors import CameraError
from pipeline.frame import PixelFormat

SIMULATED_VENDORS = ("datumd", "Machine Vision Games Ltd.")  # our own camera and the one in the genicam package

_READOUT: Mapping[str, Feature] = {
    "OffsetX": 0,
    "OffsetY": 0,
    "BinningHorizontal": 1,
    "BinningVertical": 1,
    "DecimationHorizontal": 1,
    "DecimationVertical": 1,
    "ReverseX": False,
    "ReverseY": False,
}


def describe(device: Device, *, counts_triggers: bool) -> CameraInfo:
    """Size, format and identity of a device whose features are set. Raises CameraError for a format not unpacked."""
    nodes, label = device.nodes, device.label
    width, height, payload = (_number(device, name) for name in ("Width", "Height", "PayloadSize"))
    if min(width, height) < 1 or width * height > LARGEST_PIXELS:
        raise CameraError(
            f"is {width} x {height}",
            where=f"{device.where}: features Width and Height",
            allowed=f"1 to {LARGEST_PIXELS} px",
        )
    name = str(features.require(nodes, "PixelFormat").read())
    if name not in PixelFormat.__members__:
        raise CameraError(
            f"delivers {name}, which is not unpacked",
            where=f"{device.where}: feature PixelFormat",
            allowed=", ".join(_common_formats(device)),
        )
    pixel_format = PixelFormat[name]
    payload_bytes = pixel_format.payload_bytes(width, height)
    if payload and payload < payload_bytes:
        what = f"is {payload}, a frame of {width} x {height} {name} has {payload_bytes} bytes"
        raise CameraError(what, where=f"{device.where}: feature PayloadSize")
    return CameraInfo(
        vendor=label.vendor or str(features.optional(nodes, "DeviceVendorName") or ""),
        model=label.model or str(features.optional(nodes, "DeviceModelName") or ""),
        serial=label.serial or label.id,
        width=width,
        height=height,
        pixel_format=pixel_format,
        payload_bytes=payload_bytes,
        counts_triggers=counts_triggers,
        is_simulated=label.vendor in SIMULATED_VENDORS,
        readout=_readout(device),
    )


def _readout(device: Device) -> str:
    """What moves a point of the part to another pixel, but for the pictures' size; what is as by default is not told."""
    read = {name: features.optional(device.nodes, name) for name in _READOUT}
    return " ".join(f"{name}={value}" for name, value in read.items() if value is not None and value != _READOUT[name])


def _number(device: Device, name: str) -> int:
    value = features.require(device.nodes, name).read()
    if not isinstance(value, int) or isinstance(value, bool):
        raise CameraError(f"reads {value!r}", where=f"{device.where}: feature {name}", allowed="a whole number")
    return value


def _common_formats(device: Device) -> list[str]:
    """Formats that the camera offers and we unpack."""
    offered = features.require(device.nodes, "PixelFormat").allowed().split(", ")
    return [name for name in offered if name in PixelFormat.__members__] or list(PixelFormat.__members__)
