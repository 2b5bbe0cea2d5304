"""What a network says of one part: logits of its mask and a heatmap, and the networks as they ship."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Matrix, Region
from pipeline.network import Network, load_network
from pipeline.pixels import mono8_frame
from pipeline.result import DefectMask, KeypointState
from pipeline.run_length import decode
from pipeline.segment_card import SegmentCard, SegmentDecoderCard, SegmentEncoderCard
from pipeline.segment_stage import check_told_by, load_segment
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.segment import own_cells
from pipeline.stages.visibility import visibility
from pipeline.view_files import SegmentFiles
from training.masks.sample import Image, Mask, MaskedSample
from training.shipped import ShippedView

ENCODER, DECODER = "segment_encoder.onnx", "segment_decoder.onnx"
_Card = TypeVar("_Card", SegmentEncoderCard, SegmentDecoderCard)
_ROUNDING = 1e-6  # px: an edge that lies on a pixel's centre but for what floats lose


@dataclass(frozen=True, slots=True)
class Maps:
    """Of one part.

    Attributes:
        mask_logits: (Hm, Wm) float32.
        heatmap: (Hh, Wh) float32, 0 to 1; shows the same area.
        sensor_from_mask: px to px; scales and moves.
    """

    mask_logits: NDArray[np.float32]
    heatmap: NDArray[np.float32]
    sensor_from_mask: Matrix

    def corner(self) -> tuple[float, float]:
        """Of the area that both show, upper left, in sensor px, corner convention."""
        scale, move = self.sensor_from_mask[[0, 1], [0, 1]], self.sensor_from_mask[:2, 2]
        x, y = (move - 0.5 * scale + 0.5).tolist()
        return x, y

    def cell_wh(self) -> tuple[float, float]:
        """Of a cell of the mask, in sensor px."""
        return float(self.sensor_from_mask[0, 0]), float(self.sensor_from_mask[1, 1])


Predict = Callable[[MaskedSample, Region], Maps]  # of the part in a region; only perfect prompts look at the truth


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part lies on its image: the regions of all parts that are there, and which of them it is."""

    regions: Sequence[Region]
    number: int = 0

    @property
    def region(self) -> Region:
        """Its own."""
        return self.regions[self.number]

    def own(self, maps: Maps, wh: tuple[int, int]) -> Mask:
        """The cells of its mask that count on a sensor of this width and height: what the daemon counts."""
        return own_cells(self.regions, self.number, wh, maps.sensor_from_mask, maps.mask_logits.shape)


@dataclass(frozen=True, slots=True)
class Window:
    """Rows and columns of a sensor, in px."""

    rows: slice
    columns: slice


class ShippedSegment:
    """The two networks in a view's folder, run as the daemon runs them."""

    def __init__(self, folder: Path, *, backend: str = "auto", threads: int = 1) -> None:
        """Load both.

        Raises:
            NetworkError: one is missing, does not fit its place, or they do not belong together.
        """
        cards: list[SegmentCard] = []

        def load(path: Path, role: type[_Card]) -> Network[_Card]:
            network = load_network(path, role, backend=backend, threads=threads)
            cards.append(network.card)
            return network

        self._stage = load_segment(SegmentFiles(folder / ENCODER, folder / DECODER, SegmentThresholds()), load)
        self.weights: str = cards[0].weights  # which segment-anything model is inside
        self.keypoints = self._stage.keypoints  # that tell it where on the part it looks

    def __call__(self, sample: MaskedSample, region: Region) -> Maps:
        """The maps of the part in ``region`` of an image, whose keypoints are where the labels have them."""
        mask, heatmap, sensor_from_mask = self._stage.maps(mono8_frame(sample.image), region, sample.keypoints)
        return Maps(mask.copy(), heatmap.copy(), sensor_from_mask)


class WithKeypoints:
    """Networks that are told where on the part they look by the recipe's own keypoints, as on the line, not by labels."""

    def __init__(self, networks: ShippedSegment, folder: Path) -> None:
        """Find keypoints by the networks in a view's folder.

        Raises:
            NetworkError: there are none, or not of the keypoints by which ``networks`` are told.
            RecipeError: another file of the folder is faulty.
        """
        self._networks, self._view = networks, ShippedView(folder)
        check_told_by(networks.keypoints, self._view.keypoints, folder / DECODER)

    def __call__(self, sample: MaskedSample, region: Region) -> Maps:
        """The maps of the part in ``region``."""
        return self._networks(replace(sample, keypoints=seen_keypoints(self._view, sample.image, region)), region)


def seen_keypoints(view: ShippedView, image: Image, region: Region) -> dict[str, tuple[float, float]]:
    """Where a view's networks find the keypoints of the part in a region, sensor px; only those that results call visible."""
    (found,) = view.predict(image, [region])
    states = visibility(found.logits, view.keypoints, view.thresholds, found.is_placed).states
    return {
        name: (float(x), float(y))
        for name, (x, y), state in zip(view.keypoints, found.refined_sensor_px, states, strict=True)
        if state is KeypointState.visible and np.isfinite((x, y)).all()
    }


def window(region: Region, wh: tuple[int, int]) -> Window:
    """The px of a sensor of this width and height whose centres lie in a region; may be none."""
    return Window(_inside(region.y, region.h, wh[1]), _inside(region.x, region.w, wh[0]))


def on_sensor(maps: Maps, own: Mask, seen: Window) -> NDArray[np.float32]:
    """For every sensor px of a window the logit of the cell that its centre lies in: what a reported mask says of it.

    Cells that are not ``own`` say that there is nothing. A window must lie where the maps show.
    """
    (x, y), (wide, high) = maps.corner(), maps.cell_wh()
    rows, columns = maps.mask_logits.shape
    row, column = _cells(seen.rows, y, high, rows), _cells(seen.columns, x, wide, columns)
    return np.where(own, maps.mask_logits, -np.inf)[row[:, None], column[None, :]].astype(np.float32)


def draw(mask: DefectMask, label: int, labels: NDArray[np.int32]) -> None:
    """Write ``label`` to the px of ``labels`` (h, w), the whole sensor, whose centres lie in a cell of the mask that is on."""
    height, width = labels.shape
    rows, columns = _inside(mask.y, mask.height, height), _inside(mask.x, mask.width, width)
    if rows.start < rows.stop and columns.start < columns.stop:
        grid: Mask = decode(mask.counts, mask.rows, mask.columns)
        row = _cells(rows, mask.y, mask.height / mask.rows, mask.rows)
        column = _cells(columns, mask.x, mask.width / mask.columns, mask.columns)
        labels[rows, columns][grid[row[:, None], column[None, :]]] = label


def _inside(start: float, length: float, sensor: int) -> slice:
    """The px whose centres, half a px from their corners, lie between start and start + length."""
    first, last = (int(np.ceil(edge - 0.5 - _ROUNDING)) for edge in (start, start + length))
    first = min(max(first, 0), sensor)
    return slice(first, min(max(last, first), sensor))


def _cells(pixels: slice, start: float, size: float, count: int) -> NDArray[np.int64]:
    """Of ``count`` cells of ``size`` px from ``start`` on, in which the centre of each pixel lies."""
    centres = np.arange(pixels.start, pixels.stop) + 0.5
    return np.clip(np.floor((centres - start) / size + _ROUNDING), 0, count - 1).astype(np.int64)
