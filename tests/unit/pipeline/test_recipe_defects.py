"""Defects in recipe.toml: what may be written, and the line that says what may not."""

import re
from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from pipeline.recipe_defects import DefectLimit, SegmentSettings, ZoneSettings
from pipeline.recipe_file import RecipeFile, read_recipe_file

GOOD = """
format = 1
name = "plate"
number = 3
[view.top]
locate = { fixed = [320, 210, 640, 512] }
keypoints = ["left", "right", "pin", "tab"]
scale_mm_per_px = 0.05
segment = { when = "always", max_area_mm2 = 0.5, max_count = 3 }
[view.side]
locate = { fixed = [0, 0, 640, 512] }
keypoints = ["tip", "base_left", "base_right", "pin"]
[view.side.segment]
max_area_px = 40
[datum]
A = { origin = "left", x_axis = "right" }
[zone]
face = { polygon = ["left", "right", "tab"], max_count = 1 }
seal = { polygon = [[0, 0], [10, 0.0], [10, 4], "tab"], datum = "A", grow_mm = 0.2, max_defect_mm2 = 0.1 }
foot = { polygon = ["base_left", "base_right", "tip"], max_defect_px = 10.0 }
"""


def read(folder: Path, text: str) -> RecipeFile:
    path = folder / "recipe.toml"
    path.write_text(text)
    return read_recipe_file(path)


def test_limits_and_zones_are_read(tmp_path: Path) -> None:
    recipe = read(tmp_path, GOOD)
    assert recipe.view["top"].segment == SegmentSettings(when="always", max_area_mm2=0.5, max_count=3)
    assert recipe.view["side"].segment == SegmentSettings(when="needed", max_area_px=40.0)
    assert {name: recipe.view_of(zone) for name, zone in recipe.zone.items()} == {
        "face": "top",
        "seal": "top",
        "foot": "side",
    }
    assert recipe.needed(recipe.zone["seal"]) == ("tab", "left", "right")
    assert recipe.zone["seal"].polygon == [(0.0, 0.0), (10.0, 0.0), (10.0, 4.0), "tab"]


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (SegmentSettings(), DefectLimit(0.0, is_mm2=False, count=None)),
        (SegmentSettings(max_count=0), DefectLimit(0.0, is_mm2=False, count=None)),
        (SegmentSettings(max_count=2), DefectLimit(None, is_mm2=False, count=2)),
        (SegmentSettings(max_area_px=9.0), DefectLimit(9.0, is_mm2=False, count=None)),
        (SegmentSettings(max_area_mm2=9.0, max_count=2), DefectLimit(9.0, is_mm2=True, count=2)),
        (SegmentSettings(max_area_mm2=9.0, max_count=0), DefectLimit(0.0, is_mm2=True, count=None)),
    ],
)
def test_without_limits_no_defect_is_allowed(settings: SegmentSettings, limit: DefectLimit) -> None:
    assert settings.limit() == limit
    zone = ZoneSettings(
        polygon=["a", "b", "c"],
        max_defect_mm2=settings.max_area_mm2,
        max_defect_px=settings.max_area_px,
        max_count=settings.max_count,
    )
    assert zone.limit() == limit


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"always"', '"often"', "view.top.segment.when: found 'often'; allowed: 'always', 'needed'"),
        (
            "max_count = 3",
            "max_cout = 3",
            "view.top.segment.max_cout: unknown key; allowed: when, max_area_mm2, max_area_px",
        ),
        ("max_count = 3", "max_area_px = 3", "view.top.segment: max_area_mm2 and max_area_px limit the same"),
        ("max_area_mm2 = 0.5", "max_area_mm2 = 0", "max_area_mm2: found 0; allowed: a number above 0"),
        ("max_area_px = 40", "max_area_mm2 = 4", "view.side: segment.max_area_mm2 needs scale_mm_per_px"),
        ('["left", "right", "tab"]', '["left", "right"]', "zone.face.polygon: found ['left', 'right']; allowed: "),
        ('["left", "right", "tab"]', '["left", "right", "tip"]', "zone.face: no single view shows left, right, tip"),
        (
            '["left", "right", "tab"]',
            '["left", "rigth", "tab"]',
            "zone.face: no view has the keypoint 'rigth'; top has",
        ),
        (
            '["left", "right", "tab"]',
            '["left", "left", "tab"]',
            "zone.face: polygon has the corner 'left' twice in a row",
        ),
        (
            '["left", "right", "tab"]',
            '["tab", "left", "tab"]',
            "zone.face: polygon has the corner 'tab' twice in a row",
        ),
        ('"tab"], max', '"tab"], view = "up", max', "zone.face: view 'up' is not defined; defined: top, side"),
        ('"tab"], max', '"tab"], datum = "A", max', "zone.face: datum belongs to corners [x, y]"),
        ('datum = "A", grow', "grow", "zone.seal: corners [x, y] need the datum that they are in"),
        ('datum = "A", grow', 'datum = "B", grow', "zone.seal: datum 'B' is not defined; defined: A"),
        ("[10, 4]", "[10, 4, 5]", "zone.seal.polygon[2]: found [10, 4, 5]"),
        ("grow_mm = 0.2", "grow_mm = -0.2", "zone.seal.grow_mm: found -0.2; allowed: a number at least 0"),
        (
            "max_defect_px = 10.0",
            "max_defect_mm2 = 1",
            "zone.foot: max_defect_mm2 is in mm, and view side has no scale",
        ),
        ("max_defect_px = 10.0", "grow_mm = 1", "zone.foot: grow_mm is in mm, and view side has no scale_mm_per_px"),
        (
            "[view.side.segment]\nmax_area_px = 40",
            "",
            "zone.foot: no defects are looked for in view side: write [view.side",
        ),
        ("max_count = 1", "max_area_mm2 = 1", "zone.face.max_area_mm2: unknown key; allowed: polygon, datum, grow_mm"),
    ],
)
def test_a_fault_is_one_line_with_key_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'recipe.toml'}: ")
    assert message in text
    assert "\n" not in text


def test_the_example_of_the_manual_fits_the_example_recipe(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    manual = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"^```toml\n(.*?)^```$", manual, re.M | re.S) if ".segment]" in block)
    recipe = read(tmp_path, (root / "examples" / "bracket" / "recipe.toml").read_text(encoding="utf-8") + example)
    assert {name: recipe.view_of(zone) for name, zone in recipe.zone.items()} == {"sealing_face": "top", "label": "top"}
