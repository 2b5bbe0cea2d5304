from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.recipe_file import BlobSettings, LocateSettings
from training.canvas import overlap, prepare, region_of
from training.labels.coco import read_coco
from training.method import Method, load_method


@pytest.fixture
def method(square_method: Path) -> Method:
    return load_method(square_method)


def test_keypoints_lie_where_they_are_seen(square_set: Path, method: Method, tmp_path: Path) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    canvas = prepare(dataset, method.view, 1.0, tmp_path / "work")
    assert canvas.large.shape == (16, 160, 192)
    assert canvas.medium.shape == (16, 160, 192)  # twice the small image
    for image, (corner, *_) in zip(canvas.large, canvas.xy_canvas_px, strict=True):
        x, y = np.rint(corner + 0.5).astype(int)  # first column and row of the square
        assert image[y + 2, x + 2] > 120 > image[y + 2, x - 3]
        assert image[y + 2, x + 2] > 120 > image[y - 3, x + 2]


def test_more_context_shows_more_around_the_same_points(square_set: Path, method: Method, tmp_path: Path) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    plain = prepare(dataset, method.view, 1.0, tmp_path / "plain")
    wide = prepare(dataset, method.view, 1.5, tmp_path / "wide")
    assert wide.large.shape == (16, 240, 288)
    assert wide.large_offset == (48, 40)
    assert wide.xy_canvas_px == pytest.approx(plain.xy_canvas_px + np.array((48, 40)))
    assert np.array_equal(wide.large[:, 40:200, 48:240], plain.large)


def test_a_second_run_takes_what_the_first_has_cut_unless_it_changed(
    square_set: Path, method: Method, tmp_path: Path
) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    prepare(dataset, method.view, 1.0, tmp_path)
    before = (tmp_path / "large.npy").stat().st_mtime_ns
    prepare(dataset, method.view, 1.0, tmp_path)
    assert (tmp_path / "large.npy").stat().st_mtime_ns == before
    cv2.imwrite(str(dataset.parts[0].image), np.full((160, 192), 9, np.uint8))
    assert (prepare(dataset, method.view, 1.0, tmp_path).large[0] == 9).all()


def test_an_image_of_another_size_or_none_is_refused(square_set: Path, method: Method, tmp_path: Path) -> None:
    dataset = read_coco(square_set, square_set.parent / "images")
    cv2.imwrite(str(dataset.parts[3].image), np.zeros((50, 40), np.uint8))
    with pytest.raises(DataError, match=r"003.png: is 40x50; allowed: 192x160"):
        prepare(dataset, method.view, 1.0, tmp_path)
    dataset.parts[3].image.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"003.png: is not an image"):
        prepare(dataset, method.view, 1.0, tmp_path)


def test_regions_are_those_that_locate_would_give(square_set: Path, method: Method) -> None:
    part = replace(read_coco(square_set, square_set.parent / "images").parts[0], box=(20.0, 30.0, 40.0, 10.0))
    fixed = region_of(part, method.view)
    assert fixed == (0, 0, 192, 160)
    nests = LocateSettings(nests=[(100, 100, 40, 40), (15, 25, 50, 30)])
    assert region_of(part, msgspec.structs.replace(method.view, locate=nests)) == (15, 25, 50, 30)
    blob = LocateSettings(blob=BlobSettings(area_px=(10, 1000), margin=0.25))
    assert region_of(part, msgspec.structs.replace(method.view, locate=blob)) == (10, 20, 60, 30)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 5, 5)) == 0.0
