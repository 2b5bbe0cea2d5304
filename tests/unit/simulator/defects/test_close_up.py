import numpy as np

from simulator.defects.close_up import COLOUR, SIDE, close_ups, outline
from simulator.defects.defect import Defect
from simulator.defects.mark import Kind

DENT = Defect(Kind.DENT, (40, 30), np.ones((6, 10), bool), 12.0)


def test_an_outline_runs_around_the_mask_and_covers_nothing_of_it() -> None:
    picture = np.full((100, 120, 3), 90, np.uint8)
    outline(picture, DENT, (0.0, 0.0), 1.0)
    assert (picture[30:36, 40:50] == 90).all()
    coloured = (picture == COLOUR[Kind.DENT]).all(axis=2)
    assert coloured[29:37, 39:51].sum() == coloured.sum() == 8 * 12 - 6 * 10


def test_an_outline_is_where_the_mask_is_in_an_enlarged_window() -> None:
    picture = np.full((120, 120, 3), 90, np.uint8)
    outline(picture, DENT, (30.0, 20.0), 4.0)
    assert (picture[40:64, 40:80] == 90).all()
    assert (picture[39, 40:80] == COLOUR[Kind.DENT]).all()
    assert (picture[64, 40:80] == COLOUR[Kind.DENT]).all()


def test_every_defect_has_a_pair_of_close_ups_and_a_kind_not_more_than_eight() -> None:
    image = np.full((300, 300), 120, np.uint8)
    sheet = close_ups([(image, (DENT,)), (image, ())], columns=4)
    assert sheet.shape == (SIDE + 4, 4 * (2 * SIDE + 8), 3)
    assert (sheet[SIDE // 2, : 2 * SIDE] == 120).all(axis=1).sum() > SIDE
    assert (sheet[: SIDE - 1, 2 * SIDE + 8 :].reshape(-1, 3) == sheet[-1, -1]).all()
    assert close_ups([(image, (DENT,) * 30)], columns=4).shape[0] == 2 * (SIDE + 4)
