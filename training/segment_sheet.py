"""A contact sheet of the parts that came out worst: what is there, what was found, and where the heatmap pointed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.segment_thresholds import SegmentThresholds
from training.masks.sample import MaskedSample, MaskedSet
from training.segment_compare import ScoredPart
from training.segment_evaluate import every_defect
from training.segment_maps import Maps, Place, Predict, draw
from training.segment_regions import Where, labelled

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
    place_of = where or labelled(images)
    for across, column in enumerate(columns):
        for down, index in enumerate(column):
            sample = images.load(index)
            place = place_of(index, sample)
            tile = _head(parts[index], is_located=place is not None)
            if place is not None:
                _fill(tile, sample, place, predict(sample, place.region), limits)
            rows = slice(down * tile.shape[0], (down + 1) * tile.shape[0])
            sheet[rows, across * tile.shape[1] : (across + 1) * tile.shape[1]] = tile
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet)


def _head(part: ScoredPart, *, is_located: bool) -> Picture:
    """A tile with its line of text."""
    tile = np.zeros((_SIDE + _TEXT, 3 * _SIDE, 3), np.uint8)
    figures = f"IoU {part.iou:.2f}  score {part.score:.3f}" if is_located else "not located"
    text = f"{part.name[-44:]}  {part.kind or 'good'}  {figures}"
    cv2.putText(tile, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return tile


def _fill(tile: Picture, sample: MaskedSample, place: Place, maps: Maps, limits: SegmentThresholds) -> None:
    """Draw the three pictures below the text."""
    plain = _seen(np.asarray(cv2.cvtColor(sample.image, cv2.COLOR_GRAY2BGR), np.uint8), maps)
    outlined = plain.copy()
    height, width = sample.mask.shape
    found = every_defect(maps, place.own(maps, (width, height)), limits)
    counts = [defect.score >= limits.score_above and defect.area_px >= limits.min_area_px for defect in found]
    _outline(outlined, _seen(sample.mask.astype(np.uint8), maps), _TRUE)
    for wanted, colour in ((False, _LOW), (True, _FOUND)):
        labels = np.zeros(sample.mask.shape, np.int32)
        for defect, is_counted in zip(found, counts, strict=True):
            if is_counted == wanted:
                draw(defect.mask, 1, labels)
        _outline(outlined, _seen(labels.astype(np.uint8), maps), colour)
    heat = cv2.applyColorMap(np.rint(255 * np.clip(maps.heatmap, 0, 1)).astype(np.uint8), cv2.COLORMAP_INFERNO)
    heat = cv2.resize(heat, plain.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    blended = np.asarray(cv2.addWeighted(plain, 0.5, heat, 0.8, 0.0), np.uint8)
    for number, picture in enumerate((plain, outlined, blended)):
        high, wide = picture.shape[:2]
        tile[_TEXT : _TEXT + high, number * _SIDE : number * _SIDE + wide] = picture


def _seen(picture: Picture, maps: Maps) -> Picture:
    """The area that the network saw, as large as a tile has room for; outside of the sensor it is black."""
    rows, columns = maps.mask_logits.shape
    cell_wide, cell_high = maps.cell_wh()
    scale = _SIDE / max(columns * cell_wide, rows * cell_high)
    x, y = maps.corner()
    matrix = np.array([[scale, 0.0, (0.5 - x) * scale - 0.5], [0.0, scale, (0.5 - y) * scale - 0.5]])
    wh = max(1, round(columns * cell_wide * scale)), max(1, round(rows * cell_high * scale))
    flags = cv2.INTER_NEAREST if picture.ndim == 2 else cv2.INTER_LINEAR  # a mask stays one
    return np.asarray(cv2.warpAffine(picture, matrix, wh, flags=flags), np.uint8)


def _outline(picture: Picture, mask: Picture, colour: tuple[int, int, int]) -> None:
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, colour, 1)
