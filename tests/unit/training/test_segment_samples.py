from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.geometry import Region
from training.masks.folder import read_mask_folder
from training.masks.sample import MaskedImage, MaskedSet
from training.segment_method import SegmentAugment, SegmentMethod, load_segment_method
from training.segment_samples import SegmentSamples

METHOD = SegmentMethod(steps=1)
STILL = msgspec.structs.replace(METHOD, augment=SegmentAugment(contrast=0, brightness=0, noise=0, blur_px=0))


def samples(path: Path, method: SegmentMethod = STILL, image_wh: tuple[int, int] = (64, 64)) -> SegmentSamples:
    half, quarter = (image_wh[0] // 2, image_wh[1] // 2), (image_wh[0] // 4, image_wh[1] // 4)
    return SegmentSamples(read_mask_folder(path), method, image_wh, half, quarter)


def write_one(folder: Path, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Path:
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), image)
    cv2.imwrite(str(folder / "one.mask.png"), mask.astype(np.uint8) * 255)
    return folder


@pytest.fixture
def corner(tmp_path: Path) -> Path:
    """200 on the defect, 50 elsewhere, so that image and mask can be compared; 100 x 60 px."""
    mask = np.zeros((60, 100), np.bool_)
    mask[10:26, 20:52] = True
    mask[20:40, 20:28] = True
    return write_one(tmp_path / "set", np.where(mask, 200, 50).astype(np.uint8), mask)


@pytest.mark.parametrize("variant", range(12))
def test_labels_lie_where_the_image_shows_them_in_every_variant(corner: Path, variant: int) -> None:
    image, labels = samples(corner).pair(0, variant)
    shown = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    expected = np.clip((shown - 50) / 150, 0, 1)
    assert labels.mask.max() == 255
    assert np.abs(labels.mask / 255 - expected)[labels.counted].max() < 0.26  # the image is sampled, the mask averaged
    assert np.abs(labels.mask / 255 - expected)[labels.counted].mean() < 0.02
    y, x = np.unravel_index(np.argmax(labels.heatmap), labels.heatmap.shape)
    assert labels.mask[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max() > 127


@pytest.mark.parametrize("variant", range(12))
def test_every_variant_knows_where_on_the_part_it_lies(tmp_path: Path, variant: int) -> None:
    spots = {"a": (22.0, 17.0), "b": (70.0, 14.0), "c": (30.0, 44.0), "d": (77.0, 41.0)}
    layout = {name: ((x - 50.0) / 60.0, (y - 30.0) / 60.0) for name, (x, y) in spots.items()}
    for name, (x, y) in spots.items():
        mask = np.zeros((60, 100), np.bool_)
        mask[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = True
        (image,) = read_mask_folder(write_one(tmp_path / name, np.where(mask, 200, 50).astype(np.uint8), mask)).images
        one = SegmentSamples(MaskedSet([replace(image, keypoints=spots)]), STILL, (64, 64), (32, 32), (16, 16), layout)
        labels = one.pair(0, variant)[1]
        rows, columns = np.nonzero(labels.mask)
        weight = labels.mask[rows, columns] / labels.mask.sum(dtype=np.int64)
        centre = (weight @ (columns + 0.5)) / 16 - 1, (weight @ (rows + 0.5)) / 16 - 1, 1.0
        assert labels.pose @ centre == pytest.approx(layout[name], abs=0.02)


def test_variants_differ_and_each_is_the_same_every_time(corner: Path) -> None:
    one = samples(corner, METHOD)
    images = [one.pair(0, variant)[0] for variant in range(6)]
    assert all(np.array_equal(samples(corner, METHOD).pair(0, n)[0], images[n]) for n in range(6))
    assert all(not np.array_equal(images[0], other) for other in images[1:])


def test_the_first_variant_is_what_the_daemon_sees(corner: Path) -> None:
    image, labels = samples(corner, METHOD, (128, 128)).pair(0, 0)
    # 100 x 60 px widened to a square of 100: 20 rows above and below are no part of the frame
    assert labels.counted.sum() == pytest.approx(64 * 64 * 0.6, abs=128)
    assert not labels.counted[:12].any()
    assert not labels.counted[-12:].any()
    assert set(np.unique(image)) >= {50, 200}


def test_only_the_part_counts(tmp_path: Path) -> None:
    folder = write_one(tmp_path / "set", np.full((60, 100), 50, np.uint8), np.ones((60, 100), np.bool_))
    whole = read_mask_folder(folder)
    one = MaskedSet([_in_region(whole.images[0], Region(30.0, 10.0, 40.0, 20.0))])
    still = msgspec.structs.replace(STILL, augment=SegmentAugment(scale=0, shift=0, turns=False))
    found = SegmentSamples(one, still, (64, 64), (32, 32), (16, 16))
    for variant in range(3):
        counted = found.pair(0, variant)[1].counted
        rows, columns = np.flatnonzero(counted.any(1)), np.flatnonzero(counted.any(0))
        assert (columns[0], columns[-1]) == (0, 31)
        assert (rows[0], rows[-1]) == (8, 23)


def _in_region(image: MaskedImage, region: Region) -> MaskedImage:
    return MaskedImage(image.name, image.file, image.read_mask, image.kind, image.group, region)


def test_thin_defects_keep_their_share_of_a_cell(tmp_path: Path) -> None:
    mask = np.zeros((128, 128), np.bool_)
    mask[:, 40] = True
    labels = samples(write_one(tmp_path / "set", np.full((128, 128), 90, np.uint8), mask)).pair(0, 0)[1]
    assert labels.mask.sum() / 255 == pytest.approx(128 / 16, rel=0.05)  # px of the mask, 16 image px each


def test_which_images_have_a_defect_is_told_by_their_masks(tmp_path: Path) -> None:
    folder = write_one(tmp_path / "set", np.full((40, 40), 90, np.uint8), np.zeros((40, 40), np.bool_))
    assert not samples(folder).has_defect.any()


def test_the_shipped_method_can_be_read() -> None:
    method = load_segment_method(Path(__file__).parents[3] / "training" / "methods" / "prompted_sam.toml")
    assert method.network.kind == "prompted_sam"
    assert method.heatmap.label == "skeleton"


def test_a_line_of_one_pixel_on_a_large_part_is_pointed_at(tmp_path: Path) -> None:
    mask = np.zeros((1024, 1024), np.bool_)
    mask[300:500, 411] = True
    one = samples(write_one(tmp_path / "set", np.where(mask, 200, 50).astype(np.uint8), mask))
    assert one.pair(0, 0)[1].heatmap.max() == 1.0


def test_of_a_tile_only_what_lies_on_its_part_counts(corner: Path) -> None:
    (image,) = read_mask_folder(corner).images
    tile = replace(image, region=Region(0, 0, 60, 60), part=Region(30, 0, 70, 60))
    labels = SegmentSamples(MaskedSet([tile]), STILL, (64, 64), (32, 32), (16, 16)).pair(0, 0)[1]
    assert labels.counted.shape == (32, 32)
    assert not labels.counted[:, :16].any()
    assert labels.counted[:, 16:].all()
