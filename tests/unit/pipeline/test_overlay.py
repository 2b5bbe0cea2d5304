"""What is drawn over a picture."""

import numpy as np
import pytest

from pipeline.overlay import ORANGE, RED, draw
from pipeline.result import Defect, DefectMask, Edge, Evaluation, Reason
from tests.results import result

BOX = (100.0, 60.0, 80.0, 40.0)
MASK = DefectMask(*BOX, columns=4, rows=2, counts=[0, 2, 4, 2])  # upper left and lower right quarter
DEFECT = Defect("top", 1600.0, BOX, 0.9, (120.0, 70.0, 0.9), MASK)


def drawn(
    *reasons: Reason, defect: Defect = DEFECT, view: str = "top"
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The part of a large grey picture that no text covers."""
    one = result(
        result_evaluation=Evaluation.NOT_OK if reasons else Evaluation.OK,
        reasons=list(reasons),
        keypoints=[],
        measurements=[],
        defects=[defect],
    )
    return draw(np.full((400, 400), 100, np.uint8), one, view, {})


@pytest.mark.parametrize(
    ("reasons", "colour"),
    [((), ORANGE), ((Reason("defect", view="top"),), RED), ((Reason("defect", view="side"),), ORANGE)],
)
def test_a_mask_is_outlined_and_what_is_under_it_stays_to_be_seen(
    reasons: tuple[Reason, ...], colour: tuple[int, int, int]
) -> None:
    picture = drawn(*reasons)
    inside = 100 * 0.65 + np.array(colour) * 0.35
    for x, y in ((120, 70), (160, 90)):
        assert np.abs(picture[y, x].astype(float) - inside).max() <= 1
    assert (picture[70, 160] == 100).all()  # in the box, not in the mask
    assert np.abs(picture[70, 100].astype(int) - colour).max() < 60
    assert (picture[300:, 300:] == 100).all()


def test_another_view_shows_nothing_of_it() -> None:
    assert (drawn(view="side")[60:100, 100:180] == 100).all()


@pytest.mark.parametrize("corner", [(-30.0, -20.0), (390.0, 390.0), (900.0, 10.0)])
def test_what_reaches_out_of_the_picture_is_cut(corner: tuple[float, float]) -> None:
    mask = DefectMask(*corner, 80.0, 40.0, columns=4, rows=2, counts=[0, 8])
    picture = drawn(defect=Defect("top", 3200.0, (*corner, 80.0, 40.0), 0.9, (0.0, 0.0, 0.9), mask))
    assert picture.shape == (400, 400, 3)


def test_an_edge_is_drawn_where_it_was_found_and_one_that_was_not_is_no_fault() -> None:
    rim = Edge("rim", "top", [(300.0, 200.0), (340.0, 240.0), (300.0, 280.0)])
    one = result(keypoints=[], measurements=[], edges=[rim, Edge("lost", "top"), Edge("far", "top", [(1e9, -1e9)] * 2)])
    picture = draw(np.full((400, 400), 100, np.uint8), one, "top", {})
    assert (picture[220, 320] != 100).any()
    assert (picture[350, 200] == 100).all()
    elsewhere = draw(np.full((400, 400), 100, np.uint8), one, "side", {})
    assert (elsewhere[220, 320] == 100).all()
