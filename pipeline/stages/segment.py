"""Looks for defects on a part: its image through the encoder and the decoder, and what they show as defects."""

import math
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engines.devices.device import AnyDevice
from pipeline import geometry
from pipeline.frame import Frame
from pipeline.geometry import Matrix, Region
from pipeline.network import SegmentDecoder, SegmentEncoder
from pipeline.part_pose import Found, pose_of, sensor_from_part
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.crop import Crop, sensor_from_map
from pipeline.stages.defects import ToldDefects, tell_defects
from pipeline.stages.tiles import stitch, tiles_of

NO_KEYPOINTS: Found = MappingProxyType({})


class Segment:
    """One part at a time: the encoder is what takes time and memory, and a batch would take as much for every part."""

    def __init__(self, encoder: SegmentEncoder, decoder: SegmentDecoder, device: AnyDevice) -> None:
        """With networks that belong together; images live on `device`."""
        self._encoder, self._decoder, self.device = encoder, decoder, device
        self._crop = Crop(encoder.card.image_wh, device)
        columns, rows = encoder.card.tiles
        self._mask, self._heatmap = (
            np.empty((rows * high, columns * wide), np.float32)
            for wide, high in (decoder.card.mask_wh, decoder.card.heatmap_wh)
        )

    @property
    def backends(self) -> tuple[str, ...]:
        """The libraries, with their versions, that run the encoder and the decoder."""
        return self._encoder.engine.backend, self._decoder.engine.backend

    @property
    def keypoints(self) -> tuple[str, ...]:
        """The names of those that tell it where on the part it looks; none where it does not ask."""
        return tuple(self._decoder.card.layout)

    def __call__(
        self,
        frame: Frame,
        regions: Sequence[Region],
        number: int,
        limits: SegmentThresholds,
        *,
        view: str,
        mm_per_px: float | None,
        keypoints: Found = NO_KEYPOINTS,
    ) -> ToldDefects | None:
        """The defects of one part, as tell_defects; None where a network gave what is no finite number.

        Only what lies in the part's own region counts, not what its image shows around it: the next part, the frame's rim.

        Args:
            frame: shows the part.
            regions: of all parts that were located in the frame.
            number: which of them.
            limits: what counts.
            view: its name.
            mm_per_px: its scale.
            keypoints: where those of the part that are visible lie, sensor px.

        Raises:
            NetworkError: a network fails.
        """
        mask, heatmap, sensor_from_mask = self.maps(frame, regions[number], keypoints)
        if not (_is_finite(mask) and _is_finite(heatmap)):
            return None
        own = own_cells(regions, number, (frame.info.width, frame.info.height), sensor_from_mask, mask.shape)
        return tell_defects(mask, heatmap, sensor_from_mask, limits, view=view, mm_per_px=mm_per_px, counted=own)

    def maps(
        self, frame: Frame, region: Region, keypoints: Found = NO_KEYPOINTS
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Matrix]:
        """What the networks give, tile by tile: mask logits (Hm, Wm), heatmap (Hh, Wh), and sensor_from_mask.

        The next call overwrites them. Raises NetworkError where a network fails.
        """
        card = self._encoder.card
        tiles = tiles_of(region, card.image_wh, card.tiles)
        placed = sensor_from_part(self._decoder.card.layout, keypoints)
        area = stitch(tiles, card.tiles, partial(self._look, frame, placed), self._mask, self._heatmap)
        rows, columns = self._mask.shape
        return self._mask, self._heatmap, sensor_from_map(area, (columns, rows))

    def _look(
        self, frame: Frame, placed: Matrix | None, area: Region
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        features = self._encoder.run({"image": self._crop.area(frame, area).image})
        asked = {name: features[name] for name in ("intermediate", "embedding")}
        if self._decoder.card.layout:
            asked["pose"] = pose_of(area, placed)[None]
        outputs = self._decoder.run(asked)
        return outputs["mask"][0], outputs["heatmap"][0]


def own_cells(
    regions: Sequence[Region],
    number: int,
    frame_wh: tuple[int, int],
    sensor_from_mask: Matrix,
    mask_hw: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Cells (Hm, Wm) of a mask whose centres lie on the frame and in a part's region, and deeper in it than in any other."""
    rows, columns = mask_hw
    places = geometry.apply(sensor_from_mask, np.stack([np.arange(max(mask_hw))] * 2, axis=-1)) + 0.5
    x, y = places[:columns, 0], places[:rows, 1]
    region, (width, height) = regions[number], frame_wh
    inside_x = (x >= max(region.x, 0.0)) & (x < min(region.x + region.w, width))
    inside_y = (y >= max(region.y, 0.0)) & (y < min(region.y + region.h, height))
    counted: NDArray[np.bool_] = inside_y[:, None] & inside_x
    for other, near in enumerate(regions):
        if other != number and _overlap(near, region):
            own, depth = _depth(region, x, y), _depth(near, x, y)
            counted &= own < depth if other < number else own <= depth
    return counted


def _depth(region: Region, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, columns): 0 at the centre of a region, 1 at its rim, more outside."""
    across = np.abs(x - (region.x + region.w / 2)) / (region.w / 2)
    down = np.abs(y - (region.y + region.h / 2)) / (region.h / 2)
    return np.maximum(across, down[:, None])


def _overlap(one: Region, two: Region) -> bool:
    return abs(2 * (one.x - two.x) + one.w - two.w) < one.w + two.w and (
        abs(2 * (one.y - two.y) + one.h - two.h) < one.h + two.h
    )


def _is_finite(values: NDArray[np.float32]) -> bool:
    """Without a copy: what is no number goes through the smallest and the largest."""
    return math.isfinite(values.min()) and math.isfinite(values.max())
