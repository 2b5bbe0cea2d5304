import re
import tomllib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.recipe_file import LocateSettings
from training.data import Dataset, Part
from training.view_shape import view_shape


def dataset(*boxes: tuple[float, float, float, float], wh: tuple[int, int] = (1280, 1024)) -> Dataset:
    xy, state = np.zeros((2, 2)), np.full(2, 2, np.int8)
    return Dataset(("a", "b"), tuple(Part(Path(f"{i}.png"), wh, xy, state, box, i) for i, box in enumerate(boxes)))


def test_one_region_holds_every_part() -> None:
    shape = view_shape(dataset((100, 100, 800, 600), (200, 160, 800, 600)))
    assert shape.locate.fixed is not None
    x, y, width, height = shape.locate.fixed
    assert x <= 100
    assert y <= 100
    assert x + width >= 1000
    assert y + height >= 760
    assert shape.small_wh == (144, 112)
    assert shape.large_wh == (1152, 896)


def test_a_part_that_fills_the_frame_has_the_frame_for_its_region() -> None:
    shape = view_shape(dataset((0, 0, 640, 480), (0, 0, 640, 480), wh=(640, 480)))
    assert shape.locate.fixed == (0, 0, 640, 480)
    assert shape.large_wh == (576, 448)


def test_where_a_person_says_how_parts_are_found_it_holds() -> None:
    scattered = dataset((0, 0, 100, 40), (900, 800, 40, 100), (300, 300, 100, 40))
    with pytest.raises(DataError) as found:
        view_shape(scattered)
    proposed = re.search(r"locate = (\{ blob = .*? \} \})", str(found.value))
    assert proposed
    locate = msgspec.convert(tomllib.loads(f"locate = {proposed[1]}")["locate"], LocateSettings)
    assert locate.blob is not None
    assert locate.blob.area_px == (1000, 8000)
    shape = view_shape(scattered, locate)
    assert (shape.locate, shape.small_wh, shape.large_wh) == (locate, (144, 144), (288, 288))
    fixed = LocateSettings(fixed=(10.0, 10.0, 600.0, 300.0))
    assert view_shape(scattered, fixed).small_wh == (144, 64)
    nests = LocateSettings(nests=[(0.0, 0.0, 600.0, 300.0), (0.0, 400.0, 600.0, 300.0)])
    assert view_shape(scattered, nests).large_wh == (576, 256)


def test_parts_in_many_places_ask_for_a_person() -> None:
    with pytest.raises(DataError, match="different places") as found:
        view_shape(dataset((0, 0, 100, 100), (900, 800, 100, 100)))
    assert found.value.allowed is not None
    assert "METHOD.toml" in found.value.allowed
    two = dataset((0, 0, 100, 100), (0, 0, 100, 100))
    with pytest.raises(DataError, match="different places"):
        view_shape(Dataset(two.keypoints, (two.parts[0], replace(two.parts[1], image_wh=(640, 480)))))
