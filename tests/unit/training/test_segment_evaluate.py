"""Evaluation, calibration and the sheet, with a network that knows that defects are bright."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from pipeline.errors import DataError
from pipeline.geometry import Region
from pipeline.pixels import mono8_frame
from pipeline.segment_thresholds import SegmentThresholds, read_segment_thresholds, write_segment_thresholds
from pipeline.stages.crop import Crop
from training.masks.sample import Mask, MaskedImage, MaskedSample, MaskedSet
from training.segment_calibrate import calibrate_segment
from training.segment_evaluate import evaluate
from training.segment_maps import Maps, Place
from training.segment_regions import labelled
from training.segment_sheet import contact_sheet

WH = (96, 80)
SIDE = 48
WriteSet = Callable[..., MaskedSet]


class Bright:
    """Logits by grey level, 0 at 150; the heatmap is how bright the brightest is nearby."""

    def __init__(self, level: float = 150.0) -> None:
        self._level = level
        self._crop = Crop((SIDE, SIDE), CpuDevice())

    def __call__(self, sample: MaskedSample, region: Region) -> Maps:
        cut = self._crop(mono8_frame(sample.image), region)
        seen = np.asarray(cut.image[0, :, :, 0], np.float32)
        heat = cv2.resize(cv2.dilate(seen, np.ones((5, 5), np.uint8)) / 255.0, (12, 12), interpolation=cv2.INTER_AREA)
        return Maps((seen - self._level) / 10.0, heat, cut.sensor_from((SIDE, SIDE)))


@pytest.fixture
def write_set(tmp_path: Path) -> WriteSet:
    """A set of parts: one with a defect of this grey level for each number, 0 for a good part."""

    def write(*levels: int, region: Region | None = None, side: int = 14) -> MaskedSet:
        images = []
        for index, level in enumerate(levels):
            rng = np.random.default_rng(index)
            image = np.clip(rng.normal(90, 4, (WH[1], WH[0])), 0, 255)
            mask = np.zeros((WH[1], WH[0]), np.bool_)
            if level:
                mask[30 : 30 + side, 20 + index : 20 + index + side] = True
                image[mask] = level
            file = tmp_path / f"{index}.png"
            cv2.imwrite(str(file), image.astype(np.uint8))
            kind = ("dent" if level < 200 else "burr") if level else ""
            images.append(MaskedImage(file.name, file, partial(_given, mask), kind, file.name, region))
        return MaskedSet(images, "set")

    return write


def _given(mask: Mask, _: tuple[int, int]) -> Mask:
    return mask


def test_bright_defects_are_found_where_they_are(write_set: WriteSet) -> None:
    images = write_set(220, 210, 170, 0, 0)
    found = evaluate(Bright(), SegmentThresholds(score_above=0.3), images)
    assert found.lost == 0
    assert [part.is_good for part in found.parts] == [False, False, False, True, True]
    assert all(part.iou > 0.7 and part.boundary_px is not None and part.boundary_px < 2.0 for part in found.parts[:3])
    assert not any(part.is_flagged for part in found.parts[3:])
    assert found.counts.defects == 3
    assert found.counts.aupro() == pytest.approx(1.0, abs=0.02)
    assert found.counts.positives.sum() == 3 * 14 * 14
    assert found.counts.positives.sum() + found.counts.negatives.sum() == 5 * WH[0] * WH[1]


def test_only_a_parts_own_region_is_looked_at(write_set: WriteSet) -> None:
    images = write_set(220, region=Region(60, 0, 30, 40))
    found = evaluate(Bright(), SegmentThresholds(), images)
    assert found.parts[0].is_good
    assert found.parts[0].score == 0.0
    assert found.counts.negatives.sum() == 30 * 40


def test_a_part_that_is_not_located_is_lost(write_set: WriteSet) -> None:
    images = write_set(220, 0)
    found = evaluate(Bright(), SegmentThresholds(), images, where=lambda _index, _sample: None)
    assert found.lost == 2
    assert found.parts[0].is_missed
    assert found.counts.defects == 0


def test_what_lies_on_another_part_was_not_lost_with_it(write_set: WriteSet) -> None:
    images = write_set(220, region=Region(60, 0, 30, 40))
    found = evaluate(Bright(), SegmentThresholds(), images, where=lambda _index, _sample: None)
    assert found.parts[0].is_good
    assert not found.parts[0].defects


def test_parts_of_one_image_know_of_each_other(write_set: WriteSet) -> None:
    (only,) = write_set(220).images
    halves = [
        MaskedImage(f"half{number}", only.file, only.read_mask, only.kind, only.group, Region(48.0 * number, 0, 48, 80))
        for number in range(2)
    ]
    images = MaskedSet(halves, "set")
    where = labelled(images)
    place = where(1, images.load(1))
    assert isinstance(place, Place)
    assert place.region == (48, 0, 48, 80)
    assert len(place.regions) == 2
    found = evaluate(Bright(), SegmentThresholds(score_above=0.3), images)
    assert [part.is_flagged for part in found.parts] == [True, False]


def test_limits_are_chosen_by_the_parts_and_read_back(write_set: WriteSet, tmp_path: Path) -> None:
    images = write_set(220, 210, 190, 185, 0, 0, 0)
    found = calibrate_segment(Bright(level=110.0), images, detection=0.99)
    limits = found.limits
    assert found.iou > 0.8
    assert found.defects == 4
    assert limits.examples == (4, 3)
    assert limits.missed is not None
    assert limits.missed[0] == 0.0
    assert limits.false_alarms is not None
    again = evaluate(Bright(level=110.0), limits, images)
    assert all(defect.is_found for part in again.parts for defect in part.defects)
    assert min(defect.score for part in again.parts for defect in part.defects) == limits.score_above
    assert any("4 parts with a defect say little" in line for line in found.lines())
    write_segment_thresholds(tmp_path / "segment.toml", limits)
    assert read_segment_thresholds(tmp_path / "segment.toml") == limits


def test_half_the_defects_are_found_if_half_are_asked_for(write_set: WriteSet) -> None:
    images = write_set(230, 200, 180, 160, 0)
    limits = calibrate_segment(Bright(level=110.0), images, detection=0.5).limits
    again = evaluate(Bright(level=110.0), limits, images)
    assert sum(defect.is_found for part in again.parts for defect in part.defects) == 2


def test_defects_that_are_not_seen_at_all_leave_a_warning(write_set: WriteSet) -> None:
    images = write_set(230, 60, 0)
    found = calibrate_segment(Bright(), images, detection=0.99)
    assert any("fewer than 99% of the defects are found at any score" in line for line in found.lines())
    assert found.limits.score_above > 0


@pytest.mark.parametrize(("side", "says"), [(0, "no part has a defect"), (5, "more than 30 px²")])
def test_parts_without_a_defect_to_be_found_are_refused(write_set: WriteSet, side: int, says: str) -> None:
    with pytest.raises(DataError, match=says):
        calibrate_segment(Bright(), write_set(220, 0, side=side))


def test_the_sheet_shows_the_worst_of_both_sides(write_set: WriteSet, tmp_path: Path) -> None:
    images = write_set(220, 100, 0, 0)
    limits = SegmentThresholds(score_above=0.3)
    found = evaluate(Bright(), limits, images)
    path = tmp_path / "new" / "worst.png"
    contact_sheet(found.parts, Bright(), limits, images, path)
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape == (2 * 320, 2 * 900, 3)
    green = (sheet[..., 1] > 200) & (sheet[..., 0] < 100) & (sheet[..., 2] < 100)
    assert green[20:320, 300:600].any()  # the truth of the missed one, in its second picture
    assert not green[:, 900:].any()  # good parts have none


def test_the_sheet_names_what_was_not_located_and_is_not_made_of_nothing(write_set: WriteSet, tmp_path: Path) -> None:
    images = write_set(220)
    limits = SegmentThresholds()
    lost = evaluate(Bright(), limits, images, where=lambda _index, _sample: None)
    contact_sheet(lost.parts, Bright(), limits, images, tmp_path / "a.png", where=lambda _index, _sample: None)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (320, 900, 3)
    contact_sheet([], Bright(), limits, images, tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()
