import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry import Region
from pipeline.stages.crop import widened
from pipeline.stages.tiles import NOTHING, stitch, tiles_of

SIDES = st.floats(20, 3000)


@given(SIDES, SIDES, st.integers(1, 5), st.integers(1, 5))
def test_tiles_lie_side_by_side_and_hold_the_region(w: float, h: float, columns: int, rows: int) -> None:
    region = Region(300.25, 200.5, w, h)
    tiles = tiles_of(region, (256, 256), (columns, rows))
    left, top = min(one.x for one in tiles.values()), min(one.y for one in tiles.values())
    first = next(iter(tiles.values()))
    assert left <= region.x + 1
    assert top <= region.y + 1
    assert max(one.x + one.w for one in tiles.values()) >= region.x + w - 1
    assert max(one.y + one.h for one in tiles.values()) >= region.y + h - 1
    for (column, row), area in tiles.items():
        assert (area.w, area.h) == (first.w, first.h)
        origin = area.x - column * area.w, area.y - row * area.h
        assert origin == (first.x - next(iter(tiles))[0] * first.w, first.y - next(iter(tiles))[1] * first.h)
        assert tuple(area) == widened(area, (256, 256)), "each is cut as it is"


def test_one_tile_is_the_region_as_it_was_before_there_were_tiles() -> None:
    region = Region(10.4, 20.6, 300.0, 200.0)
    assert tiles_of(region, (256, 256), (1, 1)) == {(0, 0): Region(*widened(region, (256, 256)))}


def test_what_is_seen_is_put_where_it_lies_and_nobody_looks_beside_the_region() -> None:
    tiles = tiles_of(Region(0, 100, 300, 100), (100, 100), (3, 3))  # a flat one: the first and the last row miss it
    assert sorted(tiles) == [(0, 1), (1, 1), (2, 1)]
    mask, heatmap = np.zeros((6, 6), np.float32), np.zeros((3, 3), np.float32)
    seen: list[Region] = []

    def look(area: Region) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]  # float32
        seen.append(area)
        return np.full((2, 2), area.x, np.float32), np.ones((1, 1), np.float32)

    assert stitch(tiles, (3, 3), look, mask, heatmap) == Region(0, 0, 300, 300)
    assert seen == [Region(x, 100, 100, 100) for x in (0, 100, 200)]
    assert mask[2].tolist() == [0, 0, 100, 100, 200, 200]
    assert mask[[0, 1, 4, 5]] == pytest.approx(NOTHING)
    assert heatmap.tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
