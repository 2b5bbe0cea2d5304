"""From a region of a frame to one image of it: grey levels on a device, and the map back to sensor pixels."""

import math
from dataclasses import dataclass

from engines.devices.device import AnyDevice, DeviceImage
from pipeline import geometry
from pipeline.frame import Frame
from pipeline.geometry import Matrix, Region
from pipeline.pixels import grey8


@dataclass(frozen=True, slots=True)
class Cropped:
    """An image of a part. It lives on the device that made it; the next one overwrites it.

    Attributes:
        image: uint8 (1, h, w, 1), a NumPy array where the device is the CPU.
        region: the area of the sensor that it shows, whole px, in the corner convention.
    """

    image: DeviceImage
    region: Region

    def sensor_from(self, wh: tuple[int, int]) -> Matrix:
        """The map to sensor px from a picture of the same area with this width and height in px."""
        return sensor_from_map(self.region, wh)


class Crop:
    """Cuts parts out of frames, one at a time. Keeps the image's memory."""

    def __init__(self, image_wh: tuple[int, int], device: AnyDevice) -> None:
        """For an image of this width and height in px, in the memory of `device`."""
        self._image_wh, self._device = image_wh, device
        self._areas = Areas(device)
        self._image: DeviceImage = device.empty(1, image_wh[1], image_wh[0], 1)

    def __call__(self, frame: Frame, region: Region) -> Cropped:
        """Cut a region, widened about its centre to the shape of the image. Outside of the frame, the edge repeats."""
        return self.area(frame, Region(*widened(region, self._image_wh)))

    def area(self, frame: Frame, area: Region) -> Cropped:
        """Cut an area of whole px that has the shape of the image. Outside of the frame, the edge repeats."""
        x, y, w, h = (round(value) for value in area)
        self._device.begin()
        self._device.resize(self._areas(frame, x, y, w, h), self._image.reshape(*self._image.shape[1:3]))
        return Cropped(self._image, Region(x, y, w, h))


class Areas:
    """Brings areas of frames onto a device, whatever their pixel format."""

    def __init__(self, device: AnyDevice) -> None:
        """On `device`."""
        self._device = device
        self._padded: DeviceImage = device.empty(0)

    def __call__(self, frame: Frame, x: int, y: int, w: int, h: int) -> DeviceImage:
        """Grey levels of an area that may reach out of the sensor; only what is on it goes to the device."""
        columns = _inside(x, w, frame.info.width)
        rows = _inside(y, h, frame.info.height)
        levels = grey8(frame, columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
        grey: DeviceImage = self._device.upload(levels)
        if grey.shape == (h, w):
            return grey
        if self._padded.shape[0] < w * h:
            self._padded = self._device.empty(w * h)
        padded: DeviceImage = self._padded[: w * h].reshape(h, w)
        left = min(max(columns[0] - x, 0), w - grey.shape[1])  # no farther than the area goes, if it misses the sensor
        top = min(max(rows[0] - y, 0), h - grey.shape[0])
        self._device.pad(grey, padded, left=left, top=top)
        return padded


def sensor_from_map(area: Region, wh: tuple[int, int]) -> Matrix:
    """sensor_from_map, px to px, of a picture or map with this width and height that shows `area`."""
    return geometry.crop(-area.x, -area.y) @ geometry.resize(area.w / wh[0], area.h / wh[1])


def widened(region: Region, image_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The smallest whole-pixel area about the region's centre with the shape of an image: x, y, w, h.

    Its sides are multiples of the power of two by which it is reduced before the last, linear step, so that halving
    comes out even; the shape is therefore kept to within that many px. The maps are exact all the same.
    """
    scale = max(region.w / image_wh[0], region.h / image_wh[1])
    unit = 2 ** max(0, math.floor(math.log2(max(scale, 1e-9)) + 1e-9))
    w, h = (max(unit, math.ceil(scale * side / unit - 1e-9) * unit) for side in image_wh)
    return round(region.x + region.w / 2 - w / 2), round(region.y + region.h / 2 - h / 2), w, h


def _inside(start: int, length: int, sensor: int) -> tuple[int, int]:
    """The part of [start, start + length) on the sensor; at least its nearest pixel."""
    first = min(max(start, 0), sensor - 1)
    return first, max(first + 1, min(start + length, sensor))
