"""A contact sheet of the parts that came out worst: what is there, what was found, and where the heatmap pointed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.defects import find_defects
from training.masks.sample import Mask, MaskedSample, MaskedSet
from training.segment_compare import ScoredPart
from training.segment_evaluate import Where, labelled
from training.segment_maps import Maps, Predict, draw

_SIDE = 300  # px of a picture, three of which are a tile
_TEXT = 20
_TRUE, _FOUND, _LOW, _WHITE = (80, 220, 80), (60, 60, 255), (60, 200, 240), (255, 255, 255)
Picture = NDArray[np.uint8]


def contact_sheet(
    parts: Sequence[ScoredPart],
    predict: Predict,
    limits: SegmentThresholds,
    images: MaskedSet,
    path: Path,
    *,
    where: Where | None = None,
    count: int = 16,
) -> None:
    """Write a PNG: on the left the worst parts with a defect, least IoU first; on the right the good parts of the highest score.

    A tile shows the part, the part with outlines (green the truth, red what counts as found, yellow what was found but does not
    count) and the heatmap over it. Nothing is written without parts.

    Args:
        parts: of `training.segment_evaluate.evaluate`, in the order of ``images``.
        predict: the networks, which are asked again.
        limits: what counts.
        images: the set.
        path: of the PNG; its folder is made.
        where: as in evaluate.
        count: tiles at most.
    """
    ranked = range(len(parts))
    bad = sorted((index for index in ranked if not parts[index].is_good), key=lambda index: parts[index].iou)
    good = sorted((index for index in ranked if parts[index].is_good), key=lambda index: -parts[index].score)
    columns = [column[: count // 2] for column in (bad, good) if column]
    if not columns:
        return
    height = max(len(column) for column in columns) * (_SIDE + _TEXT)
    sheet = np.zeros((height, 3 * _SIDE * len(columns), 3), np.uint8)
    region_of = where or labelled(images)
    for across, column in enumerate(columns):
        for down, index in enumerate(column):
            sample = images.load(index)
            region = region_of(index, sample)
            maps = None if region is None else predict(sample.image, region)
            tile = _tile(parts[index], sample, maps, limits)
            rows = slice(down * tile.shape[0], (down + 1) * tile.shape[0])
            sheet[rows, across * tile.shape[1] : (across + 1) * tile.shape[1]] = tile
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet)


def _tile(part: ScoredPart, sample: MaskedSample, maps: Maps | None, limits: SegmentThresholds) -> Picture:
    tile = np.zeros((_SIDE + _TEXT, 3 * _SIDE, 3), np.uint8)
    text = f"{part.name[-44:]}  {part.kind or 'good'}  IoU {part.iou:.2f}  score {part.score:.3f}"
    cv2.putText(tile, text if maps else f"{part.name[-60:]}: not located", (4, 14), _FONT, 0.45, _WHITE, 1, cv2.LINE_AA)
    if maps is None:
        return tile
    plain = _seen(np.asarray(cv2.cvtColor(sample.image, cv2.COLOR_GRAY2BGR), np.uint8), maps)
    outlined = plain.copy()
    for mask, colour in ((sample.mask, _TRUE), *_found(sample, maps, limits)):
        _outline(outlined, _seen(mask.astype(np.uint8), maps) > 0, colour)
    heat = cv2.applyColorMap(np.rint(255 * np.clip(maps.heatmap, 0, 1)).astype(np.uint8), cv2.COLORMAP_INFERNO)
    heat = cv2.resize(heat, plain.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    blended = np.asarray(cv2.addWeighted(plain, 0.5, heat, 0.8, 0.0), np.uint8)
    for number, picture in enumerate((plain, outlined, blended)):
        high, wide = picture.shape[:2]
        tile[_TEXT : _TEXT + high, number * _SIDE : number * _SIDE + wide] = picture
    return tile


def _found(sample: MaskedSample, maps: Maps, limits: SegmentThresholds) -> list[tuple[Mask, tuple[int, int, int]]]:
    """What was found with any score, then what counts, as masks of the sensor."""
    found = []
    every = msgspec.structs.replace(limits, score_above=0.0, min_area_px=0.0)
    for wanted, colour in ((every, _LOW), (limits, _FOUND)):
        labels = np.zeros(sample.mask.shape, np.int32)
        defects = find_defects(maps.mask_logits, maps.heatmap, maps.sensor_from_mask(), wanted, view="", mm_per_px=None)
        for defect in defects:
            draw(defect.mask, 1, labels)
        found.append((np.asarray(labels > 0, np.bool_), colour))
    return found


def _seen(picture: Picture, maps: Maps) -> Picture:
    """The area that the network saw, as large as a tile has room for; outside of the sensor it is black."""
    scale = _SIDE / max(maps.area.w, maps.area.h)
    matrix = np.array(
        [
            [scale, 0.0, 0.5 * scale - 0.5 - maps.area.x * scale],
            [0.0, scale, 0.5 * scale - 0.5 - maps.area.y * scale],
        ]
    )
    wh = max(1, round(maps.area.w * scale)), max(1, round(maps.area.h * scale))
    nearest = picture.ndim == 2  # a mask
    return np.asarray(
        cv2.warpAffine(picture, matrix, wh, flags=cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR), np.uint8
    )


def _outline(picture: Picture, mask: Mask, colour: tuple[int, int, int]) -> None:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, colour, 1)


_FONT = cv2.FONT_HERSHEY_SIMPLEX
