"""Which zones a defect reaches into, and which lie nobody knows where."""

import pytest

from pipeline.plane_map import PlaneMap
from pipeline.planes import ViewPlane
from pipeline.recipe_defects import SegmentSettings, ZoneSettings
from pipeline.recipe_file import LocateSettings, RecipeFile, ViewSettings
from pipeline.recipe_measure import DatumSettings
from pipeline.result import Defect, DefectMask, Keypoint, KeypointState
from pipeline.stages.zones import Zones

PLACES = {"a": (10.0, 10.0), "b": (50.0, 10.0), "c": (50.0, 40.0), "d": (10.0, 40.0)}


def recipe(**zones: ZoneSettings) -> RecipeFile:
    def view(keypoints: list[str], scale: float | None) -> ViewSettings:
        locate = LocateSettings(fixed=(0, 0, 99, 99))
        return ViewSettings(locate=locate, keypoints=keypoints, scale_mm_per_px=scale, segment=SegmentSettings())

    views = {"top": view(list(PLACES), 0.5), "side": view(["e", "f", "g"], None)}
    return RecipeFile(format=1, name="p", number=1, view=views, datum={"A": DatumSettings("a", "b")}, zone=zones)


def keypoints(**states: KeypointState) -> list[Keypoint]:
    found = []
    for name, (x, y) in PLACES.items():
        state = states.get(name, KeypointState.visible)
        is_seen = state is not KeypointState.hidden
        found.append(Keypoint(name, "top", x if is_seen else None, y if is_seen else None, 0.5, state))
    return found


def defect(x: float, y: float, counts: list[int], columns: int = 4, rows: int = 1) -> Defect:
    """Cells of 2 px."""
    box = (x, y, columns * 2.0, rows * 2.0)
    return Defect("top", 4.0 * sum(counts[1::2]), box, 1.0, (x, y, 1.0), DefectMask(*box, columns, rows, counts))


RIM = ZoneSettings(polygon=["a", "b", "c", "d"])


def test_the_centre_of_a_cell_decides_not_the_box() -> None:
    outside, inside = (
        defect(3.0, 20.0, [0, 3, 1]),
        defect(3.0, 20.0, [0, 4]),
    )  # centres, points, at x 3.5, 5.5, 7.5, 9.5
    near = defect(4.0, 20.0, [3, 1])  # at 10.5
    found, _ = Zones(recipe(rim=RIM))("top", keypoints(), [outside, inside, near])
    assert [one.zones for one in found] == [[], [], ["rim"]]


def test_a_zone_grows_by_mm() -> None:
    zones = Zones(recipe(rim=RIM, wide=ZoneSettings(polygon=["a", "b", "c", "d"], grow_mm=1.0)))  # 2 px
    (found,), _ = zones("top", keypoints(), [defect(1.5, 20.0, [3, 1])])  # at x = 8
    assert found.zones == ["wide"]
    (found,), _ = zones("top", keypoints(), [defect(1.4, 20.0, [3, 1])])
    assert found.zones == []


def test_a_zone_can_be_given_in_a_datum() -> None:
    corner = ZoneSettings(polygon=[(0.0, 0.0), (5.0, 0.0), "c"], datum="A")
    (found,), _ = Zones(recipe(corner=corner))("top", keypoints(), [defect(17.0, 11.0, [0, 1], columns=1)])
    assert found.zones == ["corner"]  # in px: from (10, 10) to (20, 10) and (50, 40)
    (found,), _ = Zones(recipe(corner=corner))("top", keypoints(), [defect(23.0, 11.0, [0, 1], columns=1)])
    assert found.zones == []


@pytest.mark.parametrize("state", [KeypointState.hidden, KeypointState.unsure])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_zone_whose_keypoint_is_not_visible_lies_nobody_knows_where(state: KeypointState, name: str) -> None:
    zones = Zones(recipe(corner=ZoneSettings(polygon=[(0.0, 0.0), (5.0, 0.0), "c"], datum="A")))
    (found,), unplaced = zones("top", keypoints(**{name: state}), [defect(17.0, 11.0, [0, 1], columns=1)])
    assert (found.zones, unplaced) == ([], ("corner",))
    assert zones("top", keypoints(d=state), [])[1] == ()


def test_a_calibration_goes_before_the_scale_and_zones_lie_as_the_lens_draws_them() -> None:
    corner = ZoneSettings(polygon=[(0.0, 0.0), (5.0, 0.0), "c"], datum="A", grow_mm=0.25)
    finer = {"top": ViewPlane(PlaneMap.from_scale(0.25), "mm"), "side": ViewPlane(PlaneMap.from_scale(1.0), "px")}
    zones = Zones(recipe(corner=corner), finer)  # from (10, 10) to (30, 10) and (50, 40), and 1 px around
    for x, into in ((26.0, ["corner"]), (31.0, [])):
        (found,), _ = zones(
            "top", keypoints(), [defect(x, 8.6, [0, 1], columns=1)]
        )  # a cell with its centre at y = 9.1
        assert found.zones == into
    unknown = Zones(recipe(corner=corner, rim=RIM), {**finer, "top": ViewPlane(None, "mm")})
    assert unknown("top", keypoints(), [])[1] == ("corner",)


def test_a_datum_without_a_direction_places_nothing() -> None:
    zones = Zones(recipe(corner=ZoneSettings(polygon=[(0.0, 0.0), (5.0, 0.0), "c"], datum="A")))
    together = [Keypoint(one.name, "top", 10.0, 10.0, 1.0, one.state) for one in keypoints()]
    assert zones("top", together, [])[1] == ("corner",)


def test_a_zone_belongs_to_its_view() -> None:
    zones = Zones(recipe(rim=RIM, foot=ZoneSettings(polygon=["e", "f", "g"])))
    assert zones("top", keypoints(), [])[1] == ()
    assert zones("side", [], [])[1] == ("foot",)
