from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError
from training.masks.folder import read_mask_folder
from training.masks.sample import MaskedSet, digest, joined

from .conftest import WriteImage


def test_sub_folders_are_kinds_and_an_empty_mask_is_a_good_part(write_image: WriteImage) -> None:
    write_image("crack/a")
    write_image("crack/b", side=0)
    write_image("steel/dent/a")
    root = write_image("c")
    found = read_mask_folder(root)
    assert found.names == ("c.png", "crack/a.png", "crack/b.png", "steel/dent/a.png")
    assert found.kinds == ("defect", "crack", "", "steel/dent")
    assert len(set(found.groups)) == 4


def test_an_image_comes_with_its_mask_and_its_whole_area(write_image: WriteImage) -> None:
    found = read_mask_folder(write_image("crack/a", x=3, y=5, side=4))
    sample = found.load(0)
    assert sample.image.shape == sample.mask.shape == (40, 48)
    rows, columns = np.nonzero(sample.mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 8, 3, 6)
    assert found.regions(0) == (0, 0, 48, 40)


def test_images_in_a_folder_called_good_need_no_mask(write_image: WriteImage) -> None:
    root = write_image("good/a")
    (root / "good" / "a.mask.png").unlink()
    found = read_mask_folder(root)
    assert found.kinds == ("",)
    assert not found.load(0).mask.any()


def test_an_image_without_a_mask_is_named(write_image: WriteImage) -> None:
    root = write_image("crack/a")
    (root / "crack" / "a.mask.png").unlink()
    with pytest.raises(DataError, match=r"crack/a\.png: there is no a\.mask\.png"):
        read_mask_folder(root)


def test_a_mask_without_an_image_is_named(write_image: WriteImage) -> None:
    root = write_image("crack/a")
    write_image("crack/b")
    (root / "crack" / "a.png").unlink()
    with pytest.raises(DataError, match=r"crack/a\.mask\.png: belongs to no image"):
        read_mask_folder(root)


def test_a_mask_of_another_size_is_named(write_image: WriteImage) -> None:
    root = write_image("crack/a")
    cv2.imwrite(str(root / "crack" / "a.mask.png"), np.full((40, 47), 255, np.uint8))
    with pytest.raises(DataError, match=r"crack/a\.png: the mask is 47 x 40, the image 48 x 40"):
        read_mask_folder(root).load(0)


def test_what_is_no_image_is_named(write_image: WriteImage) -> None:
    root = write_image("crack/a")
    (root / "crack" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"crack/a\.png: cannot be decoded"):
        read_mask_folder(root).load(0)


@pytest.mark.parametrize(("missing", "says"), [(True, "is no folder"), (False, "no images")])
def test_a_folder_without_images_is_refused(tmp_path: Path, missing: bool, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_mask_folder(tmp_path / "gone" if missing else tmp_path)


def test_colours_and_transparency_of_a_mask_are_told_apart(write_image: WriteImage) -> None:
    root = write_image("crack/a")
    coloured = np.zeros((40, 48, 4), np.uint8)
    coloured[..., 3] = 255  # opaque black is no defect
    coloured[2, 3, 2] = 7
    cv2.imwrite(str(root / "crack" / "a.mask.png"), coloured)
    assert np.argwhere(read_mask_folder(root).load(0).mask).tolist() == [[2, 3]]


def test_sets_are_chosen_from_joined_and_told_apart(write_image: WriteImage) -> None:
    write_image("crack/a")
    whole = read_mask_folder(write_image("crack/b"))
    one, other = whole.chosen([1]), whole.chosen([0])
    assert one.names == ("crack/b.png",)
    assert digest(one) != digest(other)
    assert digest(whole.chosen([0, 1])) == digest(whole)
    assert joined([whole]) is whole
    twice = joined([whole, one])
    assert twice.names == ("0:crack/a.png", "0:crack/b.png", "1:crack/b.png")
    assert len(set(twice.groups)) == 3
    with pytest.raises(DataError, match="two images are called"):
        MaskedSet([*whole.images, *one.images], "twice")
    with pytest.raises(DataError, match="no images"):
        MaskedSet([], "nowhere")
