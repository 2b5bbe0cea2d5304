"""Defects of drawn parts, from the frame on."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.devices.cpu import CpuDevice
from pipeline.errors import NetworkError
from pipeline.frame import Frame
from pipeline.geometry import Region, identity
from pipeline.network import Network, load_network
from pipeline.pixels import mono8_frame
from pipeline.segment_card import SegmentDecoderCard, SegmentEncoderCard
from pipeline.segment_stage import load_segment
from pipeline.segment_thresholds import SegmentThresholds
from pipeline.stages.segment import Segment, own_cells
from pipeline.view_files import SegmentFiles
from tests.segment_networks import cards, with_defect, write_segment

LIMITS = SegmentThresholds()


def load(path: Path, role: type) -> Network:  # type: ignore[type-arg]  # of either card
    return load_network(path, role)


def files(folder: Path) -> SegmentFiles:
    return SegmentFiles(folder / "segment_encoder.onnx", folder / "segment_decoder.onnx", LIMITS)


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    write_segment(tmp_path, *cards())
    return load_segment(files(tmp_path), load)


def ground(width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.full((height, width), 10, np.uint8)


def boxes(segment: Segment, frame: Frame, regions: list[Region], number: int) -> list[tuple[float, ...]]:
    found = segment(frame, regions, number, LIMITS, view="top", mm_per_px=0.1)
    assert found is not None
    return [defect.box for defect in found.defects]


def test_a_defect_lies_where_it_is_in_the_frame(segment: Segment) -> None:
    frame = mono8_frame(with_defect(ground(1200, 1000), 400, 300, 32, 16))
    regions = [Region(176, 156, 512, 512)]
    told = segment(frame, regions, 0, LIMITS, view="top", mm_per_px=0.1)
    assert told is not None
    assert told.untold == 0
    (found,) = told.defects
    assert found.box == (400.0, 300.0, 32.0, 16.0)
    assert found.area_px == 512.0
    assert found.area_mm2 == pytest.approx(5.12)
    assert found.score > 0.9
    assert found.view == "top"
    x, y, value = found.peak
    assert 400 - 48 <= x <= 432 + 48
    assert 300 - 48 <= y <= 316 + 48
    assert value > 0.9


def test_in_tiles_small_things_are_found_and_large_ones_stay_whole(tmp_path: Path) -> None:
    frame = mono8_frame(with_defect(with_defect(ground(1200, 1100), 640, 300, 12, 12), 700, 500, 96, 32))
    region = Region(256, 16, 1024, 1024)  # 4 px for each of its image; a tile's border runs through the second defect
    found = {}
    for tiles in ((1, 1), (2, 2), (4, 4)):
        encoder, decoder = cards()
        folder = tmp_path / f"{tiles[0]}"
        folder.mkdir()
        write_segment(folder, msgspec.structs.replace(encoder, tiles=tiles), decoder)
        found[tiles] = boxes(load_segment(files(folder), load), frame, [region], 0)
    assert len(found[1, 1]) == 1
    assert sorted(found[4, 4]) == [(640.0, 300.0, 12.0, 12.0), (700.0, 500.0, 96.0, 32.0)]
    assert len(found[2, 2]) == 2


def test_only_what_lies_in_the_region_counts_not_all_that_its_image_shows(segment: Segment) -> None:
    frame = with_defect(with_defect(ground(600, 600), 100, 100), 100, 300)
    wide = Region(64, 80, 256, 64)  # its image is 256 px high about it
    assert boxes(segment, mono8_frame(frame), [wide], 0) == [(100.0, 100.0, 16.0, 8.0)]


def test_beyond_the_frame_there_is_nothing(segment: Segment) -> None:
    frame = mono8_frame(with_defect(ground(400, 400), 384, 100, 16, 8))  # its edge repeats in the image
    assert boxes(segment, frame, [Region(272, 0, 256, 256)], 0) == [(384.0, 100.0, 16.0, 8.0)]


def test_each_part_has_its_own_defects_where_regions_overlap(segment: Segment) -> None:
    regions = [Region(0, 0, 256, 256), Region(192, 0, 256, 256)]  # the middle between them is at x = 224
    frame = with_defect(with_defect(ground(448, 256), 200, 40), 232, 120)
    found = [boxes(segment, mono8_frame(frame), regions, number) for number in (0, 1)]
    assert found == [[(200.0, 40.0, 16.0, 8.0)], [(232.0, 120.0, 16.0, 8.0)]]


def test_every_cell_belongs_to_at_most_one_part() -> None:
    regions = [Region(0, 0, 40, 40), Region(0, 0, 40, 40), Region(20, 0, 40, 40), Region(0, 20, 40, 40)]
    own = [own_cells(regions, number, (60, 50), identity(), (64, 64)) for number in range(4)]
    assert np.sum(own, axis=0).max() == 1
    covered = np.zeros((64, 64), np.bool_)
    covered[:40, :60] = covered[:50, :40] = True
    assert np.array_equal(np.any(own, axis=0), covered)


def test_regions_that_touch_share_no_cell() -> None:
    regions = [Region(0, 0, 10.5, 20), Region(10.5, 0, 9.5, 20)]  # a cell has its centre on the line between them
    own = [own_cells(regions, number, (20, 20), identity(), (20, 20)) for number in range(2)]
    assert np.array_equal(own[0].sum(axis=0), [20] * 10 + [0] * 10)
    assert np.array_equal(own[0], ~own[1])


def test_what_is_no_finite_number_is_no_finding(tmp_path: Path) -> None:
    write_segment(tmp_path, *cards())

    class Broken:
        """Gives one value that is none."""

        def __init__(self, name: str, value: float) -> None:
            decoder = load_network(tmp_path / "segment_decoder.onnx", SegmentDecoderCard)
            self.spec, self.backend, self._engine = decoder.engine.spec, decoder.engine.backend, decoder.engine
            self._name, self._value, self.network = name, value, decoder

        def run(self, inputs: object) -> object:
            outputs = dict(self._engine.run(inputs))  # type: ignore[arg-type]  # what it was given
            outputs[self._name].reshape(-1)[7] = self._value
            return outputs

    encoder = load_network(tmp_path / "segment_encoder.onnx", SegmentEncoderCard)
    for name in ("mask", "heatmap"):
        for value in (np.nan, np.inf, -np.inf):
            broken = Broken(name, value)
            stage = Segment(encoder, replace(broken.network, engine=broken), CpuDevice())  # type: ignore[arg-type]  # all that is used
            frame = mono8_frame(ground(256, 256))
            assert stage(frame, [Region(0, 0, 256, 256)], 0, LIMITS, view="top", mm_per_px=None) is None


def test_masks_that_would_be_too_large_in_tiles_are_refused() -> None:
    encoder, decoder = cards()
    encoder = msgspec.structs.replace(encoder, tiles=(8, 1))
    assert decoder.disagreement(encoder) == ""
    decoder = msgspec.structs.replace(decoder, mask_wh=(1024, 64))
    assert decoder.disagreement(encoder) == "(8, 1) tiles with masks of (1024, 64) cells, more than 4096 a side"


def test_a_decoder_of_another_encoder_is_refused(tmp_path: Path) -> None:
    encoder, decoder = cards()
    for changes, what in (
        ({"weights": "vit-b"}, "weights 'vit-b', not 'none, for tests'"),
        ({"image_wh": (512, 256)}, "image_wh (512, 256), not (256, 256)"),
    ):
        other = msgspec.structs.replace(decoder, **changes)
        write_segment(tmp_path, encoder, other)
        with pytest.raises(NetworkError) as caught:
            load_segment(files(tmp_path), load)
        assert f"segment_decoder.onnx: was made for another encoder: {what}" in str(caught.value)
        assert "next: datumd train --method prompted_sam" in str(caught.value)
