"""Defects against what the recipe allows."""

import pytest

from pipeline.recipe_defects import DefectLimit
from pipeline.result import Defect, DefectMask, Reason
from pipeline.stages.defect_limits import exceeded


def defects(*areas_px: float, mm_per_px: float | None = 0.1) -> list[Defect]:
    box = (0.0, 0.0, 1.0, 1.0)
    return [
        Defect(
            "top", area, box, 1.0, (0.0, 0.0, 1.0), DefectMask(*box, 1, 1, [0, 1]), mm_per_px and area * mm_per_px**2
        )
        for area in areas_px
    ]


def limit(area: float | None = None, *, mm2: bool = False, count: int | None = None) -> DefectLimit:
    return DefectLimit(area, is_mm2=mm2, count=count)


@pytest.mark.parametrize(
    ("found", "allowed", "reasons"),
    [
        (defects(), limit(0.0), []),
        (defects(30.0, 40.0), limit(0.0), [("defect", 0.4, 0.0, "mm2")]),
        (defects(30.0, 40.0, mm_per_px=None), limit(0.0), [("defect", 40.0, 0.0, "px2")]),
        (defects(30.0, 40.0), limit(40.0), []),
        (defects(30.0, 40.5), limit(40.0), [("defect", 40.5, 40.0, "px2")]),
        (defects(30.0, 40.0), limit(0.41, mm2=True), []),
        (defects(30.0, 40.0), limit(0.39, mm2=True), [("defect", 0.4, 0.39, "mm2")]),
        (defects(30.0, 40.0), limit(count=2), []),
        (defects(30.0, 40.0, 1.0), limit(count=2), [("defects", 3.0, 2.0, "")]),
        (defects(30.0, 40.0), limit(35.0, count=1), [("defect", 40.0, 35.0, "px2"), ("defects", 2.0, 1.0, "")]),
    ],
)
def test_the_largest_is_named_and_so_is_their_number(
    found: list[Defect], allowed: DefectLimit, reasons: list[tuple[str, float, float, str]]
) -> None:
    told = [
        Reason(code, name="seal", view="top", value=pytest.approx(value), limit=most, unit=unit)  # type: ignore[arg-type]  # compares as a float
        for code, value, most, unit in reasons
    ]
    assert list(exceeded(found, allowed, zone="seal", view="top")) == told


def test_an_area_in_mm2_that_nobody_knows_is_not_within_a_limit() -> None:
    (told,) = exceeded(defects(30.0, mm_per_px=None), limit(5.0, mm2=True), zone="seal", view="top")
    assert (told.code, told.value, told.limit) == ("defect", None, 5.0)
