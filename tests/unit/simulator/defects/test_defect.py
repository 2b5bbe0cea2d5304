import numpy as np
import pytest

from simulator.defects.defect import LEAST_CONTRAST, LEAST_OF_NOISE, Defect, seen_defect
from simulator.defects.mark import Kind, Mark
from simulator.defects.workpiece import Workpiece
from tests.unit.simulator.defects.sheet_metal import GREY, sheet_metal

ROWS, COLUMNS = slice(10, 30), slice(10, 50)


def square(levels: float, reach_px: float = 1.0) -> Mark:
    """40 by 20 px at 110, 90 of the picture, all of them changed alike."""
    footprint = np.zeros((40, 60), bool)
    footprint[ROWS, COLUMNS] = True
    change = np.where(footprint, levels, 0.0).astype(np.float32)
    return Mark(Kind.STAIN, (100, 80, 160, 120), change, footprint, reach_px)


def seen(work: Workpiece, mark: Mark) -> Defect:
    defect = seen_defect(work, mark)
    assert defect is not None
    return defect


def test_what_is_seen_whole_has_the_mask_of_its_geometry() -> None:
    defect = seen(sheet_metal(), square(-40.0))
    assert (defect.at, defect.mask.shape) == ((110, 90), (20, 40))
    assert defect.mask.all()
    assert defect.area_px == 800
    assert defect.levels == pytest.approx(40.0)
    whole = defect.on((240, 240))
    assert whole[90:110, 110:150].all()
    assert whole.sum() == 800


def test_the_lens_smears_the_change_but_not_the_mask() -> None:
    mark = square(-40.0)
    mark.footprint[:] = False
    mark.change[:] = 0.0
    mark.footprint[20, COLUMNS] = True
    mark.change[20, COLUMNS] = -90.0
    defect = seen(sheet_metal(blur_px=1.5), mark)
    assert defect.mask.shape == (1, 40)
    assert defect.levels == pytest.approx(90.0 / (1.5 * np.sqrt(2 * np.pi)), rel=0.05)


def test_what_an_occluder_covers_is_no_defect() -> None:
    work = sheet_metal()
    work.seen[:, 130:] = 0.0
    defect = seen(work, square(-40.0))
    assert (defect.at, defect.mask.shape) == ((110, 90), (20, 20))
    work.seen[:, 100:] = 0.0
    assert seen_defect(work, square(-40.0)) is None


@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_a_change_that_nobody_sees_is_no_defect(noise: float) -> None:
    work = sheet_metal(noise=noise)
    least = LEAST_CONTRAST * GREY
    assert seen_defect(work, square(-0.95 * least)) is None
    assert seen_defect(work, square(-1.05 * least)) is not None


def test_a_change_below_the_noise_is_no_defect_at_low_contrast_either() -> None:
    work = sheet_metal(noise=20.0)
    assert seen_defect(work, square(0.95 * LEAST_OF_NOISE * 20.0)) is None
    assert seen_defect(work, square(1.05 * LEAST_OF_NOISE * 20.0)) is not None


def test_a_few_pixels_are_too_few_to_be_seen_unless_they_change_a_lot() -> None:
    mark = square(0.0)
    mark.footprint[:] = False
    mark.footprint[10:13, 10:13] = True
    for levels, is_seen in ((30.0, False), (80.0, True)):
        mark.change[10:13, 10:13] = levels
        assert (seen_defect(sheet_metal(noise=6.0), mark) is not None) is is_seen


def test_ends_that_fade_away_are_left_out_of_the_mask_and_what_lies_between_changes_is_kept() -> None:
    mark = square(-40.0, reach_px=3.0)
    mark.change[ROWS, 40:50] = -0.5  # a fading end
    mark.change[ROWS, 20:24] = 0.0  # between the two flanks
    defect = seen(sheet_metal(), mark)
    assert (defect.at, defect.mask.shape) == ((110, 90), (20, 33))
    assert defect.mask.all()
