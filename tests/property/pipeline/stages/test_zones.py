"""Zones turn, move and grow with the part; a defect reaches into one wherever the part lies."""

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.geometry import Points
from pipeline.recipe_defects import SegmentSettings, ZoneSettings
from pipeline.recipe_file import DatumSettings, LocateSettings, RecipeFile, ViewSettings
from pipeline.result import Defect, DefectMask, Keypoint, KeypointState
from pipeline.stages.zones import Zones, distance_px, is_inside

MM_PER_PX = 0.05
PART = {"left": (100.0, 100.0), "right": (200.0, 100.0), "tab": (150.0, 180.0)}  # px, upright
ZONES = {
    "triangle": ZoneSettings(polygon=["left", "right", "tab"]),
    "wide": ZoneSettings(polygon=["left", "right", "tab"], grow_mm=0.5),  # 10 px
    "square": ZoneSettings(
        polygon=[(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)], datum="A"
    ),  # 20 to 40 px from left
}
RECIPE = RecipeFile(
    format=1,
    name="plate",
    number=1,
    view={
        "top": ViewSettings(
            locate=LocateSettings(fixed=(0, 0, 640, 480)),
            keypoints=list(PART),
            scale_mm_per_px=MM_PER_PX,
            segment=SegmentSettings(),
        )
    },
    datum={"A": DatumSettings("left", "right")},
    zone=ZONES,
)


def turned(points: Points, angle: float, x: float, y: float) -> Points:
    cos, sin = math.cos(angle), math.sin(angle)
    moved: Points = points @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    return moved


def cell_at(x: float, y: float) -> Defect:
    """Of one cell, its centre at this point."""
    mask = DefectMask(x, y, 1.0, 1.0, 1, 1, [0, 1])
    return Defect("top", 1.0, (x, y, 1.0, 1.0), 1.0, (x, y, 1.0), mask)


def truth(x: float, y: float) -> dict[str, float]:
    """How far inside of each zone a point of the upright part lies, px; negative outside."""
    triangle = np.array([PART["left"], PART["right"], PART["tab"]])
    point = np.array([[x, y]])
    signs = []
    for start, end in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
        edge = end - start
        signs.append((edge[0] * (y - start[1]) - edge[1] * (x - start[0])) / math.hypot(*edge))
    inside = min(signs)
    apart = inside if inside > 0 else -float(distance_px(point, triangle)[0])
    square = min(x - 120.0, 140.0 - x, y - 120.0, 140.0 - y)
    return {"triangle": apart, "wide": apart + 10.0, "square": square}


@settings(max_examples=80, deadline=None)
@given(
    x=st.floats(80, 220),
    y=st.floats(80, 200),
    angle=st.floats(-math.pi, math.pi),
    move=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_defect_is_in_the_same_zones_however_the_part_lies(
    x: float, y: float, angle: float, move: tuple[float, float]
) -> None:
    margins = truth(x, y)
    assume(all(abs(margin) > 1e-3 for margin in margins.values()))
    places = {name: turned(np.array(place), angle, *move).tolist() for name, place in PART.items()}
    keypoints = [Keypoint(name, "top", x, y, 1.0, KeypointState.visible) for name, (x, y) in places.items()]
    at_x, at_y = turned(np.array([x, y]), angle, *move).tolist()
    (found,), unplaced = Zones(RECIPE)("top", keypoints, [cell_at(at_x, at_y)])
    assert set(found.zones) == {name for name, margin in margins.items() if margin > 0}
    assert unplaced == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=8), st.integers(0, 10_000))
def test_inside_does_not_depend_on_where_the_polygon_begins_or_which_way_it_goes(
    corners: list[tuple[int, int]], seed: int
) -> None:
    polygon = np.array(corners, np.float64)
    points = np.random.default_rng(seed).uniform(-2, 22, (50, 2))
    inside, distance = is_inside(points, polygon), distance_px(points, polygon)
    for other in (np.roll(polygon, 2, axis=0), polygon[::-1]):
        assert np.array_equal(is_inside(points, other), inside)
        assert np.allclose(distance_px(points, other), distance)
    far = points[(points < polygon.min(axis=0)).any(axis=1) | (points > polygon.max(axis=0)).any(axis=1)]
    assert not is_inside(far, polygon).any()
