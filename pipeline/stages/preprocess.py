"""From a region of a frame to a small and a large image of it, with the maps back to sensor pixels."""

from collections.abc import Sequence

from engines.devices.device import AnyDevice, DeviceImage
from pipeline.frame import Frame
from pipeline.geometry import Region
from pipeline.stages.crop import Areas, sensor_from_map, widened
from pipeline.stages.values import Prepared


class Preprocess:
    """Cuts parts out of frames. Keeps the images' memory: what it returned is overwritten by the next call."""

    def __init__(self, small_wh: tuple[int, int], large_wh: tuple[int, int], device: AnyDevice) -> None:
        """For images of these widths and heights in px, in the memory of `device`."""
        self._small_wh, self._large_wh, self._device = small_wh, large_wh, device
        self._images: list[tuple[DeviceImage, DeviceImage]] = []
        self._areas = Areas(device)

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
        x, y, w, h = widened(region, self._large_wh)
        area = Region(x, y, w, h)
        self._device.resize(self._areas(frame, x, y, w, h), large)
        self._device.resize(large, small.reshape(*small.shape[:2]))
        return Prepared(
            small=small,
            large=large,
            sensor_from_small=sensor_from_map(area, self._small_wh),
            sensor_from_large=sensor_from_map(area, self._large_wh),
            region=area,
        )
