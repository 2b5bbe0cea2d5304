"""Locating parts: fixed regions and blobs."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.devices.cpu import CpuDevice
from pipeline.geometry import Region
from pipeline.pixels import mono8_frame
from pipeline.recipe_file import BlobSettings, LocateSettings
from pipeline.stages.locate import in_reading_order, make_locate

Image = NDArray[np.uint8]


def belt(*boxes: tuple[int, int, int, int, float], ground: int = 80, part: int = 180, noise: float = 3.0) -> Image:
    """A noisy belt 1280 x 1024 with rectangles: centre x, y, width, height, angle in degrees."""
    frame = np.full((1024, 1280), ground, np.float32)
    for x, y, width, height, angle in boxes:
        corners = cv2.boxPoints(((x, y), (width, height), angle))
        cv2.fillConvexPoly(frame, corners.astype(np.int32), float(part))
    frame += np.random.default_rng(0).normal(0, noise, frame.shape)
    return frame.clip(0, 255).astype(np.uint8)


def locate(frame: Image, count: int | None = None, **blob: object) -> tuple[list[Region], tuple[str, ...]]:
    settings = LocateSettings(blob=BlobSettings(**{"area_px": (5000, 90000), "margin": 0.0, **blob}), count=count)
    regions, reasons = make_locate(settings, "top", CpuDevice())(mono8_frame(frame))
    return regions, tuple(reason.code for reason in reasons)


def assert_region(region: Region, x: float, y: float, w: float, h: float, within: float = 12.0) -> None:
    assert np.abs(np.array(region) - (x, y, w, h)).max() <= within


def test_fixed_regions_are_those_of_the_recipe() -> None:
    frame = mono8_frame(belt())
    fixed = make_locate(LocateSettings(fixed=(320.1, 210.7, 640.2, 512.3)), "top", CpuDevice())
    assert fixed(frame) == ([Region(320.1, 210.7, 640.2, 512.3)], ())
    nests = make_locate(LocateSettings(nests=[(0, 0, 50, 50), (100, 0, 50, 50)]), "top", CpuDevice())
    assert nests(frame) == ([Region(0, 0, 50, 50), Region(100, 0, 50, 50)], ())


def test_a_region_written_for_a_larger_camera_is_not_judged() -> None:
    fixed = make_locate(LocateSettings(fixed=(800, 210, 640, 512)), "top", CpuDevice())
    regions, reasons = fixed(mono8_frame(belt()))
    assert [(reason.code, reason.view) for reason in reasons] == [("region_outside", "top")]
    assert regions == [Region(800, 210, 480, 512)]
    far = make_locate(LocateSettings(fixed=(-1e9, 5e8, 1e6, 1e12)), "top", CpuDevice())
    assert far(mono8_frame(belt()))[0] == [Region(0, 1023, 1, 1)]


@pytest.mark.parametrize(
    ("box", "is_outside"),
    [
        ((0, 0, 1280, 1024), False),
        ((-0.5, 0, 1280, 1024), True),
        ((0, -0.5, 1280, 1024), True),
        ((0.5, 0, 1280, 1024), True),
        ((0, 0.5, 1280, 1024), True),
    ],
)
def test_a_region_may_reach_to_the_rim_and_no_farther(box: tuple[float, ...], is_outside: bool) -> None:
    fixed = make_locate(LocateSettings(fixed=box), "top", CpuDevice())  # type: ignore[arg-type]  # of four, as parametrised
    assert bool(fixed(mono8_frame(belt()))[1]) is is_outside


@pytest.mark.parametrize("mode", ["grey", "edges"])
def test_every_part_is_found_in_reading_order(mode: str) -> None:
    frame = belt((900, 300, 200, 120, 0), (300, 330, 200, 120, 0), (600, 800, 100, 200, 0))
    regions, reasons = locate(frame, mode=mode)
    assert reasons == ()
    assert len(regions) == 3
    rim = 20 if mode == "edges" else 0  # an edge is as wide as the cells that show it
    for region, (x, y, w, h) in zip(
        regions, [(200, 270, 200, 120), (800, 240, 200, 120), (550, 700, 100, 200)], strict=True
    ):
        assert_region(region, x - rim, y - rim, w + 2 * rim, h + 2 * rim)


def test_dark_parts_need_to_be_told_but_not_to_edges() -> None:
    frame = belt((600, 500, 220, 160, 0), ground=190, part=60)
    dark, _ = locate(frame, dark_on_light=True)
    edges, _ = locate(frame, mode="edges")
    assert len(dark) == len(edges) == 1
    assert_region(dark[0], 490, 420, 220, 160)
    assert_region(edges[0], 470, 400, 260, 200)
    assert locate(frame)[0] == []  # the bright side is the belt, far above area_px


def test_a_fixed_threshold_is_taken_as_it_is() -> None:
    frame = belt((300, 300, 200, 120, 0), part=150)
    assert len(locate(frame, threshold=120)[0]) == 1
    assert locate(frame, threshold=200)[0] == []


@pytest.mark.parametrize("mode", ["grey", "edges"])
def test_an_empty_belt_shows_no_part(mode: str) -> None:
    assert locate(belt(noise=8.0), mode=mode) == ([], ())
    assert locate(np.full((1024, 1280), 90, np.uint8), mode=mode) == ([], ())


def test_areas_out_of_range_are_no_parts() -> None:
    frame = belt((300, 300, 200, 120, 0), (700, 300, 40, 40, 0), (900, 750, 420, 300, 0))
    regions, _ = locate(frame)
    assert len(regions) == 1
    assert_region(regions[0], 200, 240, 200, 120)


def test_the_margin_widens_by_a_part_of_the_longer_side() -> None:
    (bare,), _ = locate(belt((600, 500, 200, 100, 0)))
    (wide,), _ = locate(belt((600, 500, 200, 100, 0)), margin=0.1)
    margin = 0.1 * max(bare.w, bare.h)
    assert wide == Region(bare.x - margin, bare.y - margin, bare.w + 2 * margin, bare.h + 2 * margin)


def test_another_number_of_parts_than_wanted_is_a_reason_but_none_is_just_none() -> None:
    frame = belt((300, 300, 200, 120, 0), (900, 300, 200, 120, 0))
    assert locate(frame, count=2)[1] == ()
    assert locate(frame, count=1)[1] == ("part_count",)
    assert locate(belt(), count=1) == ([], ())


@pytest.mark.parametrize("mode", ["grey", "edges"])
def test_parts_that_touch_are_cut_apart_where_the_recipe_says_so(mode: str) -> None:
    frame = belt((400, 500, 300, 90, 0), (590, 665, 90, 300, 0))
    together, _ = locate(frame, mode=mode)
    apart, _ = locate(frame, mode=mode, touching=True)
    assert len(together) == 1
    assert len(apart) == 2
    centres = [(region.x + region.w / 2, region.y + region.h / 2) for region in sorted(apart)]
    assert np.abs(np.array(centres) - [(400, 500), (590, 665)]).max() < 40


def test_clutter_without_end_is_not_taken_for_parts() -> None:
    dots = np.zeros((1024, 1280), np.uint8)
    dots[16:1008:32, 16:1264:32] = 250
    regions, reasons = locate(dots, area_px=(1, 9), cell_px=1, threshold=100)
    assert reasons == ("part_count",)
    assert len(regions) == 256


def test_a_frame_smaller_than_a_cell_shows_no_part() -> None:
    assert locate(np.zeros((5, 1280), np.uint8)) == ([], ())


def test_rows_are_read_from_the_top_and_from_the_left() -> None:
    upper, lower = (
        [Region(500, 12, 90, 60), Region(20, 30, 90, 60)],
        [Region(300, 200, 90, 60), Region(40, 220, 90, 60)],
    )
    assert in_reading_order([*lower, *upper]) == [upper[1], upper[0], lower[1], lower[0]]


@pytest.mark.time_limit_s(60)
def test_every_glue_tube_of_real_photographs_lies_in_a_region(shared_data: object) -> None:
    import json
    from pathlib import Path

    folder = Path(str(shared_data)) / "tubes"
    coco = json.loads((folder / "annotations.json").read_text())
    blob = BlobSettings(area_px=(9000, 800_000), mode="edges", touching=True)
    find = make_locate(LocateSettings(blob=blob), "top", CpuDevice())
    exact = held = 0
    for image in coco["images"]:
        tubes = [one for one in coco["annotations"] if one["image_id"] == image["id"]]
        grey = cv2.imread(str(folder / "images" / image["file_name"]), cv2.IMREAD_GRAYSCALE)
        regions, _ = find(mono8_frame(grey.astype(np.uint8)))
        exact += len(regions) == len(tubes)
        for tube in tubes:
            ends = np.array(tube["keypoints"]).reshape(-1, 3)[:, :2]
            held += any(
                (ends >= (region.x, region.y)).all() and (ends <= (region.x + region.w, region.y + region.h)).all()
                for region in regions
            )
    assert len(coco["annotations"]) == 185
    assert held >= 183
    assert exact >= 107
