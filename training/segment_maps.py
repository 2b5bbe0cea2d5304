"""What a network says of one part: logits of its mask and a heatmap, and the networks as they ship."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.errors import NetworkError
from pipeline.geometry import Matrix, Region
from pipeline.network import load_network
from pipeline.pixels import mono8_frame
from pipeline.result import DefectMask
from pipeline.run_length import decode
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.stages.crop import Crop, sensor_from_map
from training.masks.sample import Image, Mask

ENCODER, DECODER = "segment_encoder.onnx", "segment_decoder.onnx"


@dataclass(frozen=True, slots=True)
class Maps:
    """Of one part.

    Attributes:
        mask_logits: (Hm, Wm) float32.
        heatmap: (Hh, Wh) float32, 0 to 1.
        area: what both show, in sensor px, whole px, corner convention. It may reach out of the sensor.
    """

    mask_logits: NDArray[np.float32]
    heatmap: NDArray[np.float32]
    area: Region

    def sensor_from_mask(self) -> Matrix:
        """The map from px of the mask to px of the sensor."""
        rows, columns = self.mask_logits.shape
        return sensor_from_map(self.area, (columns, rows))


Predict = Callable[[Image, Region], Maps]


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an area that lies on the sensor: rows and columns in px."""

    rows: slice
    columns: slice


class ShippedSegment:
    """The two networks in a view's folder, run as the daemon runs them."""

    def __init__(self, folder: Path, *, backend: str = "auto", threads: int = 1) -> None:
        """Load both.

        Raises:
            NetworkError: one is missing, does not fit its place, or they do not belong together.
        """
        self._encoder = load_network(folder / ENCODER, SegmentEncoderCard, backend=backend, threads=threads)
        self._decoder = load_network(folder / DECODER, SegmentDecoderCard, backend=backend, threads=threads)
        self.card = self._decoder.card
        apart = self.card.disagreement(self._encoder.card)
        if apart:
            raise NetworkError(
                f"was made for another encoder: {apart}",
                where=str(folder / DECODER),
                allowed=f"both files of one training, as {ENCODER} is",
            )
        self._crop = Crop(self.card.image_wh, CpuDevice())
        for network in (self._encoder, self._decoder):
            network.warm_up(1)

    def __call__(self, image: Image, region: Region) -> Maps:
        """The maps of the part in ``region`` of a grey image (h, w)."""
        cut = self._crop(mono8_frame(image), region)
        features = self._encoder.run({"image": cut.image})
        found = self._decoder.run({name: features[name] for name in ("intermediate", "embedding")})
        return Maps(found["mask"][0].copy(), found["heatmap"][0].copy(), cut.region)


def window(area: Region, wh: tuple[int, int]) -> Window:
    """Of an area, what lies on a sensor of this width and height; may be empty."""
    left, top = max(round(area.x), 0), max(round(area.y), 0)
    right, bottom = min(round(area.x + area.w), wh[0]), min(round(area.y + area.h), wh[1])
    return Window(slice(top, max(top, bottom)), slice(left, max(left, right)))


def on_sensor(maps: Maps, seen: Window) -> NDArray[np.float32]:
    """For every sensor px of a window the logit of the cell that its centre lies in: what a reported mask says of it."""
    rows, columns = maps.mask_logits.shape
    row = _cells(seen.rows, maps.area.y, maps.area.h, rows)
    column = _cells(seen.columns, maps.area.x, maps.area.w, columns)
    return maps.mask_logits[row[:, None], column[None, :]]


def draw(mask: DefectMask, label: int, labels: NDArray[np.int32]) -> None:
    """Write ``label`` to the px of ``labels`` (h, w), the whole sensor, whose centres lie in a cell of the mask that is on."""
    height, width = labels.shape
    grid: Mask = decode(mask.counts, mask.rows, mask.columns)
    # the pixels whose centres lie in the box
    first_x, first_y = (max(0, int(np.ceil(edge - 0.5 - 1e-6))) for edge in (mask.x, mask.y))
    last_x = min(width, int(np.ceil(mask.x + mask.width - 0.5 - 1e-6)))
    last_y = min(height, int(np.ceil(mask.y + mask.height - 0.5 - 1e-6)))
    if first_x >= last_x or first_y >= last_y:
        return
    rows, columns = slice(first_y, last_y), slice(first_x, last_x)
    row = _cells(rows, mask.y, mask.height, mask.rows)
    column = _cells(columns, mask.x, mask.width, mask.columns)
    labels[rows, columns][grid[row[:, None], column[None, :]]] = label


def _cells(pixels: slice, start: float, length: float, count: int) -> NDArray[np.int64]:
    """Of ``count`` cells over ``length`` px from ``start`` on, in which the centre of each pixel lies."""
    centres = np.arange(pixels.start, pixels.stop) + 0.5
    return np.clip(np.floor((centres - start) * (count / length) + 1e-6), 0, count - 1).astype(np.int64)
