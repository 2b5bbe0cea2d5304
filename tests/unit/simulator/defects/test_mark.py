import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.defects.burr import sample_burr
from simulator.defects.dent import sample_dent
from simulator.defects.mark import FineGrid, Kind, Mark
from simulator.defects.scratch import sample_scratch
from simulator.defects.stain import sample_stain
from simulator.light import glint
from tests.unit.simulator.defects.sheet_metal import SIDE, sheet_metal

SEEDS = range(25)
CENTRE = (120.3, 119.6)
FLAT = {Kind.SCRATCH: sample_scratch, Kind.DENT: sample_dent, Kind.STAIN: sample_stain}


def marks(kind: Kind, light: tuple[float, float] = (1.0, 0.0)) -> list[Mark]:
    work = sheet_metal(light=light)
    found = [FLAT[kind](np.random.default_rng(seed), work, CENTRE) for seed in SEEDS]
    return [mark for mark in found if mark is not None]


@given(st.floats(20.0, 60.0), st.floats(20.0, 60.0), st.sampled_from([2, 4]))
def test_a_shape_lies_where_it_was_drawn_with_pixel_centres_at_integers(x: float, y: float, fine: int) -> None:
    grid = FineGrid.around(sheet_metal(), np.array([[x, y]]), 12.0, fine)
    assert grid is not None
    across, down = grid.axes()
    cover = grid.pooled(np.hypot(across - x, down - y) <= 9.0)
    left, top, right, bottom = grid.box
    assert cover.shape == (bottom - top, right - left)
    centre = (
        (cover * np.arange(left, right)).sum() / cover.sum(),
        (cover.T * np.arange(top, bottom)).sum() / cover.sum(),
    )
    assert centre == pytest.approx((x, y), abs=0.06)
    row, column = grid.to_grid(np.array([[left, top]]))[0][::-1]
    assert (row, column) == pytest.approx(((fine - 1) / 2, (fine - 1) / 2)), (
        "a pixel's centre is that of its sub-pixels"
    )


@pytest.mark.parametrize("kind", list(FLAT))
def test_each_kind_changes_the_metal_where_it_is_and_nowhere_else(kind: Kind) -> None:
    drawn = marks(kind)
    assert len(drawn) >= 24
    for mark in drawn:
        size = np.abs(mark.change)
        assert mark.footprint.any()
        within = size[mark.footprint].sum() / size.sum()
        assert within > 0.6, "the rest is the rim that takes less than half of a pixel, or has nearly run out"
        border = np.concatenate([size[0], size[-1], size[:, 0], size[:, -1]])
        assert border.max() < 1.0


def test_scratches_are_thin_and_of_all_widths_and_lengths() -> None:
    widths, lengths = [], []
    for mark in marks(Kind.SCRATCH):
        rows, columns = np.nonzero(mark.footprint)
        lengths.append(np.hypot(np.ptp(rows), np.ptp(columns)))
        widths.append(len(rows) / max(lengths[-1], 1.0))
    assert np.quantile(widths, 0.3) < 2.2
    assert max(widths) < 9.0, "a scuff has up to four lines"
    assert min(lengths) < 40
    assert max(lengths) > 120


def test_some_scratches_are_brighter_than_the_metal_and_some_darker() -> None:
    means = [mark.change[mark.footprint].mean() for mark in marks(Kind.SCRATCH)]
    assert sum(mean > 3.0 for mean in means) >= 5
    assert sum(mean < -3.0 for mean in means) >= 5


def test_the_wall_of_a_dent_that_faces_the_lamp_is_bright_and_the_other_one_dark() -> None:
    from_right, from_left = marks(Kind.DENT, (1.0, 0.0)), marks(Kind.DENT, (-1.0, 0.0))
    for right, left in zip(from_right, from_left, strict=True):
        column = np.arange(right.change.shape[1])

        def middle(change: np.ndarray, column: np.ndarray = column) -> float:
            return float((change.sum(axis=0) * column).sum() / change.sum())

        assert (right.footprint == left.footprint).all(), "the shape does not depend on the lamp"
        for change, sign in ((right.change, 1.0), (left.change, -1.0)):
            bright, dark = np.maximum(change, 0.0), np.maximum(-change, 0.0)
            # The lamp shines into the hollow: it meets the wall on the far side of it.
            assert sign * (middle(dark) - middle(bright)) > 1.0


def test_stains_have_little_contrast_and_are_mostly_dark() -> None:
    drawn = marks(Kind.STAIN)
    strongest = np.array([np.quantile(np.abs(mark.change[mark.footprint]), 0.9) for mark in drawn])
    assert (strongest < 0.6 * 150).all()
    assert np.quantile(strongest, 0.3) < 0.3 * 150
    assert 0.6 <= np.mean([mark.change[mark.footprint].mean() < 0 for mark in drawn]) < 1.0


def test_a_burr_stands_on_an_outline_and_sticks_out_of_it() -> None:
    work = sheet_metal()
    work.solid[:, 140:] = 0.0
    work.picture[:, 140:] = 50
    burrs = [mark for seed in SEEDS if (mark := sample_burr(np.random.default_rng(seed), work)) is not None]
    assert len(burrs) >= 3, "most places that are looked at lie on the border of the picture"
    for mark in burrs:
        whole = np.zeros((SIDE, SIDE), bool)
        left, top, right, bottom = mark.box
        whole[top:bottom, left:right] = mark.footprint
        assert whole[:, 140:].any(), "outside of the metal"
        assert whole[:, 134:140].any(), "and rooted in it"
        out = work.cut(np.arange(SIDE)[None, :] * np.ones((SIDE, 1)) >= 141, mark.box)
        assert mark.change[out & mark.footprint].mean() > 10, "metal is brighter than the belt"
        assert np.ptp(np.nonzero(whole[:, 140:].any(axis=0))[0]) < 30


def test_a_part_that_is_nowhere_in_the_picture_has_no_outline_for_a_burr() -> None:
    work = sheet_metal()
    work.solid[:] = 0.0
    assert sample_burr(np.random.default_rng(0), work) is None


def test_metal_that_leans_to_the_lamp_is_brighter() -> None:
    light = glint(np.linspace(-1.0, 1.0, 21, dtype=np.float32))
    assert (np.diff(light) > 0).all()
    assert light[10] == 1.0
