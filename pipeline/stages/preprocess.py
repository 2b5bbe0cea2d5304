"""From a region of a frame to a small and a large image of it, with the maps back to sensor pixels."""

import math
from collections.abc import Sequence

from engines.devices.device import AnyDevice, DeviceImage
from pipeline import geometry
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.pixels import grey8
from pipeline.stages.values import Prepared


class Preprocess:
    """Cuts parts out of frames. Keeps the images' memory: what it returned is overwritten by the next call."""

    def __init__(self, small_wh: tuple[int, int], large_wh: tuple[int, int], device: AnyDevice) -> None:
        """For images of these widths and heights in px, in the memory of `device`."""
        self._small_wh, self._large_wh, self._device = small_wh, large_wh, device
        self._images: list[tuple[DeviceImage, DeviceImage]] = []
        self._padded: DeviceImage = device.empty(0)

    def __call__(self, frame: Frame, regions: Sequence[Region]) -> list[Prepared]:
        """Cut every region, widened about its centre to the shape of the large image. Outside, the edge repeats."""
        return self.of_frames([(frame, regions)])

    def of_frames(self, frames: Sequence[tuple[Frame, Sequence[Region]]]) -> list[Prepared]:
        """Likewise from several frames, those of the first one first."""
        self._device.begin()
        cuts = [(frame, region) for frame, regions in frames for region in regions]
        while len(self._images) < len(cuts):
            (small_w, small_h), (large_w, large_h) = self._small_wh, self._large_wh
            self._images.append((self._device.empty(small_h, small_w, 1), self._device.empty(large_h, large_w)))
        return [self._cut(frame, region, *images) for (frame, region), images in zip(cuts, self._images, strict=False)]

    def _cut(self, frame: Frame, region: Region, small: DeviceImage, large: DeviceImage) -> Prepared:
        area = widened(region, self._large_wh)
        self._device.resize(self._grey(frame, *area), large)
        self._device.resize(large, small.reshape(*small.shape[:2]))
        x, y, w, h = area
        sensor_from_area = geometry.crop(-x, -y)
        return Prepared(
            small=small,
            large=large,
            sensor_from_small=sensor_from_area @ geometry.resize(w / self._small_wh[0], h / self._small_wh[1]),
            sensor_from_large=sensor_from_area @ geometry.resize(w / self._large_wh[0], h / self._large_wh[1]),
            region=Region(x, y, w, h),
        )

    def _grey(self, frame: Frame, x: int, y: int, w: int, h: int) -> DeviceImage:
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


def widened(region: Region, large_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The smallest whole-pixel area about the region's centre with the shape of the large image: x, y, w, h.

    Its sides are multiples of the power of two by which it is reduced before the last, linear step, so that halving
    comes out even; the shape is therefore kept to within that many px. The maps are exact all the same.
    """
    scale = max(region.w / large_wh[0], region.h / large_wh[1])
    unit = 2 ** max(0, math.floor(math.log2(max(scale, 1e-9)) + 1e-9))
    w, h = (max(unit, math.ceil(scale * side / unit - 1e-9) * unit) for side in large_wh)
    return round(region.x + region.w / 2 - w / 2), round(region.y + region.h / 2 - h / 2), w, h


def _inside(start: int, length: int, sensor: int) -> tuple[int, int]:
    """The part of [start, start + length) on the sensor; at least its nearest pixel."""
    first = min(max(start, 0), sensor - 1)
    return first, max(first + 1, min(start + length, sensor))
