from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.geometry import Region
from pipeline.inspector import Inspector
from pipeline.pixels import mono8_frame
from pipeline.recipe import load_recipe
from pipeline.recipe_file import BlobSettings, LocateSettings
from tests.recipes import frame_with_part, make_recipe
from training.evaluate import locate_of
from training.masks.sample import Mask, MaskedImage, MaskedSample, MaskedSet
from training.segment_method import SegmentMethod
from training.segment_regions import as_trained, grown, in_tiles, labelled, located, with_keypoints, with_names
from training.shipped import ShippedView

LEFT, RIGHT = Region(10, 10, 30, 40), Region(60, 12, 30, 40)


def _empty(hw: tuple[int, int]) -> Mask:
    return np.zeros(hw, np.bool_)


def a_set(*regions: Region | None) -> MaskedSet:
    """Parts of one image."""
    return MaskedSet(
        [
            MaskedImage(f"a#{number}", Path("a.png"), partial(_empty), "", "a", region)
            for number, region in enumerate(regions)
        ],
        "set",
    )


def sample() -> MaskedSample:
    return MaskedSample("a", np.zeros((80, 100), np.uint8), np.zeros((80, 100), np.bool_), "", "a")


def test_each_labelled_part_is_the_found_one_that_overlaps_it_most() -> None:
    found = [Region(58, 10, 34, 44), Region(8, 8, 34, 44), Region(0, 60, 9, 9)]
    where = located(a_set(LEFT, RIGHT), lambda _: found)
    first, second = where(0, sample()), where(1, sample())
    assert first is not None
    assert second is not None
    assert (first.region, second.region) == (found[1], found[0])
    assert first.regions == found


def test_a_part_that_nothing_overlaps_is_lost() -> None:
    where = located(a_set(LEFT, RIGHT), lambda _: [Region(8, 8, 34, 44)])
    assert where(0, sample()) is not None
    assert where(1, sample()) is None


def test_an_image_without_labelled_parts_shows_the_largest_that_is_found() -> None:
    where = located(a_set(None), lambda _: [LEFT, Region(0, 0, 90, 70)])
    place = where(0, sample())
    assert place is not None
    assert place.region == Region(0, 0, 90, 70)
    assert located(a_set(None), lambda _: [])(0, sample()) is None


def test_without_a_label_the_whole_image_is_the_part() -> None:
    place = labelled(a_set(None))(0, sample())
    assert place is not None
    assert place.region == Region(0, 0, 100, 80)


def test_training_takes_the_regions_that_a_recipe_would_find() -> None:
    parts = a_set(LEFT, RIGHT)
    fixed = as_trained(parts, LocateSettings(fixed=(0.0, 0.0, 90.0, 70.0)))
    assert [fixed.images[index].region for index in (0, 1)] == [Region(0, 0, 90, 70)] * 2
    nests = as_trained(parts, LocateSettings(nests=[(50.0, 0.0, 50.0, 70.0), (0.0, 0.0, 50.0, 70.0)]))
    assert [nests.images[index].region for index in (0, 1)] == [Region(0, 0, 50, 70), Region(50, 0, 50, 70)]
    blob = as_trained(parts, LocateSettings(blob=BlobSettings(area_px=(10.0, 9000.0), margin=0.1)))
    assert blob.images[0].region == Region(6, 6, 38, 48)
    whole = as_trained(a_set(None), LocateSettings(blob=BlobSettings(area_px=(10.0, 9000.0))))
    assert whole.images[0].region is None


def test_a_region_grows_by_a_share_of_its_longer_side() -> None:
    assert tuple(grown(LEFT, 0.05)) == pytest.approx((8, 8, 34, 44))


def test_tiles_with_a_defect_are_learnt_from_and_as_many_without(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 300), np.uint8))

    def bad(hw: tuple[int, int]) -> Mask:
        mask = np.zeros(hw, np.bool_)
        mask[50:60, 90:110] = True  # over the border of two tiles
        return mask

    part = MaskedImage("a", tmp_path / "a.png", bad, "dent", "a", Region(0, 0, 300, 200))
    good = MaskedImage("b", tmp_path / "a.png", partial(_empty), "", "b", Region(0, 0, 300, 200))
    images = MaskedSet([part, good], "set")
    assert in_tiles(images, (100, 100), SegmentMethod(1)) is images
    found = in_tiles(images, (100, 100), SegmentMethod(1, tiles=(3, 2)))
    assert found.names[:2] == ("a@0,0", "a@1,0")
    assert found.kinds == ("dent", "dent", "", "")
    assert found.images[1].region == Region(100, 0, 100, 100)
    assert found.images[1].group == "a"
    below = MaskedSet([replace(part, region=Region(0, 70, 300, 130)), good], "set")
    assert set(in_tiles(below, (100, 100), SegmentMethod(1, tiles=(3, 2))).kinds) == {""}  # the next part's
    more = in_tiles(images, (100, 100), SegmentMethod(1, tiles=(3, 2), good_tiles=3.0))
    assert more.kinds == ("dent", "dent", *[""] * 6)
    assert len(set(more.names)) == 8


def test_keypoints_are_found_by_the_networks_of_a_recipe(tmp_path: Path) -> None:
    folder = make_recipe(tmp_path / "recipe", ("top",), sealed=False)
    pictures = {"part": frame_with_part(), "empty": np.full_like(frame_with_part(), 10)}
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    images = MaskedSet([MaskedImage(name, tmp_path / f"{name}.png", _empty, "", name) for name in pictures])
    recipe = load_recipe(folder, sealed=False)
    find = locate_of(recipe.views["top"].settings.locate, "top")
    view, where = ShippedView(folder / "top"), located(images, lambda image: find(image, ()))
    found = with_keypoints(images, view, where)
    (inspected,) = Inspector.load(recipe).inspect("top", mono8_frame(pictures["part"]))
    expected = {point.name: (point.x, point.y) for point in inspected.keypoints}
    assert set(found.images[0].keypoints) == set("abcd")
    for name, place in found.images[0].keypoints.items():
        assert place == pytest.approx(expected[name], abs=1e-3)
    assert found.images[1].keypoints == {}
    labels = {"a": (1.0, 2.0), "b": (3.0, 4.0), "c": (5.0, 6.0), "q": (7.0, 8.0)}
    labelled = MaskedSet([replace(images.images[0], keypoints=labels), images.images[1]])
    assert with_keypoints(labelled, view, where).images[0].keypoints == labels  # labels are believed
    named = with_names(labelled, "ab")
    assert named.images[0].keypoints == {"a": (1.0, 2.0), "b": (3.0, 4.0)}
    assert (
        with_keypoints(named, view, where).images[0].keypoints == found.images[0].keypoints
    )  # unless there are too few
