from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import DatumdError
from simulator.content import FolderContent, PatternContent, RenderedContent, pattern, slots_for
from simulator.render import Occlusion, PartRenderer


def test_patterns_can_be_told_apart() -> None:
    seen = {pattern(device, picture, width=64, height=32).tobytes() for device in range(4) for picture in range(16)}
    assert len(seen) == 4 * 16


def test_a_folder_is_shown_in_order_of_names_in_the_size_of_its_first_image(tmp_path: Path) -> None:
    levels = {"b.png": 20, "a.png": 10, "c.png": 30}
    for name, level in levels.items():
        cv2.imwrite(str(tmp_path / name), np.full((11, 14), level, np.uint8))
    cv2.imwrite(str(tmp_path / "upright.png"), np.zeros((14, 11), np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "broken.jpg").write_bytes(b"not an image either")
    content = FolderContent(tmp_path)
    assert content.shape == (10, 12)  # cut at the right and bottom, so that coordinates stay
    assert [int(content.image(0, picture)[0, 0]) for picture in range(content.pictures)] == [10, 20, 30]
    assert {path.name for path in content.left_out} == {"upright.png", "broken.jpg"}
    assert content.describe(1) == {"picture": 1, "file": "b.png"}


def test_an_upright_image_is_turned_clockwise(tmp_path: Path) -> None:
    lying, upright = (np.arange(128, dtype=np.uint8).reshape(shape) for shape in ((8, 16), (16, 8)))
    cv2.imwrite(str(tmp_path / "a.png"), lying)
    cv2.imwrite(str(tmp_path / "b.png"), upright)
    content = FolderContent(tmp_path, turn=True)
    assert (content.shape, content.left_out) == ((8, 16), [])
    np.testing.assert_array_equal(content.image(0, 0), lying)
    np.testing.assert_array_equal(content.image(0, 1), np.rot90(upright, -1))


def test_colours_come_in_the_order_red_green_blue(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4, 3), (1, 2, 3), np.uint8))  # OpenCV's order: blue first
    assert FolderContent(tmp_path, colour=True).image(0, 0)[0, 0].tolist() == [3, 2, 1]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatumdError, match=r"no image in this folder; allowed: \.bmp"):
        FolderContent(tmp_path)
    with pytest.raises(DatumdError, match="no such folder; allowed: a folder of images, renderer or pattern"):
        FolderContent(tmp_path / "absent")


def test_rendered_parts_come_again_from_the_logged_seed() -> None:
    content = RenderedContent(("bracket", "flange"), seed=3, pictures=4)
    seed, occlusion = content.describe(2)["seed"], Occlusion(content.describe(2)["occlusion"])
    assert isinstance(seed, int)
    for device, family in enumerate(("bracket", "flange", "flange")):
        again = PartRenderer(family).render(seed, occlusion=occlusion).image
        np.testing.assert_array_equal(content.image(device, 2), again)


def test_rendered_parts_with_defects_come_with_their_masks_and_again_from_what_is_logged() -> None:
    content = RenderedContent(seed=3, pictures=4, defects=1.0)
    logged = content.describe(1)
    shown = content.rendered(0, 1)
    assert shown.defects
    np.testing.assert_array_equal(shown.image, content.image(0, 1))
    again = PartRenderer().render(
        int(logged["seed"]), occlusion=Occlusion(logged["occlusion"]), defects=float(logged["defects"])
    )
    np.testing.assert_array_equal(again.image, shown.image)
    plain = RenderedContent(seed=3, pictures=4)
    assert "defects" not in plain.describe(1)
    assert (plain.image(0, 1) != shown.image).any()


@pytest.mark.parametrize(("pictures", "pool", "slots"), [(16, 48, 16), (48, 48, 48), (90, 48, 16), (90, 8, 8)])
def test_what_fits_the_pool_is_held_and_the_rest_goes_through_a_ring(pictures: int, pool: int, slots: int) -> None:
    assert slots_for(PatternContent(pictures=pictures), pool) == slots
